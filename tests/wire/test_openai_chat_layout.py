"""Where the texts of chat bodies and chunks stand, and what changing them does."""

from __future__ import annotations

import collections
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from corpus import exchanges
from layout_checks import Reading, anything, check_passages, nested
from plano_asgi._json import dumps, loads
from plano_asgi.conversation import (
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, WireEvent
from plano_asgi.wire import LAYOUTS
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.openai_chat import OpenAIChat
from plano_asgi.wire.openai_chat.editor import ChatEditor
from plano_asgi.wire.wire_events import EventDecoder, encode

LAYOUT = LAYOUTS["openai.chat"]
DIALECT = OpenAIChat()

# --------------------------------------------------------------------------- requests

REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "sys"},
        {"role": "developer", "content": [{"type": "text", "text": "dev"}]},
        {"role": "user", "name": "ada", "content": "old question"},
        {
            "role": "assistant",
            "content": "old answer",
            "refusal": "old refusal",
            "reasoning_content": "old thought",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "signed", "signature": "c2ln", "index": 0},
                {"type": "reasoning.encrypted", "data": "ZW5j", "id": "r1"},
            ],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free text"}},
                {
                    "id": "c3",
                    "type": "function",
                    "function": {"name": "f", "arguments": {"id": "x"}},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "result"},
        {
            "role": "tool",
            "tool_call_id": "c2",
            "content": [{"type": "text", "text": "result part"}],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "new question"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "cv.pdf", "file_data": "AAAA"}},
                {"type": "of_tomorrow", "words": "unknown part", "id": "p1"},
                "bare string",
            ],
        },
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "tool description",
                "parameters": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "description": "named name"},
                        "type": {"enum": ["red", "blue"], "default": "red"},
                    },
                },
            },
        }
    ],
    "functions": [{"name": "h", "description": "legacy description"}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object", "description": "schema words"}},
    },
    "prediction": {"type": "content", "content": "predicted"},
    "user": "user-1",
}


def test_every_text_of_a_request_is_shown() -> None:
    """With whose it is, which turn it stands in, whether it is new; nothing else."""
    passages = LAYOUT.request_passages(REQUEST)
    assert [(p.text, p.origin, p.turn, p.is_new) for p in passages] == [
        ("sys", "system", 0, False),
        ("dev", "system", 1, False),
        ("ada", "media", 2, False),
        ("old question", "user", 2, False),
        ("old answer", "assistant", 3, False),
        ("old refusal", "assistant", 3, False),
        ("old thought", "assistant", 3, False),
        ("signed", "reasoning", 3, False),
        ('{"a":1}', "tool_call", 3, False),
        ("free text", "tool_call", 3, False),
        ("x", "tool_call", 3, False),
        ("result", "tool_result", 4, True),
        ("result part", "tool_result", 5, True),
        ("new question", "user", 6, True),
        ("cv.pdf", "media", 6, True),
        ("unknown part", "user", 6, True),
        ("bare string", "user", 6, True),
        ("tool description", "tool_definition", -1, False),
        ("named name", "tool_definition", -1, False),
        ("red", "tool_definition", -1, False),
        ("blue", "tool_definition", -1, False),
        ("red", "tool_definition", -1, False),
        ("legacy description", "tool_definition", -1, False),
        ("schema words", "tool_definition", -1, False),
        ("predicted", "user", -1, False),
    ]
    assert [p.text for p in passages if p.is_json] == ['{"a":1}']
    check_passages(passages, REQUEST)


def test_a_path_says_where() -> None:
    """From the body's root, by keys and indexes."""
    passages = {passage.text: passage.path for passage in LAYOUT.request_passages(REQUEST)}
    assert passages["new question"] == "messages.6.content.0.text"
    assert passages['{"a":1}'] == "messages.3.tool_calls.0.function.arguments"


def test_a_first_request_is_new_altogether() -> None:
    """System and tools too, while nothing has been answered; a prefill is no answer."""
    body = {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "The answer is"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}],
    }
    assert all(passage.is_new for passage in LAYOUT.request_passages(body))


def test_the_legacy_call_is_json() -> None:
    """``function_call`` of a message."""
    call = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    (passage,) = LAYOUT.request_passages({"messages": [call]})
    assert (passage.origin, passage.is_json) == ("tool_call", True)


@pytest.mark.parametrize("item", exchanges("openai.chat"))
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
        texts = {p.text for p in parts if isinstance(p, TextPart | RefusalPart | ReasoningPart)}
        assert texts - {""} <= shown
        assert {p.arguments for p in parts if isinstance(p, ToolCallPart)} - {""} <= shown
    assert {tool.description for tool in request.tools} - {None, ""} <= shown


_KEYS = (
    *("messages", "role", "content", "tool_calls", "function", "arguments", "choices", "delta"),
    *("message", "text", "tools", "properties", "enum", "error", "finish_reason", "logprobs"),
    *("reasoning_details", "audio", "transcript", "usage", "function_call", "thinking"),
)
_WORDS = ("assistant", "user", "tool", "thinking", "text", "error", "stop")


@given(anything(*_KEYS, words=_WORDS))
def test_no_shape_is_an_error(value: Any) -> None:
    """What is not as it should be is passed over, or read as something unknown."""
    for body in (value, {"messages": value}, {"tools": value}, {"messages": [value]}):
        own = copy.deepcopy(body)
        check_passages(LAYOUT.request_passages(own), own)
    for body in (value, {"choices": value}, {"error": value}, {"choices": [value]}):
        own = copy.deepcopy(body)
        check_passages(LAYOUT.answer_passages(own), own)


@given(st.lists(anything(*_KEYS, words=_WORDS), max_size=4))
def test_no_chunk_is_an_error(values: list[Any]) -> None:
    """An editor takes whatever an upstream sends, cut or not, and can always stop."""
    for wrap in (lambda v: v, lambda v: {"choices": [{"index": 0, "delta": v}]}):
        stream = b"".join(encode(WireEvent(wrap(value))) for value in values)
        Reading(LAYOUT, stream)
        reading = Reading(LAYOUT, stream, split=False)
        assert reading.written == stream
        for channel in reading.texts:
            assert reading.editor.delta(channel, "more")
        reading.editor.stop("content_filter", "no")


def test_nesting_has_no_bottom() -> None:
    """A body as deep as the codec allows is walked without recursion."""
    body = {"messages": [{"role": "user", "content": [nested(900)]}]}
    assert [passage.text for passage in LAYOUT.request_passages(body)] == ["deep"]


# --------------------------------------------------------------------------- answers

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {
            "index": 1,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "said", "logprob": -1}], "refusal": None},
            "message": {
                "role": "assistant",
                "content": "said",
                "refusal": "refused",
                "reasoning_content": "thought",
                "reasoning_details": [{"type": "reasoning.text", "text": "detail", "index": 0}],
                "annotations": [
                    {"type": "url_citation", "url_citation": {"url": "https://x", "title": "title"}}
                ],
                "audio": {"id": "a", "data": "AAAA", "transcript": "spoken"},
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
        },
        {"message": {"content": [{"type": "text", "text": "in parts"}]}},
    ],
    "usage": {"total_tokens": 1},
}


def test_every_text_of_an_answer_is_shown() -> None:
    """Of every choice, with its index."""
    passages = LAYOUT.answer_passages(ANSWER)
    assert [(p.text, p.origin, p.choice, p.is_json) for p in passages] == [
        ("said", "content", 1, False),
        ("refused", "refusal", 1, False),
        ("thought", "reasoning", 1, False),
        ("detail", "reasoning", 1, False),
        ("title", "citation", 1, False),
        ("spoken", "content", 1, False),
        ("{}", "tool_call", 1, True),
        ("in parts", "content", 1, False),
    ]
    check_passages(passages, ANSWER)


def test_a_changed_answer_does_not_spell_the_old_one() -> None:
    """Token probabilities and speech go with the words that they repeat."""
    body = copy.deepcopy(ANSWER)
    for passage in LAYOUT.answer_passages(body):
        if passage.text in ("said", "spoken"):
            passage.replace("[X]")
    choice = body["choices"][0]
    assert choice["logprobs"] is None
    assert choice["message"]["content"] == "[X]"
    assert choice["message"]["audio"] == {"id": "a", "data": "", "transcript": "[X]"}
    untouched = copy.deepcopy(ANSWER)
    LAYOUT.answer_passages(untouched)
    assert untouched == ANSWER


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "words", "type": "t", "code": "c"}},
        {"error": "words"},
        {"object": "error", "message": "words", "code": 400},
        {"detail": "words"},
    ],
)
def test_an_error_body_is_shown(body: dict[str, Any]) -> None:
    """Its message, which may echo the request; not its code."""
    assert [(p.text, p.origin) for p in LAYOUT.answer_passages(body)] == [("words", "error")]


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=False))
def test_no_text_of_a_recorded_answer_is_missed(item: dict[str, Any]) -> None:
    """Whatever the dialect's reader takes for text, reasoning or arguments is shown."""
    body = item["response"].get("body")
    passages = LAYOUT.answer_passages(body)
    check_passages(passages, body)
    if item["response"]["status"] >= 400:
        assert all(passage.origin == "error" for passage in passages)
        return
    shown = {passage.text for passage in passages}
    for choice in DIALECT.read_response(body).choices:
        for part in choice.parts:
            if isinstance(part, TextPart | RefusalPart | ReasoningPart) and part.text:
                assert part.text in shown or any(text in part.text for text in shown)
            elif isinstance(part, ToolCallPart) and part.arguments:
                assert part.arguments in shown


# --------------------------------------------------------------------------- streams

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CONTENT = Channel(0, "content")


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk's frame."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return encode(WireEvent({**HEAD, "choices": [choice], **more}))


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    """A delta with one entry of ``tool_calls``; *more* are the fields of its first."""
    function = {"name": "f"} if more else {}
    inner = {**function, "arguments": arguments}
    return {"tool_calls": [{"index": index, **more, "function": inner}]}


DONE = b"data: [DONE]\n\n"
STREAM = b"".join(
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "thi"}),
        chunk({"reasoning_content": "nks"}),
        chunk({"content": "Hel"}),
        b": keep-alive\n\n",
        chunk({"content": "lo"}),
        chunk(call(0, id="c1", type="function")),
        chunk(call(0, '{"a"')),
        chunk(call(0, ":1}")),
        chunk(call(1, id="c2", type="function")),
        chunk(call(1, "{}")),
        chunk({}, "tool_calls"),
        encode(WireEvent({**HEAD, "choices": [], "usage": USAGE})),
        DONE,
    ]
)


def test_running_texts_are_told_apart() -> None:
    """By choice, kind and call; concatenated they are what was said."""
    reading = Reading(LAYOUT, STREAM)
    assert reading.texts == {
        Channel(0, "reasoning", "reasoning_content"): "thinks",
        CONTENT: "Hello",
        Channel(0, "tool_call", "0", True): '{"a":1}',
        Channel(0, "tool_call", "1", True): "{}",
    }
    assert reading.written == STREAM
    assert not reading.alone
    assert not reading.still_open
    assert [parts.is_last for parts in reading.parts].index(True) == len(reading.parts) - 1


def test_texts_end_with_the_finish() -> None:
    """Until then an upstream may come back to each, and clients add up what comes."""
    reading = Reading(LAYOUT, STREAM)
    ends = [[(c.origin, c.part) for c in parts.ends] for parts in reading.parts if parts.ends]
    assert ends == [
        [
            ("reasoning", "reasoning_content"),
            ("content", ""),
            ("tool_call", "0"),
            ("tool_call", "1"),
        ]
    ]


def test_what_is_nothing_but_text_is_pure() -> None:
    """Roles, call ids, finish reasons and usage must arrive even if no text is left."""
    reading = Reading(LAYOUT, STREAM)
    assert [parts.is_pure for parts in reading.parts] == [
        *(False, True, True, True, False, True, False, True, True, False, True),
        *(False, False, False),
    ]
    repeated = chunk({"role": "assistant", "content": "a"}) + chunk(
        {"role": "assistant", "content": "b"}
    )
    assert [parts.is_pure for parts in Reading(LAYOUT, repeated).parts] == [False, True]


def test_a_chunk_of_several_kinds_is_cut() -> None:
    """Reasoning, text, each call and the finish come one after the other."""
    delta = {
        "role": "assistant",
        "reasoning": "r",
        "content": "c",
        "tool_calls": [call(n, "{}", id=f"c{n}")["tool_calls"][0] for n in (0, 1)],
    }
    choices = [
        {
            "index": 0,
            "delta": delta,
            "finish_reason": "tool_calls",
            "logprobs": {"content": [{"token": "c"}]},
        },
        {"index": 1, "delta": {"content": "other"}, "finish_reason": None},
    ]
    frame = encode(WireEvent({**HEAD, "choices": choices, "usage": {"total_tokens": 1}}))
    reading = Reading(LAYOUT, frame + DONE)
    said = [event.data["choices"] for event in reading.events[:-1]]
    assert [[choice["delta"] for choice in choices] for choices in said] == [
        [{"role": "assistant", "reasoning": "r"}],
        [{"content": "c"}],
        [{"tool_calls": [delta["tool_calls"][0]]}],
        [{"tool_calls": [delta["tool_calls"][1]]}],
        [{}, {"content": "other"}],
    ]
    assert [event.data.get("usage") for event in reading.events[:-1]] == [
        *(None, None, None, None, {"total_tokens": 1})
    ]
    assert "logprobs" in said[1][0]
    assert said[-1][0]["logprobs"] is None
    assert [len(parts.ends) for parts in reading.parts] == [0, 0, 0, 0, 4, 1]
    assert reading.texts[Channel(1, "content")] == "other"


def test_a_chunk_that_was_not_cut_ends_nothing_that_it_adds_to() -> None:
    """Its channels end with the next event that ends something."""
    stream = chunk({"content": "a"}) + chunk({"content": "b"}, "stop") + DONE
    reading = Reading(LAYOUT, stream, split=False)
    assert [list(parts.ends) for parts in reading.parts] == [[], [], [CONTENT]]
    assert reading.written == stream


def test_a_replaced_piece_takes_its_logprobs_along() -> None:
    """They spell the token."""
    editor = ChatEditor()
    logprobs = {"content": [{"token": "secret", "logprob": 0}]}
    choice = {"index": 0, "delta": {"content": "secret"}, "logprobs": logprobs, "token_ids": [7]}
    event = WireEvent({**HEAD, "choices": [choice]})
    (delta,) = editor.read(event).deltas
    delta.replace("[X]")
    assert choice == {
        "index": 0,
        "delta": {"content": "[X]"},
        "logprobs": None,
        "token_ids": None,
    }


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"},
        {"refusal": "a"},
        {"reasoning": "a"},
        {"reasoning_content": "a"},
        {"audio": {"transcript": "a"}},
        {"function_call": {"arguments": "a"}},
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
        {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "a"}}]},
        {"tool_calls": [{"index": 3, "custom": {"input": "a"}}]},
        {"tool_calls": [{"function": {"arguments": "a"}}]},
    ],
)
def test_more_of_a_text_has_the_shape_of_what_came(delta: dict[str, Any]) -> None:
    """The same head and choice, no finish, no usage; it can be read like any event."""
    editor = ChatEditor()
    choice = {"index": 2, "delta": delta, "finish_reason": None}
    data = {**HEAD, "choices": [choice], "usage": None, "obfuscation": "xyz"}
    (found,) = editor.read(WireEvent(data)).deltas
    event = editor.delta(found.channel, "a")
    assert event.data == {**HEAD, "usage": None, "choices": [choice]}
    assert event.raw is None
    (again,) = editor.read(event).deltas
    assert (again.channel, again.text) == (found.channel, "a")
    again.replace("b")
    assert event.data != {**HEAD, "usage": None, "choices": [choice]}
    event.parts = None
    (anew,) = editor.read(event).deltas
    assert (anew.channel, anew.text) == (found.channel, "b")


def test_one_thought_spelled_twice_is_one_text() -> None:
    """As a string and as an entry that a proof may follow: both places change, both go on."""
    editor = ChatEditor()
    entry = {"type": "reasoning.text", "text": "thi", "format": "x", "index": 0}
    delta = {"reasoning": "thi", "reasoning_details": [entry]}
    (found,) = editor.read(WireEvent({"choices": [{"index": 0, "delta": delta}]})).deltas
    more = editor.delta(found.channel, "nks").data["choices"][0]["delta"]
    assert more == {"reasoning": "nks", "reasoning_details": [{**entry, "text": "nks"}]}
    found.replace("[X]")
    assert delta == {"reasoning": "[X]", "reasoning_details": [{**entry, "text": "[X]"}]}
    proof = {"reasoning_details": [{"type": "reasoning.text", "signature": "c2ln", "index": 0}]}
    parts = editor.read(WireEvent({"choices": [{"index": 0, "delta": proof}]}))
    assert list(parts.ends) == [found.channel]
    assert not parts.is_pure


def test_a_proof_comes_after_the_text_that_it_closes() -> None:
    """Held text must not come behind the signature: the client would read a second part."""
    entry = {"type": "reasoning.text", "text": "t", "signature": "c2ln", "index": 0}
    delta = {"reasoning_content": "t", "reasoning_details": [entry], "content": "c"}
    events = Reading(LAYOUT, chunk(delta)).events
    assert [event.data["choices"][0]["delta"] for event in events] == [
        {
            "reasoning_content": "t",
            "reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0}],
        },
        {"reasoning_details": [{"type": "reasoning.text", "signature": "c2ln", "index": 0}]},
        {"content": "c"},
    ]


def test_what_repeats_the_stream_goes() -> None:
    """A message so far, a second field: unread, it would tell what was taken out of the deltas."""
    choices = [
        {"index": 0, "delta": {"content": "a"}, "message": {"content": "a"}, "text": "a"},
        {"index": 0, "delta": {}, "message": {"content": "a"}, "finish_reason": "stop"},
    ]
    stream = b"".join(encode(WireEvent({**HEAD, "choices": [choice]})) for choice in choices)
    reading = Reading(LAYOUT, stream)
    assert [event.data["choices"][0] for event in reading.events] == [
        {"index": 0, "delta": {"content": "a"}},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    assert not reading.alone
    assert Reading(LAYOUT, stream, split=False).written == stream


def test_a_whole_message_is_read_where_nothing_was_streamed() -> None:
    """A few upstreams answer a stream request with one such chunk."""
    reading = Reading(LAYOUT, b'data: {"choices": [{"message": {"content": "words"}}]}\n\n')
    assert [(p.text, p.origin) for p in reading.alone] == [("words", "content")]


def test_calls_without_an_index_stand_alone() -> None:
    """Whole in one chunk, and no client could add more to them (Google's, Ollama's)."""
    entry = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    reading = Reading(LAYOUT, chunk({"tool_calls": [entry]}))
    assert [(p.text, p.origin, p.is_json) for p in reading.alone] == [
        ('{"a":1}', "tool_call", True)
    ]
    assert not reading.texts


def test_calls_under_one_index_are_told_apart_by_their_ids() -> None:
    """Seen of some upstreams; each is a text of its own."""
    stream = chunk(call(0, "{}", id="c1")) + chunk(call(0, "[]", id="c2"))
    assert [*Reading(LAYOUT, stream).texts.values()] == ["{}", "[]"]


@pytest.mark.parametrize(
    ("frame", "origin", "is_last"),
    [
        (b'data: {"error": {"message": "words"}}\n\n', "error", True),
        (b'event: error\ndata: {"anything": "words"}\n\n', "error", True),
        (b'data: {"choices": [{"error": {"message": "words"}}]}\n\n', "error", True),
        (chunk({"annotations": [{"url_citation": {"title": "words"}}]}), "citation", False),
        (chunk({"of_tomorrow": {"x": ["words"]}}), "content", False),
        (chunk({}, search_results=[{"title": "words"}]), "citation", False),
        (b"data: words\n\n", "content", False),
        (b'data: ["words"]\n\n', "content", False),
    ],
)
def test_texts_told_whole_stand_alone(frame: bytes, origin: str, is_last: bool) -> None:
    """Errors, citations, whole messages, and whatever is new to us."""
    reading = Reading(LAYOUT, chunk({"content": "a"}) + frame)
    assert [(p.text, p.origin) for p in reading.alone] == [("words", origin)]
    assert reading.parts[-1].is_last == is_last
    assert not (is_last and reading.still_open)
    assert not reading.parts[-1].is_pure
    reading.alone[0].replace("[X]")
    event = reading.events[-1]
    event.raw = None
    assert b"words" not in encode(event)


def test_stop_ends_every_open_choice() -> None:
    """With the text as its refusal and the reason; a finished choice is left alone."""
    stream = b"".join(
        [
            chunk({"role": "assistant", "content": "a"}),
            chunk({"role": "assistant", "content": "b"}, index=1),
            chunk({}, "stop", index=1),
        ]
    )
    editor = Reading(LAYOUT, stream).editor
    events = editor.stop("refusal", "No.")
    assert [event.data for event in events[:-1]] == [
        {**HEAD, "choices": [{"index": 0, "delta": {"refusal": "No."}, "finish_reason": None}]},
        {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]},
    ]
    assert events[-1].data == "[DONE]"
    for event in events[:-1]:
        ChatCompletionChunk.model_validate(event.data, strict=True)
    for event in events:
        editor.seal(event)
    assert editor.stop("refusal", "No.") == []


def test_stop_before_anything_was_sent_is_a_whole_answer() -> None:
    """With a head, a role and an end."""
    events = ChatEditor().stop("content_filter", "No.")
    chunks = [ChatCompletionChunk.model_validate(event.data, strict=True) for event in events[:-1]]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    read = DIALECT.stream_reader()
    sums = Accumulator()
    sums.add([event for frame in map(encode, events) for event in read.feed(frame)])
    assert sums.ended


def test_stop_counts_what_was_sent_and_not_what_was_read() -> None:
    """A finish that a filter holds has not reached the client."""
    editor = ChatEditor()
    for event in EventDecoder().feed(chunk({"content": "a"}) + chunk({}, "stop")):
        editor.read(event)
    events = editor.stop("content_filter", "")
    assert [event.data["choices"][0]["finish_reason"] for event in events[:-1]] == [
        None,
        "content_filter",
    ]


def test_running_texts_are_bounded() -> None:
    """An upstream that opens ever more of them is refused."""
    texts = [{"index": 0, "delta": call(index, "{}", id="c")} for index in range(6)]
    choices: list[dict[str, Any]] = [{"index": index, "delta": {}} for index in range(6)]
    for many in (texts, choices):
        editor = ChatEditor(max_channels=4)
        events = [WireEvent({"choices": [choice]}) for choice in many]
        with pytest.raises(UpstreamProtocolError):
            collections.deque(map(editor.read, events))


def _said(stream: bytes) -> list[tuple[int, str, str]]:
    """What the dialect's own reader makes of *stream*: choice, kind, text."""
    reader, sums = DIALECT.stream_reader(), Accumulator(dialect=DIALECT.name)
    sums.add([*reader.feed(stream), *reader.close()])
    found = []
    for choice in sums.response().choices:
        texts = [p.text for p in choice.parts if isinstance(p, TextPart)]
        thoughts = [p.text for p in choice.parts if isinstance(p, ReasoningPart)]
        refusals = [p.text for p in choice.parts if isinstance(p, RefusalPart)]
        calls = [p.arguments for p in choice.parts if isinstance(p, ToolCallPart)]
        kinds = {"content": texts, "reasoning": thoughts, "refusal": refusals, "tool_call": calls}
        found += [(choice.index, kind, "".join(texts)) for kind, texts in kinds.items()]
    return [entry for entry in found if entry[2]]


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=True))
def test_a_recorded_stream_is_read_as_its_reader_does(item: dict[str, Any]) -> None:
    """Its running texts are what the client adds up; unchanged it goes out byte for byte."""
    stream = item["response"]["stream"].encode()
    whole = Reading(LAYOUT, stream, split=False)
    assert whole.written == stream
    reading = Reading(LAYOUT, stream)
    assert not reading.still_open or b"[DONE]" not in stream
    assert _said(reading.written) == _said(stream)
    for index, kind, text in _said(stream):
        shown = [
            told
            for channel, told in reading.texts.items()
            if (channel.choice, channel.origin) == (index, kind)
        ]
        whole_calls = [p.text for p in reading.alone if p.is_json and p.choice == index]
        if kind == "tool_call":
            shown += whole_calls
        assert "".join(shown) == text


@pytest.mark.parametrize("item", exchanges("openai.chat", streaming=True))
def test_a_recorded_stream_held_back_says_the_same(item: dict[str, Any]) -> None:
    """Every piece withheld until its channel ends, and then told in one: the sum is the same."""
    stream = item["response"]["stream"].encode()
    editor, decoder, out = ChatEditor(), EventDecoder(), b""
    held: dict[Channel, str] = {}
    for event in [*decoder.feed(stream), *decoder.close()]:
        for piece in editor.split(event):
            parts = editor.read(piece)
            for channel in parts.ends:
                out += encode(editor.seal(editor.delta(channel, held.pop(channel))))
            for delta in parts.deltas:
                held[delta.channel] = held.get(delta.channel, "") + delta.text
                delta.replace("")
                piece.raw = None
            if not parts.is_pure:
                out += encode(editor.seal(piece))
    out += b"".join(encode(editor.delta(channel, text)) for channel, text in held.items())
    assert _said(out) == _said(stream)


def test_fixture_is_official() -> None:
    """The chunks of these tests are ones the SDK knows."""
    for frame in STREAM.split(b"\n\n"):
        if frame.startswith(b"data: {"):
            ChatCompletionChunk.model_validate(loads(frame[6:]))
    assert loads(dumps(HEAD)) == HEAD
