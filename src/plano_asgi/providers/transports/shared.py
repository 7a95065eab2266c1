"""What the transports do alike: default headers, TLS trust, a bounded read, and how they fail."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from plano_asgi.errors import (
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)

DEFAULT_HEADERS = {"user-agent": "plano-asgi", "accept-encoding": "identity"}
"""
Sent unless the request has its own. Some front ends refuse a request without a user agent; a
compressed stream costs CPU and arrives in larger lumps, and an upstream that is told nothing may
choose any encoding.
"""

DEFAULT_IDLE_CLOSE_S = 30.0


def default_ssl_context() -> ssl.SSLContext:
    """
    Trust the system's certificate authorities, or certifi's where the system has none.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured by OpenSSL itself.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        import certifi  # macOS and bare containers; httpx brings it

        context.load_verify_locations(certifi.where())
    return context


async def read_whole(chunks: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """
    Join *chunks*.

    Raises:
        UpstreamProtocolError: They are more than *max_bytes*; the rest is left unread.
    """
    parts, size = list[bytes](), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            error = UpstreamProtocolError(f"the upstream's answer is over {max_bytes} bytes")
            error.retryable = False  # it would be as large again
            raise error
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def connect_timeout() -> UpstreamTimeout:
    """No connection within ``connect_s``."""
    return UpstreamTimeout("the connection to the upstream took too long", phase="connect")


def read_timeout() -> UpstreamTimeout:
    """Silence for ``read_s``."""
    return UpstreamTimeout("the upstream was silent for too long", phase="read")


def unreachable() -> UpstreamUnreachable:
    """Refused, unknown host, TLS, proxy, or a URL that leads nowhere."""
    return UpstreamUnreachable("no connection to the upstream could be made")


def no_answer() -> UpstreamReset:
    """The connection ended before the response headers did; it may have been a stale one."""
    return UpstreamReset("the upstream closed the connection without answering")


def cut() -> UpstreamReset:
    """The connection ended, or its framing broke, before the body was whole."""
    return UpstreamReset("the upstream's answer ended before it was complete")


def not_http() -> UpstreamProtocolError:
    """What came instead of response headers is not HTTP/1.1."""
    return UpstreamProtocolError("the upstream's answer is not HTTP")


def bad_encoding() -> UpstreamProtocolError:
    """The body is not what its content-encoding says, or in one that was not asked for."""
    return UpstreamProtocolError("the upstream's answer cannot be decoded")
