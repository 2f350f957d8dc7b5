"""What the Redis queue changes in one piece: Lua scripts, each on the keys of one destination.

    ready    stream     deliveries to be taken now, read by one consumer group; an entry is pending while it is worked on
    later    sorted set delivery → when it is due again
    known    sorted set delivery → when it came into the queue: what is here is not put in twice
    flight   sorted set delivery → end of its lease: what all nodes have under way
    started  sorted set request → when it started, of the last minute
    gate     hash       failures in a row; closed_until

Every instant is given by the caller in microseconds; Redis's own clock only decides when an entry of a dead node is taken over.
"""

from __future__ import annotations

GROUP = "nodes"
KEYS = ("ready", "later", "known", "flight", "started", "gate")

_NAMES = "local ready, later, known, flight, started, gate = unpack(KEYS)\n"

ADD = (
    _NAMES
    + """
-- ARGV: now, forgotten before, due and id of each delivery
local now, old = tonumber(ARGV[1]), tonumber(ARGV[2])
local added = 0
for i = 3, #ARGV, 2 do
  local id = ARGV[i + 1]
  local since = redis.call('ZSCORE', known, id)
  local lease = redis.call('ZSCORE', flight, id)
  if (not since or tonumber(since) <= old) and (not lease or tonumber(lease) <= now) then
    redis.call('ZADD', known, ARGV[1], id)
    if tonumber(ARGV[i]) <= now then
      redis.call('ZREM', later, id)
      redis.call('XADD', ready, '*', 'id', id)
    else
      redis.call('ZADD', later, ARGV[i], id)
    end
    added = added + 1
  end
end
return added
"""
)
"""Put in what is not here yet, or has been here so long that it must have been lost."""

TAKE = (
    _NAMES
    + """
-- ARGV: now, lease end, lease in ms, consumer, wanted, in flight, per minute, failures that open the breaker, minute ago
local now, wanted = tonumber(ARGV[1]), tonumber(ARGV[5])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 256)) do
  redis.call('ZREM', later, id)
  redis.call('XADD', ready, '*', 'id', id)
end
local failures = tonumber(redis.call('HGET', gate, 'failures') or '0')
local closed = tonumber(redis.call('HGET', gate, 'closed_until') or '0')
local down = failures >= tonumber(ARGV[8])
redis.call('ZREMRANGEBYSCORE', flight, '-inf', now)
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
room = math.min(room, wanted)
local taken = {}
if room > 0 then
  redis.pcall('XGROUP', 'CREATE', ready, 'nodes', '0', 'MKSTREAM')
  local function keep(entries)
    for _, entry in ipairs(entries) do
      if entry and entry[2] then
        local id = entry[2][2]
        redis.call('ZADD', flight, ARGV[2], id)
        if tonumber(ARGV[7]) > 0 then redis.call('ZADD', started, ARGV[1], id .. ARGV[1]) end
        table.insert(taken, entry[1])
        table.insert(taken, id)
      end
    end
  end
  keep(redis.call('XAUTOCLAIM', ready, 'nodes', ARGV[4], ARGV[3], '0', 'COUNT', room)[2])
  room = room - #taken / 2
  if room > 0 then
    local read = redis.call('XREADGROUP', 'GROUP', 'nodes', ARGV[4], 'COUNT', room, 'STREAMS', ready, '>')
    if read then keep(read[1][2]) end
  end
end
return {down and 1 or 0, string.format('%.0f', math.max(closed, opens)), taken}
"""
)
"""Take as many as the destination bears: first what dead nodes left, then what is new."""

SETTLE = (
    _NAMES
    + """
-- ARGV: now, entry, id, due again ('' = done), next of its key ('' = none), outcome, closed until, failures that open the
-- breaker, how long it stays open
local entry, id, again = ARGV[2], ARGV[3], ARGV[4]
if entry ~= '' then
  redis.call('XACK', ready, 'nodes', entry)
  redis.call('XDEL', ready, entry)
end
redis.call('ZREM', flight, id)
if again == '' then
  redis.call('ZREM', known, id)
else
  redis.call('ZADD', known, ARGV[1], id)
  redis.call('ZADD', later, again, id)
end
if ARGV[5] ~= '' and not redis.call('ZSCORE', known, ARGV[5]) then
  redis.call('ZADD', known, ARGV[1], ARGV[5])
  redis.call('XADD', ready, '*', 'id', ARGV[5])
end
local closed = tonumber(redis.call('HGET', gate, 'closed_until') or '0')
if ARGV[6] == 'answered' then
  redis.call('HDEL', gate, 'failures')
elseif ARGV[6] == 'failed' then
  local failures = redis.call('HINCRBY', gate, 'failures', 1)
  if failures >= tonumber(ARGV[8]) then
    closed = math.max(closed, tonumber(ARGV[1]) + tonumber(ARGV[9]))
    redis.call('HSET', gate, 'closed_until', string.format('%.0f', closed))
  end
elseif ARGV[6] == 'throttled' and tonumber(ARGV[7]) > closed then
  redis.call('HSET', gate, 'closed_until', ARGV[7])
end
"""
)
"""End work on one delivery: drop it or keep it for later, bring in the next of its key, and note how the destination is."""
