"""
Spans on their way out: a bounded queue, and one thread that exports from it in batches.

It does what the SDK's ``BatchSpanProcessor`` does, and keeps what that one does not promise: every
span lost is counted, whether the queue was full or the exporter failed; ``force_flush`` and
``shutdown`` end in time also when the exporter hangs (there they wait for a lock the exporting
thread holds, and 30 seconds); nothing is logged on a request's path.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import structlog
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import TraceFlags

from plano_asgi.errors import ConfigurationError

DropReason: TypeAlias = Literal["queue_full", "export_failed", "shutdown"]
OnDrop: TypeAlias = Callable[[int], None]
"""Hears how many spans were lost. Must neither block nor raise."""

_log = structlog.get_logger("plano_asgi")


def batching(
    exporter: SpanExporter,
    *,
    max_queue: int = 2048,
    max_batch: int = 512,
    delay_s: float = 2.0,
    timeout_s: float = 10.0,
    on_drop: OnDrop | None = None,
) -> BatchingProcessor:
    """
    A span processor in front of *exporter*; see ``BatchingProcessor``.

    Raises:
        ConfigurationError: A bound that cannot work.
    """
    return BatchingProcessor(
        exporter,
        max_queue=max_queue,
        max_batch=max_batch,
        delay_s=delay_s,
        timeout_s=timeout_s,
        on_drop=on_drop,
    )


class BatchingProcessor(SpanProcessor):
    """
    Queues ended spans; a daemon thread, started by the first one, exports them.

    A request only ever appends to the queue. The exporter is called, and closed, by that one
    thread; one that hangs holds up nobody else, and not the end of the process. A forked child
    begins with an empty queue and a thread of its own: what was queued is the parent's to export.

    Args:
        exporter: May block and may raise.
        max_queue: Spans that wait; past it the oldest is dropped.
        max_batch: Spans in one export; so many waiting are exported at once.
        delay_s: How long spans wait for others.
        timeout_s: How long ``shutdown``, and a ``force_flush`` that names no limit, wait.
        on_drop: Hears of every loss: ``Metrics.dropped``.
        report_s: At most one line about drops is logged in this time.
        timer: A monotonic clock in seconds.

    Raises:
        ConfigurationError: A bound that cannot work.
    """

    _accepted: int
    _attend_at: int
    _settled_count: int
    _flush_to: int
    _worker: threading.Thread | None

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        max_queue: int = 2048,
        max_batch: int = 512,
        delay_s: float = 2.0,
        timeout_s: float = 10.0,
        report_s: float = 60.0,
        on_drop: OnDrop | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < max_batch <= max_queue:
            raise ConfigurationError("max_batch must be at least 1 and at most max_queue")
        if delay_s <= 0 or timeout_s < 0:
            raise ConfigurationError("delay_s must be above 0, timeout_s not below 0")
        self._exporter = exporter
        self._max_queue = max_queue
        self._max_batch = max_batch
        self._delay_s = delay_s
        self._timeout_s = timeout_s
        self._report_s = report_s
        self._on_drop = on_drop
        self._timer = timer
        self._is_closed = False
        self._begin()
        self._after_fork()

    @property
    def dropped(self) -> int:
        """Spans lost so far, for whatever reason."""
        return sum(self._drops.values())

    @property
    def drops(self) -> Mapping[DropReason, int]:
        """The same by reason."""
        return dict(self._drops)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue *span* if it is sampled."""
        context = span.context
        if context is None or not context.trace_flags & TraceFlags.SAMPLED:
            return
        with self._lock:
            self._queue.append(span)
            self._accepted += 1
            if len(self._queue) >= self._attend_at:
                self._attend()

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """
        Export what has ended so far.

        Returns:
            Whether all of it is settled, exported or dropped, within the time.
        """
        limit_s = self._timeout_s if timeout_millis is None else timeout_millis / 1e3
        with self._lock:
            goal = self._flush_to = self._accepted
            self._wake.notify()
            return self._settled.wait_for(lambda: self._settled_count >= goal, limit_s)

    def shutdown(self) -> None:
        """Export what is queued, for as long as *timeout_s*; what is left then is dropped."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._attend_at = 0
            worker = self._worker
            self._wake.notify()
        if worker is None:
            self._close()
            return
        worker.join(self._timeout_s)
        with self._lock:
            self._lose("shutdown", len(self._queue))
            self._queue.clear()
        self._report(force=True)

    def _begin(self) -> None:
        """The state of one process; also called in a child, where locks may be held for ever."""
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)
        self._queue: deque[ReadableSpan] = deque()
        self._worker = None
        self._attend_at = 0
        self._accepted = self._settled_count = self._flush_to = 0
        self._drops: dict[DropReason, int] = {"queue_full": 0, "export_failed": 0, "shutdown": 0}
        self._reported = 0
        self._report_at = float("-inf")
        self._last_error = ""

    def _after_fork(self) -> None:
        if hasattr(os, "register_at_fork"):
            begin = weakref.WeakMethod(self._begin)

            def begin_again() -> None:
                if (still := begin()) is not None:
                    still()

            os.register_at_fork(after_in_child=begin_again)

    def _attend(self) -> None:
        """A span came that is not only to wait."""
        if self._is_closed:
            self._queue.pop()
            self._accepted -= 1
            self._count("shutdown", 1)
            return
        if len(self._queue) > self._max_queue:
            self._queue.popleft()
            self._lose("queue_full", 1)
        if self._worker is None:
            self._worker = self._start()
            self._attend_at = self._max_batch
        else:
            self._wake.notify()

    def _start(self) -> threading.Thread:
        worker = threading.Thread(target=self._work, name="plano-spans", daemon=True)
        worker.start()
        return worker

    def _work(self) -> None:
        with suppress_instrumentation():
            while batch := self._next_batch():
                self._export(batch)
                self._report()
            self._close()

    def _next_batch(self) -> list[ReadableSpan]:
        """The next spans to export, once they have waited; none when it is time to end."""
        with self._lock:
            has_waited = False
            while not (self._queue and (has_waited or self._is_due())):
                if self._is_closed:
                    return []
                has_waited = not self._wake.wait(self._delay_s)
            return [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]

    def _is_due(self) -> bool:
        is_flushing = self._flush_to > self._settled_count
        return is_flushing or self._is_closed or len(self._queue) >= self._max_batch

    def _export(self, batch: list[ReadableSpan]) -> None:
        is_exported, error = False, ""
        try:
            is_exported = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception as exc:  # anybody's exporter; counted and told, and the thread lives on
            error = type(exc).__name__
        with self._lock:
            if is_exported:
                self._settle(len(batch))
            else:
                self._last_error = error
                self._lose("export_failed", len(batch))

    def _lose(self, reason: DropReason, count: int) -> None:
        self._count(reason, count)
        self._settle(count)

    def _count(self, reason: DropReason, count: int) -> None:
        self._drops[reason] += count
        if self._on_drop is not None:
            self._on_drop(count)

    def _settle(self, count: int) -> None:
        self._settled_count += count
        self._settled.notify_all()

    def _close(self) -> None:
        try:
            self._exporter.shutdown()
        except Exception as exc:  # as above
            _log.warning("exporter_not_closed", exporter=self._name, error=type(exc).__name__)

    def _report(self, *, force: bool = False) -> None:
        """Tell of drops; never with what a span or an error says."""
        dropped, now = self.dropped, self._timer()
        if dropped == self._reported or (not force and now < self._report_at):
            return
        self._reported, self._report_at = dropped, now + self._report_s
        lost = {reason: count for reason, count in self.drops.items() if count}
        _log.warning("spans_dropped", exporter=self._name, error=self._last_error, **lost)

    @property
    def _name(self) -> str:
        return type(self._exporter).__name__
