"""
The pictures of the commands in ``docs/images``, drawn from a scripted set of spans:

    python -m bench.pictures

Nothing is measured and nothing random is drawn, so that a run changes a picture only if the
commands show something else.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from plano_asgi.server.obs_view import Traffic, obs_view
from plano_asgi.server.trace_view import list_view, trace_view
from plano_asgi.telemetry import semconv
from plano_asgi.telemetry.span_rows import StoredEvent, StoredSpan, TraceSummary
from plano_asgi.telemetry.span_tree import figures

IMAGES = Path(__file__).parents[1] / "docs" / "images"
_MS = 1_000_000
_NOON_NS = 1_780_056_000_000 * _MS
_WIDTHS = {"trace": 110, "trace-list": 100, "obs": 130}


def scripted_trace() -> list[StoredSpan]:
    """A chat that is guarded, remembered, routed, refused by one model and served by the next."""
    chat = _chat("coder", "claude-sonnet-4-5", 1840, 3120, 412, 0.015_54, route="code_generation")
    rows: Sequence[tuple[int, int, str, str, int, int, Mapping[str, Any]]] = (
        (1, 0, "chat coder", "server", 0, 1840, {**chat, **_SCORED}),
        (2, 1, "guard pii", "internal", 2, 6, {semconv.GUARD_STATUS: "redacted"}),
        (3, 1, "guard injection", "internal", 2, 9, {semconv.GUARD_STATUS: "passed"}),
        (4, 1, "search_memory", "internal", 10, 31, {semconv.MEMORY_HITS: 3}),
        (5, 1, "routing", "internal", 32, 58, {semconv.ROUTE_NAME: "code_generation"}),
        (6, 1, "attempt openai/gpt-4o", "client", 60, 402, {**_status(429, "rate_limit_exceeded")}),
        (7, 1, "attempt anthropic/claude-sonnet-4-5", "client", 410, 1836, {**_status(200)}),
        (8, 1, "add_memory", "internal", 1837, 1840, {}),
    )
    return [_span("4f9c21d7", *row) for row in rows]


def scripted_traffic() -> list[StoredSpan]:
    """A few minutes of requests to several models."""
    models = (
        ("fast", "gpt-4o-mini", "chitchat", 620, 410, 120, 0.000_13),
        ("coder", "claude-sonnet-4-5", "code_generation", 2900, 5200, 840, 0.0282),
        ("fast", "gpt-4o-mini", "chitchat", 480, 260, 64, 0.000_08),
        ("gpt-4o", "gpt-4o", "", 1350, 1900, 310, 0.007_85),
        ("coder", "claude-sonnet-4-5", "code_generation", 3400, 8800, 1020, 0.0417),
    )
    spans = []
    for number in range(18):
        asked, model, route, ms, tokens_in, tokens_out, cost = models[number % len(models)]
        ms += 37 * (number * 7 % 11)
        has = _chat(asked, model, ms, tokens_in + 90 * number, tokens_out, cost, route=route)
        if number == 13:
            has = {n: v for n, v in has.items() if n not in _OF_AN_ANSWER}
            has |= _status(529, "overloaded_error")
        has[semconv.REQUEST_ID] = f"req_{number:04}"
        start = 9_000 * number
        spans.append(_span(f"{number:08x}", number + 1, 0, asked, "server", start, start + ms, has))
    return spans


def pictures() -> dict[str, str]:
    """The SVG of each picture, by its file's name without the suffix."""
    trace, traffic = scripted_trace(), Traffic()
    traffic.add(scripted_traffic())
    newest = max(span.end_ns for span in scripted_traffic())
    listed = [_summary(span) for span in reversed(scripted_traffic()[-8:])]
    drawn: dict[str, tuple[str, RenderableType]] = {
        "trace": ("plano-asgi trace", trace_view(trace)),
        "trace-list": ("plano-asgi trace --list --limit 8", list_view(listed)),
        "obs": ("plano-asgi obs", obs_view(traffic, rows=10, now_ns=newest)),
    }
    return {name: _svg(name, title, view) for name, (title, view) in drawn.items()}


def _svg(name: str, title: str, view: RenderableType) -> str:
    console = Console(
        record=True, width=_WIDTHS[name], file=io.StringIO(), highlight=False, force_terminal=True
    )
    console.print(view)
    return console.export_svg(title=title, unique_id=f"plano-{name}")


def _status(status: int, error: str = "") -> dict[str, Any]:
    return {semconv.HTTP_RESPONSE_STATUS_CODE: status} | (
        {semconv.ERROR_TYPE: error} if error else {}
    )


def _chat(
    asked: str, model: str, ms: int, tokens_in: int, tokens_out: int, cost: float, *, route: str
) -> dict[str, Any]:
    has: dict[str, Any] = {
        semconv.OPERATION_NAME: "chat",
        semconv.REQUEST_MODEL: asked,
        semconv.MODEL: model,
        semconv.REQUEST_STREAM: True,
        semconv.RESPONSE_TIME_TO_FIRST_CHUNK: ms / 4000,
        semconv.USAGE_INPUT_TOKENS: tokens_in,
        semconv.USAGE_OUTPUT_TOKENS: tokens_out,
        semconv.USAGE_CACHE_READ: tokens_in // 2,
        semconv.COST_TOTAL: cost,
        **_status(200),
    }
    return has | ({semconv.ROUTE_NAME: route} if route else {})


_OF_AN_ANSWER = frozenset(
    (
        *(semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ),
        *(semconv.COST_TOTAL, semconv.RESPONSE_TIME_TO_FIRST_CHUNK),
    )
)
_SCORED: Mapping[str, Any] = {
    semconv.SIGNALS_QUALITY: "neutral",
    semconv.SIGNALS_SCORE: 48.0,
    semconv.SIGNALS_TURNS: 4,
}
_SIGNALS = (
    ("interaction.misalignment.correction", 4, 1.0),
    ("execution.loops.retry", 7, 0.95),
)


def _span(
    trace: str,
    number: int,
    parent: int,
    name: str,
    kind: str,
    start_ms: int,
    end_ms: int,
    attributes: Mapping[str, Any],
) -> StoredSpan:
    end_ns = _NOON_NS + end_ms * _MS
    events = _SIGNALS if semconv.SIGNALS_QUALITY in attributes else ()
    return StoredSpan(
        id=number,
        trace_id=f"{trace}{'0' * 24}",
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=name,
        kind=kind,
        start_ns=_NOON_NS + start_ms * _MS,
        end_ns=end_ns,
        status="error" if semconv.ERROR_TYPE in attributes else "unset",
        service="shop",
        attributes=attributes,
        events=tuple(
            StoredEvent(
                name=f"signal.{kind_of}",
                time_ns=end_ns,
                attributes={
                    semconv.SIGNAL_TYPE: kind_of,
                    semconv.SIGNAL_MESSAGE_INDEX: index,
                    semconv.SIGNAL_CONFIDENCE: confidence,
                },
            )
            for kind_of, index, confidence in events
        ),
    )


def _summary(span: StoredSpan) -> TraceSummary:
    found = figures(span)
    return TraceSummary(
        trace_id=span.trace_id,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        spans=7,
        name=f"chat {found.asked}",
        service=span.service,
        model=found.model,
        status=found.status,
        error_type=found.error,
    )


def main() -> None:
    """Draw them all."""
    os.environ["TZ"] = "UTC"  # a picture shows times of day
    time.tzset()
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, svg in pictures().items():
        (IMAGES / f"{name}.svg").write_text(svg, "utf-8")
        print(IMAGES / f"{name}.svg")


if __name__ == "__main__":
    main()
