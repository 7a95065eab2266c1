"""Read a request body, bounded in size and time."""

from __future__ import annotations

from starlette.types import Receive, Scope

from plano_asgi.asgi.deadline import time_limit
from plano_asgi.errors import BodyTooLarge, RequestError, RequestTimeout

MAX_BODY_BYTES = 32 << 20
BODY_TIMEOUT_S = 60.0


class ClientDisconnected(Exception):
    """The client left; nobody is there to answer."""


async def read_body(
    scope: Scope,
    receive: Receive,
    *,
    max_bytes: int = MAX_BODY_BYTES,
    timeout_s: float = BODY_TIMEOUT_S,
) -> bytes:
    """
    Read the whole request body.

    Raises:
        BodyTooLarge: Over *max_bytes*; told by ``content-length`` before the first byte is read.
        RequestTimeout: Not finished within *timeout_s*.
        RequestError: A content-encoding, which no client of these APIs sends.
        ClientDisconnected: The client left while sending.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and _declares_over(value, max_bytes):
            raise BodyTooLarge(f"The request body is over {max_bytes} bytes.")
        if name == b"content-encoding" and value.lower() != b"identity":
            raise RequestError("Compressed request bodies are not supported; send it plain.")
    try:
        with time_limit(timeout_s):
            return await _join(receive, max_bytes)
    except TimeoutError as exc:
        raise RequestTimeout(f"The request body did not arrive within {timeout_s:g} s.") from exc


def _declares_over(value: bytes, max_bytes: int) -> bool:
    # Python refuses to read thousands of digits, and no limit has twenty.
    return value.isdigit() and (len(value) > 19 or int(value) > max_bytes)


async def _join(receive: Receive, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise BodyTooLarge(f"The request body is over {max_bytes} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
