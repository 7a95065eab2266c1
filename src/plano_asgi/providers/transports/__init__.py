"""
The transports behind the seam of ``providers.client``, and the pool that picks one.

The classes are loaded when first asked for: a process that uses one HTTP client does not pay for
importing the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from plano_asgi.providers.transports.pool import TransportPool, default_transport

if TYPE_CHECKING:
    from plano_asgi.providers.transports.aiohttp_transport import AiohttpTransport
    from plano_asgi.providers.transports.httptools_transport import HttptoolsTransport
    from plano_asgi.providers.transports.httpx_transport import HttpxTransport

__all__ = [
    "AiohttpTransport",
    "HttptoolsTransport",
    "HttpxTransport",
    "TransportPool",
    "default_transport",
]

_HOMES = {
    "AiohttpTransport": "aiohttp_transport",
    "HttptoolsTransport": "httptools_transport",
    "HttpxTransport": "httpx_transport",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
