"""A middleware's own resources, open for as long as the app around them is served."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OVER = frozenset(
    ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed")
)


async def around_lifespan(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
) -> None:
    """
    Enter *lifespan* before *app* hears of its start-up; leave it before the server hears that the
    app is done, or when the app gives up.
    """
    async with AsyncExitStack() as stack:

        async def entering() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await stack.enter_async_context(lifespan())
            return message

        async def leaving(message: Message) -> None:
            if message["type"] in _OVER:
                await stack.aclose()
            await send(message)

        await app(scope, entering, leaving)
