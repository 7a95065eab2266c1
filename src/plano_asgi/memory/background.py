"""
Work off the hot path: a bounded queue that one task drains, in order.

What does not fit is dropped and counted; what is in the queue at shutdown is worked off, for a
bounded time.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import structlog

from plano_asgi.loops import running_loop
from plano_asgi.memory.base import Namespace

_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True, eq=False)
class Job:
    """Something to do for a namespace; *what* names it in logs and counts."""

    namespace: Namespace
    what: str
    run: Callable[[], Awaitable[None]] = field(repr=False)
    done: anyio.Event = field(default_factory=anyio.Event, repr=False)


@dataclass(slots=True, eq=False)
class _Lane:
    """The queue of one event loop."""

    jobs: deque[Job] = field(default_factory=deque)
    running: Job | None = None
    is_working: bool = False
    idle: anyio.Event = field(default_factory=anyio.Event)


class BackgroundQueue:
    """
    Runs jobs one after the other, beside the requests.

    Args:
        size: Jobs that may wait; what comes on top is dropped.
        job_timeout_s: For one job.

    ``dropped`` and ``failed`` count since the start.
    """

    def __init__(self, *, size: int = 1000, job_timeout_s: float = 60.0) -> None:
        self._size, self._job_timeout_s = size, job_timeout_s
        self._lanes: WeakKeyDictionary[Any, _Lane] = WeakKeyDictionary()
        self.dropped = 0
        self.failed = 0

    def put(self, job: Job) -> bool:
        """Queue *job*; whether there was room. Needs a running event loop."""
        loop = running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            lane = self._lanes[loop] = _Lane()
        if len(lane.jobs) >= self._size:
            self.dropped += 1
            _log.warning("memory_job_dropped", what=job.what, dropped=self.dropped)
            return False
        lane.jobs.append(job)
        if not lane.is_working:
            lane.is_working = True
            lane.idle = anyio.Event()
            _start(loop, lambda: self._work(lane))
        return True

    async def drain(self, *, timeout_s: float = 10.0) -> bool:
        """Wait until this loop's queue is worked off; whether it was in time."""
        lane = self._lanes.get(running_loop())
        if lane is None:
            return True
        with anyio.move_on_after(timeout_s):
            while lane.is_working:
                await lane.idle.wait()
            return True
        _log.warning("memory_jobs_lost", count=len(lane.jobs))
        return False

    async def forget(self, namespace: Namespace) -> int:
        """
        Drop this loop's waiting jobs of *namespace*, and wait for one that is running.

        Returns:
            How many jobs were dropped.
        """
        lane = self._lanes.get(running_loop())
        if lane is None:
            return 0
        before = len(lane.jobs)
        kept = [job for job in lane.jobs if job.namespace != namespace]
        lane.jobs.clear()
        lane.jobs.extend(kept)
        dropped = before - len(kept)
        while (job := lane.running) is not None and job.namespace == namespace:
            await job.done.wait()
        return dropped

    async def _work(self, lane: _Lane) -> None:
        try:
            while lane.jobs:
                lane.running = job = lane.jobs.popleft()
                try:
                    await self._run(job)
                finally:
                    lane.running = None
                    job.done.set()
        finally:
            lane.is_working = False
            lane.idle.set()

    async def _run(self, job: Job) -> None:
        try:
            with anyio.fail_after(self._job_timeout_s):
                await job.run()
        except Exception as exc:  # a store or a model of the user's: nobody else would hear of it
            self.failed += 1
            _log.warning("memory_job_failed", what=job.what, error=type(exc).__name__)


_TASKS: set[asyncio.Task[None]] = set()  # a loop keeps only weak references to its tasks


def _start(loop: Any, work: Callable[[], Awaitable[None]]) -> None:
    if isinstance(loop, asyncio.AbstractEventLoop):
        # Its own context: whose request happened to be the first is no business of the others'.
        task = loop.create_task(_as_coroutine(work), context=Context())
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
        return
    sys.modules["trio"].lowlevel.spawn_system_task(work)


async def _as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    with suppress(asyncio.CancelledError):
        await work()
