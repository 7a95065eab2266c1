"""A store in Redis: shared by every process that reaches the server."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast
from zlib import crc32

import anyio
from anyio.lowlevel import RunVar

from plano_asgi.stores.keys import KeyUnavailable, NotACounter, key_bytes, key_text, unavailable
from plano_asgi.stores.redis_client import RedisClient

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

_PAGE = 1_000
_STRIPES = 64
_SPECIAL = frozenset(b"*?[]^-\\")

_ADD = """
local is_new = redis.call('EXISTS', ARGV[1]) == 0
local done = redis.pcall('INCRBY', ARGV[1], ARGV[2])
if type(done) == 'table' then
  if string.find(done.err, 'integer') then return false end
  return done
end
if is_new and ARGV[3] ~= '' then redis.call('PEXPIRE', ARGV[1], ARGV[3]) end
return redis.call('GET', ARGV[1])
"""
_SWAP = """
local now = redis.call('GET', ARGV[1])
local expected = ARGV[2] == '1' and ARGV[3]
if now ~= expected then return {0, now} end
if ARGV[4] == '0' then
  redis.call('DEL', ARGV[1])
elseif ARGV[6] == '' then
  redis.call('SET', ARGV[1], ARGV[5])
else
  redis.call('SET', ARGV[1], ARGV[5], 'PX', ARGV[6])
end
return {1}
"""


class RedisStore:
    """
    The store on the server at *url*; as durable as the server is set up to be. Times are the
    server's, so that processes need not agree on one. asyncio only.

    Args:
        url: ``redis://`` or ``rediss://``, as redis-py reads it.
        root: What every key begins with.
        max_connections: Per event loop.
        connect_timeout_s: For a connection.
        command_timeout_s: For a call, all tries of an ``update`` included; then
            ``StoreUnavailable``.

    ``keys`` and ``delete_prefix`` scan the whole database, a page at a time.

    Raises:
        MissingExtra: redis-py is not installed.
        ConfigurationError: *url* is none.
    """

    def __init__(
        self,
        url: str,
        *,
        root: str = "plano:store",
        max_connections: int = 16,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> None:
        self._client = RedisClient(
            url,
            unavailable=lambda reason: unavailable("Redis", reason),
            refused=lambda reason: unavailable("Redis", reason, KeyUnavailable),
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
            command_timeout_s=command_timeout_s,
        )
        self._root = f"{root}:".encode()
        self._timeout_s = command_timeout_s
        self._stripes: RunVar[list[anyio.Lock]] = RunVar("plano_redis_store")

    @property
    def is_shared(self) -> bool:
        """Always."""
        return True

    async def get(self, key: str, /) -> bytes | None:
        """See ``Store``."""
        name = self._name(key)

        async def work(redis: Redis) -> bytes | None:
            return cast("bytes | None", await redis.get(name))

        return await self._client.run(work)

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """See ``BulkStore``."""
        names = [self._name(key) for key in keys]

        async def work(redis: Redis) -> list[bytes | None]:
            return cast("list[bytes | None]", await redis.mget(names)) if names else []

        return await self._client.run(work)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """See ``Store``."""
        name, ttl_ms = self._name(key), _milliseconds(ttl_s)
        await self._client.run(lambda redis: redis.set(name, value, px=ttl_ms))

    async def delete(self, key: str, /) -> bool:
        """See ``Store``."""
        name = self._name(key)

        async def work(redis: Redis) -> bool:
            return bool(await redis.delete(name))

        return await self._client.run(work)

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """See ``Store``. Raises ``ValueError`` where the value is no counter."""
        ttl_ms = _milliseconds(ttl_s)
        found = await self._client.script(_ADD, self._name(key), amount, ttl_ms or b"")
        if found is None:
            raise NotACounter
        return int(found)

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """See ``Store``. *change* runs again where another process was faster."""
        name, ttl_ms = self._name(key), _milliseconds(ttl_s)
        is_asked = is_answered = False
        try:
            with anyio.fail_after(self._timeout_s):
                async with self._stripe(name):
                    is_asked = True
                    value = await self.get(key)
                    is_answered = True
                    while True:
                        new, result = change(value)
                        reply = await self._client.script(
                            _SWAP, name, *_told(value), *_told(new), ttl_ms or b""
                        )
                        if reply[0]:
                            return result
                        value = reply[1]
        except TimeoutError as exc:
            if is_asked and not is_answered:
                raise unavailable("Redis", "no answer in time") from exc
            raise unavailable("Redis", "too many change the same key", KeyUnavailable) from exc

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """See ``Store``."""
        found = {name async for page in self._pages(prefix) for name in page}
        start = len(self._root)
        return [key_text(name[start:]) for name in heapq.nsmallest(limit, found)]

    async def delete_prefix(self, prefix: str, /) -> int:
        """See ``Store``."""
        count = 0
        async for page in self._pages(prefix):
            if page:
                count += await self._unlink(page)
        return count

    async def purge(self) -> int:
        """0: Redis deletes what has expired by itself."""
        return 0

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._client.aclose()

    def _name(self, key: str) -> bytes:
        return self._root + key_bytes(key)

    def _stripe(self, name: bytes) -> anyio.Lock:
        """What this process's changes of one key wait for: all but one would be made in vain."""
        try:
            stripes = self._stripes.get()
        except LookupError:
            stripes = [anyio.Lock() for _ in range(_STRIPES)]
            self._stripes.set(stripes)
        return stripes[crc32(name) % _STRIPES]

    async def _unlink(self, names: list[bytes]) -> int:
        async def work(redis: Redis) -> int:
            return int(await redis.unlink(*names))

        return await self._client.run(work)

    async def _pages(self, prefix: str) -> AsyncIterator[list[bytes]]:
        """The names with *prefix*, some of them twice."""
        start = self._root + prefix.encode("utf-8", "surrogatepass")
        pattern = b"".join(b"\\%c" % c if c in _SPECIAL else b"%c" % c for c in start) + b"*"
        cursor = 0
        while True:

            async def work(redis: Redis, at: int = cursor) -> tuple[int, list[bytes]]:
                return cast("tuple[int, list[bytes]]", await redis.scan(at, pattern, _PAGE))

            cursor, page = await self._client.run(work)
            yield page
            if not cursor:
                return


def _told(value: bytes | None) -> tuple[int, bytes]:
    """Whether there is a value, and it: a script's arguments have no ``None``."""
    return (0, b"") if value is None else (1, value)


def _milliseconds(ttl_s: float | None) -> int | None:
    return None if ttl_s is None else max(1, round(ttl_s * 1000))
