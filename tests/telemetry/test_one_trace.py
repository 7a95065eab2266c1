"""Client, FastAPI app, mounted gateway, upstream: one trace, right parents, right attributes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from telemetry.one_trace import (
    CHAT,
    MESSAGES,
    PARENT,
    PATHS,
    RESPONSES,
    TRACE,
    TRACEPARENT,
    Stage,
    parent_id,
    span_id,
    traced,
)
from upstream import (
    CUT,
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    error_reply,
    responses_reply,
    responses_stream,
)

MODELS = {CHAT: "openai/m", MESSAGES: "anthropic/m", RESPONSES: "openai/m"}
WHOLE: dict[str, Any] = {CHAT: chat_reply, MESSAGES: anthropic_reply, RESPONSES: responses_reply}
STREAMED: dict[str, Any] = {
    CHAT: chat_stream,
    MESSAGES: anthropic_stream,
    RESPONSES: responses_stream,
}
UPSTREAM_PARENT = re.compile(rf"00-{TRACE}-([0-9a-f]{{16}})-01")


@pytest.fixture(name="stage", params=["middleware", "gateway"])
def _stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Traced from outside, or by the gateway itself."""
    with traced(where=request.param) as stage:
        yield stage


def ask(stage: Stage, path: str, *, stream: bool = False, **fields: Any) -> httpx.Response:
    """One question, as a client with a trace of its own asks it."""
    body: dict[str, Any] = {"model": MODELS[path], "stream": stream, **fields}
    if path == RESPONSES:
        body.setdefault("input", "Hello there")
    else:
        body.setdefault("messages", [{"role": "user", "content": "Hello there"}])
    if path == MESSAGES:
        body["max_tokens"] = 100
    headers = {"traceparent": TRACEPARENT, "tracestate": "v=1", "baggage": "tenant=acme"}
    return httpx.post(stage.url + path, json=body, headers=headers)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", PATHS)
def test_one_trace_with_right_parents(stage: Stage, path: str, stream: bool) -> None:
    """Client -> server span -> chat -> attempt -> upstream, on every API."""
    stage.upstream.reply((STREAMED if stream else WHOLE)[path]())
    assert ask(stage, path, stream=stream, temperature=0.5).status_code == 200
    (chat,) = stage.spans.of_kind("chat")
    (attempt,) = stage.spans.of_kind("attempt")
    (server,) = [s for s in stage.spans.wait(lambda s: len(s) >= 3) if s.kind is SpanKind.SERVER]
    assert f"{server.context.trace_id:032x}" == TRACE if server.context else False
    assert parent_id(server) == int(PARENT, 16)
    assert parent_id(chat) == span_id(server)
    assert parent_id(attempt) == span_id(chat)
    found = UPSTREAM_PARENT.fullmatch(stage.upstream.requests[0].headers["traceparent"])
    assert found is not None
    assert int(found[1], 16) == span_id(attempt)
    assert stage.upstream.requests[0].headers["tracestate"] == "v=1"
    assert "baggage" not in stage.upstream.requests[0].headers
    told: dict[str, Any] = dict(chat.attributes or {})
    assert chat.name == f"chat {MODELS[path]}"
    assert chat.kind is SpanKind.CLIENT
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == MODELS[path].partition("/")[0]
    assert told["gen_ai.request.model"] == MODELS[path]
    assert told["gen_ai.request.temperature"] == 0.5
    assert told["gen_ai.usage.input_tokens"] == 10
    assert told["gen_ai.usage.output_tokens"] == 5
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.response.id"]
    assert ("gen_ai.response.time_to_first_chunk" in told) is stream
    assert told["http.response.status_code"] == 200
    assert told["signals.quality"] == "neutral"
    assert chat.status.status_code is StatusCode.UNSET
    assert dict(attempt.attributes or {})["server.address"] == "127.0.0.1"
    assert "gen_ai.usage.input_tokens" not in (attempt.attributes or {})
    assert chat.end_time is not None
    assert attempt.end_time is not None


@pytest.mark.parametrize("path", PATHS)
def test_an_upstream_error_is_told(stage: Stage, path: str) -> None:
    """On the attempt and on the exchange; a client's fault is no server error."""
    dialect = "anthropic.messages" if path == MESSAGES else "openai.chat"
    stage.upstream.reply(error_reply(400, "bad", dialect=dialect, type="invalid_request_error"))
    assert ask(stage, path).status_code == 400
    (chat,), (attempt,) = stage.spans.of_kind("chat"), stage.spans.of_kind("attempt")
    for span in (chat, attempt):
        assert span.status.status_code is StatusCode.ERROR
        assert dict(span.attributes or {})["error.type"] == "invalid_request_error"
        assert dict(span.attributes or {})["http.response.status_code"] == 400
    (server,) = [s for s in stage.spans.wait(lambda s: len(s) >= 3) if s.kind is SpanKind.SERVER]
    assert server.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_failover_is_told(stage: Stage, stream: bool) -> None:
    """Another provider, of another dialect, took over: its model, its tokens, both attempts."""
    answer = anthropic_stream() if stream else anthropic_reply()
    stage.upstream.reply(error_reply(401, "no key", type="authentication_error"), answer)
    body = {"model": "either", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    assert httpx.post(stage.url + CHAT, json=body).status_code == 200
    (chat,) = stage.spans.of_kind("chat")
    first, second = stage.spans.of_kind("attempt", 2)
    assert [first.name, second.name] == ["attempt openai/m", "attempt anthropic/m"]
    assert dict(first.attributes or {})["error.type"] == "authentication_error"
    told: dict[str, Any] = dict(chat.attributes or {})
    assert chat.name == "chat either"
    assert told["gen_ai.request.model"] == "either"
    assert told["gen_ai.provider.name"] == "anthropic"
    assert told["plano.model"] == "m"
    assert told["plano.attempts"] == 2
    assert told["gen_ai.usage.output_tokens"] == 5
    assert chat.status.status_code is StatusCode.UNSET


def test_a_retry_and_a_failover_are_siblings(stage: Stage) -> None:
    """Each try is a span of its own, and each asked upstream under its own parent."""
    stage.upstream.reply(error_reply(500, "down", type="server_error"), chat_reply())
    assert ask(stage, CHAT).status_code == 200
    (chat,) = stage.spans.of_kind("chat")
    first, second = stage.spans.of_kind("attempt", 2)
    assert parent_id(first) == parent_id(second) == span_id(chat)
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET
    asked = [UPSTREAM_PARENT.fullmatch(r.headers["traceparent"]) for r in stage.upstream.requests]
    assert [int(found[1], 16) for found in asked if found] == [span_id(first), span_id(second)]
    assert dict(chat.attributes or {})["plano.attempts"] == 2


@pytest.mark.parametrize("path", PATHS)
def test_a_cut_stream_is_an_error_with_what_it_used(stage: Stage, path: str) -> None:
    """Priced by what was produced, and flagged as an estimate."""
    reply = STREAMED[path](["Hello to ", "everybody ", CUT])
    stage.upstream.reply(reply)
    ask(stage, path, stream=True)
    (chat,), (attempt,) = stage.spans.of_kind("chat"), stage.spans.of_kind("attempt")
    told: dict[str, Any] = dict(chat.attributes or {})
    assert chat.status.status_code is StatusCode.ERROR
    assert told["error.type"] == "upstream_reset"
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["plano.usage.estimated"] is True
    assert attempt.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_leaves_ends_the_span(stage: Stage, path: str) -> None:
    """With what was used until then, and not later than it left."""
    gate = threading.Event()
    stage.upstream.reply(STREAMED[path](["Hello to ", "you all ", gate, "late"]))
    body: dict[str, Any] = {"model": MODELS[path], "stream": True, "max_tokens": 50}
    body |= (
        {"input": "Hi"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hi"}]}
    )
    if path == RESPONSES:
        del body["max_tokens"]
    with httpx.stream("POST", stage.url + path, json=body) as response:
        seen = ""
        for chunk in response.iter_text():
            seen += chunk
            if "you all" in seen:
                break
    (chat,) = stage.spans.of_kind("chat")
    gate.set()
    told: dict[str, Any] = dict(chat.attributes or {})
    assert told["error.type"] == "client_disconnect"
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["plano.usage.estimated"] is True


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_hangs_up_at_the_end_mark_has_left_nothing(stage: Stage, path: str) -> None:
    """The upstream lingers behind its end mark; the client does not wait."""
    gate = threading.Event()
    reply = STREAMED[path](["Hello to ", "you all "])
    stage.upstream.reply(replace(reply, body=[*reply.body, gate]))
    body: dict[str, Any] = {"model": MODELS[path], "stream": True}
    body |= (
        {"input": "Hi"}
        if path == RESPONSES
        else {"max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    )
    mark = {CHAT: "[DONE]", MESSAGES: "message_stop", RESPONSES: "response.completed"}[path]
    with httpx.stream("POST", stage.url + path, json=body) as response:
        seen = ""
        for chunk in response.iter_text():
            seen += chunk
            if mark in seen:
                break
    (chat,) = stage.spans.of_kind("chat")
    gate.set()
    told: dict[str, Any] = dict(chat.attributes or {})
    assert "error.type" not in told
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.usage.output_tokens"] == 5


def test_interleaved_requests_never_mix(stage: Stage) -> None:
    """Thirty at once: each outcome has its own model, ids and figures."""

    def one(number: int) -> str:
        body = {
            "model": "openai/m",
            "messages": [{"role": "user", "content": "x" * number}],
            "max_tokens": number + 1,
            "stream": number % 2 == 0,
        }
        headers = {"x-request-id": f"r-{number}"}
        response = httpx.post(stage.url + CHAT, json=body, headers=headers)
        return response.headers["x-request-id"]

    def answer(request: Any) -> Any:
        number = request.json()["max_tokens"]
        reply = chat_stream if request.json()["stream"] else chat_reply
        return reply(usage=(number, number + 1))

    stage.upstream.on(answer)
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(one, range(30))) == [f"r-{n}" for n in range(30)]
    for chat in stage.spans.of_kind("chat", 30):
        told: dict[str, Any] = dict(chat.attributes or {})
        number = int(str(told["plano.request.id"]).removeprefix("r-"))
        assert told["gen_ai.request.max_tokens"] == number + 1
        assert told["gen_ai.usage.input_tokens"] == number + 1
        assert told["gen_ai.usage.output_tokens"] == number + 2
        attempts = [s for s in stage.spans.ended if parent_id(s) == span_id(chat)]
        assert [s.name.split()[0] for s in attempts] == ["attempt"]


def test_a_gateway_of_its_own_makes_the_server_span() -> None:
    """Nobody else does; its query goes nowhere."""
    with traced(where="alone") as stage:
        stage.upstream.reply(chat_reply())
        body = {"model": "openai/m", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"traceparent": TRACEPARENT}
        httpx.post(f"{stage.url}{CHAT}?key=sk-secret", json=body, headers=headers)
        spans = stage.spans.wait(lambda s: len(s) >= 3)
        (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
        (chat,) = stage.spans.of_kind("chat")
        assert parent_id(server) == int(PARENT, 16)
        assert parent_id(chat) == span_id(server)
        assert "sk-secret" not in "".join(span.to_json() for span in spans)
