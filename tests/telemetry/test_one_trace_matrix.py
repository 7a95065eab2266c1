"""
Client, FastAPI app, mounted gateway, upstream: one trace with right parents and attributes, on each
API, streamed or not, however it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from plano_asgi._json import dumps
from telemetry.one_trace import (
    MESSAGES,
    MODELS,
    PATHS,
    RESPONSES,
    STREAMED,
    TRACED,
    WHOLE,
    Stage,
    family,
    question,
    told_by,
    traced,
)
from upstream import Reply, anthropic_reply, anthropic_stream, error_reply

DIALECTS = dict(zip(PATHS, ("openai.chat", "anthropic.messages", "openai.responses"), strict=True))
each_path = pytest.mark.parametrize("path", PATHS, ids=DIALECTS.values())
each_form = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(name="served", scope="module", params=["middleware", "gateway"])
def _served(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Traced from outside, or by the gateway itself."""
    with traced(where=request.param) as stage:
        yield stage


@pytest.fixture(name="stage")
def _stage(served: Stage) -> Stage:
    served.forget()
    return served


def reply(path: str, stream: bool) -> Reply:
    """A good answer of the upstream that speaks the same API."""
    return (STREAMED if stream else WHOLE)[path]()


def failure(path: str, status: int, kind: str) -> Reply:
    """A refusal of that upstream."""
    dialect = "anthropic.messages" if path == MESSAGES else "openai.chat"
    return error_reply(status, "no", dialect=dialect, type=kind)


def check_answered(chat: ReadableSpan, path: str, stream: bool, provider: str) -> dict[str, Any]:
    """What is on the span of every exchange that went well; returns all of it."""
    told = told_by(chat)
    assert chat.kind is SpanKind.CLIENT
    assert chat.status.status_code is StatusCode.UNSET
    assert "error.type" not in told
    assert told["http.response.status_code"] == 200
    assert told["plano.dialect"] == DIALECTS[path]
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == told["plano.provider"] == provider
    assert told["plano.model"] == "m"
    assert told["gen_ai.usage.input_tokens"] == 10
    assert told["gen_ai.usage.output_tokens"] == 5
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.response.id"]
    assert told["gen_ai.response.model"]
    assert ("gen_ai.response.time_to_first_chunk" in told) is stream
    assert bool(told.get("gen_ai.request.stream")) is stream
    assert told["signals.quality"] == "neutral"
    return told


def check_failed(span: ReadableSpan, error: str) -> None:
    """It is an error, by this name."""
    assert span.status.status_code is StatusCode.ERROR
    assert told_by(span)["error.type"] == error


@each_path
@each_form
def test_an_answer(stage: Stage, path: str, stream: bool) -> None:
    """One attempt, and all that is known of it."""
    stage.upstream.reply(reply(path, stream))
    assert stage.ask(path, stream=stream, temperature=0.5).status_code == 200
    found = family(stage)
    provider = MODELS[path].partition("/")[0]
    told = check_answered(found.chat, path, stream, provider)
    assert found.chat.name == f"chat {MODELS[path]}"
    assert told["gen_ai.request.model"] == MODELS[path]
    assert told["gen_ai.request.temperature"] == 0.5
    assert told["plano.attempts"] == 1
    (attempt,) = found.attempts
    tried = told_by(attempt)
    assert attempt.kind is SpanKind.CLIENT
    assert attempt.status.status_code is StatusCode.UNSET
    assert tried["http.response.status_code"] == 200
    assert tried["server.address"] == "127.0.0.1"
    assert tried["server.port"] == urlsplit(stage.upstream.base_url).port
    assert not [name for name in tried if "usage" in name]
    assert found.server.status.status_code is StatusCode.UNSET


@each_path
@each_form
def test_an_error(stage: Stage, path: str, stream: bool) -> None:
    """On the attempt and on the exchange; a client's fault is no server error."""
    stage.upstream.reply(failure(path, 400, "invalid_request_error"))
    assert stage.ask(path, stream=stream).status_code == 400
    found = family(stage)
    for span in (found.chat, *found.attempts):
        check_failed(span, "invalid_request_error")
        assert told_by(span)["http.response.status_code"] == 400
    assert not [name for name in told_by(found.chat) if "usage" in name]
    assert found.server.status.status_code is StatusCode.UNSET


@each_path
@each_form
def test_a_retry(stage: Stage, path: str, stream: bool) -> None:
    """Siblings: the first is an error, the exchange is none."""
    stage.upstream.reply(failure(path, 500, "server_error"), reply(path, stream))
    assert stage.ask(path, stream=stream).status_code == 200
    found = family(stage, attempts=2)
    told = check_answered(found.chat, path, stream, MODELS[path].partition("/")[0])
    assert told["plano.attempts"] == 2
    first, second = found.attempts
    assert first.name == second.name == f"attempt {MODELS[path]}"
    assert first.status.status_code is StatusCode.ERROR
    assert told_by(first)["http.response.status_code"] == 500
    assert second.status.status_code is StatusCode.UNSET
    assert [told_by(span)["plano.attempt.number"] for span in found.attempts] == [1, 2]


@each_path
@each_form
def test_a_failover(stage: Stage, path: str, stream: bool) -> None:
    """Another provider, of another dialect, took over: its model, its tokens, both attempts."""
    stage.upstream.reply(
        failure("openai", 401, "authentication_error"),
        anthropic_stream() if stream else anthropic_reply(),
    )
    assert stage.ask(path, stream=stream, model="either").status_code == 200
    found = family(stage, attempts=2)
    told = check_answered(found.chat, path, stream, "anthropic")
    assert found.chat.name == "chat either"
    assert told["gen_ai.request.model"] == "either"
    assert told["plano.attempts"] == 2
    assert [span.name for span in found.attempts] == ["attempt openai/m", "attempt anthropic/m"]
    check_failed(found.attempts[0], "authentication_error")
    assert found.attempts[1].status.status_code is StatusCode.UNSET


@each_path
@each_form
def test_a_client_that_leaves(stage: Stage, path: str, stream: bool) -> None:
    """Before a whole answer, or within a stream: with what was used until then."""
    gate = threading.Event()
    if stream:
        stage.upstream.reply(STREAMED[path](["Hello to ", "you all ", gate, "late"]))
    else:
        stage.upstream.reply(replace(WHOLE[path](), before=[gate]))
    leave(stage, path, stream)
    found = family(stage)
    gate.set()
    check_failed(found.chat, "client_disconnect")
    told = told_by(found.chat)
    assert told["plano.disconnected"] is True
    assert told["plano.provider"] == MODELS[path].partition("/")[0]
    (attempt,) = found.attempts
    assert attempt.status.status_code is StatusCode.ERROR
    if stream:
        assert told["http.response.status_code"] == 200
        assert told["gen_ai.usage.output_tokens"] > 0
        assert told["plano.usage.estimated"] is True
    else:
        assert "http.response.status_code" not in told
        assert not [name for name in told if "usage" in name]


def leave(stage: Stage, path: str, stream: bool) -> None:
    """Ask, and hang up: after some of a stream, or once the upstream has been asked."""
    client = HTTPConnection(urlsplit(stage.url).netloc)
    headers = {**TRACED, "content-type": "application/json"}
    body = question(path, stream=stream, **({} if path == RESPONSES else {"max_tokens": 50}))
    client.request("POST", path, dumps(body), headers)
    if stream:
        answer, seen = client.getresponse(), b""
        while b"you all" not in seen:
            seen += answer.read1()
        answer.close()
    else:
        stage.upstream.wait(lambda upstream: len(upstream.requests) == 1)
    client.close()
