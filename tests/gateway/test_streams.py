"""Streams through the gateway: byte for byte, rebuilt, cut, refused, left."""

from __future__ import annotations

import json
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import Exchanged, drive
from gateway_build import KEY, gateway
from listeners import Shout, registering
from memory_transport import MemoryReply, answer, events
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Exchange

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
}
CLAUDE: dict[str, Any] = {**BODY, "model": "anthropic/claude-sonnet-4-5", "max_tokens": 9}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One chat chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    kind = "chat.completion.chunk"
    return {"id": "c", "object": kind, "created": 1, "model": "gpt", "choices": [choice]}


ROLE, TEXT = chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"})
STOP = chunk({}, "stop")
USAGE = {**chunk({}), "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
ANTHROPIC = [
    {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 3}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 1},
    },
    {"type": "message_stop"},
]


def sent_bytes(reply: MemoryReply) -> bytes:
    """All of a scripted reply."""
    return b"".join(part for part in reply.chunks if isinstance(part, bytes))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            events({**ROLE, "x": [1]}, b": comment\n\n", TEXT, {"type": "new"}, STOP, "[DONE]"),
            id="unknown-fields-and-events",
        ),
        pytest.param(MemoryReply(200, {}, [b"data: " + json.dumps(TEXT).encode() + b"\r\n\r\n"
            b"data: " + json.dumps(STOP).encode() + b"\r\n\r\ndata: [DONE]\r\n\r\n"]), id="crlf"),
        pytest.param(events(TEXT, STOP), id="no-done"),
        pytest.param(MemoryReply(200, {}, [b"data: " + json.dumps(TEXT).encode() + b"\n\n"
            b"data: " + json.dumps(STOP).encode()]), id="no-last-newline"),
    ],
)  # fmt: skip
async def test_same_dialect_is_relayed_byte_for_byte(reply: MemoryReply) -> None:
    """Unknown fields, unknown events, line ends and all."""
    app, _ = gateway(reply)
    body = {**BODY, "stream_options": {"include_usage": True}, "x_unknown": {"kept": 1}}
    found = await drive(app, CHAT, body)
    assert found.status == 200
    assert found.headers["content-type"].startswith("text/event-stream")
    assert found.body == sent_bytes(reply)
    assert found.is_complete


async def test_same_dialect_bodies_keep_unknown_fields() -> None:
    """Only the model changes on the way in."""
    app, transport = gateway(answer({"id": "x", "choices": []}))
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi", "x": 1}]}
    found = await drive(app, CHAT, {**body, "new_field": {"a": [1]}})
    assert transport.body() == {**body, "model": "gpt-4o", "new_field": {"a": [1]}}
    assert found.body == b'{"id": "x", "choices": []}'


async def test_anthropic_is_relayed_byte_for_byte_with_its_own_headers() -> None:
    """Claude Code's beta headers reach Anthropic."""
    reply = events(*ANTHROPIC)
    app, transport = gateway(reply)
    beta = {"anthropic-beta": "x-2026", "anthropic-version": "2023-06-01"}
    found = await drive(app, "/v1/messages", CLAUDE, headers=beta)
    assert found.body == sent_bytes(reply)
    assert transport.requests[0].headers["anthropic-beta"] == "x-2026"


async def test_usage_is_always_asked_for_and_taken_out_if_the_client_did_not() -> None:
    """The chunk would surprise a client that did not ask."""
    app, transport = gateway(events(ROLE, TEXT, STOP, USAGE, "[DONE]"))
    found = await drive(app, CHAT, BODY)
    assert transport.body()["stream_options"] == {"include_usage": True}
    assert found.data() == [ROLE, TEXT, STOP, "[DONE]"]
    asked = {**BODY, "stream_options": {"include_usage": True}}
    assert (await drive(app, CHAT, asked)).data() == [ROLE, TEXT, STOP, USAGE, "[DONE]"]


async def test_the_usage_chunk_is_found_wherever_reads_are_cut() -> None:
    """Frames are whole before they are looked at."""
    whole = sent_bytes(events(ROLE, TEXT, STOP, USAGE, "[DONE]"))
    kept = sent_bytes(events(ROLE, TEXT, STOP, "[DONE]"))
    for size in (1, 7, 50, len(whole)):
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
        app, _ = gateway(MemoryReply(200, {}, pieces))
        assert (await drive(app, CHAT, BODY)).body == kept


async def test_usage_reaches_the_finalizer_of_a_relayed_stream() -> None:
    """Read from the last frames, after the last byte has gone out."""
    seen: list[Any] = []

    async def finalizer(exchange: Exchange) -> None:
        seen.append(exchange.usage and (exchange.usage.input_tokens, exchange.usage.output_tokens))

    app, _ = gateway(events(ROLE, TEXT, STOP, USAGE, "[DONE]"), finalizers=[finalizer])
    await drive(app, CHAT, BODY)
    app, _ = gateway(events(*ANTHROPIC), finalizers=[finalizer])
    await drive(app, "/v1/messages", CLAUDE)
    assert seen == [(3, 1), (3, 1)]


@pytest.mark.parametrize("ending", ["reset", "closed", "mid-frame"])
@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
async def test_a_cut_stream_ends_in_an_error_event(path: str, model: str, ending: str) -> None:
    """In the client's dialect, on a line of its own, and never with a clean end."""
    start: list[Any] = [ROLE, TEXT] if model.startswith("openai") else list(ANTHROPIC[:4])
    if path == "/v1/responses" and model.startswith("openai"):
        start = [
            {"type": "response.created", "response": {"id": "resp_1", "model": "m", "output": []}},
            {"type": "response.output_text.delta", "output_index": 0, "delta": "hi"},
        ]
    if ending == "mid-frame":
        start.append(b'data: {"half')
    app, _ = gateway(events(*start, cut=UpstreamReset("x") if ending == "reset" else None))
    turns = {"max_tokens": 9, "messages": BODY["messages"]}
    if path == "/v1/responses":
        turns = {"input": "hi"}
    found = await drive(app, path, {"model": model, "stream": True, **turns})
    assert found.status == 200
    assert found.is_complete
    last = found.data()[-1]
    assert "half" not in found.body.decode()
    assert "error" in json.dumps(last)
    for clean in (b"[DONE]", b"message_stop", b"response.completed"):
        assert clean not in found.body


async def test_an_error_event_of_the_upstream_is_passed_on_once() -> None:
    """A relayed stream already holds it; a rebuilt one gets it in the client's dialect."""
    failing = {"error": {"message": "boom", "type": "server_error"}}
    app, _ = gateway(events(ROLE, TEXT, failing))
    found = await drive(app, CHAT, BODY)
    assert found.body.count(b"boom") == 1
    found = await drive(app, "/v1/messages", {**BODY, "max_tokens": 9})
    assert found.data()[-1]["type"] == "error"
    assert found.body.count(b"boom") == 1


async def test_a_failure_before_content_is_a_status() -> None:
    """Nothing was sent: the client gets a real error, and may retry elsewhere."""
    failing = {"error": {"message": "boom", "type": "server_error"}}
    app, _ = gateway(events(ROLE, failing))
    found = await drive(app, CHAT, BODY)
    assert found.status >= 500
    assert found.json()["error"]["message"] == "boom"


async def test_a_client_that_leaves_mid_stream_closes_the_upstream() -> None:
    """At once; the finalizer still runs."""
    ended = anyio.Event()

    async def finalizer(exchange: Exchange) -> None:
        assert exchange.disconnected
        ended.set()

    gate, leave = anyio.Event(), anyio.Event()
    app, transport = gateway(events(ROLE, TEXT, gate, STOP), finalizers=[finalizer])
    seen = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            await drive(app, CHAT, BODY, leave=leave, into=seen)

        tasks.start_soon(client)
        with anyio.fail_after(5):
            while not any(b"hi" in m.get("body", b"") for m in seen.messages):
                await anyio.lowlevel.checkpoint()
            leave.set()
            await ended.wait()
    assert transport.replies[0].closed
    assert not seen.is_complete


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_closes_the_upstream(stream: bool) -> None:
    """Streamed or not: no server cancels that by itself."""
    leave = anyio.Event()
    app, transport = gateway(MemoryReply(200, {}, [anyio.Event()]))
    seen = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            await drive(app, CHAT, {**BODY, "stream": stream}, leave=leave, into=seen)

        tasks.start_soon(client)
        with anyio.fail_after(5):
            while not transport.replies:
                await anyio.lowlevel.checkpoint()
            leave.set()
    assert transport.replies[0].closed
    assert seen.messages == []


async def test_a_response_filter_sees_events_of_any_stream() -> None:
    """Same dialect or not: with a filter registered, the stream is opened up."""

    app, _ = gateway(events(ROLE, TEXT, STOP, "[DONE]"), steps=[registering(Shout())])
    for path, body in ((CHAT, BODY), ("/v1/messages", {**BODY, "max_tokens": 9})):
        found = await drive(app, path, body)
        assert b"HI" in found.body
        assert b'"hi"' not in found.body


async def test_a_stream_asked_for_and_a_document_sent() -> None:
    """The client gets a stream; and the other way round."""
    whole = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        ],
    }
    app, _ = gateway(answer(whole))
    found = await drive(app, CHAT, BODY)
    text = [c["choices"][0]["delta"].get("content") for c in found.data()[:-1] if c["choices"]]
    assert "".join(part or "" for part in text) == "hi"
    assert found.data()[-1] == "[DONE]"
    app, _ = gateway(events(ROLE, TEXT, STOP, "[DONE]"))
    found = await drive(app, CHAT, {**BODY, "stream": False})
    assert found.json()["choices"][0]["message"]["content"] == "hi"


async def test_a_responses_shaped_body_on_chat_completions_gets_chat_chunks() -> None:
    """Cursor sends them."""
    app, transport = gateway(events(ROLE, TEXT, STOP, "[DONE]"))
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    body = {
        "model": "openai/gpt-4o",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "instructions": "be kind",
        "tools": [tool],
        "stream": True,
    }
    found = await drive(app, CHAT, body)
    assert found.data()[0]["object"] == "chat.completion.chunk"
    sent = transport.body()
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["tools"][0]["function"]["name"] == "f"


async def test_interleaved_streams_never_mix() -> None:
    """All in flight before any ends."""
    gate = anyio.Event()
    count = 20
    replies = [
        events(ROLE, chunk({"content": f"<{n}>"}), gate, STOP, "[DONE]") for n in range(count)
    ]
    app, transport = gateway(*replies)
    seen = [Exchanged() for _ in range(count)]
    async with anyio.create_task_group() as tasks:

        async def client(into: Exchanged) -> None:
            await drive(app, CHAT, BODY, into=into)

        for into in seen:
            tasks.start_soon(client, into)
        with anyio.fail_after(5):
            while not all(b"<" in exchanged.body for exchanged in seen if exchanged.messages) or (
                len(transport.replies) < count
            ):
                await anyio.lowlevel.checkpoint()
            gate.set()
    texts = sorted(exchanged.data()[1]["choices"][0]["delta"]["content"] for exchanged in seen)
    assert texts == sorted(f"<{n}>" for n in range(count))


async def test_a_model_that_says_the_end_mark_has_not_ended() -> None:
    """Text is no end: a stream cut right after it is still a cut stream."""
    app, _ = gateway(events(ROLE, chunk({"content": "I will now say [DONE]"})))
    found = await drive(app, CHAT, BODY)
    assert "error" in found.data()[-1]


async def test_an_unfinished_error_event_repeats_no_key() -> None:
    """The last event may lack its blank line; it is scrubbed like any other."""
    told = json.dumps({"error": {"message": f"bad key {KEY}", "type": "server_error"}}).encode()
    app, _ = gateway(events(ROLE, TEXT, b"data: " + told))
    found = await drive(app, CHAT, BODY)
    assert b"bad key" in found.body
    assert KEY.encode() not in found.body
