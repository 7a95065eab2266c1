"""The spans of one exchange: whose child each is, and what a trace travels in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import baggage
from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from plano_asgi.activities import Activity
from plano_asgi.telemetry.current import span_of, with_span
from plano_asgi.telemetry.light_spans import light_tracer
from plano_asgi.telemetry.spans import (
    APITracer,
    ExchangeSpans,
    SpanStarter,
    end_with,
    error_word,
    trace_headers,
)
from telemetry.one_trace import Spans

Made = tuple[Callable[[], SpanStarter], Spans]


@pytest.fixture(params=["light", "sdk"])
def made(request: pytest.FixtureRequest) -> Made:
    """A maker of spans, and those that ended."""
    ended, provider = Spans(), TracerProvider()
    provider.add_span_processor(ended)
    tracer = provider.get_tracer("t")

    def starter() -> SpanStarter:
        light = light_tracer(tracer, "t", "") if request.param == "light" else APITracer(tracer)
        assert light is not None
        return light

    return starter, ended


def spans_of(starter: SpanStarter) -> ExchangeSpans:
    """Of an exchange that begins a trace."""
    span = starter.start("chat", INVALID_SPAN, Context(), SpanKind.CLIENT, {})
    return ExchangeSpans(starter, span, Context())


def parent_made(spans: ExchangeSpans, around: Context) -> int | None:
    """The id of the span that an activity begun in *around* is put below."""
    token = context_api.attach(around)
    activity = Activity(spans, "cache", "c", {})
    with activity:
        made: Any = activity.handle[0]
        assert get_current_span().get_span_context() == made.get_span_context()
    context_api.detach(token)
    assert made.get_span_context().trace_id == spans.span.get_span_context().trace_id
    return None if made.parent is None else int(made.parent.span_id)


def test_a_context_keeps_its_span_as_the_api_does() -> None:
    """Both ways, with whatever else it holds."""
    span = NonRecordingSpan(SpanContext(1, 2, False))
    outer = baggage.set_baggage("who", "me", Context())
    assert with_span(span, outer) == set_span_in_context(span, outer)
    assert get_current_span(with_span(span, outer)) is span
    assert span_of(set_span_in_context(span, outer)) is span
    assert baggage.get_baggage("who", with_span(span, outer)) == "me"
    assert span_of(outer) is INVALID_SPAN


@pytest.mark.parametrize("flags", [0, 1, 3])
@pytest.mark.parametrize("state", [TraceState(), TraceState([("a", "1"), ("b", "2")])])
def test_trace_headers_are_those_of_the_propagator(flags: int, state: TraceState) -> None:
    """Small ids have their zeros."""
    context = SpanContext(0xA, 0xB, False, TraceFlags(flags), state)
    carrier: dict[str, str] = {}
    inject(carrier, context=set_span_in_context(NonRecordingSpan(context), Context()))
    assert trace_headers(context) == carrier
    assert len(carrier["traceparent"]) == 55


def test_nothing_travels_without_a_trace() -> None:
    """An id of zero is none."""
    assert trace_headers(SpanContext(0, 0, False)) == {}


def test_activities_hang_below_what_is_done_around_them(made: Made) -> None:
    """The exchange, or somebody's own span in the same trace."""
    starter, _ = made
    spans = spans_of(starter())
    exchange = spans.span.get_span_context().span_id
    assert parent_made(spans, spans.context) == exchange
    inner = starter().start("x", spans.span, spans.context, SpanKind.INTERNAL, {})
    own = inner.get_span_context().span_id
    assert parent_made(spans, with_span(inner, spans.context)) == own


def test_a_task_begun_for_another_request_is_told_of_the_right_one(made: Made) -> None:
    """A worker keeps the context of whoever began it, also where both are of one trace."""
    starter, _ = made
    client = starter().start("client", INVALID_SPAN, Context(), SpanKind.CLIENT, {})
    around = with_span(client, Context())
    first, second = (
        ExchangeSpans(starter(), span, around)
        for span in (starter().start("chat", client, around, SpanKind.CLIENT, {}) for _ in "ab")
    )
    assert first.span.get_span_context().trace_id == second.span.get_span_context().trace_id
    assert parent_made(second, first.context) == second.span.get_span_context().span_id
    assert parent_made(second, Context()) == second.span.get_span_context().span_id
    token = context_api.attach(first.context)
    told = second.headers(None)
    context_api.detach(token)
    assert told == trace_headers(second.span.get_span_context())


def test_a_root_begun_on_purpose_is_respected(made: Made) -> None:
    """Within the exchange somebody begins a trace of its own: what is done there is part of it."""
    starter, _ = made
    spans = spans_of(starter())
    root = starter().start("root", INVALID_SPAN, Context(), SpanKind.INTERNAL, {})
    around = baggage.set_baggage("who", "me", set_span_in_context(root, spans.context))
    token = context_api.attach(around)
    with Activity(spans, "cache", "c", {}) as activity:
        told = spans.headers(None)
        trace = activity.handle[0].get_span_context().trace_id
    context_api.detach(token)
    assert trace == root.get_span_context().trace_id
    assert told["baggage"] == "who=me"


def test_attributes_and_the_end_come_in_one(made: Made) -> None:
    """Once: what is said after that is not heard."""
    starter, ended = made
    span = starter().start("x", INVALID_SPAN, Context(), SpanKind.CLIENT, {"a": 1})
    end_with(span, {"b": "2"}, 5)
    _end_quietly(span)
    (only,) = ended.ended
    assert dict(only.attributes or {}) == {"a": 1, "b": "2"}
    assert only.end_time == 5


def _end_quietly(span: Span) -> None:
    """The SDK's own say that they have ended already."""
    if hasattr(span, "end_checked"):
        end_with(span, {"c": 3})


def test_a_stream_that_is_closed_from_outside_is_cancelled() -> None:
    """Servers that drop a response close its generator."""
    assert error_word(GeneratorExit()) == "cancelled"
