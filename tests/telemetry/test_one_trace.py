"""Edges of a traced exchange: streams that end oddly, many at once, a gateway by itself."""

from __future__ import annotations

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
    STREAMED,
    TRACEPARENT,
    WHOLE,
    Stage,
    family,
    parent_id,
    question,
    span_id,
    told_by,
    traced,
)
from upstream import CUT, Recorded, Reply, chat_reply, error_reply

ENDS = {CHAT: "[DONE]", MESSAGES: "message_stop", RESPONSES: "response.completed"}
LIMITS = {CHAT: "max_tokens", MESSAGES: "max_tokens", RESPONSES: "max_output_tokens"}
MANY = 36


@pytest.fixture(name="stage", params=["middleware", "gateway"])
def _stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Traced from outside, or by the gateway itself."""
    with traced(where=request.param) as stage:
        yield stage


@pytest.mark.parametrize("path", PATHS)
def test_a_cut_stream_is_an_error_with_what_it_used(stage: Stage, path: str) -> None:
    """Priced by what was produced, and flagged as an estimate."""
    stage.upstream.reply(STREAMED[path](["Hello to ", "everybody ", CUT]))
    stage.ask(path, stream=True)
    found = family(stage)
    told = told_by(found.chat)
    assert found.chat.status.status_code is StatusCode.ERROR
    assert told["error.type"] == "upstream_reset"
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["plano.usage.estimated"] is True
    assert found.attempts[0].status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_hangs_up_at_the_end_mark_has_left_nothing(stage: Stage, path: str) -> None:
    """The upstream lingers behind its end mark; the client does not wait."""
    gate = threading.Event()
    reply = STREAMED[path](["Hello to ", "you all "])
    stage.upstream.reply(replace(reply, body=[*reply.body, gate]))
    with httpx.stream("POST", stage.url + path, json=question(path, stream=True)) as response:
        seen = ""
        for chunk in response.iter_text():
            seen += chunk
            if ENDS[path] in seen:
                break
    (chat,) = stage.spans.of_kind("chat")
    gate.set()
    told = told_by(chat)
    assert "error.type" not in told
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.usage.output_tokens"] == 5


def scripted(request: Recorded) -> Reply:
    """Usage by the number that the request carries; every fifth is refused."""
    path = f"/v1{request.path.removeprefix('/v1')}"
    body = request.json()
    number = body[LIMITS[path]]
    if number % 5 == 0:
        dialect = "anthropic.messages" if path == MESSAGES else "openai.chat"
        return error_reply(400, "no", dialect=dialect, type="invalid_request_error")
    return (STREAMED if body["stream"] else WHOLE)[path](usage=(number, number + 1))


def test_interleaved_requests_never_mix(stage: Stage) -> None:
    """On all APIs, streamed or not, refused or not: each has its own ids, figures and children."""
    stage.upstream.on(scripted)

    def one(number: int) -> str:
        path = PATHS[number % 3]
        body = question(path, stream=number % 2 == 0, **{LIMITS[path]: number})
        headers = {"x-request-id": f"r-{number}"}
        return httpx.post(stage.url + path, json=body, headers=headers).headers["x-request-id"]

    numbers = range(1, MANY + 1)
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, numbers)) == [f"r-{number}" for number in numbers]
    chats = stage.spans.of_kind("chat", MANY)
    assert len({told_by(chat)["plano.request.id"] for chat in chats}) == MANY
    for chat in chats:
        told: dict[str, Any] = told_by(chat)
        number = int(str(told["plano.request.id"]).removeprefix("r-"))
        assert told["gen_ai.request.max_tokens"] == number
        assert bool(told.get("gen_ai.request.stream")) is (number % 2 == 0)
        is_refused = number % 5 == 0
        assert told["http.response.status_code"] == (400 if is_refused else 200)
        assert told.get("gen_ai.usage.input_tokens") == (None if is_refused else number)
        assert told.get("gen_ai.usage.output_tokens") == (None if is_refused else number + 1)
        below = [span for span in stage.spans.ended if parent_id(span) == span_id(chat)]
        assert [span.name.split()[0] for span in below].count("attempt") == 1
        assert {span.context.trace_id for span in below if span.context} == {
            chat.context.trace_id if chat.context else 0
        }


def test_a_gateway_of_its_own_makes_the_server_span() -> None:
    """Nobody else does; its query goes nowhere."""
    with traced(where="alone") as stage:
        stage.upstream.reply(chat_reply())
        headers = {"traceparent": TRACEPARENT}
        httpx.post(f"{stage.url}{CHAT}?key=sk-secret", json=question(CHAT), headers=headers)
        spans = stage.spans.wait(lambda s: any(span.kind is SpanKind.SERVER for span in s))
        (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
        (chat,) = stage.spans.of_kind("chat")
        assert parent_id(server) == int(PARENT, 16)
        assert parent_id(chat) == span_id(server)
        assert "sk-secret" not in "".join(span.to_json() for span in spans)
