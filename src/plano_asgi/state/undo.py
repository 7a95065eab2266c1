"""Take back what was half kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import anyio
import structlog

from plano_asgi.errors import StoreUnavailable

Step: TypeAlias = Callable[[], Awaitable[object]]

_STEPS_AT_ONCE = 8
_log = structlog.get_logger("plano_asgi")


async def take_back(steps: Iterable[Step], *, timeout_s: float, response: str | None) -> None:
    """
    Do every one of *steps*, some side by side: none is left out because another one fails. Whoever
    is cancelled finishes this first. Raises nothing for a store that is down: the log says
    ``state_left_behind`` then.

    Args:
        timeout_s: For all of them.
        response: The id of the answer that they take back, for the log; ``None``: it is none.
    """
    left = 0
    lanes = anyio.CapacityLimiter(_STEPS_AT_ONCE)

    async def do(step: Step) -> None:
        nonlocal left
        left += 1
        async with lanes:
            try:
                await step()
            except StoreUnavailable:
                return
        left -= 1

    with anyio.move_on_after(timeout_s, shield=True):
        async with anyio.create_task_group() as tasks:
            for step in steps:
                tasks.start_soon(do, step)
    if left:
        _log.error("state_left_behind", response=response, left=left)
