import { keys } from '../keys';
import { prelude } from './prelude';

/**
 * Checks the quota and claims `creating`, in one step.
 *
 * KEYS  1 session:{id}  2 user:{user}:sessions
 * ARGV  1 id  2 user  3 max sessions of one user  4 states that count, comma separated  5 deadline ms  6 actor
 *       7 fields as JSON (name, base_image)
 * Returns  'created' | 'exists' (this id is taken: nothing changed) | 'quota' | 'rebuilding' (no epoch: Redis is new or was lost)
 */
export const createScript = `${prelude}
if redis.call('EXISTS', '${keys.epoch}') == 0 then return 'rebuilding' end
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
local id, user = ARGV[1], ARGV[2]
local counting, held = ',' .. ARGV[4] .. ',', 0
for _, other in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local state = redis.call('HGET', '${keys.sessionPrefix}' .. other, 'state')
  if state and string.find(counting, ',' .. state .. ',', 1, true) then held = held + 1 end
end
if held >= tonumber(ARGV[3]) then return 'quota' end
local now = now_ms()
redis.call('HSET', KEYS[1], 'id', id, 'user_id', user, 'state', 'creating', 'rev', '1', 'gen', '1', 'created_at', int(now),
  'last_activity', int(now), 'activity_reason', 'opened', 'state_since', int(now), 'step', 'queued')
write(KEYS[1], cjson.decode(ARGV[7]))
redis.call('SADD', KEYS[2], id)
local h = load(KEYS[1])
index(now, id, 'creating', h, ARGV[5], '1')
redis.call('HINCRBY', '${keys.counts}', 'creating', 1)
redis.call('INCR', '${keys.moves}')
audit(now, 'create', id, '', 'creating', h, ARGV[6], '')
publish('move', id, h)
return 'created'
`;
