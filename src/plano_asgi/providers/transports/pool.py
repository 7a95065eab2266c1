"""
One transport per event loop, made when the first request needs it.

An HTTP client's connections belong to the event loop that opened them, while a gateway may be
built at import time, be served by a loop made later, and in tests by many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple
from urllib.request import getproxies

import anyio

from plano_asgi.errors import ConfigurationError
from plano_asgi.loops import running_loop
from plano_asgi.providers.client import Transport
from plano_asgi.providers.transports.shared import DEFAULT_IDLE_CLOSE_S

_CLOSE_S = 5.0
_PROXIES = frozenset({"http", "https", "all"})


class _Entry(NamedTuple):
    transport: Transport
    keeper: AsyncGenerator[None]


class TransportPool:
    """
    Hand each event loop its own ``Transport``.

    Args:
        factory: Makes a transport; by default ``default_transport``.
        idle_close_s: Seconds after which ``default_transport`` closes an unused connection, so
            that a quiet process holds none. Not beside a *factory*, which would not see it.

    Raises:
        ConfigurationError: Both arguments were given.

    A transport is closed by ``aclose``, and at the latest when its loop shuts down: a gateway
    whose lifespan nobody runs leaves nothing open.
    """

    def __init__(
        self,
        factory: Callable[[], Transport] | None = None,
        idle_close_s: float | None = None,
    ) -> None:
        if factory is not None and idle_close_s is not None:
            raise ConfigurationError("idle_close_s belongs to the transport the factory makes")
        if idle_close_s is None:
            idle_close_s = DEFAULT_IDLE_CLOSE_S
        self._factory = factory or partial(default_transport, idle_close_s=idle_close_s)
        self._entries: dict[object, _Entry] = {}

    def get(self) -> Transport:
        """
        The running loop's transport.

        Raises:
            RuntimeError: No event loop is running.
        """
        loop = running_loop()
        if (entry := self._entries.get(loop)) is None:
            transport = self._factory()
            entry = self._entries[loop] = _Entry(transport, self._keep(loop, transport))
            with suppress(StopIteration):  # runs to its yield, which registers it with the loop
                entry.keeper.__anext__().send(None)
        return entry.transport

    async def aclose(self) -> None:
        """Close the running loop's transport; idempotent. A later ``get`` makes a new one."""
        if entry := self._entries.get(running_loop()):
            await entry.keeper.aclose()

    async def _keep(self, loop: object, transport: Transport) -> AsyncGenerator[None]:
        """Close *transport* with its loop: loops close the generators that are still open."""
        try:
            yield
        finally:
            self._entries.pop(loop, None)
            with anyio.move_on_after(_CLOSE_S, shield=True):  # trio ends with everything cancelled
                await transport.aclose()


def default_transport(*, idle_close_s: float = DEFAULT_IDLE_CLOSE_S) -> Transport:
    """
    A new transport: the fastest that works here.

    On asyncio an ``HttptoolsTransport`` if httptools is installed and the environment names no
    proxy, else an ``AiohttpTransport`` if aiohttp is; otherwise an ``HttpxTransport``.

    Args:
        idle_close_s: Seconds after which an unused connection is closed.
    """
    on_asyncio = isinstance(running_loop(), asyncio.AbstractEventLoop)
    if on_asyncio and find_spec("httptools") and _PROXIES.isdisjoint(getproxies()):
        from plano_asgi.providers.transports.httptools_transport import HttptoolsTransport

        return HttptoolsTransport(idle_close_s=idle_close_s)
    if on_asyncio and find_spec("aiohttp"):
        from plano_asgi.providers.transports.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(idle_close_s=idle_close_s)
    from plano_asgi.providers.transports.httpx_transport import HttpxTransport

    return HttpxTransport(idle_close_s=idle_close_s)
