"""Whole traces, kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import Tracer, set_span_in_context

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.semconv import TRIAGE_KEEP
from plano_asgi.telemetry.tail import TriageProcessor


class Passed(SpanProcessor):
    """The names of what comes through."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.name)


def made(**options: int) -> tuple[Tracer, Passed, TriageProcessor]:
    """A tracer in front of it."""
    passed = Passed()
    processor = TriageProcessor(passed, **options)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    return provider.get_tracer("t"), passed, processor


def trace(tracer: Tracer, keep: Sequence[bool | None]) -> None:
    """A server span that ends before its exchanges do, as a framework's does."""
    server = tracer.start_span("server", context=Context())
    chats = [tracer.start_span("chat", context=set_span_in_context(server)) for _ in keep]
    server.end()
    for chat, told in zip(chats, keep, strict=True):
        if told is not None:
            chat.set_attribute(TRIAGE_KEEP, told)
        chat.end()


@pytest.mark.parametrize(
    ("keep", "passes"),
    [([True], True), ([False], False), ([None], True), ([False, True], True), ([], True)],
)
def test_a_trace_is_kept_or_dropped_as_one(keep: list[bool | None], passes: bool) -> None:
    """Dropped only where every exchange of it was told to be."""
    tracer, passed, processor = made()
    trace(tracer, keep)
    assert passed.names == (["server", *["chat"] * len(keep)] if passes else [])
    assert processor.dropped_traces == (not passes)


def test_too_many_waiting_spans_are_passed_on() -> None:
    """Rather than lost, the longest waiting first."""
    tracer, passed, _ = made(max_spans=2)
    for name in ("a", "b", "c"):
        parent = tracer.start_span("open", context=Context())
        tracer.start_span(name, context=set_span_in_context(parent)).end()
    assert passed.names == ["a"]


def test_what_waits_is_passed_on_at_shutdown() -> None:
    """Nobody will judge it any more."""
    tracer, passed, processor = made()
    parent = tracer.start_span("open", context=Context())
    tracer.start_span("child", context=set_span_in_context(parent)).end()
    assert passed.names == []
    processor.shutdown()
    assert passed.names == ["child"]


def test_a_bound_is_checked() -> None:
    """At construction."""
    with pytest.raises(ConfigurationError):
        TriageProcessor(Passed(), max_spans=0)
