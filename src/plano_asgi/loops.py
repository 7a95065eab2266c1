"""What belongs to one event loop: which of them runs, and how many threads may work for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")


def running_loop() -> Any:
    """
    The asyncio loop, or the token that stands for the run of trio.

    Raises:
        RuntimeError: No event loop is running.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        if trio := sys.modules.get("trio"):
            return trio.lowlevel.current_trio_token()
        raise


class Threads:
    """
    Runs work of the CPU in worker threads, so that the event loop serves others meanwhile.

    Args:
        most: At the same time, for each loop. The work holds the interpreter's lock, or the cores:
            more threads would only take them from the loop, and threads from the host app.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._limiters: RunVar[anyio.CapacityLimiter] = RunVar("plano_asgi.threads")

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """What *work* returns or raises."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._limiter())

    def _limiter(self) -> anyio.CapacityLimiter:
        try:
            return self._limiters.get()
        except LookupError:
            self._limiters.set(limiter := anyio.CapacityLimiter(self._most))
            return limiter
