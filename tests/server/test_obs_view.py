"""Live traffic in a terminal: each answered request once, and sums that are true of them."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from bench.pictures import scripted_trace, scripted_traffic
from rich.console import Console

from plano_asgi.server.obs_view import Traffic, obs_view, percentile
from plano_asgi.telemetry.span_rows import StoredSpan

SECOND = 1_000_000_000
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "fast",
    "plano.model": "gpt-4o",
    "http.response.status_code": 200,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "plano.cost.total_usd": 0.5,
}


def call(number: int, seconds: float = 1.0, **more: Any) -> StoredSpan:
    """A request's span, with more attributes."""
    attributes = {**CHAT, **{name.replace("__", "."): value for name, value in more.items()}}
    return StoredSpan(
        id=number,
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        parent_id="",
        name="chat fast",
        kind="server",
        start_ns=number * SECOND,
        end_ns=round((number + seconds) * SECOND),
        attributes=attributes,
    )


def shown(*spans: StoredSpan, **more: Any) -> str:
    """The picture of *spans*, one space between words."""
    traffic, stream = Traffic(), io.StringIO()
    traffic.add(spans)
    Console(file=stream, width=140, highlight=False).print(obs_view(traffic, **more))
    return re.sub(r"[ │]+", " ", stream.getvalue())


def test_only_answered_requests_are_calls() -> None:
    """A trace's guards, tries and memories are not."""
    traffic = Traffic()
    traffic.add([*scripted_trace(), *scripted_traffic()])
    assert len(traffic.calls) == 19
    assert sum(1 for found in traffic.calls if found.is_error) == 1


def test_the_oldest_calls_go() -> None:
    """The ring is bounded."""
    traffic = Traffic(capacity=3)
    traffic.add(call(number) for number in range(10))
    assert [found.id for found in traffic.calls] == [7, 8, 9]


def test_nothing_yet_is_said() -> None:
    """Instead of empty tables."""
    assert "no requests yet" in shown()


def test_sums_are_those_of_the_calls() -> None:
    """Requests, errors by whose they are, cost, tokens, times, sessions."""
    text = shown(
        call(1, 1.0, plano__session_id="s1"),
        call(2, 2.0, plano__session_id="s2", gen_ai__usage__cache_read__input_tokens=80),
        call(3, 3.0, http__response__status_code=429, error__type="rate_limit_exceeded"),
        call(4, 4.0, http__response__status_code=503, error__type="overloaded_error"),
        call(5, 5.0, error__type="client_disconnect", plano__session_id="s1"),
    )
    assert "requests 5" in text
    assert "errors 3 (1 of the client, 2 others)" in text
    assert "cost $2.50" in text
    assert "tokens 500 in 250 out 80 cached" in text
    assert "time p50 3.00 s p95 5.00 s p99 5.00 s" in text
    assert "TTFT -" in text
    assert "sessions 2 now s1" in text


def test_speed_leaves_the_wait_for_the_first_chunk_out() -> None:
    """And an answer in one piece has none."""
    streamed = call(1, 3.0, gen_ai__request__stream=True, gen_ai__response__time_to_first_chunk=1.0)
    traffic = Traffic()
    traffic.add([streamed, call(2)])
    assert [found.speed for found in traffic.calls] == [25.0, None]
    assert "fast → gpt-4o ≋ 100 50 1.00 s 3.00 s 25 $0.5000 200" in shown(streamed)


def test_models_are_listed_by_what_they_cost() -> None:
    """Then by how often they were asked."""
    text = shown(
        call(1, plano__model="cheap", plano__cost__total_usd=0.001),
        call(2, plano__model="cheap", plano__cost__total_usd=0.001),
        call(3, plano__model="dear", plano__cost__total_usd=9.0, plano__cost__estimated=True),
    )
    assert text.index("dear 1 100 50 ~$9.00") < text.index("cheap 2 200 100 $0.002000")


def test_routes_are_shown_where_there_are_any() -> None:
    """With their share, time and errors."""
    assert "by route" not in shown(call(1))
    text = shown(
        call(1, plano__route__name="code"),
        call(2, plano__route__name="code", error__type="timeout"),
        call(3, plano__route__name="chat"),
        call(4),
    )
    assert "code 2 67% 1.00 s 1" in text
    assert "chat 1 33% 1.00 s 0" in text


def test_the_last_error_is_told() -> None:
    """With its age and the request's id."""
    text = shown(
        call(
            1,
            http__response__status_code=429,
            error__type="rate_limit_exceeded",
            plano__request__id="req_1",
        ),
        call(2),
        now_ns=32 * SECOND,
    )
    assert "last error 429 rate_limit_exceeded gpt-4o 30.00 s ago request req_1" in text


def test_the_newest_calls_come_first() -> None:
    """As many as asked for; no client's text moves the cursor."""
    text = shown(*(call(n, plano__model=f"m{n}\x1b[2J") for n in range(5)), rows=2)
    recent = text[text.index("recent") :]
    assert recent.index("m4?[2J") < recent.index("m3?[2J")
    assert "m2" not in recent
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([], 50, None), ([3.0], 99, 3.0), ([1.0, 2.0, 3.0, 4.0], 50, 3.0), ([5.0, 1.0], 0, 1.0)],
)
def test_percentiles_are_values_there_are(
    values: list[float], percent: float, found: float | None
) -> None:
    """The nearest in order."""
    assert percentile(values, percent) == found
