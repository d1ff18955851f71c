import { keys } from '../keys';
import { prelude } from './prelude';

/**
 * One move: compares rev (and that the table allows it), writes, keeps the indexes, appends to the audit stream, publishes.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 rev it starts from  3 to  4 states it may start from, comma separated  5 deadline ms or ''  6 is work: 1 or 0
 *       7 actor  8 reason or ''  9 fields as JSON (null removes)  10 node that now holds data of it, or ''
 *       11 tag of the snapshot that this move makes the session's own, or ''  12 digest that this move replaces, or ''
 *       13 last activity that the caller decided on: used since is 'stale'; or ''
 *       14 latest epoch that the caller has seen, or ''  15 moves it had counted by then  16 epochs it has closed, comma separated
 *       (14 to 16 are always given; the model of faults alone leaves them out, all three, in its weakening `the epoch`)
 * Returns  {'moved', epoch, moves, the record as it is by this move, name and value by turns} | {'stale'} (other rev, or the table forbids it) | {'absent'} | {'collecting'} (no push may
 *          begin while the registry's garbage is collected: nothing falls asleep) | {'absent epoch'} | {'rewound'} (this Redis
 *          is older than what the caller has seen, so that its records cannot be believed)
 */
export const moveScript = `${prelude}
local function opened_at(epoch) return tonumber(string.match(epoch, '^%d+')) end
if ARGV[14] then
  local epoch, moves = redis.call('GET', '${keys.epoch}'), tonumber(redis.call('GET', '${keys.moves}') or '0')
  if not epoch then return {'absent epoch'} end
  if string.find(',' .. (ARGV[16] or '') .. ',', ',' .. epoch .. ',', 1, true) then return {'rewound'} end
  if epoch == ARGV[14] and moves < tonumber(ARGV[15]) then return {'rewound'} end
  if epoch ~= ARGV[14] and ARGV[14] ~= '' and opened_at(epoch) < opened_at(ARGV[14]) then return {'rewound'} end
end
local h = load(KEYS[1])
if not h then return {'absent'} end
local id, to, from = ARGV[1], ARGV[3], h.state
if h.rev ~= ARGV[2] then return {'stale'} end
if ARGV[13] ~= '' and tonumber(h.last_activity) > tonumber(ARGV[13]) then return {'stale'} end
if not string.find(',' .. ARGV[4] .. ',', ',' .. from .. ',', 1, true) then return {'stale'} end
if to == 'hibernating' and redis.call('EXISTS', '${keys.collection}') == 1 then return {'collecting'} end
local now = now_ms()
redis.call('HSET', KEYS[1], 'state', to, 'rev', int(tonumber(h.rev) + 1), 'state_since', int(now))
redis.call('HDEL', KEYS[1], 'step', 'reason')
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'reason', ARGV[8]) end
-- A terminal that has just opened is in use: the idle clock starts here, however long the start took.
if to == 'running' and from ~= 'hibernating' then redis.call('HSET', KEYS[1], 'last_activity', int(now), 'activity_reason', 'opened') end
write(KEYS[1], cjson.decode(ARGV[9]))
if ARGV[10] ~= '' then
  local nodes = h.nodes or ''
  if not string.find(',' .. nodes .. ',', ',' .. ARGV[10] .. ',', 1, true) then
    redis.call('HSET', KEYS[1], 'nodes', nodes == '' and ARGV[10] or nodes .. ',' .. ARGV[10])
  end
end
if ARGV[11] ~= '' then redis.call('ZREM', '${keys.droppable}', id .. ' ' .. ARGV[11]) end
if ARGV[12] ~= '' then redis.call('ZADD', '${keys.droppable}', int(now), id .. ' ' .. ARGV[12]) end
h = load(KEYS[1])
index(now, id, to, h, ARGV[5], ARGV[6])
redis.call('HINCRBY', '${keys.counts}', from, -1)
redis.call('HINCRBY', '${keys.counts}', to, 1)
local moves = redis.call('INCR', '${keys.moves}')
audit(now, 'move', id, from, to, h, ARGV[7], ARGV[8])
publish('move', id, h)
return {'moved', redis.call('GET', '${keys.epoch}') or '', moves, redis.call('HGETALL', KEYS[1])}
`;

/**
 * Removes the record of a session that is erased: the end of its life.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 rev it starts from  3 actor
 * Returns  'removed' | 'stale' (other rev, or not deleting) | 'absent'
 */
export const removeScript = `${prelude}
local h = load(KEYS[1])
if not h then return 'absent' end
if h.rev ~= ARGV[2] or h.state ~= 'deleting' then return 'stale' end
local now = now_ms()
redis.call('DEL', KEYS[1])
redis.call('SREM', 'user:' .. h.user_id .. ':sessions', ARGV[1])
index(now, ARGV[1], 'removed', h, '', '0')
redis.call('HINCRBY', '${keys.counts}', 'deleting', -1)
redis.call('INCR', '${keys.moves}')
audit(now, 'remove', ARGV[1], 'deleting', '', h, ARGV[3], '')
publish('removed', ARGV[1], h)
return 'removed'
`;

/**
 * A node confirmed that it holds nothing of an erased session any more.
 *
 * KEYS  1 session:{id}
 * ARGV  1 id  2 rev  3 node
 * Returns  how many nodes still hold data | -1 (other rev, not deleting, or absent)
 */
export const forgetNodeScript = `${prelude}
local h = load(KEYS[1])
if not h or h.rev ~= ARGV[2] or h.state ~= 'deleting' then return -1 end
local left, count = {}, 0
for node in string.gmatch(h.nodes or '', '[^,]+') do
  if node ~= ARGV[3] then
    count = count + 1
    left[count] = node
  end
end
redis.call('HSET', KEYS[1], 'nodes', table.concat(left, ','))
return count
`;
