"""A trace in a terminal: every span in its place, and no text that moves the cursor."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace

import pytest
from bench.pictures import IMAGES, pictures, scripted_trace
from rich.console import Console, RenderableType

from plano_asgi.server.trace_view import list_view, trace_json, trace_view
from plano_asgi.telemetry.span_rows import StoredSpan, TraceSummary
from plano_asgi.telemetry.span_tree import answered, cost_text, duration_text, outline


def printed(view: RenderableType, width: int = 120) -> list[str]:
    """The lines of *view*, without colours or spaces at their ends."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def span(number: int, parent: int = 0, **more: object) -> StoredSpan:
    """One of a trace; it begins *number* microseconds after its start."""
    made = StoredSpan(
        id=number,
        trace_id="ab" * 16,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=f"s{number}",
        kind="internal",
        start_ns=number * 1000,
        end_ns=1_000_000,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of any type


@pytest.fixture
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.usefixtures("_utc")
def test_a_trace_is_a_tree_with_a_time_line() -> None:
    """Times, tokens, cost and status beside each span; the sums above, signals below."""
    lines = printed(trace_view(scripted_trace()), 110)
    assert lines[:2] == [
        "trace 4f9c21d7000000000000000000000000  shop",
        "2026-05-29 12:00:00  1.84 s  8 spans  3,120 in  412 out  $0.0155",
    ]
    assert [re.sub(" +", " ", line) for line in lines[3:]] == [
        "span time in out cost status",
        "chat coder ━━━━━━━━━━━━━━━━━━━━ 1.84 s 3,120 412 $0.0155 200",
        "├─ guard pii ━ 4 ms",
        "├─ guard injection ━ 7 ms",
        "├─ search_memory ━ 21 ms",
        "├─ routing ━ 26 ms",
        "├─ attempt openai/gpt-4o ━━━━━ 342 ms 429 rate_limit_exceeded",
        "├─ attempt anthropic/claude-sonnet-4-5 ━━━━━━━━━━━━━━━━ 1.43 s 200",
        "└─ add_memory ━ 3 ms",
        "",
        "conversation neutral 48 of 100 4 turns",
        " interaction.misalignment.correction message 4 1.00",
        " execution.loops.retry message 7 0.95",
    ]


def test_attributes_are_shown_where_asked_for() -> None:
    """By pattern, or all of them; content only by its name."""
    told = span(1, attributes={"a.b": 1, "a.c": True, "z": "x", "gen_ai.input.messages": "words"})
    assert not any("a.b" in line for line in printed(trace_view([told])))
    some = [line.strip() for line in printed(trace_view([told], patterns=["a.*"]))]
    assert some[-2:] == ["a.b 1", "a.c true"]
    everything = "\n".join(printed(trace_view([told], with_attributes=True)))
    assert "z x" in everything
    assert "words" not in everything
    asked = printed(trace_view([told], patterns=["gen_ai.input.messages"]))
    assert asked[-1].strip() == "gen_ai.input.messages words"


def test_a_clients_text_cannot_move_the_cursor() -> None:
    """Nor be taken for markup."""
    odd = "[red]m\x1b[2J\n\x07[/red]"
    has = {"gen_ai.operation.name": "chat", "error.type": odd, odd: odd, "signals.quality": odd}
    view = trace_view([span(1, name=odd, service=odd, attributes=has)], patterns=["*"])
    summary = TraceSummary(
        trace_id="ab" * 16, start_ns=0, end_ns=1, spans=1, name=odd, model=odd, error_type=odd
    )
    for line in [*printed(view), *printed(list_view([summary]))]:
        assert line.isprintable(), line
    assert "[red]m?[2J??[/red]" in "".join(printed(view))


def test_spans_whose_parents_are_missing_are_roots() -> None:
    """And spans that are each other's parents are not left out, or drawn for ever."""
    spans = [span(1, parent=99), span(2, parent=1), span(3, parent=4), span(4, parent=3)]
    assert [(n.span.id, n.depth, n.guide) for n in outline(spans)] == [
        (1, 0, ""),
        (2, 1, "└─ "),
        (3, 0, ""),
        (4, 1, "└─ "),
    ]
    deep = [span(n, parent=n - 1) for n in range(1, 3000)]
    assert outline(deep)[-1].depth == 2998


def test_what_lies_deeper_is_joined_to_its_parent() -> None:
    """A line goes past the children of an older sibling."""
    spans = [span(1), span(2, 1), span(3, 2), span(4, 1), span(5, 4), span(6, 4)]
    assert [n.guide for n in outline(spans)] == ["", "├─ ", "│  └─ ", "└─ ", "   ├─ ", "   └─ "]


def test_tokens_are_not_counted_twice() -> None:
    """An agent's exchange has those of the exchanges within it."""
    chat = {"gen_ai.operation.name": "chat"}
    agent, first, second = span(1, attributes=chat), span(2, 1), span(3, 1, attributes=chat)
    inner, other = span(4, 2, attributes=chat), span(5, attributes=chat)
    assert [s.id for s in answered([agent, first, second, inner, other])] == [4, 3, 5]


def test_a_trace_is_told_as_json() -> None:
    """Whole, with its events."""
    told = trace_json(scripted_trace())
    assert told["trace_id"].startswith("4f9c21d7")
    root = told["spans"][0]
    assert root["parent_id"] is None
    assert root["events"][0]["name"] == "signal.interaction.misalignment.correction"
    assert root["end_ns"] - root["start_ns"] == 1_840_000_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.000_84, "840 µs"),
        (0.0042, "4.2 ms"),
        (0.412, "412 ms"),
        (0.9996, "1.00 s"),
        (59.0, "59.00 s"),
        (185, "3 m 05 s"),
    ],
)
def test_durations_are_told_in_units_that_fit(seconds: float | None, text: str) -> None:
    """Three digits are enough."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, ""),
        (0.0, "$0.00"),
        (0.000_012_5, "$0.00001250"),
        (0.0042, "$0.004200"),
        (0.42, "$0.4200"),
        (1234.5, "$1234.50"),
    ],
)
def test_small_sums_keep_their_digits(usd: float | None, text: str) -> None:
    """An estimate says that it is one."""
    assert cost_text(usd) == text
    assert cost_text(usd, is_estimated=True) == (f"~{text}" if text else "")


@pytest.mark.usefixtures("_utc")
def test_the_pictures_in_the_docs_show_what_the_commands_show() -> None:
    """Else draw them again: ``python -m bench.pictures``."""

    def texts(svg: str) -> list[str]:
        return re.findall(r">([^<]+)</text>", svg)

    for name, svg in pictures().items():
        assert texts((IMAGES / f"{name}.svg").read_text("utf-8")) == texts(svg), name
