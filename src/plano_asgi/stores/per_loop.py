"""One client per asyncio event loop: its connections belong to the loop that opened them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import anyio

from plano_asgi.errors import ConfigurationError

C = TypeVar("C")

_CLOSE_S = 5.0


class PerLoop(Generic[C]):
    """
    Make a client when a loop first asks for one, and keep it for that loop.

    Args:
        make: Makes a client; connects to nothing.
        close: Closes one.

    Closed by ``aclose``, and at the latest when the loop shuts down.
    """

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._clients: dict[object, tuple[C, AsyncGenerator[None]]] = {}

    def get(self) -> C:
        """
        The running loop's client.

        Raises:
            ConfigurationError: The loop is not asyncio's.
        """
        loop = _asyncio_loop()
        if (entry := self._clients.get(loop)) is None:
            client = self._make()
            entry = self._clients[loop] = client, self._keep(loop, client)
            with suppress(StopIteration):  # runs to its yield, which registers it with the loop
                entry[1].__anext__().send(None)
        return entry[0]

    async def aclose(self) -> None:
        """Close the running loop's client; a later ``get`` makes a new one."""
        if entry := self._clients.get(_asyncio_loop()):
            await entry[1].aclose()

    async def _keep(self, loop: object, client: C) -> AsyncGenerator[None]:
        """Close *client* with its loop: loops close the generators that are still open."""
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await self._close(client)


def _asyncio_loop() -> object:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("redis:// and postgresql:// stores run on asyncio only") from None
