"""The ASGI lifespan protocol around an async context manager."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.types import Receive, Send


async def serve_lifespan(
    receive: Receive,
    send: Send,
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
) -> None:
    """Enter *lifespan* on start-up and leave it on shutdown; report a failure of either."""
    await receive()
    started = False
    try:
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            started = True
            await receive()
    except Exception as exc:
        event = "shutdown" if started else "startup"
        await send({"type": f"lifespan.{event}.failed", "message": f"{type(exc).__name__}: {exc}"})
        raise
    await send({"type": "lifespan.shutdown.complete"})
