"""Whoever leaves first ends both sides: run work that a client's leaving cancels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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
    left = False
    failure: BaseException | None = None

    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            left = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            await work()
        except Exception as exc:
            # Re-raised below: a task group would wrap it.
            failure = exc
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return left
