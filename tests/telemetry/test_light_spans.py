"""Light spans against the SDK's own: the same is done to both, and the same must come of it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from plano_asgi.telemetry.light_spans import LightSpan, light_tracer
from plano_asgi.telemetry.spans import APITracer, SpanStarter

NAME, SCHEMA = "plano_asgi", "https://opentelemetry.io/schemas/1.0.0"
STATE = TraceState([("vendor", "1")])


class Counting(IdGenerator):
    """Ids 1, 2, 3, ..., not random."""

    def __init__(self, is_random: bool = False) -> None:
        self._last, self._is_random = 0, is_random

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        return self.generate_span_id() << 64

    def is_trace_id_random(self) -> bool:
        return self._is_random


class Picky(Sampler):
    """Records, but does not sample, client spans, and adds an attribute and a state."""

    def should_sample(  # type: ignore[no-untyped-def]
        self,
        parent_context,
        trace_id,
        name,
        kind=None,
        attributes=None,
        links=None,
        trace_state=None,
    ) -> Any:
        is_client = kind is SpanKind.CLIENT
        decision = Decision.RECORD_ONLY if is_client else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision, {**attributes, "sampler": "picky"}, STATE)

    def get_description(self) -> str:
        return "Picky"


class Seen(sdk.SpanProcessor):
    """What a processor sees of a span that begins."""

    def __init__(self) -> None:
        self.begun: list[Any] = []

    def on_start(self, span: sdk.Span, parent_context: Context | None = None) -> None:
        above = get_current_span(parent_context).get_span_context()
        self.begun.append((span.name, span.kind, dict(span.attributes or {}), above.span_id))
        span.set_attribute("processor", "was here")


def both(
    play: Callable[[SpanStarter], object],
    sampler: Sampler | None = None,
    *,
    is_random: bool = False,
    limits: sdk.SpanLimits | None = None,
) -> tuple[Any, Any]:
    """What came of *play* with the SDK's tracer, and with the light one."""
    found = []
    for is_light in (False, True):
        exporter, seen = InMemorySpanExporter(), Seen()
        provider = sdk.TracerProvider(
            sampler,
            Resource({"service.name": "one"}),
            id_generator=Counting(is_random),
            span_limits=limits,
        )
        provider.add_span_processor(seen)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer(NAME, schema_url=SCHEMA)
        light = light_tracer(tracer, NAME, SCHEMA)
        assert light is not None
        told = play(light if is_light else APITracer(tracer))
        found.append((told, seen.begun, [_plain(span) for span in exporter.get_finished_spans()]))
    return found[0], found[1]


def _plain(span: sdk.ReadableSpan) -> dict[str, Any]:
    """All of *span* but its times of day."""
    context = span.get_span_context()
    assert context is not None
    return {
        "name": span.name,
        "kind": span.kind,
        "context": tuple(context),
        "parent": span.parent and tuple(span.parent),
        "attributes": dict(span.attributes or {}),
        "events": [(event.name, dict(event.attributes or {})) for event in span.events],
        "links": [(tuple(link.context), dict(link.attributes or {})) for link in span.links],
        "status": (span.status.status_code, span.status.description),
        "end_time": span.end_time,
        "resource": span.resource,
        "scope": span.instrumentation_scope,
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


def parent(*, flags: int = 1, is_remote: bool = True) -> Span:
    """The span of a caller."""
    return NonRecordingSpan(SpanContext(7 << 100, 9, is_remote, TraceFlags(flags), STATE))


def started(tracer: SpanStarter, above: Span = INVALID_SPAN, **options: Any) -> Span:
    """A span below *above*."""
    context = set_span_in_context(above, Context())
    kind = options.pop("kind", SpanKind.CLIENT)
    return tracer.start("chat", above, context, kind, {"a": 1, **options})


PARENTS = [
    INVALID_SPAN,
    *(parent(flags=flags, is_remote=far) for flags in range(4) for far in (True, False)),
]
SAMPLERS = [
    *(None, ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF, Picky(), TraceIdRatioBased(0.5)),
    *(ParentBasedTraceIdRatio(0.5), ParentBased(Picky(), local_parent_sampled=Picky())),
]


@pytest.mark.parametrize("is_random", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_sampling_and_ids_are_the_sdks(sampler: Sampler | None, is_random: bool) -> None:
    """For every parent, and for a child of the span itself."""

    def play(tracer: SpanStarter) -> list[Any]:
        told = []
        for above in PARENTS:
            span = started(tracer, above)
            child = started(tracer, span, kind=SpanKind.INTERNAL)
            for each in (child, span):
                told.append((*each.get_span_context(), each.is_recording()))
                each.end(5)
        return told

    plain, light = both(play, sampler, is_random=is_random)
    assert light == plain


def _everything(span: Span) -> None:
    span.set_attribute("texts", ["a", "b"])
    span.set_attributes({"nothing": {1}, "": 1, "part": b"\xff", "deep": {"a": [1]}})  # type: ignore[dict-item]
    span.add_event("seen", {"what": "it"})
    span.add_event("bare")
    span.add_link(SpanContext(5, 6, is_remote=True), {"why": "so"})
    span.add_link(SpanContext(0, 0, is_remote=True))
    span.update_name("other")
    span.record_exception(ValueError("no"), {"more": 1})
    span.record_exception(json.JSONDecodeError("no", "x", 0), escaped=True)


def test_what_is_done_to_a_span_shows_as_on_the_sdks(caplog: pytest.LogCaptureFixture) -> None:
    """Attributes of odd types, events, links, a name, exceptions."""

    def play(tracer: SpanStarter) -> None:
        span = started(tracer)
        _everything(span)
        span.end(5)

    plain, light = both(play)
    assert light == plain


def _error(span: Span) -> None:
    span.set_status(StatusCode.ERROR, "why")
    span.set_status(StatusCode.UNSET)


def _okay(span: Span) -> None:
    span.set_status(Status(StatusCode.OK))
    span.set_status(StatusCode.ERROR, "late")


@pytest.mark.parametrize("say", [_error, _okay])
def test_status_is_final_once_it_is_ok(say: Callable[[Span], None]) -> None:
    """And UNSET says nothing."""

    def play(tracer: SpanStarter) -> None:
        span = started(tracer)
        say(span)
        span.end(5)

    plain, light = both(play)
    assert light == plain


def test_an_ended_span_is_changed_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Nor ended twice."""

    def play(tracer: SpanStarter) -> bool:
        span = started(tracer)
        span.end(5)
        _everything(span)
        _error(span)
        span.end(6)
        return span.is_recording()

    plain, light = both(play)
    assert light == plain
    assert light[0] is False


def test_limits_of_counts_hold(caplog: pytest.LogCaptureFixture) -> None:
    """What is too much is counted; the newest stays."""
    limits = sdk.SpanLimits(
        max_span_attributes=4, max_events=2, max_links=2, max_event_attributes=1
    )

    def play(tracer: SpanStarter) -> None:
        span = started(tracer)
        for number in range(5):
            span.set_attribute(f"n{number}", number)
            span.add_event(f"e{number}", {"a": 1, "b": 2})
            span.add_link(SpanContext(5, 1 + number, is_remote=True))
        span.end(5)

    plain, light = both(play, limits=limits)
    assert light == plain


def test_trusted_attributes_go_in_as_they_are() -> None:
    """Until the span has ended."""
    provider = sdk.TracerProvider()
    light = light_tracer(provider.get_tracer(NAME), NAME, "")
    assert light is not None
    span = started(light)
    assert isinstance(span, LightSpan)
    span.put_checked({"b": "2"})
    span.end()
    span.put_checked({"c": "3"})
    assert span.attributes == {"a": 1, "b": "2"}


class _Other(sdk.Tracer):
    """Somebody's own."""


def _tracer(**options: Any) -> Any:
    return sdk.TracerProvider(**options).get_tracer(NAME)


def test_tracers_of_another_make_are_left_alone() -> None:
    """Also the SDK's own where it cuts texts: nobody here would."""
    odd: Sequence[Any] = (
        object(),
        _tracer(span_limits=sdk.SpanLimits(max_attribute_length=10)),
        _tracer(span_limits=sdk.SpanLimits(max_span_attribute_length=10)),
    )
    assert [light_tracer(tracer, NAME, "") for tracer in odd] == [None] * 3
    known = _tracer()
    known.__class__ = _Other
    assert light_tracer(known, NAME, "") is None


def test_a_tracer_that_measures_itself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts the spans it starts."""
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    assert light_tracer(_tracer(), NAME, "") is None


def test_a_tracer_that_is_switched_off_makes_none() -> None:
    """As the SDK's does not."""
    provider = sdk.TracerProvider()
    tracer = provider.get_tracer(NAME)
    light = light_tracer(tracer, NAME, "")
    provider._set_tracer_configurator(
        tracer_configurator=lambda _: sdk._TracerConfig(is_enabled=False)
    )
    assert light is not None
    assert not started(light).is_recording()
    assert started(light, parent()).get_span_context().span_id == 9


class _Choosy(ParentBased):
    """Says no, whatever its description says."""

    def __init__(self) -> None:
        super().__init__(ALWAYS_ON)

    def should_sample(self, *args: Any, **options: Any) -> Any:
        return SamplingResult(Decision.DROP)


class _Odd(Sampler):
    """Adds what no exporter could write."""

    def should_sample(self, *args: Any, **options: Any) -> Any:
        odd: Any = {"": 1, "set": {1}, "fine": "yes"}
        return SamplingResult(Decision.RECORD_AND_SAMPLE, odd)

    def get_description(self) -> str:
        return "Odd"


@pytest.mark.parametrize("sampler", [_Choosy(), _Odd(), ParentBased(ALWAYS_ON, _Choosy())])
def test_samplers_of_ones_own_are_asked_about_every_span(sampler: Sampler) -> None:
    """By what they are, not by what they are called; what they add is checked."""

    def play(tracer: SpanStarter) -> list[bool]:
        spans = [started(tracer, above) for above in PARENTS]
        for span in spans:
            span.end(5)
        return [span.is_recording() for span in spans]

    plain, light = both(play, sampler)
    assert light == plain


def test_no_room_for_events_and_links_is_counted() -> None:
    """Each of them."""
    limits = sdk.SpanLimits(max_events=0, max_links=0)

    def play(tracer: SpanStarter) -> None:
        span = started(tracer)
        for _ in range(5):
            span.add_event("e")
            span.add_link(SpanContext(5, 6, is_remote=True))
        span.end(5)

    plain, light = both(play, limits=limits)
    assert light == plain
    assert light[2][0]["dropped"] == (0, 5, 5)


def test_threads_lose_nothing_of_each_others() -> None:
    """The first of them makes what all of them fill."""
    light = light_tracer(_tracer(), NAME, "")
    assert light is not None
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            span = started(light)
            assert isinstance(span, LightSpan)
            workers = [
                threading.Thread(target=span.set_attribute, args=(f"n{number}", number))
                for number in range(4)
            ]
            for worker in workers:
                worker.start()
            span.put_checked({"own": 1})
            for worker in workers:
                worker.join()
            span.end()
            assert set(span.attributes or ()) == {"a", "own", "n0", "n1", "n2", "n3"}
    finally:
        sys.setswitchinterval(before)


def test_a_copy_is_a_span_to_read() -> None:
    """Processors that leave something out of a span change one."""
    light = light_tracer(_tracer(), NAME, "")
    assert light is not None
    span = started(light)
    assert isinstance(span, LightSpan)
    _everything(span)
    span.end(5)
    copy = deepcopy(span)
    assert _plain(copy) == _plain(span)
    assert copy.events[0] is not span.events[0]


def test_who_is_told_of_a_bad_attribute_may_say_so_on_the_span(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The SDK logs of it while the span is being changed."""
    tracer = sdk.TracerProvider(shutdown_on_exit=False).get_tracer(NAME)
    light = light_tracer(tracer, NAME, SCHEMA)
    assert light is not None
    span: Any = light.start("x", INVALID_SPAN, Context(), SpanKind.CLIENT, {})

    class Tells(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            span.add_event("log", {"level": record.levelname})

    handler = Tells()
    logging.getLogger().addHandler(handler)
    try:
        span.set_attribute("", 1)
    finally:
        logging.getLogger().removeHandler(handler)
    assert [event.name for event in span.events] == ["log"]
    assert len(caplog.records) == 1
