import { keys } from '../keys';
import { prelude } from './prelude';

/**
 * Records that work got further: same state, same rev. Renews the deadline.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 rev  3 deadline ms or '' (leaves it)  4 fields as JSON (null removes)
 * Returns  1 | 0 (other rev or absent: nothing changed)
 */
export const progressScript = `${prelude}
local h = load(KEYS[1])
if not h or h.rev ~= ARGV[2] then return 0 end
write(KEYS[1], cjson.decode(ARGV[4]))
if ARGV[3] ~= '' then redis.call('ZADD', '${keys.byDeadline}', int(now_ms() + tonumber(ARGV[3])), ARGV[1]) end
publish('progress', ARGV[1], load(KEYS[1]))
return 1
`;

/**
 * Sets the idle clock: last_activity becomes now minus the age, unless it is later already.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 gen that was looked at, or '' for any  3 age ms, or '' when nothing was seen  4 activity reason
 * Returns  1 when it moved | 0
 */
export const touchScript = `${prelude}
local h = load(KEYS[1])
if not h or (ARGV[2] ~= '' and h.gen ~= ARGV[2]) then return 0 end
local now = now_ms()
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'looked_at', int(now)) end
if ARGV[3] == '' then return 0 end
local active = now - tonumber(ARGV[3])
if active <= tonumber(h.last_activity) then return 0 end
redis.call('HSET', KEYS[1], 'last_activity', int(active), 'activity_reason', ARGV[4])
redis.call('ZADD', '${keys.byActivity}', 'XX', int(active), ARGV[1])
publish('activity', ARGV[1], h)
return 1
`;

/**
 * Takes a place among the starts in flight; keeps the one it has.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 rev  3 limit
 * Returns  'taken' | 'full' | 'stale'
 */
export const startSlotScript = `${prelude}
local h = load(KEYS[1])
if not h or h.rev ~= ARGV[2] then return 'stale' end
if redis.call('ZSCORE', '${keys.startsInFlight}', ARGV[1]) then return 'taken' end
if redis.call('ZCARD', '${keys.startsInFlight}') >= tonumber(ARGV[3]) then return 'full' end
redis.call('ZADD', '${keys.startsInFlight}', int(now_ms()), ARGV[1])
return 'taken'
`;

/**
 * Gives a session another name. Not a move: state and rev stay.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 name
 * Returns  1 | 0 (absent)
 */
export const renameScript = `${prelude}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'name', ARGV[2])
publish('progress', ARGV[1], load(KEYS[1]))
return 1
`;

/** KEYS none. ARGV none. Returns  now in ms, as text. */
export const nowScript = `${prelude}
return int(now_ms())
`;

/**
 * Ids due in a sorted set of times.
 *
 * KEYS  1 the set
 * ARGV  1 ms before now that counts as due  2 limit
 * Returns  a list of ids, the longest due first
 */
export const dueScript = `${prelude}
return redis.call('ZRANGE', KEYS[1], '-inf', int(now_ms() - tonumber(ARGV[1])), 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[2]))
`;
