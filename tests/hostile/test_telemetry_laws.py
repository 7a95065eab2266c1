"""Keys and words: whatever is told, to whomever, has none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from asgi_drive import Exchanged, drive
from hostile.stage import CHAT, CLIENTS, MESSAGES, PATHS, RESPONSES
from hostile.telling import Telling, telling, told_gateway
from memory_transport import MemoryReply, answer, events
from plano_asgi.errors import UpstreamReset
from plano_asgi.guards import PII
from plano_asgi.middleware import PlanoTracing
from plano_asgi.telemetry import ContentCapture

pytestmark = pytest.mark.anyio

OURS, THEIRS = "sk-canary-0123456789abcdef", "sk-canary-of-the-client-42"
ASKED, SAID = "the zebra eats violets", "a walrus plays the oboe"
ANGRY = f"This is useless and {ASKED}! Get me a human agent right now, {ASKED}!"
MODELS = {
    CHAT: "openai/gpt-4o",
    MESSAGES: "anthropic/claude-sonnet-4-5",
    RESPONSES: "openai/gpt-4o",
}
CREDENTIALS = {
    "authorization": f"Bearer {THEIRS}",
    "proxy-authorization": f"Basic {THEIRS}",
    "cookie": f"session={THEIRS}",
    "x-api-key": THEIRS,
    "api-key": THEIRS,
    "x-goog-api-key": THEIRS,
    "x-amz-security-token": THEIRS,
    "x-auth": THEIRS,
    "x-authtoken": THEIRS,
    "x-accesstoken": THEIRS,
    "x-api_key": THEIRS,
    "x-csrftoken": THEIRS,
    "x-sessionid": THEIRS,
    "x-apitoken": THEIRS,
    "x-oauth2": THEIRS,
    "x-private-key-id": THEIRS,
    "x-client-secret": THEIRS,
    "x-userkey": THEIRS,
    "x-pwd": THEIRS,
    "x-upstream": f"Bearer {THEIRS}",
    "baggage": f"key={THEIRS}",
    "traceparent": THEIRS,
    "tracestate": THEIRS,
}


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough: no time passes here."""
    return "asyncio"


@pytest.fixture(name="told")
def _told(tmp_path: Path) -> Iterator[Telling]:
    """Everybody is told, nobody of what was said."""
    with telling(tmp_path) as told:
        yield told


def question(dialect: str, text: str = ANGRY, **fields: Any) -> dict[str, Any]:
    """A conversation with words in all its corners."""
    tool = {"name": "look", "description": ASKED}
    schema = {"type": "object", "description": ASKED}
    told = {"role": "user", "content": text}
    before = {"role": "assistant", "content": f"I cannot do that: {ASKED}"}
    messages = [told, before, told, before, told]
    body: dict[str, Any] = {"model": MODELS[dialect], **fields}
    if dialect == CHAT:
        call = {"name": "look", "arguments": json.dumps({"q": ASKED})}
        body["messages"] = [
            {"role": "system", "content": ASKED},
            told,
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": f"Error: 500 failed to {ASKED}"},
            *messages,
        ]
        body["tools"] = [{"type": "function", "function": {**tool, "parameters": schema}}]
    elif dialect == MESSAGES:
        used = {"type": "tool_use", "id": "c1", "name": "look", "input": {"q": ASKED}}
        result = {"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": ASKED}
        body |= {"max_tokens": 64, "system": ASKED, "tools": [{**tool, "input_schema": schema}]}
        body["messages"] = [
            told,
            {"role": "assistant", "content": [used]},
            {"role": "user", "content": [result]},
            before,
            *messages,
        ]
    else:
        body |= {"instructions": ASKED, "input": messages}
        body["tools"] = [{"type": "function", **tool, "parameters": schema}]
    return body


def reply(dialect: str, *, streamed: bool = False) -> MemoryReply:
    """Words in all corners of an answer."""
    used = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    if dialect != CHAT:
        return _messages_reply(streamed) if dialect == MESSAGES else _responses_reply(streamed)
    if not streamed:
        message = {"role": "assistant", "content": SAID, "reasoning_content": SAID}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return answer({"id": "1", "model": "gpt-4o", "choices": [choice], "usage": used})
    deltas = [{"role": "assistant", "content": SAID}, {"content": SAID}]
    return events(
        *[{"id": "1", "model": "gpt-4o", "choices": [{"index": 0, "delta": d}]} for d in deltas],
        {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": used},
        "[DONE]",
    )


def _messages_reply(streamed: bool) -> MemoryReply:
    used = {"input_tokens": 10, "output_tokens": 5}
    message: dict[str, Any] = {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
    }
    message |= {"stop_reason": "end_turn", "usage": used}
    block = {"type": "text", "text": SAID}
    if not streamed:
        return answer({**message, "content": [block]})
    return events(
        {"type": "message_start", "message": {**message, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SAID}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": used},
        {"type": "message_stop"},
    )


def _responses_reply(streamed: bool) -> MemoryReply:
    part = {"type": "output_text", "text": SAID, "annotations": []}
    item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
    whole: dict[str, Any] = {
        "id": "1",
        "object": "response",
        "status": "completed",
        "model": "gpt-4o",
    }
    whole |= {"output": [{**item, "content": [part]}]}
    whole |= {"usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}
    if not streamed:
        return answer(whole)
    at = {"item_id": "m1", "output_index": 0, "content_index": 0}
    return events(
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", **at, "delta": SAID},
        {"type": "response.completed", "response": whole},
    )


async def ask(
    app: Any, dialect: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Exchanged:
    """With a key in the query, too."""

    async def queried(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "query_string": f"key={THEIRS}".encode()}, receive, send)

    body = question(dialect) if body is None else body
    return await drive(queried, PATHS[dialect], body, headers=headers)


def clean(told: Telling, *words: str) -> None:
    """Assert that no place has any of *words*, and that every place has something."""
    for name, text in told.places().items():
        assert text, name
        for word in words:
            at = text.find(word.encode())
            assert at < 0, (name, word, text[max(0, at - 80) : at + 60])


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", CLIENTS)
async def test_neither_keys_nor_words_are_told(
    told: Telling, dialect: str, streamed: bool, logged: list[Any]
) -> None:
    """Of an exchange that went well: at no place at all."""
    app, _, _ = told_gateway(told, reply(dialect, streamed=streamed), key=OURS)
    body = question(dialect, stream=streamed)
    found = await ask(app, dialect, body, headers=CREDENTIALS)
    assert found.status == 200, found.body
    clean(told, OURS, THEIRS, ASKED, SAID, "sk-canary")
    assert "canary" not in repr(logged)
    assert ASKED not in repr(logged)


ECHO = f"Incorrect key {OURS} for '{ASKED}' and {SAID}"
FAILURES: dict[str, MemoryReply | Exception] = {
    "401": answer({"error": {"message": ECHO, "type": OURS, "code": OURS, "param": OURS}}, 401),
    "400": answer({"error": {"message": ECHO, "type": OURS, "code": OURS, "param": ASKED}}, 400),
    "500": answer(ECHO.encode(), 500),
    "error-in-200": answer({"error": {"message": ECHO, "type": OURS, "code": OURS}}),
    "event": events({"error": {"message": ECHO, "type": OURS, "code": OURS}}),
    "late-event": events(
        {"id": "1", "choices": [{"index": 0, "delta": {"content": SAID}}]},
        {"error": {"message": ECHO, "type": OURS, "code": OURS}},
    ),
    "nonsense": answer(f"<html>{ECHO}".encode()),
    "cut": events(
        {"id": "1", "choices": [{"index": 0, "delta": {"content": SAID}}]},
        cut=UpstreamReset(ECHO),
    ),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_an_upstream_that_quotes_them_is_not_quoted(
    told: Telling, failure: str, streamed: bool, logged: list[Any]
) -> None:
    """In errors of every form."""
    app, _, _ = told_gateway(told, FAILURES[failure], key=OURS)
    await ask(app, CHAT, question(CHAT, stream=streamed), headers=CREDENTIALS)
    clean(told, OURS, THEIRS, ASKED, SAID)
    assert "canary" not in repr(logged)
    assert ASKED not in repr(logged)


@pytest.mark.parametrize("model", [OURS, f"openai/{OURS}", f"mistral/{THEIRS}", f"Bearer {OURS}"])
async def test_a_key_in_the_place_of_a_model_is_put_out(told: Telling, model: str) -> None:
    """Also where any name goes on to the upstream, which does not know it, or does."""
    missing = answer({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    app, _, _ = told_gateway(told, missing, reply(CHAT), key=OURS)
    for _ in range(2):
        await ask(app, CHAT, question(CHAT, model=model))
    clean(told, OURS, THEIRS)


MAILS = "My mail is zoe.zebra@example.com, call me."


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", CLIENTS)
async def test_masked_values_are_nowhere(tmp_path: Path, dialect: str, streamed: bool) -> None:
    """With all the words on spans, a mask guard's value is on none."""
    with telling(tmp_path, content=ContentCapture.SPAN_AND_EVENT) as told:
        app, _, transport = told_gateway(
            told, reply(dialect, streamed=streamed), key=OURS, guards=[PII(mode="mask")]
        )
        body = question(dialect, f"{MAILS} {ANGRY} {MAILS}", stream=streamed)
        found = await ask(app, dialect, body, headers=CREDENTIALS)
        assert found.status == 200, found.body
        assert b"zoe.zebra" not in transport.requests[0].content
        assert ASKED.encode() in told.places()["store"]
        clean(told, "zoe.zebra", OURS, THEIRS)


async def test_an_app_that_fails_with_words_is_not_quoted(told: Telling, logged: list[Any]) -> None:
    """Its exception goes on, and only what it is called is told."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError(f"no answer to {ASKED} with {THEIRS}")

    with pytest.raises(ValueError, match=ASKED):
        await ask(PlanoTracing(app, telemetry=told.telemetry), CHAT)
    assert [span.attributes.get("error.type") for span in told.spans()] != []
    clean(told, THEIRS, ASKED)
    assert ASKED not in repr(logged)
