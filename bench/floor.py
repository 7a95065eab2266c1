"""
The floor: the least a proxy can do with this server and this transport.

Raw ASGI, the body as it came, no parsing, no routing, no finalizer. What the gateway costs is told
as a ratio to this. ``BENCH_UPSTREAM`` is the upstream's base URL; ``BENCH_TRANSPORT`` names another
transport than the default.
"""

from __future__ import annotations

import os
from typing import Any

from plano_asgi.providers import transports
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import TransportPool

_NAMED = os.environ.get("BENCH_TRANSPORT")
_POOL = TransportPool(getattr(transports, _NAMED) if _NAMED else None)
_TIMEOUTS = Timeouts()
_HEADERS = {"content-type": "application/json", "authorization": "Bearer bench"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Relay one request."""
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    url = os.environ["BENCH_UPSTREAM"] + scope["path"]
    request = HTTPRequest(method="POST", url=url, headers=_HEADERS, content=b"".join(parts))
    reply = await _POOL.get().open(request, _TIMEOUTS)
    try:
        headers = [(b"content-type", reply.headers["content-type"].encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        async for chunk in reply:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await reply.aclose()
