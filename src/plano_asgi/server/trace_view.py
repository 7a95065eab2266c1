"""A trace in a terminal: a tree with a time line, then what its conversation signalled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plano_asgi._json import dumps_str
from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.span_rows import StoredEvent, StoredSpan, TraceSummary
from plano_asgi.telemetry.span_tree import (
    Figures,
    answered,
    cost_text,
    duration_text,
    figures,
    outline,
    printable,
    tokens_text,
)

_BAR_WIDTH = 20
_KIND_STYLES = {"server": "cyan", "client": "green", "internal": ""}
_QUALITY_STYLES = {
    "excellent": "green",
    "good": "green",
    "neutral": "",
    "poor": "yellow",
    "severe": "red",
}
_CONTENT = frozenset(
    (
        *(semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES),
        *(semconv.SYSTEM_INSTRUCTIONS, semconv.TOOL_DEFINITIONS),
    )
)
_MAX_VALUE = 200


def trace_view(
    spans: Sequence[StoredSpan], *, patterns: Sequence[str] = (), with_attributes: bool = False
) -> RenderableType:
    """
    One trace, to be printed.

    Args:
        spans: All of one trace; at least one.
        patterns: Attributes to show below their spans; ``*`` stands for any text.
        with_attributes: Show all of them, content aside, and every event.
    """
    shown = tuple(patterns) or (("*",) if with_attributes else ())
    parts: list[RenderableType] = [_head(spans), Text(), _tree(spans, shown)]
    signals = [line for span in spans for line in _signals(span)]
    if signals:
        parts += [Text(), *signals]
    return Group(*parts)


def list_view(traces: Sequence[TraceSummary]) -> RenderableType:
    """Traces, one on a line."""
    table = _table()
    for title in ("trace", "began", "name", "model"):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    for title in ("status", "spans", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    for trace in traces:
        found = Figures(status=trace.status, error=printable(trace.error_type))
        table.add_row(
            Text(trace.trace_id[:8], style="bold"),
            _clock(trace.start_ns),
            Text(printable(trace.name)),
            Text(printable(trace.model)),
            status_text(found),
            str(trace.spans),
            duration_text(trace.duration_s),
        )
    return table


def trace_json(spans: Sequence[StoredSpan]) -> dict[str, Any]:
    """One trace as JSON values; times in nanoseconds since the epoch."""
    return {
        "trace_id": spans[0].trace_id,
        "spans": [
            {
                "span_id": span.span_id,
                "parent_id": span.parent_id or None,
                "name": span.name,
                "kind": span.kind,
                "service": span.service,
                "start_ns": span.start_ns,
                "end_ns": span.end_ns,
                "status": span.status,
                "status_message": span.status_message,
                "attributes": span.attributes,
                "events": [
                    {"name": e.name, "time_ns": e.time_ns, "attributes": e.attributes}
                    for e in span.events
                ],
            }
            for span in spans
        ],
    }


def summary_json(trace: TraceSummary) -> dict[str, Any]:
    """One trace of a list as JSON values."""
    return {
        "trace_id": trace.trace_id,
        "name": trace.name,
        "service": trace.service,
        "start_ns": trace.start_ns,
        "end_ns": trace.end_ns,
        "spans": trace.spans,
        "model": trace.model or None,
        "status": trace.status,
        "error": trace.error_type or None,
    }


def status_text(found: Figures) -> Text:
    """``200``, ``429 rate_limit_exceeded``: green, yellow for the client's causes, red."""
    status = "" if found.status is None else str(found.status)
    error = "" if found.error == status else found.error
    text = " ".join(filter(None, (status, error)))
    is_clients = found.status is not None and 400 <= found.status < 500
    style = "yellow" if is_clients else "red" if error or (found.status or 0) >= 500 else "green"
    return Text(text, style=style)


def _head(spans: Sequence[StoredSpan]) -> RenderableType:
    start = min(span.start_ns for span in spans)
    end = max(span.end_ns for span in spans)
    paid = [figures(span) for span in answered(spans)]
    costs = [found.cost_usd for found in paid if found.cost_usd is not None]
    facts = [
        _clock(start),
        duration_text((end - start) / 1e9),
        f"{len(spans)} span{'s' * (len(spans) != 1)}",
        _sum_text((found.input_tokens for found in paid), "in"),
        _sum_text((found.output_tokens for found in paid), "out"),
        cost_text(
            sum(costs) if costs else None,
            is_estimated=any(found.is_estimated for found in paid),
        ),
    ]
    services = sorted({span.service for span in spans if span.service})
    return Text.assemble(
        ("trace ", "dim"),
        (spans[0].trace_id, "bold"),
        ("  " + printable(" ".join(services)), "dim"),
        "\n",
        "  ".join(filter(None, facts)),
    )


def _sum_text(counts: Iterable[int | None], word: str) -> str:
    known = [count for count in counts if count is not None]
    return f"{tokens_text(sum(known))} {word}" if known else ""


def _tree(spans: Sequence[StoredSpan], patterns: Sequence[str]) -> RenderableType:
    table = _table()
    table.add_column("span", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("", no_wrap=True, width=_BAR_WIDTH)
    for title in ("time", "in", "out", "cost"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    start = min(span.start_ns for span in spans)
    length = max(1, max(span.end_ns for span in spans) - start)
    for node in outline(spans):
        span, found = node.span, figures(node.span)
        label = Text.assemble(
            (node.guide, "dim"), (printable(span.name), _KIND_STYLES.get(span.kind, ""))
        )
        table.add_row(
            label,
            Text(_bar(span, start, length), style=_bar_style(span)),
            duration_text(span.duration_s),
            tokens_text(found.input_tokens),
            tokens_text(found.output_tokens),
            cost_text(found.cost_usd, is_estimated=found.is_estimated),
            status_text(found),
        )
        indent = " " * (len(node.guide) + 2)
        for name, value in _details(span, patterns):
            table.add_row(Text.assemble(indent, (f"{name} ", "dim"), value))
    return table


def _bar(span: StoredSpan, start: int, length: int) -> str:
    """Where in the trace's time the span was."""
    left = min(_BAR_WIDTH - 1, (span.start_ns - start) * _BAR_WIDTH // length)
    right = -(-(span.end_ns - start) * _BAR_WIDTH // length)
    width = max(1, min(_BAR_WIDTH, right) - left)
    return " " * left + "━" * width


def _bar_style(span: StoredSpan) -> str:
    return "red" if span.status == "error" else _KIND_STYLES.get(span.kind) or "blue"


def _details(span: StoredSpan, patterns: Sequence[str]) -> Iterable[tuple[str, str]]:
    for name in sorted(span.attributes):
        is_asked = name in patterns or name not in _CONTENT
        if is_asked and any(fnmatchcase(name, pattern) for pattern in patterns):
            yield printable(name), _value(span.attributes[name])
    if "*" in patterns:
        for event in span.events:
            yield f"event {printable(event.name)}", _value(dict(event.attributes))


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else dumps_str(value)
    text = printable(text.replace("\n", " "))
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"


def _signals(span: StoredSpan) -> Iterable[Text]:
    """The conversation's quality, and a line for each signal."""
    quality = span.attributes.get(semconv.SIGNALS_QUALITY)
    if not isinstance(quality, str):
        return
    score = span.attributes.get(semconv.SIGNALS_SCORE)
    turns = span.attributes.get(semconv.SIGNALS_TURNS)
    facts = [
        f"{score:g} of 100" if isinstance(score, int | float) else "",
        f"{turns} turn{'s' * (turns != 1)}" if isinstance(turns, int) else "",
    ]
    style = _QUALITY_STYLES.get(quality, "")
    yield Text.assemble(
        ("conversation ", "dim"), (printable(quality), style), "  ", "  ".join(filter(None, facts))
    )
    for event in span.events:
        if semconv.SIGNAL_TYPE in event.attributes:
            yield _signal(event)


def _signal(event: StoredEvent) -> Text:
    has = event.attributes
    confidence = has.get(semconv.SIGNAL_CONFIDENCE)
    return Text.assemble(
        "  ",
        (_value(has[semconv.SIGNAL_TYPE]), "magenta"),
        (f"  message {has.get(semconv.SIGNAL_MESSAGE_INDEX, '?')}", "dim"),
        (f"  {confidence:.2f}" if isinstance(confidence, int | float) else "", "dim"),
        f"  {_value(has[semconv.SIGNAL_SNIPPET])}" if semconv.SIGNAL_SNIPPET in has else "",
    )


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9).strftime("%Y-%m-%d %H:%M:%S")


def _table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
