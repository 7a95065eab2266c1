"""
The Lua of ``RedisMemory``. Each script is one atomic step; all begin with ``_PRELUDE``.

Keys, under a root, for a namespace ``ns`` and an item ``id`` (both percent-encoded):

    root:ns:item:id       hash: body, labels, words, embedder, vector, created, expires
    root:ns:trace:id      hash: words, embedder; outlives the item, to clean the indexes by
    root:ns:newest        sorted set of ids by time
    root:ns:word:w        sorted set of ids of items that hold the word w, by time
    root:ns:vector:name   sorted set of ids of items with a vector of that embedder, by time
    root:ns:indexes       set of the last parts of the two above ("word:w", "vector:name")
    root:due              sorted set of "ns id" by expiry

Redis itself expires an item when it is due. Indexes expire with the last item in them, an hour
later, so that nothing stays even where nobody ever purges.
"""

from __future__ import annotations

_PRELUDE = """
local root, ns = ARGV[1], ARGV[2]
local function key(space, kind) return root .. ':' .. space .. ':' .. kind end
local due = root .. ':due'
local function forget(space, id)
  local known = redis.call('ZREM', key(space, 'newest'), id)
  redis.call('ZREM', due, space .. ' ' .. id)
  if known == 0 then return 0 end
  local trace = redis.call('HMGET', key(space, 'trace:' .. id), 'words', 'embedder')
  local named = {}
  if trace[1] then
    for word in string.gmatch(trace[1], '%S+') do named[#named + 1] = 'word:' .. word end
    named[#named + 1] = 'vector:' .. trace[2]
  else
    named = redis.call('SMEMBERS', key(space, 'indexes'))
  end
  for _, name in ipairs(named) do
    redis.call('ZREM', key(space, name), id)
    if redis.call('EXISTS', key(space, name)) == 0 then
      redis.call('SREM', key(space, 'indexes'), name)
    end
  end
  redis.call('DEL', key(space, 'item:' .. id), key(space, 'trace:' .. id))
  return 1
end
"""

_READING = """
local now = tonumber(ARGV[3])
local function alive(id, ...)
  local row = redis.call('HMGET', key(ns, 'item:' .. id), 'expires', ...)
  if row[2] and (row[1] == '' or tonumber(row[1]) > now) then return row end
end
local function rows(ids, ...)
  local found = {}
  for _, id in ipairs(ids) do
    local row = alive(id, ...)
    if row then row[1] = id; found[#found + 1] = row end
  end
  return found
end
"""

ADD = (
    _PRELUDE
    + """
-- id, created, expires, item's end in ms, indexes' end in ms, words, body, labels, embedder, vector
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function keep(name, end_ms, ...)
  local left = redis.call('PTTL', name)
  redis.call(...)
  if end_ms == '' then
    redis.call('PERSIST', name)
  elseif left == -2 or (left >= 0 and left < tonumber(end_ms) - now_ms) then
    redis.call('PEXPIREAT', name, end_ms)
  end
end
for at = 3, #ARGV, 10 do
  local id, created, expires, item_end, index_end = unpack(ARGV, at, at + 4)
  local words, body, labels, embedder, vector = unpack(ARGV, at + 5, at + 9)
  forget(ns, id)
  local function index(name)
    keep(key(ns, name), index_end, 'ZADD', key(ns, name), created, id)
    keep(key(ns, 'indexes'), index_end, 'SADD', key(ns, 'indexes'), name)
  end
  for word in string.gmatch(words, '%S+') do index('word:' .. word) end
  if vector ~= '' then index('vector:' .. embedder) end
  keep(key(ns, 'newest'), index_end, 'ZADD', key(ns, 'newest'), created, id)
  local trace, item = key(ns, 'trace:' .. id), key(ns, 'item:' .. id)
  keep(trace, index_end, 'HSET', trace, 'words', words, 'embedder', embedder)
  if expires ~= '' then keep(due, index_end, 'ZADD', due, expires, ns .. ' ' .. id) end
  keep(item, item_end, 'HSET', item, 'body', body, 'labels', labels, 'words', words,
    'embedder', embedder, 'vector', vector, 'created', created, 'expires', expires)
end
"""
)
"""Root, namespace, then ten arguments for each item, as the script names them."""

FIND = (
    _PRELUDE
    + _READING
    + """
local limit, counts, held = tonumber(ARGV[4]), {}, {}
for at = 5, #ARGV do
  local count = redis.call('ZCARD', key(ns, 'word:' .. ARGV[at]))
  counts[#counts + 1] = count
  if count > 0 then held[#held + 1] = {count, ARGV[at]} end
end
table.sort(held, function(a, b) return a[1] < b[1] end)
local ids, seen, sum = {}, {}, 0
local function take(id)
  if not seen[id] and #ids < limit then seen[id] = true; ids[#ids + 1] = id end
end
for place, word in ipairs(held) do
  if #ids >= limit then break end
  sum = sum + word[1]
  local depth = sum > limit and 4 * limit or limit
  local newest = redis.call('ZREVRANGE', key(ns, 'word:' .. word[2]), 0, depth - 1)
  if sum > limit then
    for other = place + 1, math.min(place + 2, #held) do
      for _, id in ipairs(newest) do
        if redis.call('ZSCORE', key(ns, 'word:' .. held[other][2]), id) then take(id) end
      end
    end
  end
  for _, id in ipairs(newest) do take(id) end
end
local found = rows(ids, 'created', 'words', 'labels')
return {redis.call('ZCARD', key(ns, 'newest')), counts, found}
"""
)
"""
Root, namespace, now, most items, words. Items, a count per word, rows for ranking.

Finds as ``ranking.ways_to`` says, but looks for items with several of the common words among the
newest four times *most* only.
"""

ROWS = _PRELUDE + _READING + "return rows({unpack(ARGV, 4)}, 'created', 'words', 'labels')"
"""Root, namespace, now, ids. Rows for ranking: id, created, words, labels."""

VECTORS = (
    _PRELUDE
    + _READING
    + """
local ids = redis.call('ZREVRANGE', key(ns, 'vector:' .. ARGV[4]), 0, ARGV[5] - 1)
return rows(ids, 'vector', 'labels')
"""
)
"""Root, namespace, now, embedder, most items. Id, vector, labels, newest first."""

ITEMS = (
    _PRELUDE + _READING + "return rows({unpack(ARGV, 4)}, 'body', 'labels', 'vector', 'embedder')"
)
"""Root, namespace, now, ids. What makes the items, after their ids."""

NEWEST = (
    _PRELUDE
    + _READING
    + """
local ids = redis.call('ZREVRANGE', key(ns, 'newest'), ARGV[4], ARGV[5])
return {#ids, rows(ids, 'body', 'labels', 'vector', 'embedder')}
"""
)
"""Root, namespace, now, first, last. How many ids there were, then as ``ITEMS``."""

FORGET = _PRELUDE + "return forget(ns, ARGV[3])"
"""Root, namespace, id. 1 if it was there."""

FORGET_SOME = (
    _PRELUDE
    + """
local ids = redis.call('ZRANGE', key(ns, 'newest'), 0, ARGV[3] - 1)
for _, id in ipairs(ids) do forget(ns, id) end
return #ids
"""
)
"""Root, namespace, most items. How many were forgotten."""

PURGE = (
    _PRELUDE
    + """
local purged = redis.call('ZRANGEBYSCORE', due, '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])
for _, member in ipairs(purged) do
  local gap = string.find(member, ' ', 1, true)
  forget(string.sub(member, 1, gap - 1), string.sub(member, gap + 1))
end
return #purged
"""
)
"""Root, "", now, most items. How many were forgotten."""
