"""Chat streams: the manners of many upstreams in, official chunks out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from plano_asgi._json import dumps, loads
from plano_asgi.conversation import (
    ChatRequest,
    Citation,
    OpaquePart,
    ReasoningPart,
    Tool,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import UpstreamProtocolError, UpstreamReset, UpstreamStatus
from plano_asgi.stream_events import (
    CitationAdded,
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.openai_chat import OpenAIChat
from plano_asgi.wire.sse import DONE, SSEDecoder

DIALECT = OpenAIChat()
REQUEST = ChatRequest(model="asked", messages=[], dialect="openai.chat")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
FINISH = {"delta": {}, "finish_reason": "stop"}


def _sse(*chunks: dict[str, Any] | str) -> bytes:
    lines = (c if isinstance(c, str) else dumps(c).decode() for c in chunks)
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def _chunk(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    filled = [{"index": 0, **choice} for choice in choices]
    return {"id": "c", "created": 1, "model": "m", "choices": filled, **fields}


def _delta(**delta: Any) -> dict[str, Any]:
    return _chunk({"delta": delta})


def _read(*pieces: bytes) -> list[StreamEvent]:
    reader = DIALECT.stream_reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.close()]


def _events(*chunks: dict[str, Any] | str) -> list[StreamEvent]:
    """Events without ``raw``, and without the ``Started`` that all of these begin with."""
    started, *events = _read(_sse(*chunks))
    assert isinstance(started, Started)
    for event in events:
        event.raw = None
    return events


def _usage() -> UsageReported:
    usage = Usage(input_tokens=1, output_tokens=2, raw=USAGE, dialect="openai.chat")
    return UsageReported(usage=usage)


# --------------------------------------------------------------------------- reading


def test_a_reference_stream() -> None:
    """Role, text, end, usage, end mark: each is told once, with the chunk it came from."""
    chunks = [
        _chunk({"delta": {"role": "assistant", "content": ""}}, system_fingerprint="fp"),
        _delta(content="Hel"),
        _delta(content="lo"),
        _chunk(FINISH),
        _chunk(usage=USAGE),
    ]
    events = _read(_sse(*chunks, DONE))
    assert events == [
        Started(id="c", model="m", created=1, extras={"system_fingerprint": "fp"}, raw=chunks[0]),
        TextDelta(text="Hel", raw=chunks[1]),
        TextDelta(text="lo", raw=chunks[2]),
        Finished(reason="stop", raw=chunks[4]),
        _usage(),
        Ended(raw=DONE),
    ]


def test_content_finish_and_usage_may_share_a_chunk() -> None:
    """Google sends all in one; content comes first."""
    last = _chunk({"delta": {"content": "x"}, "finish_reason": "length"}, usage=USAGE)
    assert _events(last, DONE) == [
        TextDelta(text="x"),
        _usage(),
        Finished(reason="length"),
        Ended(),
    ]


def test_a_stream_that_closes_without_an_end_mark_is_told_as_far_as_it_went() -> None:
    """Finished where the upstream said so; nothing is made up for one that was cut."""
    assert _events(_delta(content="x"), _chunk(FINISH)) == [
        TextDelta(text="x"),
        Finished(reason="stop"),
    ]
    assert _events(_delta(content="x")) == [TextDelta(text="x")]


def test_an_end_mark_finishes_a_choice_that_nobody_finished() -> None:
    """Snowflake never sends a reason; the upstream vouched for the whole."""
    assert _events(_delta(content="x"), DONE)[1:] == [Finished(reason="stop"), Ended()]


def test_the_last_event_may_lack_its_blank_line() -> None:
    """Its content is content all the same."""
    data = _sse(_delta(content="x")).rstrip() + b"\n\n" + _sse(DONE).rstrip()
    assert isinstance(_read(data)[-1], Ended)


def test_nothing_follows_the_end_mark() -> None:
    """Whatever else the upstream sends."""
    reader = DIALECT.stream_reader()
    assert len(reader.feed(_sse(DONE, _delta(content="x")))) == 1
    assert reader.feed(_sse(_delta(content="x"))) == []
    assert reader.close() == []


def test_comments_empty_data_and_odd_chunks_mean_nothing() -> None:
    """Keep-alives, chunks without choices, nulls, and Azure's nameless first chunk."""
    odd = _sse({"id": "", "model": "", "choices": [], "prompt_filter_results": []}, "")
    odd += b": PROCESSING\n\n"
    rest = _sse(_delta(content="x"), {"id": "c", "usage": None}, _chunk({"delta": None}), DONE)
    events = _read(odd + rest)
    assert [type(event) for event in events] == [Started, TextDelta, Finished, Ended]
    assert isinstance(events[0], Started)
    assert events[0].id == "c"


def test_parts_are_numbered_as_they_appear() -> None:
    """Reasoning, text, text after a call, refusal: each opens a part; more of the same does not."""
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    events = _events(
        _delta(reasoning="h"),
        _delta(reasoning_content="m", content="t"),
        _delta(content="u"),
        _delta(tool_calls=[call]),
        _delta(content="v"),
        _delta(refusal="w"),
        DONE,
    )
    parts = [(type(event), event.part) for event in events if hasattr(event, "part")]
    assert parts == [
        (ReasoningDelta, 0),
        (ReasoningDelta, 0),
        (TextDelta, 1),
        (TextDelta, 1),
        (ToolCallStarted, 2),
        (ToolCallDelta, 2),
        (TextDelta, 3),
        (TextDelta, 4),
    ]


def _calls(*deltas: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of the calls in a stream of *deltas*, in order of their index."""
    sums = Accumulator()
    sums.add(_events(*(_delta(tool_calls=delta) for delta in deltas), DONE))
    (choice,) = sums.response().choices
    assert choice.finish_reason == "tool_calls"
    calls = [part for part in choice.parts if isinstance(part, ToolCallPart)]
    return [(call.id, call.name, call.arguments) for call in calls]


def _call(args: str = "", **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    function = {"arguments": args} | ({"name": name} if name is not None else {})
    return {**fields, "function": function}


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [
                [_call(index=0, id="a", name="f")],
                [_call("1", index=0)],
                [_call(index=1, id="b", name="g")],
                [_call("2", index=1), _call("3", index=0)],
            ],
            id="reference-interleaved",
        ),
        pytest.param(
            [
                [_call("13", index=0, id="a", name="f")],
                [_call("2", index=0, id="b", name="g")],
            ],
            id="one-index-for-all",
        ),
        pytest.param(
            [[_call("13", id="a", name="f"), _call("2", id="b", name="g")]], id="no-index"
        ),
        pytest.param(
            [
                [_call(id="a", name="f")],
                [_call("13")],
                [_call(id="b", name="g")],
                [_call("2", id="b")],
            ],
            id="no-index-in-pieces",
        ),
        pytest.param(
            [
                [_call("1", index=3, id="a", name="f")],
                [_call("3", index=3, id="a", name="f")],
                [_call("2", index=7, id="b", name="g")],
            ],
            id="gaps-and-repeated-ids",
        ),
        pytest.param(
            [
                [_call("1", index=0, id="a")],
                [_call("3", index=0, name="f")],
                [_call("2", index=1, id="b", name="g")],
            ],
            id="name-after-id",
        ),
    ],
)
def test_calls_are_told_apart_whatever_their_index(deltas: list[list[dict[str, Any]]]) -> None:
    """Upstreams repeat, skip or forget it."""
    assert _calls(*deltas) == [("a", "f", "13"), ("b", "g", "2")]


def test_calls_without_ids_get_their_own() -> None:
    """A new name under a known index, or without one, is a new call."""
    for index in ({}, {"index": 0}):
        first, second = _calls(
            [_call("1", **index, id="", name="f")], [_call("2", **index, id=None, name="g")]
        )
        assert first[1:] == ("f", "1")
        assert second[1:] == ("g", "2")
        assert first[0].startswith("call_")
        assert first[0] != second[0]


def test_a_call_that_never_gets_a_name_is_told_at_the_end() -> None:
    """It is not lost."""
    assert _calls([_call("1", index=0, id="a")]) == [("a", "", "1")]


def test_arguments_do_not_wait_for_a_name_forever() -> None:
    """What is held is bounded: past it the call starts without one."""
    events = _events(_delta(tool_calls=[_call("x" * (1 << 17), index=0, id="a")]))
    assert [type(event) for event in events] == [ToolCallStarted, ToolCallDelta]


def test_custom_and_legacy_calls() -> None:
    """Free-text tools, and the old API's single function call."""
    custom = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}
    assert _events(_delta(tool_calls=[custom]))[:2] == [
        ToolCallStarted(index=0, id="a", name="f", kind="custom"),
        ToolCallDelta(index=0, arguments="x"),
    ]
    events = _events(
        _delta(function_call={"name": "f", "arguments": ""}),
        _delta(function_call={"arguments": "{"}),
        _delta(function_call={"arguments": "}"}),
        _chunk({"delta": {}, "finish_reason": "function_call"}),
        DONE,
    )
    assert [type(event) for event in events] == [
        ToolCallStarted,
        ToolCallDelta,
        ToolCallDelta,
        Finished,
        Ended,
    ]


def test_a_finish_reason_on_every_call_ends_the_choice_once() -> None:
    """Together finishes each call; the choice is over after the last."""
    events = _events(
        _chunk({"delta": {"tool_calls": [_call("1", index=0, id="a", name="f")]}, **_CALLED}),
        _chunk({"delta": {"tool_calls": [_call("2", index=1, id="b", name="g")]}, **_CALLED}),
        _chunk({"delta": {"content": ""}, **_CALLED}, usage=USAGE),
        DONE,
    )
    assert [type(event) for event in events[4:]] == [Finished, UsageReported, Ended]


_CALLED = {"finish_reason": "tool_calls"}


def test_reasoning_details_carry_their_proof() -> None:
    """Text piece by piece, the signature closes its part, ciphertext is a part of its own."""
    form = {"format": "anthropic-claude-v1", "index": 0}
    events = _events(
        _delta(reasoning="a", reasoning_details=[{"text": "a", **form}]),
        _delta(reasoning=None, reasoning_details=[{"signature": "s", **form}]),
        _delta(reasoning_details=[{"data": "x", "id": "i", **form, "index": 1}]),
        _delta(reasoning_details=[], thinking_blocks=[]),
    )
    anthropic = "anthropic.messages"
    assert events == [
        ReasoningDelta(text="a", dialect=anthropic),
        ReasoningDelta(signature="s", dialect=anthropic),
        ReasoningDelta(encrypted="x", id="i", part=1, dialect=anthropic),
    ]


def test_mistrals_content_parts() -> None:
    """A delta's content may be an array, with thinking in it."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}
    events = _events(_delta(content=[thinking, {"type": "text", "text": "x"}, {"type": "new"}]))
    assert events == [
        ReasoningDelta(text="h", dialect="openai.chat"),
        TextDelta(text="x", part=1),
        OpaqueAdded(block=OpaquePart(dialect="openai.chat", raw={"type": "new"}), part=2),
    ]


def test_probabilities_citations_and_audio() -> None:
    """Each finds its event, also beside empty text."""
    cited = {"type": "url_citation", "url_citation": {"url": "u"}}
    logprobs = {"content": [{"token": "x"}], "refusal": None}
    events = _events(
        _chunk({"delta": {"content": "", "annotations": [cited]}, "logprobs": logprobs}),
        _delta(audio={"data": "AAAA"}),
    )
    assert events == [
        TextDelta(text="", logprobs=[{"token": "x"}]),
        CitationAdded(citation=Citation(url="u", raw=cited, dialect="openai.chat")),
        OpaqueAdded(
            block=OpaquePart(dialect="openai.chat", raw={"audio": {"data": "AAAA"}}), part=1
        ),
    ]


def test_choices_are_apart() -> None:
    """Each has its own parts, calls and end."""
    events = _events(
        _chunk({"delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}),
        _chunk({"index": 1, "delta": {}, "finish_reason": "length"}),
        _chunk({"delta": {"content": "c"}, "finish_reason": "stop"}),
        DONE,
    )
    assert events == [
        TextDelta(text="a"),
        TextDelta(text="b", choice=1),
        TextDelta(text="c"),
        Finished(reason="stop"),
        Finished(reason="length", choice=1),
        Ended(),
    ]


@pytest.mark.parametrize("beside", [{"x_groq": {"usage": USAGE}}, {"choices": [{"usage": USAGE}]}])
def test_usage_in_odd_places(beside: dict[str, Any]) -> None:
    """Groq and Moonshot have places of their own; the same count is told once."""
    events = _events(_delta(content="x"), _chunk() | beside, _chunk() | beside, DONE)
    assert events[1:] == [_usage(), Finished(reason="stop"), Ended()]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(
            _sse({"error": {"message": "m", "type": "rate_limit_error"}}), 429, None, id="type"
        ),
        pytest.param(_sse({"error": {"message": "m", "code": 503}}), 503, None, id="number"),
        pytest.param(
            b'event: error\ndata: {"error":{"message":"m","code":"tool_use_failed",'
            b'"type":"invalid_request_error"}}\n\n',
            400,
            "tool_use_failed",
            id="event",
        ),
        pytest.param(b"event: error\ndata: m\n\n", 502, None, id="text"),
        pytest.param(_sse({"error": "m"}), 502, None, id="word"),
        pytest.param(
            _sse(_chunk({"error": {"message": "m", "code": 502}, "finish_reason": "error"})),
            502,
            None,
            id="in-choice",
        ),
    ],
)
def test_an_error_in_the_stream_fails_it(data: bytes, status: int, code: str | None) -> None:
    """With the status its type stands for; nothing comes after it."""
    *_, event = _read(_sse(_delta(content="x")) + data + _sse(_delta(content="y"), DONE))
    assert isinstance(event, Failed)
    assert isinstance(event.error, UpstreamStatus)
    error = event.error
    assert (error.status, error.code, error.message, error.in_stream) == (status, code, "m", True)


@pytest.mark.parametrize("data", ["nonsense", "[1]", '{"choices":[{"delta":{"content":7}}]}'])
def test_nonsense_fails_the_stream(data: str) -> None:
    """The reader says so and never raises."""
    *_, event = _read(_sse(_delta(content="x"), data, DONE))
    assert isinstance(event, Failed)
    assert isinstance(event.error, UpstreamProtocolError)


def test_an_endless_event_fails_the_stream() -> None:
    """What is held is bounded."""
    reader = DIALECT.stream_reader()
    piece = b"data: " + b"x" * (1 << 20)
    events = [event for _ in range(17) for event in reader.feed(piece)]
    assert isinstance(events[0], Failed)
    assert len(events) == 1
    assert reader.close() == []


@given(cuts=st.lists(st.integers(0, 600), max_size=12))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    """Network chunks end within characters, lines and line ends."""
    data = _sse(
        _delta(content="héllo 🌍"),
        _delta(tool_calls=[_call('{"a":"ü"}', index=0, id="a", name="f")]),
        _chunk(FINISH, usage=USAGE),
        DONE,
    ).replace(b"\n", b"\r\n")
    ends = sorted(min(cut, len(data)) for cut in cuts)
    pieces = [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
    assert _read(*pieces) == _read(data)


# --------------------------------------------------------------------------- writing


def _chunks(stream: bytes) -> list[dict[str, Any]]:
    """The chunks in *stream*, checked against the official types."""
    chunks = [loads(event.data) for event in SSEDecoder().feed(stream) if event.data != DONE]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return chunks


def _deltas(events: Sequence[StreamEvent], request: ChatRequest = REQUEST) -> list[dict[str, Any]]:
    """The deltas written for *events*, after the one that opens the choice."""
    stream = DIALECT.stream_writer(request).write(events)
    opening, *deltas = [choice["delta"] for c in _chunks(stream) for choice in c["choices"]]
    assert opening == {"role": "assistant", "content": ""}
    return deltas


def test_a_stream_as_the_reference_writes_it() -> None:
    """One head for all chunks, role first, end mark last, usage only where asked for."""
    events: list[StreamEvent] = [
        Started(id="c", model="m", created=1, service_tier="default"),
        TextDelta(text="x"),
        UsageReported(usage=Usage(input_tokens=1, output_tokens=2)),
        Finished(reason="stop"),
    ]
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    head |= {"service_tier": "default"}
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": None}
    writer = DIALECT.stream_writer(REQUEST)
    stream = b"".join(writer.write([event]) for event in events) + writer.finish()
    expected = [
        head | {"choices": [choice | {"delta": {"role": "assistant", "content": ""}}]},
        head | {"choices": [choice | {"delta": {"content": "x"}}]},
        head | {"choices": [choice | {"delta": {}, "finish_reason": "stop"}]},
    ]
    assert _chunks(stream) == expected
    assert stream.endswith(b"data: [DONE]\n\n")

    writer = DIALECT.stream_writer(ChatRequest(model="m", messages=[], include_usage=True))
    chunks = _chunks(writer.write(events) + writer.finish())
    usage = chunks.pop()
    assert chunks == [chunk | {"usage": None} for chunk in expected]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 3


def test_a_head_is_made_where_the_upstream_gave_none() -> None:
    """An id, a time and the model asked for; a late start does not change them."""
    writer = DIALECT.stream_writer(REQUEST)
    stream = writer.write([TextDelta(text="x"), Started(id="late")]) + writer.finish()
    heads = {(chunk["id"], chunk["model"], chunk["created"]) for chunk in _chunks(stream)}
    ((id_, model, created),) = heads
    assert id_.startswith("chatcmpl-")
    assert model == "asked"
    assert created > 0


def test_calls_name_themselves_once() -> None:
    """Id, type and name first, then arguments alone; several may be open."""
    assert _deltas(
        [
            ToolCallStarted(index=0, id="a", name="f", extras={"extra_content": {}, "x": 1}),
            ToolCallDelta(index=0, arguments="{"),
            ToolCallStarted(index=1, id="b", name="g", part=1),
            ToolCallDelta(index=1, arguments="[]", part=1),
            ToolCallDelta(index=0, arguments="}"),
        ]
    ) == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                    "extra_content": {},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "b",
                    "type": "function",
                    "function": {"name": "g", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "[]"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    ]


def test_custom_calls_stream_their_input() -> None:
    """In the object of their kind (which the official chunk types do not know yet)."""
    writer = DIALECT.stream_writer(REQUEST)
    stream = writer.write(
        [
            ToolCallStarted(index=0, id="a", name="f", kind="custom"),
            ToolCallDelta(index=0, arguments="x"),
        ]
    )
    _, first, second = (loads(event.data) for event in SSEDecoder().feed(stream))
    assert first["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": ""}}
    ]
    assert second["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "custom": {"input": "x"}}]


def test_a_declared_custom_tools_call_streams_its_text() -> None:
    """Of an upstream that sends it inside JSON; what is no such JSON comes at the end."""
    writer = DIALECT.stream_writer(
        ChatRequest(model="m", messages=[], tools=[Tool(name="p", kind="custom")])
    )
    stream = writer.write(
        [
            ToolCallStarted(index=0, id="a", name="p"),
            ToolCallStarted(index=1, id="b", name="p"),
            ToolCallDelta(index=0, arguments='{"input":"*** Be'),
            ToolCallDelta(index=1, arguments="bare"),
            ToolCallDelta(index=0, arguments='gin"'),
            ToolCallDelta(index=0, arguments="}"),
            Finished(reason="tool_calls"),
        ]
    )
    choices = [loads(event.data)["choices"][0] for event in SSEDecoder().feed(stream)]
    calls = [call for c in choices for call in c["delta"].get("tool_calls", ())]
    assert calls[0] == {
        "index": 0,
        "id": "a",
        "type": "custom",
        "custom": {"name": "p", "input": ""},
    }
    assert calls[2:] == [
        {"index": 0, "custom": {"input": "*** Be"}},
        {"index": 0, "custom": {"input": "gin"}},
        {"index": 1, "custom": {"input": "bare"}},
    ]
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_a_client_of_functions_streams_one_function_call() -> None:
    """It does not know tool calls, nor a second one."""
    body = {"model": "m", "messages": [], "functions": [{"name": "f"}]}
    writer = DIALECT.stream_writer(DIALECT.read_request(body))
    stream = writer.write(
        [
            ToolCallStarted(index=0, id="a", name="f"),
            ToolCallDelta(index=0, arguments="{}"),
            ToolCallStarted(index=1, id="b", name="f", part=1),
            ToolCallDelta(index=1, arguments="{}", part=1),
            Finished(reason="tool_calls"),
        ]
    )
    choices = [chunk["choices"][0] for chunk in _chunks(stream)]
    assert [choice["delta"] for choice in choices[1:]] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert choices[-1]["finish_reason"] == "function_call"


def test_text_refusal_probabilities_citations_and_audio_have_their_fields() -> None:
    """Citations point into the text so far; blocks of other APIs are left out."""
    audio = OpaquePart(dialect="openai.chat", raw={"audio": {"data": "AAAA"}})
    foreign = OpaquePart(dialect="anthropic.messages", raw={"type": "server_tool_use"})
    assert _deltas(
        [
            OpaqueAdded(block=foreign),
            TextDelta(text="abc"),
            TextDelta(text="de", part=1),
            CitationAdded(citation=Citation(url="u", title="t"), part=1),
            CitationAdded(citation=Citation(title="no url"), part=1),
            TextDelta(text="no", channel="refusal", part=2),
            OpaqueAdded(block=audio, part=3),
        ]
    ) == [
        {"content": "abc"},
        {"content": "de"},
        {
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "u", "title": "t", "start_index": 3, "end_index": 5},
                }
            ]
        },
        {"refusal": "no"},
        {"audio": {"data": "AAAA"}},
    ]
    token: dict[str, Any] = {"token": "x", "bytes": None, "logprob": 0.0, "top_logprobs": []}
    stream = DIALECT.stream_writer(REQUEST).write([TextDelta(text="x", logprobs=[token])])
    choice = _chunks(stream)[1]["choices"][0]
    assert choice["logprobs"] == {"content": [token], "refusal": None}


@pytest.mark.parametrize("merged", [True, False], ids=["merged-by-index", "one-by-one"])
def test_streamed_proof_of_reasoning_survives_a_chat_client(merged: bool) -> None:
    """However a client collects the pieces, sent back they are the parts the model made."""
    deltas = _deltas(
        [
            ReasoningDelta(text="a", dialect="anthropic.messages"),
            ReasoningDelta(text="b", dialect="anthropic.messages"),
            ReasoningDelta(signature="s", dialect="anthropic.messages"),
            ReasoningDelta(text="c", part=1, summary=True, id="rs", dialect="openai.responses"),
            ReasoningDelta(encrypted="x", part=1, id="rs", dialect="openai.responses"),
            ReasoningDelta(encrypted="y", part=2, dialect="anthropic.messages"),
            TextDelta(text="t", part=3),
        ]
    )
    message: dict[str, Any] = {"role": "assistant", "content": "t"}
    message["reasoning_content"] = "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert message["reasoning_content"] == "ab\n\nc"
    entries = [entry for delta in deltas for entry in delta.get("reasoning_details", ())]
    if merged:
        kept: dict[tuple[str, int], dict[str, Any]] = {}
        for entry in entries:
            known = kept.setdefault((entry["type"], entry["index"]), {})
            text = known.get("text", "") + entry.get("text", "")
            known |= entry | ({"text": text} if text else {})
        entries = list(kept.values())
    message["reasoning_details"] = entries
    turn = DIALECT.read_request({"model": "m", "messages": [message]}).messages[0]
    assert turn.parts[:-1] == [
        ReasoningPart(text="ab", signature="s", dialect="anthropic.messages"),
        ReasoningPart(text="c", summary=True, encrypted="x", id="rs", dialect="openai.responses"),
        ReasoningPart(encrypted="y", dialect="anthropic.messages"),
    ]


def test_unproven_reasoning_is_plain_text() -> None:
    """There is nothing to send back."""
    assert _deltas([ReasoningDelta(text="h", dialect="openai.chat"), ReasoningDelta()]) == [
        {"reasoning_content": "h"}
    ]


def test_choices_open_and_close_by_themselves() -> None:
    """A choice that nobody finished ends with "stop", or with its calls; others end once."""
    writer = DIALECT.stream_writer(REQUEST)
    stream = writer.write(
        [
            TextDelta(text="a"),
            TextDelta(text="b", choice=1),
            Finished(reason="length", choice=1),
            Finished(reason="stop", choice=1),
            ToolCallStarted(index=0, id="a", name="f", choice=2),
        ]
    )
    ends = [
        (choice["index"], choice["finish_reason"])
        for chunk in _chunks(stream + writer.finish())
        for choice in chunk["choices"]
        if choice["finish_reason"]
    ]
    assert ends == [(1, "length"), (0, "stop"), (2, "tool_calls")]


def test_an_empty_stream_is_well_formed() -> None:
    """A role, an end and the end mark."""
    stream = DIALECT.stream_writer(REQUEST).finish()
    assert [chunk["choices"][0]["finish_reason"] for chunk in _chunks(stream)] == [None, "stop"]
    assert stream.endswith(b"data: [DONE]\n\n")


def test_an_error_event_can_stand_alone() -> None:
    """For a relayed stream that broke off, nothing of which was rebuilt."""
    error = UpstreamReset("broken off")
    alone = DIALECT.write_stream_error(error, "req_1")
    assert alone == DIALECT.stream_writer(REQUEST).fail(error)


def test_a_failure_is_an_error_event_and_never_a_clean_end() -> None:
    """The official client raises on it; half an answer does not pass for a whole one."""
    writer = DIALECT.stream_writer(REQUEST)
    writer.write([TextDelta(text="x")])
    data = writer.fail(UpstreamReset("broken off"))
    assert data == (
        b'data: {"error":{"message":"broken off","type":"server_error","param":null,'
        b'"code":"upstream_reset"}}\n\n'
    )
