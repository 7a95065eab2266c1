"""
The spans of one exchange: its own, and one for each thing done for it.

Parents are given by value. A context is attached around stretches of one task only, so that code
in between (an SDK with instrumentation of its own, an MCP session) finds the right parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
)

from plano_asgi.activities import Activity
from plano_asgi.errors import PlanoError
from plano_asgi.telemetry.activity_attributes import end_attributes, start_of
from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.current import exchange_in, span_of, with_exchange, with_span
from plano_asgi.telemetry.semconv import ERROR_TYPE


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
        around: The context it was begun in.
        tell_providers_baggage: Send W3C baggage to model providers, too, and not only to services
            of one's own.
    """

    __slots__ = ("_tell_baggage", "_tracer", "context", "is_recording", "span")

    def __init__(
        self,
        tracer: SpanStarter,
        span: Span,
        around: Context,
        *,
        tell_providers_baggage: bool = False,
    ) -> None:
        self._tracer = tracer
        self.span = span
        self.is_recording = span.is_recording()
        self.context = with_exchange(span, around)
        """With ``span`` as the current one."""
        self._tell_baggage = tell_providers_baggage

    def begin(self, activity: Activity) -> None:
        """Start its span, and make it the current one of this task."""
        if not self.is_recording:
            return
        context, parent = context_api.get_current(), self.span
        if context is not self.context:
            context = self._around(context)
            parent = span_of(context)
        name, kind, attributes = start_of(activity)
        span = self._tracer.start(name, parent, context, kind, attributes)
        current = with_span(span, context)
        activity.handle, activity.token = (span, current), context_api.attach(current)

    def leave(self, activity: Activity) -> None:
        """Let this task's current span be what it was."""
        if activity.token is not None:
            context_api.detach(activity.token)
            activity.token = None

    def end(self, activity: Activity) -> None:
        """End its span."""
        if activity.handle is None:
            return
        span, _ = activity.handle
        if activity.error is not None and span.is_recording():
            set_error(span, error_word(activity.error))
        end_with(span, end_attributes(activity))

    def headers(self, activity: Activity | None) -> dict[str, str]:
        """``traceparent`` and what else the trace travels in."""
        if activity is None:
            return _injected(self._around(context_api.get_current()))
        span, context = activity.handle or (self.span, self.context)
        return _injected(context) if self._tell_baggage else trace_headers(span.get_span_context())

    def _around(self, current: Context) -> Context:
        """*current*; in a task that was begun outside, maybe for another request, our own."""
        is_inside = exchange_in(current) is self.span and span_of(current) is not INVALID_SPAN
        return current if is_inside else self.context


def _injected(context: Context) -> dict[str, str]:
    """With baggage, and in whatever other formats the process is set to."""
    carrier: dict[str, str] = {}
    inject(carrier, context=context)
    return carrier


def trace_headers(context: SpanContext) -> dict[str, str]:
    """``traceparent`` and ``tracestate`` of W3C Trace Context, for what is asked below a span."""
    if not context.is_valid:
        return {}
    ids = f"{context.trace_id:032x}-{context.span_id:016x}"
    headers = {"traceparent": f"00-{ids}-{context.trace_flags:02x}"}
    if context.trace_state:
        headers["tracestate"] = context.trace_state.to_header()
    return headers


def put_attributes(span: Span, attributes: Attributes) -> None:
    """Add *attributes*, which are ours and need no check."""
    put: Callable[[Attributes], None] = getattr(span, "put_checked", span.set_attributes)
    put(attributes)


def end_with(span: Span, attributes: Attributes, end_time: int | None = None) -> None:
    """Add *attributes*, as ``put_attributes``, and end *span*, now or at *end_time* (Unix ns)."""
    if (end := getattr(span, "end_checked", None)) is not None:
        end(attributes, end_time)
        return
    if attributes and span.is_recording():
        span.set_attributes(attributes)
    span.end(end_time)


def error_word(error: BaseException | str) -> str:
    """What to call *error*: a word of ours, or its class; never its text: it may hold content."""
    if isinstance(error, str):
        return error
    if isinstance(error, PlanoError):
        return error.word
    if error.__class__.__name__ in _LEFT:
        return "cancelled"
    return error.__class__.__name__


_LEFT = frozenset(("CancelledError", "Cancelled", "GeneratorExit"))
"""asyncio's, trio's, and that of a stream which is closed from outside."""


def set_error(span: Span, word: str) -> None:
    """Mark *span* as failed with ``error.type`` *word*."""
    span.set_attribute(ERROR_TYPE, word)
    span.set_status(Status(StatusCode.ERROR, word))
