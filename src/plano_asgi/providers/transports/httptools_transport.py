"""The fastest transport: HTTP/1.1 on asyncio's own protocols, parsed by httptools."""

from __future__ import annotations

import asyncio
import ssl

from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import h1_connection, shared
from plano_asgi.providers.transports.h1_connection import H1Connection
from plano_asgi.providers.transports.h1_pool import H1Pool
from plano_asgi.providers.transports.h1_request import encode_head, target_of
from plano_asgi.providers.transports.inflate import inflater_for


class HttptoolsTransport:
    """
    A ``Transport`` of our own, for asyncio and uvloop. HTTP/1.1 only, and no proxies.

    Args:
        ssl_context: Default: the system's certificate authorities, and HTTP/1.1 by ALPN. A context
            of your own must not offer other protocols.
        max_connections_per_host: Open connections to one scheme, host and port; ``None`` leaves
            the bound to the server's own concurrency limit. Waiting for a free one counts
            towards ``connect_s``; who waits longest is first.
        idle_close_s: An unused connection is closed after this many seconds.

    Raises:
        MissingExtra: httptools is not installed.
        ConfigurationError: *max_connections_per_host* leaves no connection.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections_per_host: int | None = None,
        idle_close_s: float = shared.DEFAULT_IDLE_CLOSE_S,
    ) -> None:
        if not h1_connection.AVAILABLE:
            raise MissingExtra("HttptoolsTransport", "fast")
        if max_connections_per_host is not None and max_connections_per_host < 1:
            raise ConfigurationError("max_connections_per_host must be at least 1")
        self._ssl_context = ssl_context
        self._limit_per_host = max_connections_per_host
        self._idle_close_s = idle_close_s
        self._pool: H1Pool | None = None

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> HttptoolsReply:
        """Send *request*; see ``Transport.open``."""
        content = request.content
        try:
            target = target_of(request.method, request.url)
            head = encode_head(target, request.headers, len(content))
        except ValueError:
            raise shared.unreachable() from None  # the text may hold the URL or a header
        host = (self._pool or self._start()).host(target.origin)
        connection = host.checkout() or await host.connect(timeouts.connect_s)
        try:
            await connection.send(
                head, content, headless=request.method == "HEAD", read_s=timeouts.read_s
            )
        except BaseException:
            host.give_back(connection)  # which closes it
            raise
        return HttptoolsReply(connection)

    async def aclose(self) -> None:
        """Close every connection; idempotent. Nothing can be opened afterwards."""
        await (self._pool or self._start()).aclose()

    def _start(self) -> H1Pool:
        self._pool = H1Pool(
            asyncio.get_running_loop(),
            tls=self._tls,
            max_per_host=self._limit_per_host,
            idle_close_s=self._idle_close_s,
        )
        return self._pool

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:  # tens of milliseconds: not before it is needed
            self._ssl_context = shared.default_ssl_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


class HttptoolsReply:
    """An open answer; see ``UpstreamReply``. Its own iterator: a body is read once."""

    __slots__ = ("_connection", "_ended", "_inflater", "headers", "status")

    def __init__(self, connection: H1Connection) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self._connection: H1Connection | None = connection
        self._ended = False
        self._inflater = inflater_for(self.headers)

    def __aiter__(self) -> HttptoolsReply:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._inflater and self._inflater.has_more:
                if chunk := self._inflater.feed(b""):
                    return chunk
                continue
            connection = self._connection
            if connection is None:
                break
            if connection.parts:
                chunk = connection.take()
                if connection.complete:
                    self._end(connection)
                if self._inflater:
                    chunk = self._inflater.feed(chunk)
                if chunk:
                    return chunk
            elif connection.complete:
                self._end(connection)
            elif connection.failure:
                raise connection.failure()
            else:
                await connection.news()
        if not self._ended:
            raise shared.cut()  # by ``aclose``
        if self._inflater:
            self._inflater.finish()
        raise StopAsyncIteration

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body; see ``UpstreamReply.read``."""
        return await shared.read_whole(self, max_bytes)

    async def aclose(self) -> None:
        """Close the connection if the body has not come to its end; it is released otherwise."""
        if connection := self._connection:
            self._connection = None
            connection.host.give_back(connection)

    def _end(self, connection: H1Connection) -> None:
        """Nothing more will come: the next request can have the connection already."""
        self._ended = True
        self._connection = None
        connection.host.give_back(connection)
