"""What the Redis queue changes in one piece: Lua scripts, each on the keys of one destination.

    ready    stream     deliveries to be taken now, read by one consumer group; an entry is pending while it is worked on
    entries  hash       delivery → its entry in the stream: what is there is not put in twice
    later    sorted set delivery → when it is due again
    flight   sorted set delivery → end of its lease: what all nodes have under way
    started  sorted set request → when it started, of the last minute
    gate     hash       failures in a row; closed_until

Every instant is given by the caller in microseconds. What a dead node held is put in again when its lease has ended; an entry
that nobody leased any more is found by XAUTOCLAIM, on Redis's own clock.
"""

from __future__ import annotations

GROUP = "nodes"
KEYS = ("ready", "entries", "later", "flight", "started", "gate")

_COMMON = """
local ready, entries, later, flight, started, gate = unpack(KEYS)
local function there(id)
  local entry = redis.call('HGET', entries, id)
  return entry and #redis.call('XRANGE', ready, entry, entry) > 0
end
local function put(id)
  redis.call('ZREM', later, id)
  redis.call('HSET', entries, id, redis.call('XADD', ready, '*', 'id', id))
end
local function drop(id, entry)
  redis.call('XACK', ready, 'nodes', entry)
  redis.call('XDEL', ready, entry)
  if redis.call('HGET', entries, id) == entry then redis.call('HDEL', entries, id) end
end
"""

ADD = (
    _COMMON
    + """
-- ARGV: now, and the id of each delivery that is due
local added = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local lease = redis.call('ZSCORE', flight, id)
  if not there(id) and (not lease or tonumber(lease) <= tonumber(ARGV[1])) then
    put(id)
    added = added + 1
  end
end
return added
"""
)
"""Put in what is due and not here; of that the ledger knows better than `later`."""

TAKE = (
    _COMMON
    + """
-- ARGV: now, lease end, lease in ms, consumer, wanted, in flight, per minute, failures that open the breaker, minute ago
local now, wanted = tonumber(ARGV[1]), tonumber(ARGV[5])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 256)) do
  if there(id) then redis.call('ZREM', later, id) else put(id) end
end
redis.pcall('XGROUP', 'CREATE', ready, 'nodes', '0', 'MKSTREAM')
for _, id in ipairs(redis.call('ZRANGEBYSCORE', flight, '-inf', now)) do
  redis.call('ZREM', flight, id)
  local entry = redis.call('HGET', entries, id)
  if entry and there(id) then
    drop(id, entry)
    put(id)
  end
end
local failures = tonumber(redis.call('HGET', gate, 'failures') or '0')
local closed = tonumber(redis.call('HGET', gate, 'closed_until') or '0')
local down = failures >= tonumber(ARGV[8])
local running = redis.call('ZCARD', flight)
local room = (down and 1 or tonumber(ARGV[6])) - running
local opens = 0
if tonumber(ARGV[7]) > 0 then
  redis.call('ZREMRANGEBYSCORE', started, '-inf', ARGV[9])
  local left = tonumber(ARGV[7]) - redis.call('ZCARD', started)
  room = math.min(room, left)
  if left <= 0 then
    local first = redis.call('ZRANGE', started, 0, 0, 'WITHSCORES')
    opens = tonumber(first[2]) + now - tonumber(ARGV[9])
  end
end
if closed > now then room = 0 end
room = math.max(0, math.min(room, wanted))
local taken = {}
if room > 0 then
  local function keep(found)
    for _, entry in ipairs(found) do
      if entry and entry[2] then
        local id = entry[2][2]
        redis.call('ZADD', flight, ARGV[2], id)
        if tonumber(ARGV[7]) > 0 then redis.call('ZADD', started, ARGV[1], id .. ARGV[1]) end
        table.insert(taken, entry[1])
        table.insert(taken, id)
        room = room - 1
      end
    end
  end
  keep(redis.call('XAUTOCLAIM', ready, 'nodes', ARGV[4], ARGV[3], '0', 'COUNT', room)[2])
  if room > 0 then
    local read = redis.call('XREADGROUP', 'GROUP', 'nodes', ARGV[4], 'COUNT', room, 'STREAMS', ready, '>')
    if read then keep(read[1][2]) end
  end
end
return {down and 1 or 0, string.format('%.0f', math.max(closed, opens)), room, taken}
"""
)
"""Take as many as the destination bears, and how many more it would bear: first what dead nodes left, then what is new."""

SETTLE = (
    _COMMON
    + """
-- ARGV: now, failures that open the breaker, how long it stays open; then of each delivery
-- entry, id, due again ('' = done), next of its key ('' = none), outcome, closed until
local most = tonumber(ARGV[2])
for i = 4, #ARGV, 6 do
  local entry, id, again, following, outcome, until_ = unpack(ARGV, i, i + 5)
  if entry ~= '' then drop(id, entry) end
  redis.call('ZREM', flight, id)
  if again ~= '' then redis.call('ZADD', later, again, id) end
  if following ~= '' and not there(following) then put(following) end
  if outcome == 'answered' then
    redis.call('HDEL', gate, 'failures')
  elseif outcome ~= '' then
    local closed = tonumber(redis.call('HGET', gate, 'closed_until') or '0')
    if outcome == 'failed' and redis.call('HINCRBY', gate, 'failures', 1) >= most then
      local opens = math.max(closed, tonumber(ARGV[1]) + tonumber(ARGV[3]))
      redis.call('HSET', gate, 'closed_until', string.format('%.0f', opens))
    elseif outcome == 'throttled' and tonumber(until_) > closed then
      redis.call('HSET', gate, 'closed_until', until_)
    end
  end
end
"""
)
"""End work on deliveries: drop each or keep it for later, bring in the next of its key, and note how the destination is."""
