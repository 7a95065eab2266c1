"""Where the texts of Messages bodies and events stand, and what changing them does."""

from __future__ import annotations

import collections
import copy
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from corpus import exchanges
from layout_checks import Reading, anything, check_passages, nested
from plano_asgi._json import loads
from plano_asgi.conversation import MediaPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, WireEvent
from plano_asgi.wire import LAYOUTS
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.anthropic_messages.editor import MessagesEditor
from plano_asgi.wire.wire_events import EventDecoder, encode

LAYOUT = LAYOUTS["anthropic.messages"]
DIALECT = AnthropicMessages()
OFFICIAL: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)

# --------------------------------------------------------------------------- requests


def block(kind: str, **fields: Any) -> dict[str, Any]:
    """One content block."""
    return {"type": kind, **fields}


REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "system": [block("text", text="sys", cache_control={"type": "ephemeral", "ttl": "1h"})],
    "messages": [
        {"role": "user", "content": "old question"},
        {
            "role": "assistant",
            "content": [
                block("thinking", thinking="signed thought", signature="c2ln"),
                block("redacted_thinking", data="ZW5j"),
                block("text", text="old answer", citations=[{"cited_text": "quoted", "url": "u"}]),
                block("server_tool_use", id="s1", name="web_search", input={"query": "searched"}),
                block(
                    "web_search_tool_result",
                    tool_use_id="s1",
                    content=[
                        block("web_search_result", title="found", url="u", encrypted_content="ZW5j")
                    ],
                ),
                block("tool_use", id="t1", name="f", input={"id": "x", "deep": ["y", {"n": 1}]}),
            ],
        },
        {
            "role": "user",
            "content": [
                block("tool_result", tool_use_id="t1", content="result"),
                block(
                    "tool_result",
                    tool_use_id="t2",
                    content=[
                        block("text", text="result text"),
                        block("document", source=block("text", data="doc in result"), title="name"),
                    ],
                ),
                block(
                    "document",
                    title="file name",
                    context="about it",
                    source=block("text", media_type="text/plain", data="doc text"),
                ),
                block(
                    "document",
                    source=block("content", content=[block("text", text="doc part")]),
                ),
                block("document", source=block("base64", media_type="application/pdf", data="AA")),
                block("image", source=block("url", url="https://x/y.png")),
                block(
                    "search_result",
                    source="page 7",
                    title="hit",
                    content=[block("text", text="hit text")],
                ),
                block("text", text="new question"),
                block("of_tomorrow", words="unknown"),
            ],
        },
    ],
    "tools": [
        {
            "name": "f",
            "description": "tool description",
            "input_schema": {
                "type": "object",
                "properties": {"id": {"type": "string", "description": "id words"}},
                "required": ["id"],
            },
            "input_examples": [{"id": "example"}],
        },
        {"type": "web_search_20250305", "name": "web_search", "user_location": {"city": "Bern"}},
    ],
    "output_config": {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"description": "schema words"}},
    },
    "metadata": {"user_id": "u"},
}


def test_every_text_of_a_request_is_shown() -> None:
    """With whose it is, which turn it stands in, whether it is new; nothing else."""
    passages = LAYOUT.request_passages(REQUEST)
    assert [(p.text, p.origin, p.turn, p.is_new) for p in passages] == [
        ("sys", "system", -1, False),
        ("old question", "user", 0, False),
        ("signed thought", "reasoning", 1, False),
        ("old answer", "assistant", 1, False),
        ("quoted", "assistant", 1, False),
        ("searched", "tool_call", 1, False),
        ("found", "tool_result", 1, False),
        ("x", "tool_call", 1, False),
        ("y", "tool_call", 1, False),
        ("result", "tool_result", 2, True),
        ("result text", "tool_result", 2, True),
        ("doc in result", "tool_result", 2, True),
        ("name", "tool_result", 2, True),
        ("file name", "media", 2, True),
        ("about it", "media", 2, True),
        ("doc text", "media", 2, True),
        ("doc part", "media", 2, True),
        ("page 7", "tool_result", 2, True),
        ("hit", "tool_result", 2, True),
        ("hit text", "tool_result", 2, True),
        ("new question", "user", 2, True),
        ("unknown", "user", 2, True),
        ("tool description", "tool_definition", -1, False),
        ("id words", "tool_definition", -1, False),
        ("example", "tool_definition", -1, False),
        ("Bern", "tool_definition", -1, False),
        ("schema words", "tool_definition", -1, False),
    ]
    assert not any(passage.is_json for passage in passages)
    check_passages(passages, REQUEST)


def test_a_path_says_where() -> None:
    """From the body's root, by keys and indexes."""
    passages = {passage.text: passage.path for passage in LAYOUT.request_passages(REQUEST)}
    assert passages["sys"] == "system.0.text"
    assert passages["y"] == "messages.1.content.5.input.deep.0"


def test_a_first_request_is_new_altogether() -> None:
    """System and tools too, while nothing has been answered; a prefill is no answer."""
    body = {
        "system": "s",
        "messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "{"}],
        "tools": [{"name": "f", "description": "d", "input_schema": {}}],
    }
    passages = LAYOUT.request_passages(body)
    assert len(passages) == 4
    assert all(passage.is_new for passage in passages)


@pytest.mark.parametrize("item", exchanges("anthropic.messages"))
def test_no_text_of_a_recorded_request_is_missed(item: dict[str, Any]) -> None:
    """Whatever the dialect's reader takes for text is among the passages."""
    body = item["request"]
    if not body or item["response"]["status"] >= 400:
        pytest.skip("no request the upstream took")
    passages = LAYOUT.request_passages(body)
    check_passages(passages, body)
    shown = {passage.text for passage in passages}
    request = DIALECT.read_request(body)
    for message in request.messages:
        parts = [
            inner
            for part in message.parts
            for inner in (part.content if isinstance(part, ToolResultPart) else [part])
        ]
        assert {p.text for p in parts if isinstance(p, TextPart | ReasoningPart)} - {""} <= shown
        assert {p.name for p in parts if isinstance(p, MediaPart)} - {None, ""} <= shown
        for call in (p for p in parts if isinstance(p, ToolCallPart)):
            values = loads(call.arguments).values()
            assert {value for value in values if isinstance(value, str) and value} <= shown
    assert {tool.description for tool in request.tools} - {None, ""} <= shown


_KEYS = (
    *("messages", "role", "content", "system", "input", "source", "data", "tools", "delta"),
    *("input_schema", "properties", "enum", "thinking", "text", "message", "content_block"),
    *("error", "usage", "signature", "stop_reason", "partial_json", "citation"),
)
_WORDS = (
    *("assistant", "user", "text", "thinking", "tool_use", "tool_result", "document"),
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "text_delta", "input_json_delta", "error"),
)


@given(anything(*_KEYS, words=_WORDS))
def test_no_shape_is_an_error(value: Any) -> None:
    """What is not as it should be is passed over, or read as something unknown."""
    for body in (value, {"messages": value}, {"system": value}, {"tools": value}):
        own = copy.deepcopy(body)
        check_passages(LAYOUT.request_passages(own), own)
    for body in (value, {"content": value}, {"content": [value]}):
        own = copy.deepcopy(body)
        check_passages(LAYOUT.answer_passages(own), own)


@given(st.lists(anything(*_KEYS, words=_WORDS), max_size=4), st.sampled_from(_WORDS))
def test_no_event_is_an_error(values: list[Any], kind: str) -> None:
    """An editor takes whatever an upstream sends, and can always stop."""
    events = [WireEvent(value) for value in values]
    events += [
        WireEvent({"type": kind, "index": 0, "delta": value, "content_block": value})
        for value in values
    ]
    stream = b"".join(map(encode, events))
    reading = Reading(LAYOUT, stream)
    assert reading.written == stream
    for channel in reading.texts:
        assert reading.editor.delta(channel, "more")
    reading.editor.stop("content_filter", "no")


def test_nesting_has_no_bottom() -> None:
    """A body as deep as the codec allows is walked without recursion."""
    content = [nested(900, type="tool_result", tool_use_id="t")]
    passages = LAYOUT.request_passages({"messages": [{"role": "user", "content": content}]})
    assert [(p.text, p.origin) for p in passages] == [("deep", "tool_result")]


# --------------------------------------------------------------------------- answers


def test_every_text_of_an_answer_is_shown() -> None:
    """Text with its sources, thinking, calls, and what server tools brought."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [
            block("thinking", thinking="thought", signature="c2ln"),
            block("text", text="said", citations=[{"cited_text": "quote", "document_title": "t"}]),
            block("tool_use", id="t", name="f", input={"id": "x"}),
            block("bash_code_execution_tool_result", content={"stdout": "out", "return_code": 0}),
            block("of_tomorrow", words=["unknown"]),
        ],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "why"},
    }
    passages = LAYOUT.answer_passages(body)
    assert [(p.text, p.origin) for p in passages] == [
        ("thought", "reasoning"),
        ("said", "content"),
        ("quote", "citation"),
        ("t", "citation"),
        ("x", "tool_call"),
        ("out", "content"),
        ("unknown", "content"),
        ("why", "refusal"),
    ]
    check_passages(passages, body)


def test_an_error_body_is_shown() -> None:
    """Its message, which may echo the request."""
    body = {"type": "error", "error": {"type": "t", "message": "words"}, "request_id": "r"}
    assert [(p.text, p.origin) for p in LAYOUT.answer_passages(body)] == [("words", "error")]


@pytest.mark.parametrize("item", exchanges("anthropic.messages", streaming=False))
def test_no_text_of_a_recorded_answer_is_missed(item: dict[str, Any]) -> None:
    """Whatever the dialect's reader takes for text or reasoning is shown."""
    body = item["response"].get("body")
    passages = LAYOUT.answer_passages(body)
    check_passages(passages, body)
    if item["response"]["status"] >= 400:
        assert all(passage.origin == "error" for passage in passages)
        return
    shown = {(passage.text, passage.origin) for passage in passages}
    for part in DIALECT.read_response(body).choices[0].parts:
        if isinstance(part, TextPart) and part.text:
            assert (part.text, "content") in shown
        elif isinstance(part, ReasoningPart) and part.text:
            assert (part.text, "reasoning") in shown


# --------------------------------------------------------------------------- streams


def event(kind: str, **fields: Any) -> bytes:
    """One event's frame."""
    return encode(WireEvent({"type": kind, **fields}, kind))


def start(index: int, kind: str, **fields: Any) -> bytes:
    """A block's beginning."""
    return event("content_block_start", index=index, content_block=block(kind, **fields))


def delta(index: int, kind: str, **fields: Any) -> bytes:
    """More of a block."""
    return event("content_block_delta", index=index, delta=block(kind, **fields))


def end(index: int) -> bytes:
    """A block's end."""
    return event("content_block_stop", index=index)


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 1, "service_tier": "standard"},
}
BEGIN = event("message_start", message=MESSAGE) + event("ping")
REASON = {"stop_reason": "tool_use", "stop_sequence": None}
FINISH = event("message_delta", delta=REASON, usage={"output_tokens": 9}) + event("message_stop")
CITED = {"type": "char_location", "cited_text": "quote", "document_title": None}
STREAM = b"".join(
    [
        BEGIN,
        start(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="thi"),
        delta(0, "thinking_delta", thinking="nks"),
        delta(0, "signature_delta", signature="c2ln"),
        end(0),
        start(1, "text", text="H"),
        delta(1, "text_delta", text="ello"),
        delta(1, "citations_delta", citation=CITED),
        end(1),
        start(2, "tool_use", id="t", name="f", input={}),
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"a":'),
        delta(2, "input_json_delta", partial_json="1}"),
        end(2),
        FINISH,
    ]
)
THINKING, TEXT, INPUT = (
    Channel(0, "reasoning", "0"),
    Channel(0, "content", "1"),
    Channel(0, "tool_call", "2", True),
)


def test_every_block_is_a_running_text() -> None:
    """From its first piece to its stop; concatenated it is what was said."""
    reading = Reading(LAYOUT, STREAM)
    assert reading.texts == {THINKING: "thinks", TEXT: "Hello", INPUT: '{"a":1}'}
    assert [(p.text, p.origin) for p in reading.alone] == [("quote", "citation")]
    assert [list(parts.ends) for parts in reading.parts if parts.ends] == [
        [THINKING],
        [TEXT],
        [INPUT],
    ]
    assert [parts.is_last for parts in reading.parts].index(True) == len(reading.parts) - 1
    pure = [
        found.data["delta"]["type"]
        for found, parts in zip(reading.events, reading.parts, strict=True)
        if parts.is_pure
    ]
    assert pure == ["thinking_delta"] * 2 + ["text_delta"] + ["input_json_delta"] * 2
    assert reading.written == STREAM


def test_a_message_that_ends_early_ends_its_blocks() -> None:
    """Some servers leave the stop of a block out."""
    for last, is_last in (
        (event("message_delta", delta=REASON), False),
        (event("message_stop"), True),
        (event("error", error={"type": "overloaded_error", "message": "words"}), True),
        (b"data: [DONE]\n\n", True),
    ):
        reading = Reading(LAYOUT, BEGIN + delta(0, "text_delta", text="a") + last)
        assert list(reading.parts[-1].ends) == [Channel(0, "content", "0")]
        assert reading.parts[-1].is_last == is_last


@pytest.mark.parametrize(
    ("frame", "origin"),
    [
        (event("error", error={"type": "t", "message": "words"}), "error"),
        (b'data: {"error": {"message": "words"}}\n\n', "error"),
        (start(0, "tool_use", id="t", name="f", input={"id": "words"}), "tool_call"),
        (start(0, "of_tomorrow", id="t", x=["words"]), "content"),
        (start(0, "text", text="", citations=[{"cited_text": "words"}]), "citation"),
        (delta(0, "of_tomorrow_delta", x={"y": "words"}), "content"),
        (event("of_tomorrow", x={"y": "words"}), "content"),
        (
            event(
                "message_delta",
                delta={"stop_reason": "x", "stop_details": {"explanation": "words"}},
            ),
            "refusal",
        ),
        (event("message_start", message={"content": [block("text", text="words")]}), "content"),
        (b"data: words\n\n", "content"),
        (b'data: ["words"]\n\n', "content"),
    ],
)
def test_texts_told_whole_stand_alone(frame: bytes, origin: str) -> None:
    """Errors, citations, whole inputs, and whatever is new to us."""
    reading = Reading(LAYOUT, frame)
    assert [(p.text, p.origin) for p in reading.alone] == [("words", origin)]
    assert not reading.parts[-1].is_pure
    reading.alone[0].replace("[X]")
    changed = reading.events[-1]
    changed.raw = None
    assert b"words" not in encode(changed)


def test_unknown_deltas_run_on() -> None:
    """A secret may be cut over the pieces of a block type that is new to us."""
    stream = delta(3, "new_delta", words="4111 ", id="x") + delta(3, "new_delta", words="1111")
    reading = Reading(LAYOUT, stream + end(3))
    ((channel, text),) = reading.texts.items()
    assert (channel.origin, text) == ("content", "4111 1111")
    assert list(reading.parts[-1].ends) == [channel]
    more = reading.editor.delta(channel, "!")
    assert more.data == {
        "type": "content_block_delta",
        "index": 3,
        "delta": {"type": "new_delta", "words": "!"},
    }


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (THINKING, {"type": "thinking_delta", "thinking": "more"}),
        (TEXT, {"type": "text_delta", "text": "more"}),
        (INPUT, {"type": "input_json_delta", "partial_json": "more"}),
    ],
)
def test_more_of_a_text_is_a_delta_of_its_block(channel: Channel, said: dict[str, str]) -> None:
    """An event like the upstream's; it can be read like any."""
    editor = Reading(LAYOUT, STREAM).editor
    more = editor.delta(channel, "more")
    assert (more.name, more.raw) == ("content_block_delta", None)
    assert more.data == {
        "type": "content_block_delta",
        "index": int(channel.part),
        "delta": said,
    }
    OFFICIAL.validate_python(more.data)
    (found,) = editor.read(more).deltas
    assert (found.channel, found.text) == (channel, "more")


def _message(stream: bytes) -> list[str]:
    """The types of a stream's events, each checked against the SDK's."""
    events = EventDecoder().feed(stream)
    for found in events:
        OFFICIAL.validate_python(found.data)
        assert found.name == found.data["type"]
    return [found.name for found in events]


def test_stop_closes_what_the_client_has_open() -> None:
    """Then the text as a block of its own, the reason with the usage so far, the end."""
    sent = BEGIN + start(0, "text", text="") + delta(0, "text_delta", text="a")
    editor = Reading(LAYOUT, sent).editor
    stopped = editor.stop("content_filter", "No.")
    frames = b"".join(map(encode, stopped))
    assert _message(frames) == [
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert stopped[-2].data["delta"] == {"stop_reason": "refusal", "stop_sequence": None}
    assert stopped[-2].data["usage"] == {"input_tokens": 7, "output_tokens": 1}
    reader, sums = DIALECT.stream_reader(), Accumulator()
    sums.add([*reader.feed(sent + frames), *reader.close()])
    (choice,) = sums.response().choices
    assert [part.text for part in choice.parts] == ["a", "No."]  # type: ignore[union-attr]
    assert sums.ended
    for found in stopped:
        editor.seal(found)
    assert editor.stop("content_filter", "No.") == []


def test_stop_before_anything_was_sent_is_a_whole_message() -> None:
    """With the upstream's beginning, if it was read and held, or one of our own."""
    editor = MessagesEditor()
    types = _message(b"".join(map(encode, editor.stop("refusal", ""))))
    assert types == ["message_start", "message_delta", "message_stop"]
    for held in EventDecoder().feed(BEGIN + start(0, "text", text="a")):
        editor.read(held)
    first, *others = editor.stop("refusal", "No.")
    assert first.data["message"] == MESSAGE
    Message.model_validate(first.data["message"])
    assert others[0].data["index"] == 0


def test_stop_after_the_reason_adds_no_second_one() -> None:
    """What was said to the client stays said."""
    sent = STREAM.removesuffix(event("message_stop"))
    editor = Reading(LAYOUT, sent).editor
    assert [found.data["type"] for found in editor.stop("refusal", "No.")] == ["message_stop"]


def test_blocks_are_bounded() -> None:
    """An upstream that opens ever more of them is refused."""
    editor = MessagesEditor(max_blocks=4)
    events = EventDecoder().feed(b"".join(start(index, "text", text="") for index in range(6)))
    with pytest.raises(UpstreamProtocolError):
        collections.deque(map(editor.read, events))


def _said(stream: bytes) -> list[str]:
    """The parts that the dialect's own reader makes of *stream*."""
    reader, sums = DIALECT.stream_reader(), Accumulator(dialect=DIALECT.name)
    sums.add([*reader.feed(stream), *reader.close()])
    found = []
    for choice in sums.response().choices:
        for part in choice.parts:
            if isinstance(part, ToolCallPart):
                found.append(part.arguments)
            elif isinstance(part, TextPart | ReasoningPart):
                found.append(part.text)
    return [text for text in found if text]


@pytest.mark.parametrize("item", exchanges("anthropic.messages", streaming=True))
def test_a_recorded_stream_is_read_as_its_reader_does(item: dict[str, Any]) -> None:
    """Its running texts are what the client adds up; unchanged it goes out byte for byte."""
    stream = item["response"]["stream"].encode()
    reading = Reading(LAYOUT, stream)
    assert reading.written == stream
    assert not reading.still_open
    told = [*reading.texts.values(), *(p.text for p in reading.alone if p.origin == "tool_call")]
    for text in _said(stream):
        assert text in told or text == "{}" or "{" in text
    for channel in reading.texts:
        if channel.origin == "content":
            assert reading.texts[channel] in _said(stream)


@pytest.mark.parametrize("item", exchanges("anthropic.messages", streaming=True))
def test_a_recorded_stream_held_back_says_the_same(item: dict[str, Any]) -> None:
    """Every piece withheld until its block ends, and then told in one: the sum is the same."""
    stream = item["response"]["stream"].encode()
    editor, decoder, out = MessagesEditor(), EventDecoder(), b""
    held: dict[Channel, str] = {}
    for found in [*decoder.feed(stream), *decoder.close()]:
        parts = editor.read(found)
        for channel in parts.ends:
            out += encode(editor.seal(editor.delta(channel, held.pop(channel))))
        for piece in parts.deltas:
            held[piece.channel] = held.get(piece.channel, "") + piece.text
            piece.replace("")
            found.raw = None
        if not parts.is_pure:
            out += encode(editor.seal(found))
    assert not held
    assert _said(out) == _said(stream)
