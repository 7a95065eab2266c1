"""One line for each exchange, and nothing in it that has no business there."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
import structlog
from opentelemetry.trace import NonRecordingSpan, SpanContext

from exchanges import chat_exchange
from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, UpstreamStatus
from plano_asgi.exchange import Attempt, Audit, Candidate, Exchange
from plano_asgi.signals.base import SignalReport
from plano_asgi.telemetry.access_log import AccessLog
from plano_asgi.telemetry.line_writer import LineWriter
from plano_asgi.telemetry.outcome import Cost, Outcome

GPT, CLAUDE = (
    Candidate(provider="openai", model="gpt-4o"),
    Candidate(provider="anthropic", model="claude"),
)


def attempt(candidate: Candidate, status: int | None, outcome: str) -> Attempt:
    """One upstream try."""
    return Attempt(candidate=candidate, started=0.0, status=status, outcome=outcome)


def exchange() -> Exchange:
    """One that went a long way."""
    found = chat_exchange("What is your password?")
    found.identity = "alice"
    found.scope = {"method": "POST", "query_string": b"key=sk-query-1234567890"}
    found.attempts = [
        attempt(GPT, 429, "rate_limit_exceeded"),
        attempt(GPT, 429, "rate_limit_exceeded"),
        attempt(CLAUDE, 200, "ok"),
    ]
    found.audits = [
        Audit(guard="pii", side="request", status="redacted"),
        Audit(guard="pii", side="answer", status="redacted"),
        Audit(guard="words", side="request", status="blocked", report_only=True),
    ]
    found.facts = {"session_id": "s-1", "route_name": "code", "cache": "miss", "memory_hits": 0}
    return found


def outcome(found: Exchange | None = None, **changed: Any) -> Outcome:
    """The end of *found*."""
    told: dict[str, Any] = {
        "provider": "anthropic",
        "model": "claude",
        "status": 200,
        "usage": Usage(input_tokens=9, output_tokens=3, cache_read_input_tokens=4),
        "cost": Cost(input_usd=0.1, output_usd=0.2, is_estimated=True),
        "request_bytes": 10,
        "response_bytes": 20,
        "duration_s": 1.23456,
        "first_chunk_s": 0.5,
        "signals": SignalReport(groups={}, quality="good"),
        "span": NonRecordingSpan(SpanContext(int("a" * 32, 16), int("b" * 16, 16), False)),
    }
    return Outcome(exchange=found or exchange(), **{**told, **changed})


def lines(*outcomes: Outcome, **options: Any) -> list[dict[str, Any]]:
    """What is logged of *outcomes*, without the time."""
    stream = io.BytesIO()
    log = AccessLog(stream=stream, **options)
    for each in outcomes:
        log(each)
    log.shutdown()
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    for line in found:
        assert line.pop("timestamp").endswith("Z")
    return found


def test_a_line_tells_all_that_is_known() -> None:
    """Names, and what they say."""
    assert lines(outcome()) == [
        {
            "event": "request",
            "level": "info",
            "request_id": "req_1",
            "trace_id": "a" * 32,
            "span_id": "b" * 16,
            "identity": "alice",
            "session_id": "s-1",
            "method": "POST",
            "path": "/v1/chat/completions",
            "operation": "chat",
            "dialect": "openai.chat",
            "stream": False,
            "model": "gpt-4o",
            "served_model": "claude",
            "provider": "anthropic",
            "route": "code",
            "attempts": 3,
            "outcomes": ["429 rate_limit_exceeded", "429 rate_limit_exceeded", "ok"],
            "retries": 1,
            "failovers": 1,
            "status": 200,
            "request_bytes": 10,
            "response_bytes": 20,
            "duration_ms": 1234.56,
            "ttft_ms": 500.0,
            "input_tokens": 9,
            "output_tokens": 3,
            "cached_tokens": 4,
            "reasoning_tokens": 0,
            "cost_usd": 0.3,
            "cost_estimated": True,
            "guards_redacted": ["pii"],
            "cache": "miss",
            "memory_hits": 0,
            "signals": "good",
        }
    ]


def test_what_is_not_known_is_left_out() -> None:
    """No nulls, no empty texts; zero is a value."""
    (line,) = lines(Outcome(exchange=chat_exchange()))
    assert line["level"] == "error"
    assert line["response_bytes"] == 0
    assert not line.keys() & {"status", "trace_id", "cost_usd", "error", "identity", "outcomes"}


KEY = "sk-live-1234567890abcdef"


@pytest.mark.parametrize("renderer", ["json", "console"])
def test_neither_keys_nor_content_are_logged(renderer: Any) -> None:
    """Wherever a client or an upstream puts them: headers, body, path, query, names, errors."""
    found = chat_exchange(f"My key is {KEY}", model=f"gpt {KEY}", user=KEY)
    found.headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "cookie": KEY}
    found.scope = {"query_string": f"key={KEY}".encode(), "path": f"/v1/{KEY}/chat/completions"}
    found.path = f"/v1/{KEY}/chat/completions"
    found.identity = {"sub": f"Bearer {KEY}"}
    found.error = UpstreamStatus(f"Incorrect API key: {KEY}", status=401, code=KEY)
    found.attempts = [attempt(Candidate(provider="openai", model=KEY), 401, KEY)]
    found.facts = {"session_id": f"s {KEY}", "route_name": KEY, "limit": KEY}
    found.id = KEY
    stream = io.StringIO()
    log = AccessLog(renderer, stream=stream)
    log(outcome(found, error_type=KEY, model=KEY, provider=KEY))
    log(outcome(found, error_type=KEY, model=KEY, provider=KEY))
    log.shutdown()
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert "1234567890" not in text
    assert "My key" not in text
    assert "Incorrect" not in text


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghijkl",
        "gsk_abcdefghijklmnop",
        "AIzaSyA1234567890abcdefg",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.x-y_z",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_looks_like_a_key_is_put_out(key: str) -> None:
    """In a model's name, for one, and with something before it."""
    (line,) = lines(outcome(chat_exchange(model=f"m {key}")))
    assert line["model"] == "m ***"


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-2024-08-06",
        "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free",
        "accounts/fireworks/models/deepseek-v3",
        "hf:mistralai/Mistral-7B-Instruct-v0.3",
    ],
)
def test_names_of_models_are_told_as_they_are(name: str) -> None:
    """They are long, and have digits in them."""
    (line,) = lines(outcome(chat_exchange(model=name)))
    assert line["model"] == name


def test_ids_are_told_as_they_are() -> None:
    """Or nothing could be found by them."""
    found = exchange()
    found.id, found.facts["session_id"] = f"req_{'0123456789abcdef' * 2}", "implicit:" + "0f" * 8
    (line,) = lines(outcome(found))
    assert (line["request_id"], line["session_id"]) == (found.id, found.facts["session_id"])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/responses/resp_0a1b2c/input_items", "/v1/responses/*/input_items"),
        ("/v1beta/models/gemini:generate", "/v1beta/models/gemini:generate"),
        ("/acme/sk-abcdefghijkl/v1/messages", "/acme/*/v1/messages"),
        ("/a\nb/\x1b[31m", "/*/*"),
        ("/" + "a/" * 500, ("/" + "a/" * 500)[:200]),
        ("", None),
    ],
)
def test_paths_are_told_without_what_tells_things_apart(path: str, told: str | None) -> None:
    """Ids are many, and some are secret."""
    found = chat_exchange()
    found.path = path
    assert lines(outcome(found))[0].get("path") == told
    found.model = path
    log_twice = lines(outcome(found), outcome(found))
    assert {line.get("path") for line in log_twice} == {told}


@pytest.mark.parametrize("renderer", ["json", "console"])
def test_nobody_writes_a_line_of_their_own(renderer: Any) -> None:
    """Line ends, escapes and fields in a model's name stay in the name."""
    forged = 'gpt\n{"event": "request"}\r\x1b[2J\u2028\u202e status=200'
    stream = io.StringIO()
    log = AccessLog(renderer, stream=stream)
    log(outcome(chat_exchange(model=forged)))
    log.shutdown()
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    if renderer == "console":
        assert "model='gpt" in text


def test_values_are_cut() -> None:
    """A model's name may be as long as a body."""
    (line,) = lines(outcome(chat_exchange(model="m " * 5_000)), max_chars=10)
    assert line["model"] == "m m m m m "


def test_half_characters_are_no_trouble() -> None:
    """JSON can carry them, UTF-8 cannot."""
    (line,) = lines(outcome(chat_exchange(model="m\ud83d")))
    assert line["model"] == "m\ufffd"


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "info"),
        ({"status": 404, "error_type": "not_found"}, "warning"),
        ({"status": 502, "error_type": "upstream_error"}, "error"),
        ({"error_type": "upstream_error"}, "error"),
        ({"error_type": "client_disconnect"}, "warning"),
        ({"status": None}, "error"),
    ],
)
def test_levels_say_how_it_went(changed: dict[str, Any], level: str) -> None:
    """What failed after a 200 has failed."""
    assert lines(outcome(**changed))[0]["level"] == level


def test_a_sample_leaves_out_what_went_well() -> None:
    """And never what did not."""
    draws = iter([0.2, 0.3])
    well, badly = outcome(), outcome(status=500)
    found = lines(well, well, badly, sample=0.25, rng=lambda: next(draws))
    assert [line["level"] for line in found] == ["info", "error"]
    assert [line["level"] for line in lines(well, badly, sample=0.0)] == ["error"]


@pytest.mark.parametrize("options", [{"renderer": "xml"}, {"sample": 1.5}, {"sample": -1}])
def test_what_cannot_work_is_refused(options: Any) -> None:
    """When it is made, not when it is used."""
    with pytest.raises(ConfigurationError):
        AccessLog(**options)


def test_callers_may_be_left_out_or_named_otherwise() -> None:
    """An address is not for every log."""
    assert "identity" not in lines(outcome(), identity=None)[0]
    assert lines(outcome(), identity=lambda who: f"#{len(who)}")[0]["identity"] == "#5"


def test_a_logger_of_the_host_takes_the_events() -> None:
    """With its own processors, and nothing written besides."""
    stream = io.BytesIO()
    with structlog.testing.capture_logs() as events:
        log = AccessLog(stream=stream, logger=structlog.get_logger())
        log(outcome())
        log.shutdown()
    assert events[0]["event"] == "request"
    assert events[0]["log_level"] == "info"
    assert stream.getvalue() == b""


def test_the_hosts_configuration_is_neither_used_nor_changed() -> None:
    """Of structlog and of ``logging``."""
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    with structlog.testing.capture_logs() as events:
        assert len(lines(outcome())) == 1
    assert events == []
    assert structlog.get_config() == before
    assert logging.getLogger().handlers == handlers


class Stuck(io.BytesIO):
    """A stream that nobody empties, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let_go = threading.Event(), threading.Event()

    def write(self, text: Any, /) -> int:
        """Wait."""
        self.entered.set()
        self.let_go.wait(10)
        return super().write(text)


def test_a_stream_that_is_stuck_blocks_nobody() -> None:
    """Lines wait, up to a bound; the rest is dropped and counted."""
    stream = Stuck()
    writer = LineWriter(stream, max_lines=3, delay_s=0)
    writer.write("first")
    assert stream.entered.wait(10)
    for number in range(5):
        writer.write(f"line {number}")
    assert writer.dropped == 2
    stream.let_go.set()
    writer.shutdown(10)
    assert stream.getvalue() == b"first\nline 0\nline 1\nline 2\n"


def test_a_broken_stream_is_no_error() -> None:
    """Its lines are counted as lost."""
    stream = io.BytesIO()
    stream.close()
    log = AccessLog(stream=stream)
    log(outcome())
    log.shutdown()
    assert log.dropped == 1


def test_lines_after_a_shutdown_are_written_too() -> None:
    """Reloads and tests close more than once."""
    stream = io.StringIO()
    writer = LineWriter(stream)
    for line in ("a", "b"):
        writer.write(line)
        writer.shutdown()
    writer.shutdown()
    assert stream.getvalue() == "a\nb\n"


def test_what_waits_is_written_when_nobody_logs_any_more() -> None:
    """Nobody has to remember to close it."""
    stream = io.StringIO()
    writer = LineWriter(stream, delay_s=60)
    writer.write("a")
    del writer
    assert stream.getvalue() == "a\n"


def test_what_is_remembered_is_bounded() -> None:
    """Clients may make names up for ever."""
    log = AccessLog(stream=io.BytesIO())
    for number in range(3_000):
        log(outcome(chat_exchange(model=f"m-{number}")))
    assert len(log._known) <= 1_024


_FORK = """
import os, sys
from plano_asgi.telemetry.line_writer import LineWriter

writer = LineWriter(delay_s=30)
writer.write("before")
child = os.fork()
writer.write("child" if child == 0 else "parent")
writer.shutdown()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_every_process_writes_its_own_lines() -> None:
    """No thread survives a fork, and nothing is written twice."""
    made = subprocess.run(
        [sys.executable, "-c", _FORK], capture_output=True, check=True, timeout=30
    )
    assert sorted(made.stdout.split()) == [b"before", b"child", b"parent"]


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """The one there is when the line is written."""
    log = AccessLog("console")
    log(outcome())
    log.shutdown()
    assert "status=200" in capsys.readouterr().out
