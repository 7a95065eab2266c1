"""
The spans of one exchange: its own, and one for each thing done for it.

Parents are given by value. A context is attached around stretches of one task only, so that code
in between (an SDK with instrumentation of its own, an MCP session) finds the right parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from plano_asgi.activities import Activity
from plano_asgi.errors import PlanoError
from plano_asgi.telemetry.activity_attributes import end_attributes, start_of
from plano_asgi.telemetry.semconv import ERROR_TYPE

_TRACE_ONLY = TraceContextTextMapPropagator()


class ExchangeSpans:
    """
    Makes the spans of one exchange; its ``watcher``.

    Args:
        span: The exchange's own, begun.
        tell_providers_baggage: Send W3C baggage to model providers, too, and not only to services
            of one's own.
    """

    __slots__ = ("_tell_baggage", "_tracer", "context", "span")

    def __init__(
        self, tracer: Tracer, span: Span, context: Context, *, tell_providers_baggage: bool = False
    ) -> None:
        self._tracer = tracer
        self.span = span
        self.context = context
        """With ``span`` as the current one."""
        self._tell_baggage = tell_providers_baggage

    @property
    def ids(self) -> tuple[str, str]:
        """Trace and span id of the exchange's own span, as lower-case hex."""
        context = self.span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def begin(self, activity: Activity) -> None:
        """Start its span, and make it the current one of this task."""
        parent = context_api.get_current()
        if get_current_span(parent) is INVALID_SPAN:
            parent = self.context
        name, kind, attributes = start_of(activity)
        span = self._tracer.start_span(name, context=parent, kind=kind, attributes=attributes)
        current = set_span_in_context(span, parent)
        activity.handle = _Open(span, current, context_api.attach(current))

    def leave(self, activity: Activity) -> None:
        """Let this task's current span be what it was."""
        found: _Open = activity.handle
        if found.token is not None:
            context_api.detach(found.token)
            found.token = None

    def end(self, activity: Activity) -> None:
        """End its span."""
        span = activity.handle.span
        if span.is_recording():
            if attributes := end_attributes(activity):
                span.set_attributes(attributes)
            if activity.error is not None:
                set_error(span, error_word(activity.error))
        span.end()

    def headers(self, activity: Activity | None) -> Mapping[str, str]:
        """``traceparent`` and what else the trace travels in."""
        carrier: dict[str, str] = {}
        if activity is None:
            current = context_api.get_current()
            if get_current_span(current) is INVALID_SPAN:
                current = self.context
            inject(carrier, context=current)
        elif self._tell_baggage:
            inject(carrier, context=activity.handle.context)
        else:
            _TRACE_ONLY.inject(carrier, context=activity.handle.context)
        return carrier


class _Open:
    """An open span, its context, and how to leave it."""

    __slots__ = ("context", "span", "token")

    def __init__(self, span: Span, context: Context, token: Any) -> None:
        self.span, self.context, self.token = span, context, token


def error_word(error: BaseException | str) -> str:
    """What to call *error*: a word of ours, or its class; never its text: it may hold content."""
    if isinstance(error, str):
        return error
    if isinstance(error, PlanoError):
        return error.word
    if error.__class__.__name__ in _LEFT:
        return "cancelled"
    return error.__class__.__name__


_LEFT = frozenset(("CancelledError", "Cancelled"))
"""asyncio's and trio's."""


def set_error(span: Span, word: str) -> None:
    """Mark *span* as failed with ``error.type`` *word*."""
    span.set_attribute(ERROR_TYPE, word)
    span.set_status(Status(StatusCode.ERROR, word))
