import { SESSION_CHANNEL } from '@vibe/contracts';
import { keys } from '../keys';

/** How many moves the audit stream keeps at least: 40 MB. A million would fill a small Redis, and in a full one nothing moves any more. */
const AUDIT_MAX = 150_000;

/**
 * What every script shares. Time is Redis' own plus the offset that tests set, so that no machine's clock decides.
 * One Redis, no cluster: scripts build key names themselves where they follow from a record.
 */
export const prelude = `
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(redis.call('GET', '${keys.clockOffset}') or '0')
end
local function int(n) return string.format('%.0f', n) end
local function publish(kind, id, h)
  local event = { kind = kind, session_id = id, user_id = h.user_id, state = h.state, rev = tonumber(h.rev), gen = tonumber(h.gen), node_id = h.node_id,
    epoch = redis.call('GET', '${keys.epoch}') or nil, moves = tonumber(redis.call('GET', '${keys.moves}') or '0') }
  redis.call('PUBLISH', '${SESSION_CHANNEL}', cjson.encode(event))
end
local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local h = {}
  for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
  return h
end
-- Writes {field: value}, removes the fields whose value is null.
local function write(key, fields)
  for field, value in pairs(fields) do
    if value == cjson.null then redis.call('HDEL', key, field) else redis.call('HSET', key, field, tostring(value)) end
  end
end
local function audit(now, action, id, from, to, h, actor, reason)
  redis.call('XADD', '${keys.audit}', 'MAXLEN', '~', '${AUDIT_MAX}', '*', 'at', int(now), 'actor', actor, 'action', action, 'session', id, 'user', h.user_id,
    'from', from, 'to', to, 'gen', h.gen, 'rev', h.rev, 'node', h.node_id or '', 'digest', h.snapshot_digest or '', 'reason', reason)
end
-- Keeps every index of one record as its state says. deadline: ms from now, or '' for none.
local function index(now, id, state, h, deadline, is_work)
  if state == 'running' then redis.call('ZADD', '${keys.byActivity}', h.last_activity, id) else redis.call('ZREM', '${keys.byActivity}', id) end
  if deadline == '' then redis.call('ZREM', '${keys.byDeadline}', id) else redis.call('ZADD', '${keys.byDeadline}', int(now + tonumber(deadline)), id) end
  if is_work == '1' then redis.call('ZADD', '${keys.inWork}', int(now), id) else redis.call('ZREM', '${keys.inWork}', id) end
  redis.call('ZREM', '${keys.startsInFlight}', id)
end
`;
