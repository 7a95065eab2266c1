"""Whoever leaves first ends both sides: run work that a client's leaving cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from starlette.types import Receive


async def run_until_disconnect(receive: Receive, work: Callable[[], Awaitable[None]]) -> bool:
    """
    Run *work*; cancel it as soon as the client leaves. Call once the body is read.

    One task watches ``receive`` from the first moment, so that a client that leaves before the
    first byte, or during a unary call, cancels too: no server does that by itself.

    Returns:
        Whether the client left before *work* was done.

    Raises:
        What *work* raises, itself and not in an exception group.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _in_task_group(receive, work)
    return await _in_asyncio(loop, receive, work)


async def _in_asyncio(
    loop: asyncio.AbstractEventLoop, receive: Receive, work: Callable[[], Awaitable[None]]
) -> bool:
    """With a bare task: a task group costs ten times as much, on every request."""
    main = asyncio.current_task(loop)
    assert main is not None
    cancelling = main.cancelling()
    left = False

    async def watch() -> None:
        nonlocal left
        await _disconnected(receive)
        left = True
        main.cancel()

    watcher = loop.create_task(watch())
    try:
        await work()
    except asyncio.CancelledError:
        # Ours only if nobody else (a shutdown, a time limit) cancels as well.
        if not left or main.uncancel() > cancelling:
            raise
        return True
    finally:
        watcher.cancel()
    if left:  # in the moment between the last await and here
        main.uncancel()
    return left


async def _in_task_group(receive: Receive, work: Callable[[], Awaitable[None]]) -> bool:
    left = False
    failure: Exception | None = None

    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            nonlocal left
            await _disconnected(receive)
            left = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            await work()
        except Exception as exc:
            failure = exc  # re-raised below: a task group would wrap it
        tasks.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # its traceback leads here: it would hold itself
    return left


async def _disconnected(receive: Receive) -> None:
    """Return when the client has left, or when nobody can say any more whether it is there."""
    with suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass
