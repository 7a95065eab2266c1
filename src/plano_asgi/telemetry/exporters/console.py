"""Spans as text, for a developer's terminal: a tree for each trace of a batch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from plano_asgi.telemetry.span_rows import StoredSpan
from plano_asgi.telemetry.span_store import stored
from plano_asgi.telemetry.span_tree import (
    cost_text,
    duration_text,
    figures,
    outline,
    printable,
    tokens_text,
)

_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"


class ConsoleExporter(SpanExporter):
    """
    Writes one line for each span, indented below its parent: name, duration, status, tokens, cost.

    No attribute is written beside these, so no content is. Colours only on a terminal.

    Args:
        stream: Where to; standard error, as it is at the time, if ``None``.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write *spans*, trace by trace."""
        stream = self._stream or sys.stderr
        traces: dict[str, list[StoredSpan]] = {}
        for span in spans:
            if span.context is not None:
                kept = stored(span)
                traces.setdefault(kept.trace_id, []).append(kept)
        try:
            stream.write("".join(_lines(traces.values(), stream.isatty())))
            stream.flush()
        except (OSError, ValueError):  # the terminal is gone, or the stream is closed
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """The stream is not ours to close."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


def _lines(traces: Iterable[Sequence[StoredSpan]], has_colours: bool) -> Iterable[str]:
    for spans in traces:
        for node in outline(spans):
            start = f"{spans[0].trace_id[:8]} " if node.depth == 0 else " " * 9
            text = f"{node.guide}{printable(node.span.name)}"
            facts = "  ".join(filter(None, _facts(node.span)))
            if has_colours:
                colour = _RED if node.span.status == "error" else ""
                yield f"{_DIM}{start}{_PLAIN}{colour}{text}{_PLAIN}  {_DIM}{facts}{_PLAIN}\n"
            else:
                yield f"{start}{text}  {facts}\n"


def _facts(span: StoredSpan) -> Iterable[str]:
    found = figures(span)
    yield duration_text(span.duration_s)
    yield str(found.status or "")
    yield found.error
    if found.input_tokens is not None or found.output_tokens is not None:
        yield f"{tokens_text(found.input_tokens or 0)} in"
        yield f"{tokens_text(found.output_tokens or 0)} out"
    yield cost_text(found.cost_usd, is_estimated=found.is_estimated)
