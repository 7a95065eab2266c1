"""
A time limit that costs next to nothing where it is not reached.

On asyncio it is one timer: a cancel scope of anyio costs several times as much, and every request
has a few limits. Elsewhere it is anyio's.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from types import TracebackType

import anyio


def time_limit(seconds: float) -> AbstractContextManager[object]:
    """
    Cancel the block after *seconds*. Around code that awaits, in one task.

    Raises:
        TimeoutError: The time was over.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return anyio.fail_after(seconds)
    return _AsyncioLimit(loop, seconds)


class _AsyncioLimit:
    """``asyncio.timeout`` in fewer steps: entered once, never rescheduled."""

    __slots__ = ("_cancelling", "_fired", "_handle", "_loop", "_seconds", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._fired = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._handle = self._loop.call_later(self._seconds, self._fire)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        # Somebody else's cancellation, on top of ours, stays a cancellation.
        if (
            self._fired
            and self._task.uncancel() <= self._cancelling
            and exc_type is asyncio.CancelledError
        ):
            raise TimeoutError from exc

    def _fire(self) -> None:
        self._fired = True
        self._task.cancel()
