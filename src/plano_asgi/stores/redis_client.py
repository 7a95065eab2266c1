"""Redis: a bounded client per event loop, calls that end in time, scripts sent once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio

from plano_asgi.errors import ConfigurationError, MissingExtra, PlanoError
from plano_asgi.stores.per_loop import PerLoop
from plano_asgi.stores.server_url import shown

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
Argument: TypeAlias = bytes | str | int | float


class RedisClient:
    """
    Runs commands and Lua scripts on one Redis server. Opened by the first call, also after
    ``aclose``; asyncio only.

    Args:
        url: ``redis://`` or ``rediss://``, with user, password, database and TLS options as
            redis-py reads them.
        unavailable: Makes the error to raise when the server cannot be used, from a reason.
        refused: The same, when it refuses one command. ``None``: as *unavailable*.
        max_connections: Per event loop; a call past it waits.
        connect_timeout_s: For a connection.
        command_timeout_s: For a call as a whole, waiting for a connection included.

    Raises:
        MissingExtra: redis-py is not installed.
        ConfigurationError: *url* is none.
    """

    def __init__(
        self,
        url: str,
        *,
        unavailable: Callable[[str], PlanoError],
        refused: Callable[[str], PlanoError] | None = None,
        max_connections: int = 16,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise MissingExtra("a redis:// store", "redis") from None
        self.shown = shown(url)
        self._unavailable, self._refused = unavailable, refused or unavailable
        self._command_timeout_s = command_timeout_s

        def make() -> Redis:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=max_connections,
                timeout=command_timeout_s,
                socket_timeout=command_timeout_s,
                socket_connect_timeout=connect_timeout_s,
                retry=Retry(NoBackoff(), 1),  # a connection may have gone stale
                decode_responses=False,
            )
            return Redis.from_pool(pool)

        try:
            BlockingConnectionPool.from_url(url)
        except ValueError:
            raise ConfigurationError("the store's redis:// URL cannot be read") from None
        self._clients: PerLoop[Redis] = PerLoop(make, lambda client: client.aclose())

    def __repr__(self) -> str:
        return f"RedisClient({self.shown!r})"

    async def run(self, work: Callable[[Redis], Awaitable[T]], /) -> T:
        """
        What *work* returns. A command is sent again, once, over a connection that had gone stale.

        Raises:
            PlanoError: As *unavailable* or *refused* makes it.
        """
        with self._telling(), anyio.fail_after(self._command_timeout_s):
            return await work(self._clients.get())

    async def script(self, text: str, *arguments: Argument) -> Any:
        """
        What the Lua script *text* returns: bytes, integers, ``None``, and lists of them. Its
        *arguments* are its ``ARGV``; it runs atomically.

        Raises:
            PlanoError: As *unavailable* or *refused* makes it.
        """
        from redis.exceptions import NoScriptError

        async def work(redis: Redis) -> Any:
            try:
                return await redis.evalsha(_sha1(text), 0, *arguments)
            except NoScriptError:
                return await redis.eval(text, 0, *arguments)

        return await self.run(work)

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._clients.aclose()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        from redis.exceptions import RedisError, ResponseError

        try:
            yield
        except TimeoutError as exc:
            raise self._unavailable("no answer in time") from exc
        except ResponseError as exc:
            raise self._refused("it refused the command") from exc
        except (RedisError, OSError) as exc:
            raise self._unavailable("no connection") from exc


@lru_cache(maxsize=256)
def _sha1(text: str) -> str:
    """What Redis calls a script by."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
