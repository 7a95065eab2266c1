"""The fast transport: aiohttp, on asyncio (extra ``fast``)."""

from __future__ import annotations

import io
import ssl
from urllib.request import getproxies, proxy_bypass

from plano_asgi.errors import ConfigurationError, MissingExtra, PlanoError
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import shared
from plano_asgi.providers.transports.inflate import inflater_for

try:
    import aiohttp
    from yarl import URL
except ModuleNotFoundError:  # reported by name, when a transport is made
    aiohttp = None  # type: ignore[assignment]

_READ_BUFFER = 128 << 10  # bytes; reading pauses at twice this until the client takes some
_HEADER_BYTES = 64 << 10  # one header line: long cookies and rate limit headers are legal
_PLAIN_BODY_BYTES = 1 << 20  # aiohttp warns when larger bytes are written in one go


class AiohttpTransport:
    """
    A ``Transport`` over ``aiohttp.ClientSession``, made with the first request.

    Args:
        ssl_context: Default: the system's certificate authorities.
        trust_env: Use the proxies that ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
            ``NO_PROXY`` name, read when this object is made. Credentials in ``~/.netrc`` are
            never used.
        max_connections: Open connections in all; ``None`` leaves the bound to the server's own
            concurrency limit. Waiting for a free one counts towards ``connect_s``.
        max_connections_per_host: The same for each upstream host.
        idle_close_s: An unused connection is closed after this many seconds.

    Raises:
        MissingExtra: aiohttp is not installed.
        ConfigurationError: The environment names a proxy that is not an HTTP proxy.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = True,
        max_connections: int | None = None,
        max_connections_per_host: int | None = None,
        idle_close_s: float = shared.DEFAULT_IDLE_CLOSE_S,
    ) -> None:
        if aiohttp is None:
            raise MissingExtra("AiohttpTransport", "fast")
        self._ssl_context = ssl_context
        self._proxies = _environment_proxies() if trust_env else {}
        self._limit = max_connections or 0
        self._limit_per_host = max_connections_per_host or 0
        self._idle_close_s = idle_close_s
        self._session: aiohttp.ClientSession | None = None

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AiohttpReply:
        """Send *request*; see ``Transport.open``."""
        content = request.content
        try:
            url = URL(request.url, encoded=True)
            response = await (self._session or self._start()).request(
                request.method,
                url,
                headers={**shared.DEFAULT_HEADERS, **request.headers},
                data=content if len(content) <= _PLAIN_BODY_BYTES else io.BytesIO(content),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=timeouts.connect_s, sock_read=timeouts.read_s
                ),
                ssl=self._tls() if url.scheme == "https" else True,
                proxy=self._proxy(url) if self._proxies else None,
            )
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Some of these texts hold the whole URL, so the chain goes on at their cause.
            raise _opening_error(exc) from exc.__cause__
        return AiohttpReply(response)

    async def aclose(self) -> None:
        """Close every connection; idempotent."""
        if self._session is not None:
            await self._session.close()

    def _start(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limit,
            limit_per_host=self._limit_per_host,
            keepalive_timeout=self._idle_close_s,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "content-type"),
            auto_decompress=False,  # ours is the same under every transport
            read_bufsize=_READ_BUFFER,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:  # tens of milliseconds: not before it is needed
            self._ssl_context = shared.default_ssl_context()
        return self._ssl_context

    def _proxy(self, url: URL) -> str | None:
        if url.host is None or proxy_bypass(url.host):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")


class AiohttpReply:
    """An open answer; see ``UpstreamReply``. Its own iterator: a body is read once."""

    __slots__ = ("_content", "_inflater", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        headers = dict[str, str]()
        for name, value in response.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        self._response = response
        self._content = response.content
        self._inflater = inflater_for(headers)

    def __aiter__(self) -> AiohttpReply:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._inflater and self._inflater.has_more:
                if chunk := self._inflater.feed(b""):
                    return chunk
                continue
            try:
                chunk = await self._content.readany()  # all that has arrived
            except (aiohttp.ClientError, OSError) as exc:
                timeout = isinstance(exc, TimeoutError)
                raise (shared.read_timeout() if timeout else shared.cut()) from exc
            if not chunk:
                if self._inflater:
                    self._inflater.finish()
                raise StopAsyncIteration
            if self._inflater:
                chunk = self._inflater.feed(chunk)
            if chunk:
                return chunk

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body; see ``UpstreamReply.read``."""
        return await shared.read_whole(self, max_bytes)

    async def aclose(self) -> None:
        """Close the connection if the body has not come to its end; it is released otherwise."""
        if (connection := self._response.connection) and connection.transport:
            connection.transport.abort()  # close() would wait for TLS and unsent bytes
        self._response.close()


def _environment_proxies() -> dict[str, str]:
    proxies = {scheme: url for scheme, url in getproxies().items() if scheme != "no"}
    for scheme in proxies.keys() & {"http", "https", "all"}:
        if not proxies[scheme].startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the environment's {scheme} proxy is not an HTTP proxy: use HttpxTransport"
            )
    return proxies


def _opening_error(exc: Exception) -> PlanoError:
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return shared.connect_timeout()
        case TimeoutError():
            return shared.read_timeout()
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ClientConnectorCertificateError()
            | aiohttp.ClientHttpProxyError()
            | aiohttp.InvalidURL()
            | aiohttp.NonHttpUrlClientError()
            | ValueError()
        ):
            return shared.unreachable()
        case aiohttp.ClientResponseError():
            return shared.not_http()
    return shared.no_answer()
