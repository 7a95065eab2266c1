"""
The seam to the network: open a request, get status and headers, iterate raw chunks, close.

The only package that imports an HTTP client. Three transports (``transports``): ``httpx`` (core,
portable), ``aiohttp`` and our own on httptools (both extra ``fast``; the latter is the default
where installed).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """
    Seconds; ``None`` is no limit.

    ``connect_s``: TCP, TLS. ``read_s``: between two reads of the response, its headers included.
    ``first_token_s``: from sending to the first content event of a stream. ``total_s``: the
    whole exchange, all attempts and back-off included.
    """

    connect_s: float | None = 5.0
    read_s: float | None = 300.0
    first_token_s: float | None = None
    total_s: float | None = None


@dataclass(slots=True, kw_only=True)
class HTTPRequest:
    """
    One upstream request. Header names lower-case. ``repr`` shows neither headers nor content. Not
    to be changed; not frozen, for that triples what it costs to make one.
    """

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes = field(repr=False, default=b"")


class UpstreamReply(Protocol):
    """
    An open answer. The body is already freed of content-encoding; chunks come as they arrive.

    Reading raises ``UpstreamReset`` (cut), ``UpstreamTimeout`` (``read_s``) or
    ``UpstreamProtocolError`` (bad encoding). ``aclose`` returns the connection to the pool if the
    body was read to its end, and closes it otherwise; it is idempotent and never raises.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names; repeated ones joined by ``, ``."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body. Raises ``UpstreamProtocolError`` past *max_bytes*."""
        ...

    async def aclose(self) -> None: ...


class Transport(Protocol):
    """One connection pool of one event loop."""

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """
        Send *request*, return when the response headers are in. Redirects are not followed.

        Raises:
            UpstreamUnreachable: No connection.
            UpstreamTimeout: ``phase`` "connect" or "read".
            UpstreamReset: The connection ended before the headers did.
            UpstreamProtocolError: Not HTTP.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; idempotent."""
        ...
