"""
The spans of one exchange: its own, and one for each thing done for it.

Parents are given by value. A context is attached around stretches of one task only, so that code
in between (an SDK with instrumentation of its own, an MCP session) finds the right parent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
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
from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.semconv import ERROR_TYPE

_TRACE_ONLY = TraceContextTextMapPropagator()


class SpanStarter(Protocol):
    """Starts spans: ``LightTracer``, or any tracer of the API as an ``APITracer``."""

    def start(
        self, name: str, parent: Span, context: Context, kind: SpanKind, attributes: Attributes
    ) -> Span:
        """
        Start a span below *parent*, the current one of *context*; *attributes* become its own.
        """
        ...


class APITracer:
    """Any tracer of the API."""

    __slots__ = ("_tracer",)

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(
        self, name: str, parent: Span, context: Context, kind: SpanKind, attributes: Attributes
    ) -> Span:
        """As ``SpanStarter``."""
        return self._tracer.start_span(name, context, kind, attributes)


class ExchangeSpans:
    """
    Makes the spans of one exchange; its ``watcher``.

    Where the exchange's own is not recorded, nothing below it is: what is asked meanwhile belongs
    to it, and is told that nobody records.

    Args:
        span: The exchange's own, begun.
        tell_providers_baggage: Send W3C baggage to model providers, too, and not only to services
            of one's own.
    """

    __slots__ = ("_is_recording", "_tell_baggage", "_tracer", "context", "span")

    def __init__(
        self,
        tracer: SpanStarter,
        span: Span,
        context: Context,
        *,
        tell_providers_baggage: bool = False,
    ) -> None:
        self._tracer = tracer
        self.span = span
        self._is_recording = span.is_recording()
        self.context = context
        """With ``span`` as the current one."""
        self._tell_baggage = tell_providers_baggage

    def begin(self, activity: Activity) -> None:
        """Start its span, and make it the current one of this task."""
        if not self._is_recording:
            return
        context = context_api.get_current()
        parent = get_current_span(context)
        if parent is INVALID_SPAN:  # a task that was begun outside
            context, parent = self.context, self.span
        name, kind, attributes = start_of(activity)
        span = self._tracer.start(name, parent, context, kind, attributes)
        current = set_span_in_context(span, context)
        activity.handle = _Open(span, current, context_api.attach(current))

    def leave(self, activity: Activity) -> None:
        """Let this task's current span be what it was."""
        found: _Open | None = activity.handle
        if found is not None and found.token is not None:
            context_api.detach(found.token)
            found.token = None

    def end(self, activity: Activity) -> None:
        """End its span."""
        if activity.handle is None:
            return
        span = activity.handle.span
        if span.is_recording():
            if attributes := end_attributes(activity):
                put_attributes(span, attributes)
            if activity.error is not None:
                set_error(span, error_word(activity.error))
        span.end()

    def headers(self, activity: Activity | None) -> Mapping[str, str]:
        """``traceparent`` and what else the trace travels in."""
        carrier: dict[str, str] = {}
        if activity is None:
            current = context_api.get_current()
            is_outside = get_current_span(current) is INVALID_SPAN
            inject(carrier, context=self.context if is_outside else current)
            return carrier
        context = self.context if activity.handle is None else activity.handle.context
        if self._tell_baggage:
            inject(carrier, context=context)
        else:
            _TRACE_ONLY.inject(carrier, context=context)
        return carrier


class _Open:
    """An open span, its context, and how to leave it."""

    __slots__ = ("context", "span", "token")

    def __init__(self, span: Span, context: Context, token: Any) -> None:
        self.span, self.context, self.token = span, context, token


def put_attributes(span: Span, attributes: Attributes) -> None:
    """Add *attributes*, which are ours and need no check."""
    put: Callable[[Attributes], None] = getattr(span, "put", span.set_attributes)
    put(attributes)


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
