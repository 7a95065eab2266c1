"""Ended spans to export, made of a table: one line for each span, children after their parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

SECOND = 1_000_000_000
NOON_NS = 1_780_000_000 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One span: its times in seconds after the trace's start, its parent by name."""

    name: str
    start_s: float = 0.0
    end_s: float = 1.0
    parent: str = ""
    kind: SpanKind = SpanKind.INTERNAL
    error: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[tuple[str, Mapping[str, Any]]] = ()


def ended(
    *spans: Made, trace: int = 1, at_ns: int = NOON_NS, service: str = "shop"
) -> list[ReadableSpan]:
    """The spans of one trace, as the SDK hands them to exporters."""
    numbers = {span.name: number for number, span in enumerate(spans, start=1)}
    resource = Resource({"service.name": service})
    return [
        ReadableSpan(
            name=span.name,
            context=_context(trace, numbers[span.name]),
            parent=_context(trace, numbers[span.parent]) if span.parent else None,
            resource=resource,
            attributes=dict(span.attributes),
            events=[
                Event(name, attributes, timestamp=at_ns + round(span.end_s * SECOND))
                for name, attributes in span.events
            ],
            kind=span.kind,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=at_ns + round(span.start_s * SECOND),
            end_time=at_ns + round(span.end_s * SECOND),
        )
        for span in spans
    ]


def _context(trace: int, number: int) -> SpanContext:
    return SpanContext(
        trace_id=(trace << 96) + 0xABC,
        span_id=(trace << 32) + number,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
