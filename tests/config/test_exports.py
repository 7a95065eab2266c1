"""Providers in front of exporters."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from plano_asgi.config.exports import tracer_provider


class Down(SpanExporter):
    """Takes nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


class Up(Down):
    """Takes everything."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def test_lost_spans_are_counted_by_exporter() -> None:
    """Of each destination by itself; the log names it alike."""
    heard: list[tuple[int, str]] = []
    provider = tracer_provider(
        1.0, [Down(), Up()], Resource({}), False, lambda n, name: heard.append((n, name))
    )
    with capture_logs() as logs:
        provider.get_tracer("test").start_span("lost").end()
        provider.shutdown()
    assert heard == [(1, "Down")]
    assert [(entry["event"], entry["exporter"]) for entry in logs] == [("spans_dropped", "Down")]
