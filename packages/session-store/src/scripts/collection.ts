import { keys } from '../keys';
import { prelude } from './prelude';

/**
 * Begins a collection of the registry's garbage, unless one is under way or this run has ended. From here on no session may
 * begin to fall asleep (the move script looks at the same key).
 *
 * KEYS  none
 * ARGV  1 run  2 first step  3 ms until it is overdue  4 fields as JSON
 * Returns  'begun' | 'under_way' (this run or another: nothing changed) | 'ended' (this run was here before)
 */
export const beginCollectionScript = `${prelude}
if redis.call('EXISTS', '${keys.collection}') == 1 then return 'under_way' end
if redis.call('HGET', '${keys.collected}', 'run') == ARGV[1] then return 'ended' end
local now = now_ms()
redis.call('HSET', '${keys.collection}', 'run', ARGV[1], 'step', ARGV[2], 'step_since', int(now), 'started_at', int(now), 'deadline_at', int(now + tonumber(ARGV[3])))
write('${keys.collection}', cjson.decode(ARGV[4]))
return 'begun'
`;

/**
 * One step further. Compares run and step, so that a handler that hung changes nothing when it wakes up.
 *
 * KEYS  none
 * ARGV  1 run  2 step it leaves  3 next step  4 ms until it is overdue, or '' (leaves the deadline)  5 fields as JSON
 * Returns  'advanced' | 'stale'
 */
export const advanceCollectionScript = `${prelude}
local h = load('${keys.collection}')
if not h or h.run ~= ARGV[1] or h.step ~= ARGV[2] then return 'stale' end
local now = now_ms()
redis.call('HSET', '${keys.collection}', 'step', ARGV[3], 'step_since', int(now), 'ms_' .. h.step, int(math.max(0, now - tonumber(h.step_since))))
if ARGV[4] ~= '' then redis.call('HSET', '${keys.collection}', 'deadline_at', int(now + tonumber(ARGV[4]))) end
write('${keys.collection}', cjson.decode(ARGV[5]))
return 'advanced'
`;

/**
 * Ends a collection: sessions may fall asleep again. How it went is kept until the next one ends.
 *
 * KEYS  none
 * ARGV  1 run  2 step it leaves
 * Returns  'ended' | 'stale'
 */
export const endCollectionScript = `${prelude}
local h = load('${keys.collection}')
if not h or h.run ~= ARGV[1] or h.step ~= ARGV[2] then return 'stale' end
local now = now_ms()
redis.call('DEL', '${keys.collected}')
h['ms_' .. h.step], h.ended_at = int(math.max(0, now - tonumber(h.step_since))), int(now)
for field, value in pairs(h) do redis.call('HSET', '${keys.collected}', field, value) end
redis.call('DEL', '${keys.collection}')
return 'ended'
`;

/**
 * Whether the last collection ended long enough ago. Where none is remembered (a Redis that is new or was emptied) the time
 * counts from now.
 *
 * KEYS  none
 * ARGV  1 ms between the end of one and the next
 * Returns  1 | 0
 */
export const collectionDueScript = `${prelude}
if redis.call('EXISTS', '${keys.collection}') == 1 then return 0 end
local now = now_ms()
redis.call('HSETNX', '${keys.collected}', 'ended_at', int(now))
return now - tonumber(redis.call('HGET', '${keys.collected}', 'ended_at')) >= tonumber(ARGV[1]) and 1 or 0
`;
