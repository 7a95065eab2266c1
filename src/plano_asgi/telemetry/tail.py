"""
Keep or drop whole traces by how the conversation went, in front of the exporters.

What a trace is worth is known only at the end of its exchange: until then its spans wait here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.semconv import TRIAGE_KEEP


@dataclass(slots=True)
class _Trace:
    """The spans of one trace that wait; how many of its own have begun and not ended here."""

    spans: list[ReadableSpan] = field(default_factory=list)
    open: int = 0
    keep: bool | None = None


class TriageProcessor(SpanProcessor):
    """
    Pass traces on to *inner* that are worth it: those whose exchange was told to be kept, and those
    nobody judged. A trace of several exchanges is kept if one of them is.

    Give the same ``Triage`` to ``Telemetry``, which judges; it says so on the exchange's span.

    Args:
        inner: Where spans go: a batching processor.
        max_spans: That wait, in all; past it the trace that has waited longest is passed on.
    """

    def __init__(self, inner: SpanProcessor, *, max_spans: int = 50_000) -> None:
        if max_spans < 1:
            raise ConfigurationError("max_spans must be at least 1")
        self._inner = inner
        self._max_spans = max_spans
        self._waiting = 0
        self._lock = threading.Lock()
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self.dropped_traces = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """One more of its trace is open."""
        self._inner.on_start(span, parent_context)
        context = span.get_span_context()
        if context is not None:
            with self._lock:
                self._traces.setdefault(context.trace_id, _Trace()).open += 1

    def on_end(self, span: ReadableSpan) -> None:
        """It waits; with the last of its trace, all of them are passed on, or none."""
        context = span.get_span_context()
        if context is None:
            return
        passed: list[ReadableSpan] = []
        with self._lock:
            trace = self._traces.setdefault(context.trace_id, _Trace(open=1))
            trace.open -= 1
            trace.spans.append(span)
            self._waiting += 1
            told = (span.attributes or {}).get(TRIAGE_KEEP)
            if isinstance(told, bool):
                trace.keep = told or bool(trace.keep)
            if trace.open <= 0:
                passed = self._taken(context.trace_id)
            while self._waiting > self._max_spans:
                passed += self._taken(next(iter(self._traces)), keep=True)
        for each in passed:
            self._inner.on_end(each)

    def shutdown(self) -> None:
        """Pass on what waits: nobody will judge it any more."""
        with self._lock:
            left = [span for trace in self._traces.values() for span in trace.spans]
            self._traces.clear()
            self._waiting = 0
        for span in left:
            self._inner.on_end(span)
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As *inner* does; traces that are not over go on waiting."""
        return self._inner.force_flush(timeout_millis)

    def _taken(self, trace_id: int, *, keep: bool = False) -> list[ReadableSpan]:
        trace = self._traces.pop(trace_id)
        self._waiting -= len(trace.spans)
        if keep or trace.keep is not False:
            return trace.spans
        self.dropped_traces += 1
        return []
