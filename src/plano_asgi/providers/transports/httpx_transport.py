"""The portable transport: httpx, on asyncio and trio."""

from __future__ import annotations

import ssl
from contextlib import suppress

import anyio
import httpx

from plano_asgi.errors import ConfigurationError, PlanoError
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import shared
from plano_asgi.providers.transports.inflate import inflater_for

_CLOSE_S = 2.0


class HttpxTransport:
    """
    A ``Transport`` over ``httpx.AsyncClient``.

    Args:
        client: A client of your own (proxies, custom transports); it stays yours to close, and
            the other arguments are not used.
        ssl_context: Default: the system's certificate authorities.
        trust_env: Use the proxies that ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
            ``NO_PROXY`` name, read when this object is made.
        max_connections: Open connections in all; ``None`` leaves the bound to the server's own
            concurrency limit. Waiting for a free one counts towards ``connect_s``.
        idle_close_s: An unused connection is closed after this many seconds.

    Raises:
        ConfigurationError: The environment names a proxy that httpx cannot use.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = True,
        max_connections: int | None = None,
        idle_close_s: float = shared.DEFAULT_IDLE_CLOSE_S,
    ) -> None:
        self._owned = client is None
        limits = httpx.Limits(max_connections=max_connections, keepalive_expiry=idle_close_s)
        try:
            self._client = client or httpx.AsyncClient(
                verify=ssl_context or shared.default_ssl_context(),
                trust_env=trust_env,
                limits=limits,
            )
        except (ImportError, ValueError) as exc:  # a SOCKS proxy without its package, a bad URL
            raise ConfigurationError("httpx cannot use the proxy that the environment names") from (
                exc
            )

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> HttpxReply:
        """Send *request*; see ``Transport.open``."""
        limits = {
            "connect": timeouts.connect_s,
            "pool": timeouts.connect_s,
            "read": timeouts.read_s,
            "write": timeouts.read_s,
        }
        try:
            outgoing = httpx.Request(  # not build_request: the client's defaults stay out
                request.method,
                request.url,
                headers=[
                    (name.encode(), value.encode("latin-1"))  # httpx would take ASCII only
                    for name, value in {**shared.DEFAULT_HEADERS, **request.headers}.items()
                ],
                content=request.content,
                extensions={"timeout": limits},
            )
            response = await self._client.send(outgoing, stream=True, follow_redirects=False)
        except (httpx.InvalidURL, ValueError):
            raise shared.unreachable() from None  # the text may hold the URL or a header
        except httpx.RequestError as exc:
            raise _opening_error(exc) from exc
        return HttpxReply(response)

    async def aclose(self) -> None:
        """Close every connection of a client made here; idempotent."""
        if self._owned:
            await self._client.aclose()


class HttpxReply:
    """An open answer; see ``UpstreamReply``. Its own iterator: a body is read once."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers.items())
        self._response = response
        self._chunks = response.aiter_raw()
        self._inflater = inflater_for(self.headers)

    def __aiter__(self) -> HttpxReply:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._inflater and self._inflater.has_more:
                if chunk := self._inflater.feed(b""):
                    return chunk
                continue
            try:
                chunk = await anext(self._chunks)
            except httpx.RequestError as exc:
                raise _reading_error(exc) from exc
            except StopAsyncIteration:
                if self._inflater:
                    self._inflater.finish()
                raise
            if self._inflater:
                chunk = self._inflater.feed(chunk)
            if chunk:
                return chunk

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body; see ``UpstreamReply.read``."""
        return await shared.read_whole(self, max_bytes)

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if self._response.is_closed:
            return
        gone = httpx.HTTPError, httpx.StreamError
        with anyio.move_on_after(_CLOSE_S, shield=True), suppress(*gone):
            await self._response.aclose()
            # Nothing more can come. Going on to the end finishes the generators that httpx nests;
            # trio complains of those it finds unfinished.
            async for _ in self._chunks:
                pass


def _opening_error(exc: httpx.RequestError) -> PlanoError:
    match exc:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return shared.connect_timeout()
        case httpx.TimeoutException():
            return shared.read_timeout()
        case (
            httpx.ConnectError()
            | httpx.ProxyError()
            | httpx.UnsupportedProtocol()
            | httpx.LocalProtocolError()
        ):
            return shared.unreachable()
        case httpx.RemoteProtocolError() if _parser_said_so(exc):
            return shared.not_http()
    return shared.no_answer()


def _reading_error(exc: httpx.RequestError) -> PlanoError:
    if isinstance(exc, httpx.TimeoutException):
        return shared.read_timeout()
    return shared.cut()


def _parser_said_so(exc: httpx.RemoteProtocolError) -> bool:
    """
    Whether the HTTP parser refused the bytes, rather than the connection ending early.

    httpcore wraps the parser's exception; for an early end it raises its own, holding a text.
    """
    return any(isinstance(arg, Exception) for arg in getattr(exc.__cause__, "args", ()))
