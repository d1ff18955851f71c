import { keys } from '../keys';
import { prelude } from './prelude';

/**
 * Adopts one session during a rebuild. Only while there is no epoch: afterwards what has no record is an orphan.
 * Redis' seconds serve as rev: higher than any rev that moves ever counted, so that late jobs and old snapshots lose.
 *
 * KEYS  1 session:{id}  2 user:{user}:sessions
 * ARGV  1 id  2 state  3 deadline ms or ''  4 fields as JSON  5 actor  6 age of the last activity, ms
 *       7 rev of the record that this was planned from, or '' when there was none
 * Returns  'adopted' | 'stale' (the record has moved since: nothing changed) | 'epoch' (too late: nothing changed)
 */
export const adoptScript = `${prelude}
if redis.call('EXISTS', '${keys.epoch}') == 1 then return 'epoch' end
local now, old = now_ms(), load(KEYS[1])
if (old and old.rev or '') ~= ARGV[7] then return 'stale' end
if old then redis.call('HINCRBY', '${keys.counts}', old.state, -1) end
redis.call('DEL', KEYS[1])
local rev = math.max(math.floor(now / 1000), old and tonumber(old.rev) + 1 or 0)
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'state', ARGV[2], 'rev', int(rev), 'state_since', int(now), 'last_activity', int(now - tonumber(ARGV[6])))
write(KEYS[1], cjson.decode(ARGV[4]))
redis.call('SADD', KEYS[2], ARGV[1])
local h = load(KEYS[1])
index(now, ARGV[1], ARGV[2], h, ARGV[3], '0')
redis.call('HINCRBY', '${keys.counts}', ARGV[2], 1)
redis.call('INCR', '${keys.moves}')
audit(now, 'adopt', ARGV[1], '', ARGV[2], h, ARGV[5], '')
publish('move', ARGV[1], h)
return 'adopted'
`;

/**
 * Closes the epoch, and forgets with it what agents reported: in a Redis that went back a report is older than it looks.
 *
 * KEYS, ARGV none
 * Returns  the epoch that was closed, or nil when there was none (then nothing changed)
 */
export const closeEpochScript = `
local gone = redis.call('GETDEL', '${keys.epoch}')
if gone then
  for _, id in ipairs(redis.call('SMEMBERS', '${keys.nodes}')) do redis.call('DEL', '${keys.node('')}' .. id) end
  redis.call('DEL', '${keys.nodes}', '${keys.swarmView}')
end
return gone
`;

/**
 * Ends a rebuild: from here on Redis is the truth again.
 *
 * KEYS none
 * ARGV  1 what tells the new epoch from all others; its name begins with the time, so that an older one is known as such
 * Returns  the epoch that holds (an older one when somebody was quicker)
 */
export const openEpochScript = `${prelude}
redis.call('SET', '${keys.epoch}', int(now_ms()) .. '-' .. ARGV[1], 'NX')
return redis.call('GET', '${keys.epoch}')
`;
