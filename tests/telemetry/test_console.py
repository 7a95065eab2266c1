"""Spans in a terminal as they end."""

from __future__ import annotations

import io

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from plano_asgi.telemetry.exporters.console import ConsoleExporter
from telemetry.ended_spans import Made, ended

SPANS = ended(
    Made(
        name="chat \x1b[2Jfast",
        end_s=2.0,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.output_tokens": 30,
            "http.response.status_code": 200,
            "plano.cost.total_usd": 0.0042,
            "gen_ai.input.messages": "the words of a prompt",
        },
    ),
    Made(name="guard", parent="chat \x1b[2Jfast", end_s=0.004),
    Made(name="attempt", parent="chat \x1b[2Jfast", start_s=0.1, error="timeout"),
)


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_trace_is_written_as_a_tree() -> None:
    """Without colours, content, or a client's control characters."""
    stream = io.StringIO()
    assert ConsoleExporter(stream).export(SPANS) is SpanExportResult.SUCCESS
    assert stream.getvalue().splitlines() == [
        "00000001 chat ?[2Jfast  2.00 s  200  1,200 in  30 out  $0.004200",
        "         ├─ guard  4 ms",
        "         └─ attempt  900 ms  error",
    ]


def test_a_terminal_gets_colours() -> None:
    """Failures are red."""
    stream = Terminal()
    ConsoleExporter(stream).export(SPANS)
    assert "\x1b[31m└─ attempt\x1b[0m" in stream.getvalue()


def test_standard_error_is_written_to_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is at the time."""
    exporter = ConsoleExporter()
    exporter.export(SPANS[1:2])
    assert capsys.readouterr().err == "00000001 guard  4 ms\n"


def test_a_closed_stream_is_a_failed_export() -> None:
    """Not an error."""
    stream = io.StringIO()
    stream.close()
    assert ConsoleExporter(stream).export(SPANS) is SpanExportResult.FAILURE
