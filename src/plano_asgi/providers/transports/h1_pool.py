"""The connections of one event loop, by origin: reused, bounded, closed when idle."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from plano_asgi.providers.transports import shared
from plano_asgi.providers.transports.h1_connection import H1Connection
from plano_asgi.providers.transports.h1_dial import dial
from plano_asgi.providers.transports.h1_request import Origin

_SHARED_BUFFER_BYTES = 256 << 10
_OWN_BUFFER_BYTES = 64 << 10
_CLOSING_TURNS = 20  # of the event loop; a TLS connection takes three


class H1Pool:
    """
    All connections of one transport.

    Args:
        tls: Makes, or returns, the context for https.
        max_per_host: Connections per origin; ``None`` is no limit.
        idle_close_s: An unused connection is closed after this many seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        tls: Callable[[], ssl.SSLContext],
        max_per_host: int | None,
        idle_close_s: float,
    ) -> None:
        self.loop = loop
        self.tls = tls
        self.limit = math.inf if max_per_host is None else max_per_host
        self.idle_close_s = idle_close_s
        self.closed = False
        self.connections = set[H1Connection]()
        self._hosts = dict[Origin, HostPool]()
        self._sweeper: asyncio.TimerHandle | None = None
        self._buffer = memoryview(bytearray(_SHARED_BUFFER_BYTES)) if _reads_at_once(loop) else None

    def host(self, origin: Origin) -> HostPool:
        """The connections to *origin*; forgotten when there are none left."""
        if (host := self._hosts.get(origin)) is None:
            host = self._hosts[origin] = HostPool(self, origin)
        return host

    def forget(self, host: HostPool) -> None:
        """Let go of *host*, which has nothing in it (any more: another may have its place)."""
        if self._hosts.get(host.origin) is host:
            del self._hosts[host.origin]

    def new_connection(self, host: HostPool) -> H1Connection:
        """A protocol for a connection that is about to be made."""
        buffer = self._buffer or memoryview(bytearray(_OWN_BUFFER_BYTES))
        return H1Connection(self.loop, host, buffer)

    def sweep_later(self) -> None:
        """Look after the idle connections; there is one timer for all of them."""
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(self.idle_close_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        before = self.loop.time() - self.idle_close_s
        oldest = [host.close_idle(before) for host in list(self._hosts.values())]
        if (next_one := min(oldest, default=math.inf)) < math.inf:
            self._sweeper = self.loop.call_at(next_one + self.idle_close_s, self._sweep)

    async def aclose(self) -> None:
        """Close every connection, those in use as well; idempotent."""
        self.closed = True
        if self._sweeper:
            self._sweeper.cancel()
        for host in self._hosts.values():
            host.dismiss()
        for connection in list(self.connections):
            connection.abort()
        for _ in range(_CLOSING_TURNS):
            if self.connections:
                await asyncio.sleep(0)


class HostPool:
    """
    The connections to one origin.

    A request holds a permit from before it looks for a connection until it gives it back. So the
    limit counts connections in use; idle ones fill it up at most, since none is made beside them.
    """

    __slots__ = ("_idle", "_in_use", "_pool", "_waiters", "origin")

    def __init__(self, pool: H1Pool, origin: Origin) -> None:
        self._pool = pool
        self.origin = origin
        self._idle = dict[H1Connection, None]()  # the last one in is the first one out
        self._in_use = 0
        self._waiters = deque[asyncio.Future[None]]()

    def checkout(self) -> H1Connection | None:
        """A kept connection, if there is one; ``give_back`` is due."""
        if self._in_use < self._pool.limit and (connection := self._pick()):
            self._in_use += 1
            return connection
        return None

    async def connect(self, connect_s: float | None) -> H1Connection:
        """
        A kept or a new connection; ``give_back`` is due.

        Raises:
            UpstreamTimeout: Not within *connect_s*, waiting for a permit included.
            UpstreamUnreachable: No connection.
        """
        try:
            async with asyncio.timeout(connect_s):
                await self._permit()
                try:
                    return self._pick() or await self._dial()
                except BaseException:
                    self._return_permit()
                    raise
        except TimeoutError as exc:
            raise shared.connect_timeout() from exc
        except (OSError, ValueError) as exc:
            raise shared.unreachable() from exc

    def give_back(self, connection: H1Connection) -> None:
        """End the use of *connection*: it is kept if it can be used again, and closed otherwise."""
        connection.parts.clear()
        if connection.reusable and not self._pool.closed:
            connection.idle_since = self._pool.loop.time()
            self._idle[connection] = None
            self._pool.sweep_later()
        else:
            connection.abort()
        self._return_permit()

    def lost(self, connection: H1Connection) -> None:
        """*connection* is closed."""
        self._pool.connections.discard(connection)
        self._idle.pop(connection, None)
        self._forget_if_empty()

    def close_idle(self, before: float) -> float:
        """Close what is idle since *before*; return since when the oldest that is left is."""
        for connection in list(self._idle):
            if connection.idle_since > before:
                return connection.idle_since
            del self._idle[connection]
            connection.abort()
        return math.inf

    def dismiss(self) -> None:
        """Wake those who wait for a permit: the pool is closed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(OSError("the transport was closed"))
        self._waiters.clear()

    def _pick(self) -> H1Connection | None:
        before = self._pool.loop.time() - self._pool.idle_close_s
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.idle_since > before and connection.reusable:
                return connection
            connection.abort()
        return None

    async def _dial(self) -> H1Connection:
        pool, origin = self._pool, self.origin
        if pool.closed:
            raise OSError("the transport was closed")
        context = pool.tls() if origin.tls else None
        sock = await dial(origin.host, origin.port)
        connection = pool.new_connection(self)
        await pool.loop.create_connection(
            lambda: connection,
            sock=sock,
            ssl=context,
            server_hostname=origin.host if origin.tls else None,
        )
        if pool.closed:
            connection.abort()
            raise OSError("the transport was closed")
        if not connection.failure:  # not lost again; a cancelled attempt is never counted
            pool.connections.add(connection)
        return connection

    async def _permit(self) -> None:
        if self._in_use < self._pool.limit:
            self._in_use += 1
            return
        waiter = self._pool.loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter  # the permit is handed over: nobody can come in between
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):
                    self._waiters.remove(waiter)
            elif not waiter.exception():
                self._return_permit()  # it came, but we have to leave
            raise

    def _return_permit(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._in_use -= 1
        self._forget_if_empty()

    def _forget_if_empty(self) -> None:
        if not (self._in_use or self._idle or self._waiters):
            self._pool.forget(self)


def _reads_at_once(loop: asyncio.AbstractEventLoop) -> bool:
    """
    Whether *loop* asks for a buffer, fills it and hands it over without a turn in between.

    Then one buffer can serve all connections; one each is tens of megabytes for a thousand
    streams.
    """
    at_once = isinstance(loop, asyncio.SelectorEventLoop)
    return at_once or type(loop).__module__.partition(".")[0] == "uvloop"
