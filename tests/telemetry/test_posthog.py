"""PostHog: an event for each answered request, true in every property, and never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from structlog.testing import capture_logs

from plano_asgi._json import dumps_str, loads
from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.exporters.posthog import PostHogExporter, event_of
from plano_asgi.telemetry.span_store import stored
from telemetry.ended_spans import Made, ended

KEY = "phc_project-key"
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "fast",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.conversation.id": "thread-1",
    "http.response.status_code": 200,
    "plano.cost.total_usd": 0.002,
    "plano.distinct_id": "user-7",
    "plano.route.name": "code",
    "signals.quality": "good",
}
CONTENT: dict[str, Any] = {
    "gen_ai.input.messages": dumps_str(
        [{"role": "user", "parts": [{"type": "text", "content": "the words of a prompt"}]}]
    ),
    "gen_ai.output.messages": dumps_str(
        [{"role": "assistant", "parts": [{"type": "text", "content": "the words of an answer"}]}]
    ),
    "gen_ai.system_instructions": dumps_str([{"type": "text", "content": "be kind"}]),
}


def chat(**more: Any) -> list[ReadableSpan]:
    """A client's span with a chat and an attempt below it."""
    return ended(
        Made(name="POST /v1/chat/completions", end_s=3.0),
        Made(
            name="chat fast",
            parent="POST /v1/chat/completions",
            end_s=2.5,
            error=more.pop("error", ""),
            attributes={**CHAT, **{n.replace("__", "."): v for n, v in more.items()}},
        ),
        Made(name="attempt", parent="chat fast", attributes={"plano.attempt.number": 1}),
        Made(name="tool", attributes={"gen_ai.operation.name": "execute_tool"}),
    )


def event(*, captures: bool = False, **more: Any) -> dict[str, Any]:
    """The one event of such a trace."""
    found = [event_of(stored(span), captures) for span in chat(**more)]
    (only,) = [one for one in found if one is not None]
    return only


@contextmanager
def posthog(*statuses: int, location: str = "") -> Iterator[tuple[str, list[Any]]]:
    """An instance that answers with *statuses* in turn, then 200: its URL, and what it got."""
    answers, got = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["content-type"], loads(body)))
            self.send_response(answers.pop(0) if answers else 200)
            if location:
                self.send_header("location", location)
            self.end_headers()

        def do_GET(self) -> None:
            got.append((self.path, "", None))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_answered_request_becomes_one_event() -> None:
    """With PostHog's properties; attributes it has no name for go under their own."""
    found = event()
    assert found["event"] == "$ai_generation"
    assert found["timestamp"] == "2026-05-28T20:26:42.500000Z"
    assert found["properties"] == {
        "distinct_id": "user-7",
        "$ai_trace_id": "00000001000000000000000000000abc",
        "$ai_span_id": "0000000100000002",
        "$ai_parent_id": "0000000100000001",
        "$ai_span_name": "chat fast",
        "$ai_model": "gpt-4o-2024-08-06",
        "$ai_provider": "openai",
        "$ai_session_id": "thread-1",
        "$ai_latency": 2.5,
        "$ai_stream": False,
        "$ai_is_error": False,
        "$ai_http_status": 200,
        "$ai_input_tokens": 120,
        "$ai_output_tokens": 30,
        "$ai_cache_read_input_tokens": 100,
        "$ai_total_cost_usd": 0.002,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "fast",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "plano.route.name": "code",
        "signals.quality": "good",
    }


def test_an_event_keeps_its_id() -> None:
    """So that one posted twice counts once."""
    assert event()["uuid"] == event()["uuid"]


def test_a_stream_is_told_from_an_answer_in_one_piece() -> None:
    """By what was asked for, not by a time being there."""
    streamed = event(gen_ai__request__stream=True, gen_ai__response__time_to_first_chunk=0.25)
    assert streamed["properties"]["$ai_stream"] is True
    assert streamed["properties"]["$ai_time_to_first_token"] == 0.25


@pytest.mark.parametrize(
    "more",
    [{"error": "timeout"}, {"http__response__status_code": 429, "error__type": "rate_limited"}],
)
def test_errors_are_marked(more: dict[str, Any]) -> None:
    """Also those that have no status."""
    found = event(**more)["properties"]
    assert found["$ai_is_error"] is True
    assert found.get("$ai_error") == more.get("error__type")


def test_without_an_id_no_person_is_made() -> None:
    """The trace stands for whoever asked."""
    found = event(plano__distinct_id="")["properties"]
    assert found["distinct_id"] == found["$ai_trace_id"]
    assert found["$process_person_profile"] is False
    assert "$process_person_profile" not in event()["properties"]


def test_content_goes_only_where_asked_for() -> None:
    """Not under its own name either."""
    quiet = dumps_str(event(**CONTENT))
    assert "words of" not in quiet
    assert "be kind" not in quiet
    assert "$ai_input" not in event(captures=True)["properties"]
    loud = event(captures=True, **CONTENT)["properties"]
    assert loud["$ai_input"] == [
        {"role": "system", "content": [{"type": "text", "text": "be kind"}]},
        {"role": "user", "content": [{"type": "text", "text": "the words of a prompt"}]},
    ]
    assert loud["$ai_output_choices"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "the words of an answer"}]}
    ]


def test_content_that_is_no_json_goes_as_text() -> None:
    """As when it was cut."""
    found = event(captures=True, gen_ai__input__messages='[{"role": "us')
    assert found["properties"]["$ai_input"] == '[{"role": "us'


def test_embeddings_are_events_of_their_own_kind() -> None:
    """PostHog prices them apart."""
    assert event(gen_ai__operation__name="embeddings")["event"] == "$ai_embedding"


def test_a_batch_is_posted_with_the_key() -> None:
    """To ``/batch/``, whatever path the instance is behind."""
    with posthog() as (url, got):
        exporter = PostHogExporter(f"{url}/behind/", KEY)
        assert exporter.export([*chat(), *chat()]) is SpanExportResult.SUCCESS
    ((path, content_type, body),) = got
    assert (path, content_type, body["api_key"]) == ("/behind/batch/", "application/json", KEY)
    assert [one["event"] for one in body["batch"]] == ["$ai_generation"] * 2
    assert exporter.dropped == 0


def test_spans_of_no_exchange_are_not_posted() -> None:
    """No request is made for nothing."""
    with posthog() as (url, got):
        spans = ended(Made(name="attempt"))
        assert PostHogExporter(url, KEY).export(spans) is SpanExportResult.SUCCESS
    assert got == []


def without_pauses(url: str, **bounds: Any) -> PostHogExporter:
    """An exporter whose pauses are over at once, as they are once it is closing."""

    class Instant(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            assert timeout <= 5
            return False

    exporter = PostHogExporter(url, KEY, **bounds)
    exporter._is_closing = Instant()
    return exporter


@pytest.mark.parametrize(
    ("statuses", "posts", "dropped"),
    [
        ((503, 429), 3, 0),
        ((500, 500, 500), 3, 1),
        ((401,), 1, 1),
        ((400,), 1, 1),
    ],
)
def test_what_may_pass_is_tried_again(statuses: Sequence[int], posts: int, dropped: int) -> None:
    """The rest is lost at once; both are bounded, and counted."""
    with posthog(*statuses) as (url, got), capture_logs() as logs:
        exporter = without_pauses(url)
        result = exporter.export(chat())
    assert len(got) == posts
    assert exporter.dropped == dropped
    assert (result is SpanExportResult.FAILURE) == bool(dropped)
    assert [log["reason"] for log in logs] == [f"status {statuses[-1]}"] * dropped


def test_an_instance_that_is_down_costs_its_events_only() -> None:
    """Nothing is raised, and nothing secret is logged."""
    with capture_logs() as logs:
        exporter = without_pauses("http://127.0.0.1:9", timeout_s=1.0)
        assert exporter.export(chat()) is SpanExportResult.FAILURE
    assert exporter.dropped == 1
    assert logs == [
        {"event": "posthog_events_lost", "log_level": "warning", "count": 1, "reason": "URLError"}
    ]
    assert KEY not in repr(vars(exporter))


def test_a_redirect_is_not_followed() -> None:
    """The key stays where it was sent."""
    with posthog() as (other, elsewhere), posthog(302, location=other) as (url, _):
        exporter = PostHogExporter(url, KEY)
        with capture_logs():
            assert exporter.export(chat()) is SpanExportResult.FAILURE
    assert elsewhere == []


def test_bodies_are_bounded() -> None:
    """Events are spread over requests; one that is too large alone is lost."""
    size = len(dumps_str(event()))
    with posthog() as (url, got), capture_logs() as logs:
        exporter = PostHogExporter(url, KEY, max_body_bytes=2 * size + 10, capture_messages=True)
        spans = [span for _ in range(5) for span in chat()]
        spans += chat(gen_ai__input__messages="x" * 3 * size)
        assert exporter.export(spans) is SpanExportResult.FAILURE
    assert [len(body["batch"]) for _, _, body in got] == [2, 2, 1]
    assert exporter.dropped == 1
    assert logs[0]["reason"] == "too large"


def test_nothing_is_tried_again_once_it_closes() -> None:
    """A shutdown does not wait for pauses."""
    with posthog(503, 503, 503) as (url, got), capture_logs():
        exporter = PostHogExporter(url, KEY)
        exporter.shutdown()
        exporter.export(chat())
    assert len(got) == 1


@pytest.mark.parametrize(
    ("url", "key", "bounds"),
    [
        ("posthog", KEY, {}),
        ("ftp://posthog", KEY, {}),
        (f"https://me:{KEY}@posthog", KEY, {}),
        ("https://posthog:port", KEY, {}),
        ("https://posthog", " ", {}),
        ("https://posthog", KEY, {"max_tries": 0}),
    ],
)
def test_what_cannot_work_is_refused(url: str, key: str, bounds: dict[str, Any]) -> None:
    """When it is built."""
    with pytest.raises(ConfigurationError) as caught:
        PostHogExporter(url, key, **bounds)
    assert KEY not in str(caught.value)
