"""Chat requests: what is read, what is refused, and what another dialect's request becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.conversation import (
    ChatRequest,
    Citation,
    MediaPart,
    Message,
    OpaquePart,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.openai_chat import OpenAIChat

DIALECT = OpenAIChat()
ANTHROPIC = "anthropic.messages"
RESPONSES = "openai.responses"


def _body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}


def _messages(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages)}


def _written(body: dict[str, Any]) -> dict[str, Any]:
    return DIALECT.write_request(DIALECT.read_request(body), WriteOptions())


# --------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param({"model": "m"}, "messages", id="no-messages"),
        pytest.param(_body(model=1), "model", id="model"),
        pytest.param(_body(messages="hi"), "messages", id="messages"),
        pytest.param(_body(messages=["hi"]), "messages.0", id="message"),
        pytest.param(_messages({"content": "hi"}), "messages.0.role", id="no-role"),
        pytest.param(_messages({"role": "god"}), "messages.0.role", id="unknown-role"),
        pytest.param(_messages({"role": "user", "content": 1}), "messages.0.content", id="content"),
        pytest.param(
            _messages({"role": "user", "content": ["hi"]}), "messages.0.content.0", id="part"
        ),
        pytest.param(
            _messages({"role": "user", "content": [{"text": "hi"}]}),
            "messages.0.content.0.type",
            id="part-type",
        ),
        pytest.param(
            _messages({"role": "user", "content": [{"type": "image_url"}]}),
            "messages.0.content.0.image_url",
            id="no-image",
        ),
        pytest.param(
            _messages({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}),
            "messages.0.content.0.image_url.url",
            id="no-image-url",
        ),
        pytest.param(_messages({"role": "tool"}), "messages.0.tool_call_id", id="no-call-id"),
        pytest.param(
            _messages({"role": "assistant", "tool_calls": [{"id": "c"}]}),
            "messages.0.tool_calls.0.function",
            id="no-function",
        ),
        pytest.param(
            _messages({"role": "assistant", "reasoning_content": 1}),
            "messages.0.reasoning_content",
            id="reasoning",
        ),
        pytest.param(_body(temperature="hot"), "temperature", id="temperature"),
        pytest.param(_body(n=True), "n", id="boolean-is-no-integer"),
        pytest.param(_body(stop=[1]), "stop.0", id="stop"),
        pytest.param(_body(tools=[{"type": "function"}]), "tools.0.function", id="tool"),
        pytest.param(
            _body(tools=[{"type": "function", "function": {"name": "f", "parameters": 1}}]),
            "tools.0.function.parameters",
            id="parameters",
        ),
        pytest.param(_body(tool_choice="sometimes"), "tool_choice", id="tool-choice"),
        pytest.param(_body(response_format={}), "response_format.type", id="format"),
        pytest.param(
            _body(stream_options={"include_usage": "yes"}),
            "stream_options.include_usage",
            id="include-usage",
        ),
    ],
)
def test_a_wrong_type_is_named_by_its_path(body: dict[str, Any], param: str) -> None:
    """A client reads which field is wrong."""
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request(body)
    assert caught.value.param == param
    assert param in str(caught.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "role", "content", "function", "name", "id", "image_url", "custom"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    messages=st.lists(
        st.dictionaries(
            st.sampled_from(["content", "tool_calls", "reasoning_details", "audio", "name"]), JSON
        ),
        max_size=3,
    ),
    role=st.sampled_from(["user", "assistant", "tool", "function", "system"]),
    fields=st.dictionaries(
        st.sampled_from(["tools", "tool_choice", "reasoning", "response_format", "stop", "seed"]),
        JSON,
        max_size=3,
    ),
)
def test_nonsense_is_a_request_error_or_survives(
    messages: list[dict[str, Any]], role: str, fields: dict[str, Any]
) -> None:
    """Whatever a client sends is either refused by name or written back without failing."""
    body = {"model": "m", "messages": [{"role": role, **m} for m in messages], **fields}
    try:
        request = DIALECT.read_request(body)
    except RequestError:
        return
    again = DIALECT.write_request(request, WriteOptions())
    assert DIALECT.write_request(DIALECT.read_request(again), WriteOptions()) == again


@pytest.mark.parametrize(
    ("part", "read"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            MediaPart(modality="image", mime_type="image/png", data="AAAA"),
            id="image-data",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            MediaPart(modality="image", url="https://x/y.png", detail="low"),
            id="image-url",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "u", "max_px": 9}, "uuid": "7"},
            MediaPart(modality="image", url="u", extras={"uuid": "7", "image_url": {"max_px": 9}}),
            id="unknown-fields",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
            MediaPart(modality="image", url="data:image/svg+xml,<svg/>"),
            id="data-url-without-base64",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            MediaPart(modality="audio", mime_type="audio/mpeg", data="AAAA"),
            id="audio",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "https://x/y.wav", "format": "wav"}},
            MediaPart(modality="audio", mime_type="audio/wav", url="https://x/y.wav"),
            id="audio-url",
        ),
        pytest.param(
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            },
            MediaPart(modality="document", mime_type="application/pdf", data="AAAA", name="a.pdf"),
            id="file",
        ),
        pytest.param(
            {"type": "file", "file": {"file_id": "file-1"}},
            MediaPart(modality="document", file_id="file-1"),
            id="file-id",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "https://x/a.pdf"}},
            MediaPart(modality="document", url="https://x/a.pdf"),
            id="file-url",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "AAAA"}},
            MediaPart(modality="document", data="AAAA"),
            id="bare-base64",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "https://x/v.mp4"}},
            MediaPart(modality="video", url="https://x/v.mp4"),
            id="video",
        ),
        pytest.param(
            {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
            TextPart(text="t", extras={"cache_control": {"type": "ephemeral"}}),
            id="text-with-extras",
        ),
        pytest.param(
            {"type": "file_url", "file_url": {"url": "x"}},
            OpaquePart(dialect="openai.chat", raw={"type": "file_url", "file_url": {"url": "x"}}),
            id="unknown-type",
        ),
        pytest.param(
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            ReasoningPart(
                text="hm",
                dialect="openai.chat",
                raw={"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            ),
            id="thinking",
        ),
    ],
)
def test_a_content_part_is_read_and_written_back(part: dict[str, Any], read: Part) -> None:
    """Each kind of part has its neutral form, and nothing of it is lost on the way back."""
    role = "assistant" if part["type"] == "thinking" else "user"
    body = _messages({"role": role, "content": [part]})
    assert DIALECT.read_request(body).messages[0].parts == [read]
    assert _written(body) == body


def test_an_assistant_turn_is_read_in_full() -> None:
    """Reasoning, text, refusal, audio and calls of both kinds, in this order."""
    turn = {
        "role": "assistant",
        "content": "text",
        "reasoning_content": "hm",
        "refusal": "no",
        "audio": {"id": "a1"},
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "s"}},
            },
            {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
        ],
        "name": "bot",
        "prefix": True,
    }
    body = _messages(turn, {"role": "tool", "tool_call_id": "c1", "content": "ok", "name": "f"})
    message = DIALECT.read_request(body).messages[0]
    assert message.parts == [
        ReasoningPart(text="hm", dialect="openai.chat"),
        TextPart(text="text"),
        RefusalPart(text="no"),
        OpaquePart(dialect="openai.chat", raw={"audio": {"id": "a1"}}),
        ToolCallPart(
            id="c1",
            name="f",
            arguments="{}",
            extras={"extra_content": {"google": {"thought_signature": "s"}}},
        ),
        ToolCallPart(id="c2", name="g", arguments="x", kind="custom"),
    ]
    assert message.name == "bot"
    assert _written(body) == body


def test_legacy_functions_become_tools() -> None:
    """The old API's fields, also in the history, are those of today."""
    body = _body(
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        messages=[
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"role": "function", "name": "f", "content": "42"},
        ],
    )
    written = _written(body)
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert written["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ]
    assert written["tools"] == [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    ]
    assert written["tool_choice"] == {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        pytest.param("auto", ToolChoice(mode="auto"), id="auto"),
        pytest.param("required", ToolChoice(mode="required"), id="required"),
        pytest.param(
            {"type": "function", "function": {"name": "f"}},
            ToolChoice(mode="named", name="f"),
            id="function",
        ),
        pytest.param(
            {"type": "custom", "custom": {"name": "g"}},
            ToolChoice(mode="named", name="g"),
            id="custom",
        ),
        pytest.param(
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "g"}},
                    ],
                },
            },
            ToolChoice(mode="required", allowed=["f", "g"]),
            id="allowed",
        ),
        pytest.param(
            {"type": "web"},
            ToolChoice(mode="opaque", raw={"type": "web"}, dialect="openai.chat"),
            id="opaque",
        ),
    ],
)
def test_a_tool_choice_goes_both_ways(choice: Any, read: ToolChoice) -> None:
    """Every form of ``tool_choice``, custom tools told from functions by the tools given."""
    tools = [
        {"type": "function", "function": {"name": "f", "defer": 1}, "cache_control": {"type": "e"}},
        {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
        {"type": "openrouter:web_search", "parameters": {"max_uses": 1}},
    ]
    body = _body(tools=tools, tool_choice=choice)
    assert DIALECT.read_request(body).tool_choice == read
    assert _written(body) == body


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"reasoning_effort": "high"}, id="effort"),
        pytest.param({"reasoning": {"effort": "low", "exclude": True}}, id="object"),
        pytest.param({"reasoning": {"max_tokens": 2000}}, id="budget"),
        pytest.param({"reasoning": {"enabled": False}}, id="off"),
        pytest.param({"thinking": {"type": "enabled", "clear_thinking": False}}, id="thinking"),
        pytest.param(
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}}, id="contradiction"
        ),
    ],
)
def test_a_wish_to_reason_is_written_as_it_came(given: dict[str, Any]) -> None:
    """Each spelling is understood, and goes back to an upstream that may know only that one."""
    request = DIALECT.read_request(_body(**given))
    assert request.reasoning is not None
    assert _written(_body(**given)) == _body(**given)


def test_a_changed_wish_to_reason_is_spelled_anew() -> None:
    """What a filter says counts, not what the client had said."""
    request = DIALECT.read_request(_body(reasoning={"effort": "high"}))
    assert request.reasoning is not None
    request.reasoning.effort = "low"
    written = DIALECT.write_request(request, WriteOptions())
    assert written == _body(reasoning_effort="low")


def test_a_format_of_another_vendor_stays_verbatim() -> None:
    """A grammar or a regular expression is the upstream's matter."""
    body = _body(response_format={"type": "regex", "regex": "a+"})
    assert DIALECT.read_request(body).output_format is None
    assert _written(body) == body


DETAILS = [
    {"type": "reasoning.text", "text": "a", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": "b", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 1},
    {"type": "reasoning.summary", "summary": "c", "format": "openai-responses-v1", "index": 2},
    {
        "type": "reasoning.encrypted",
        "data": "y",
        "id": "rs_1",
        "format": "openai-responses-v1",
        "index": 2,
    },
    {"type": "reasoning.text", "text": "d", "format": "unknown"},
]


def test_reasoning_details_become_parts_with_their_proof() -> None:
    """Pieces of one index are one part; the format says whose proof it is."""
    turn = {"role": "assistant", "content": "t", "reasoning": "abcd", "reasoning_details": DETAILS}
    assert DIALECT.read_request(_messages(turn)).messages[0].parts[:-1] == [
        ReasoningPart(text="ab", signature="s", dialect=ANTHROPIC),
        ReasoningPart(encrypted="x", dialect=ANTHROPIC),
        ReasoningPart(text="c", summary=True, encrypted="y", id="rs_1", dialect=RESPONSES),
        ReasoningPart(text="d", dialect="openai.chat"),
    ]
    assert _written(_messages(turn)) == _messages(turn)


def test_thinking_blocks_are_anthropic_reasoning() -> None:
    """LiteLLM's clients replay Anthropic's blocks as they are."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
    ]
    turn: dict[str, Any] = {"role": "assistant", "content": "t", "reasoning_content": "hm"}
    turn["thinking_blocks"] = blocks
    assert DIALECT.read_request(_messages(turn)).messages[0].parts[:-1] == [
        ReasoningPart(text="hm", signature="s", dialect=ANTHROPIC),
        ReasoningPart(encrypted="x", dialect=ANTHROPIC),
    ]
    assert _written(_messages(turn)) == _messages(turn)


@pytest.mark.parametrize("thinking", ["hm", [{"type": "text", "text": "hm"}]])
def test_a_thinking_part_that_a_filter_changed_is_written_anew(thinking: Any) -> None:
    """Both spellings are read; the masked text goes out."""
    part = {"type": "thinking", "thinking": thinking}
    request = DIALECT.read_request(_messages({"role": "assistant", "content": [part]}))
    read = request.messages[0].parts[0]
    assert isinstance(read, ReasoningPart)
    assert read.text == "hm"
    read.text = "***"
    written = DIALECT.write_request(request, WriteOptions())["messages"][0]["content"]
    assert written == [{"type": "thinking", "thinking": [{"type": "text", "text": "***"}]}]


def test_reasoning_that_a_filter_changed_is_written_anew() -> None:
    """The masked text goes out, not the one the client had sent beside it."""
    turn = {"role": "assistant", "content": "t", "reasoning": "my secret"}
    request = DIALECT.read_request(_messages(turn))
    part = request.messages[0].parts[0]
    assert isinstance(part, ReasoningPart)
    part.text = "my ***"
    written = DIALECT.write_request(request, WriteOptions())["messages"][0]
    assert written == {"role": "assistant", "content": "t", "reasoning_content": "my ***"}


@pytest.mark.parametrize(
    ("turn", "cleaned"),
    [
        pytest.param(
            {"role": "assistant", "reasoning_content": "t", "reasoning_details": DETAILS},
            {
                "role": "assistant",
                "reasoning_content": "t",
                "reasoning_details": [DETAILS[0], DETAILS[1], DETAILS[4], DETAILS[6]],
            },
            id="details",
        ),
        pytest.param(
            {"role": "assistant", "content": "t", "thinking_blocks": [{"signature": "s"}]},
            {"role": "assistant", "content": "t"},
            id="blocks",
        ),
        pytest.param(
            {"role": "assistant", "tool_calls": [{"id": "c", "extra_content": {"google": {}}}]},
            {"role": "assistant", "tool_calls": [{"id": "c"}]},
            id="google",
        ),
    ],
)
def test_without_reasoning_removes_proof_only(
    turn: dict[str, Any], cleaned: dict[str, Any]
) -> None:
    """Another model family gets no signature it cannot check; the body given stays as it is."""
    body = _messages({"role": "user", "content": "hi"}, turn)
    before = repr(body)
    result = DIALECT.without_reasoning(body)
    assert result["messages"][1] == cleaned
    assert repr(body) == before


def test_without_reasoning_returns_an_innocent_body_itself() -> None:
    """Nothing to remove, nothing to copy."""
    body = _messages({"role": "assistant", "content": "t", "reasoning_content": "hm"})
    assert DIALECT.without_reasoning(body) is body
    assert DIALECT.without_reasoning({"model": "m"}) == {"model": "m"}
    odd = {"messages": ["hi", {"role": "assistant", "reasoning_details": ["x"], "tool_calls": [1]}]}
    assert DIALECT.without_reasoning(odd) is odd


# --------------------------------------------------------------------------- other dialects


def _foreign(*messages: Message, dialect: str = ANTHROPIC, **fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=list(messages), dialect=dialect, **fields)


def _write(request: ChatRequest) -> dict[str, Any]:
    return DIALECT.write_request(request, WriteOptions())


def _user(*parts: Part) -> Message:
    return Message(role="user", parts=list(parts))


def _assistant(*parts: Part) -> Message:
    return Message(role="assistant", parts=list(parts))


def _tool(*parts: Part) -> Message:
    return Message(role="tool", parts=list(parts))


IMAGE = MediaPart(modality="image", mime_type="image/png", data="AAAA")


def test_a_foreign_conversation_becomes_plain_chat() -> None:
    """Texts are strings, reasoning and cache hints go, media follow their tool messages."""
    request = _foreign(
        Message(role="system", parts=[TextPart(text="a"), TextPart(text="b")]),
        _user(TextPart(text="look", extras={"cache_control": {"type": "ephemeral"}}), IMAGE),
        _assistant(
            ReasoningPart(text="hm", signature="s", dialect=ANTHROPIC),
            TextPart(text="I ", citations=[Citation(url="u", dialect=ANTHROPIC)]),
            TextPart(text="call"),
            ToolCallPart(id="c1", name="f", arguments="{}", extras={"caller": {}}),
            ToolCallPart(id="c2", name="g", arguments="{}"),
        ),
        _tool(ToolResultPart(call_id="c1", content=[TextPart(text="42"), IMAGE])),
        _tool(ToolResultPart(call_id="c2", content=[TextPart(text="boom")], is_error=True)),
        _user(TextPart(text="and?")),
    )
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert _write(request)["messages"] == [
        {"role": "system", "content": "a\nb"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, url]},
        {
            "role": "assistant",
            "content": "I call",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: boom"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "[Answer of tool call c1]"}, url],
        },
        {"role": "user", "content": "and?"},
    ]


def test_a_chat_model_gets_its_thoughts_back() -> None:
    """Several of a turn as one text, its proof with it; another family's stay away."""
    request = _foreign(
        _assistant(
            ReasoningPart(text="a", dialect="openai.chat"),
            ReasoningPart(text="theirs", signature="s", dialect=ANTHROPIC),
            ReasoningPart(text="b", dialect="openai.chat"),
            ToolCallPart(id="c", name="f", arguments="{}"),
        ),
        _tool(ToolResultPart(call_id="c", content=[TextPart(text="r")])),
        _assistant(ReasoningPart(text="p", encrypted="e", dialect="openai.chat")),
    )
    first, _, last = _write(request)["messages"]
    assert first["reasoning_content"] == "a\n\nb"
    assert "reasoning_details" not in first
    assert last["reasoning_content"] == "p"
    assert last["reasoning_details"][-1]["data"] == "e"


@pytest.mark.parametrize(
    ("dialect", "user", "sent"),
    [
        (ANTHROPIC, "u" * 64, True),
        (ANTHROPIC, "u" * 65, False),
        (RESPONSES, "u" * 65, True),
    ],
)
def test_another_vendors_long_user_id_is_left_out(dialect: str, user: str, sent: bool) -> None:
    """It is refused, and a document about the user rather than an id."""
    assert ("user" in _write(_foreign(dialect=dialect, user=user))) is sent


def _search(**fields: Any) -> Tool:
    raw = {"type": "web_search_20250305", "name": "web_search", **fields}
    return Tool(kind="opaque", name="web_search", raw=raw, dialect=ANTHROPIC)


def test_anthropics_web_search_is_an_option() -> None:
    """With the user's place; chat has no choice of it, and none among no tools."""
    place = {"city": "Oslo", "country": "NO"}
    request = _foreign(
        tools=[_search(max_uses=8, user_location={"type": "approximate", **place})],
        tool_choice=ToolChoice(mode="named", name="web_search"),
        parallel_tool_calls=False,
    )
    written = _write(request)
    where = {"type": "approximate", "approximate": place}
    assert written["web_search_options"] == {"user_location": where}
    assert not written.keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    request.tools = [_search(), Tool(name="f")]
    assert _write(request)["web_search_options"] == {}
    assert "tool_choice" not in _write(request)
    request.tool_choice = ToolChoice(mode="required", allowed=["f", "web_search"])
    allowed = _write(request)["tool_choice"]["allowed_tools"]["tools"]
    assert [tool["function"]["name"] for tool in allowed] == ["f"]


@pytest.mark.parametrize("field", ["allowed_domains", "blocked_domains"])
def test_a_web_search_of_some_domains_is_refused(field: str) -> None:
    """Chat would search all of them."""
    request = _foreign(tools=[_search(**{field: ["x.example"]})])
    with pytest.raises(UnsupportedField) as caught:
        _write(request)
    assert caught.value.param == f"tools.0.{field}"
    lenient = DIALECT.write_request(request, WriteOptions(on_unsupported="drop"))
    assert lenient["web_search_options"] == {}


def test_a_tool_search_of_the_clients_is_refused_truly() -> None:
    """It runs at no server; only its own API can be given what it finds."""
    raw = {"type": "tool_search", "execution": "client"}
    tool = Tool(kind="opaque", name="tool_search", raw=raw, dialect=RESPONSES)
    with pytest.raises(UnsupportedField, match=r"only openai\.responses knows"):
        _write(_foreign(dialect=RESPONSES, tools=[tool]))
    raw["execution"] = "server"
    assert "tools" not in _write(_foreign(dialect=RESPONSES, tools=[tool]))


@pytest.mark.parametrize(
    ("content", "is_error", "text"),
    [
        pytest.param([], False, "", id="nothing"),
        pytest.param([], True, "Error: ", id="only-the-flag"),
        pytest.param([TextPart(text="ERROR 5")], True, "ERROR 5", id="says-so-itself"),
        pytest.param(
            [IMAGE], False, "[The tool's answer is in the next user message.]", id="media-alone"
        ),
    ],
)
def test_a_tool_message_always_says_something_true(
    content: list[Part], is_error: bool, text: str
) -> None:
    """The flag of a failure and the whereabouts of media are words in it."""
    result = ToolResultPart(call_id="c", content=content, is_error=is_error)
    assert _write(_foreign(_tool(result)))["messages"][0]["content"] == text


def test_neighbouring_assistant_turns_with_calls_become_one() -> None:
    """Chat demands that the answers follow one message that holds all calls."""
    request = _foreign(
        _assistant(TextPart(text="a")),
        _assistant(TextPart(text="b"), ToolCallPart(id="c1", name="f")),
        _assistant(ToolCallPart(id="c2", name="f")),
        _tool(ToolResultPart(call_id="c1"), ToolResultPart(call_id="c2")),
        _assistant(TextPart(text="x")),
        _assistant(TextPart(text="y")),
        dialect=RESPONSES,
    )
    first, *others = _write(request)["messages"]
    assert first["content"] == "a\n\nb"
    assert [call["id"] for call in first["tool_calls"]] == ["c1", "c2"]
    assert [m["role"] for m in others] == ["tool", "tool", "assistant", "assistant"]


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        pytest.param(Reasoning(effort="minimal"), "minimal", id="effort"),
        pytest.param(Reasoning(effort="max"), "xhigh", id="max"),
        pytest.param(Reasoning(budget_tokens=0), "none", id="no-budget"),
        pytest.param(Reasoning(budget_tokens=1024, enabled=True), "low", id="small"),
        pytest.param(Reasoning(budget_tokens=4096), "medium", id="middle"),
        pytest.param(Reasoning(budget_tokens=16384), "high", id="large"),
        pytest.param(Reasoning(enabled=False), "none", id="off"),
        pytest.param(Reasoning(enabled=True), "medium", id="on"),
        pytest.param(Reasoning(adaptive=True, enabled=True), None, id="adaptive"),
        pytest.param(Reasoning(summary="auto", encrypted=True), None, id="only-how-to-show"),
    ],
)
def test_a_foreign_wish_to_reason_becomes_an_effort(
    reasoning: Reasoning, effort: str | None
) -> None:
    """Budgets have a table, switches a word."""
    assert _write(_foreign(reasoning=reasoning)).get("reasoning_effort") == effort


def test_what_other_dialects_share_with_chat_is_carried() -> None:
    """Sampling, format, tools and choice have the same meaning; labels and top_k are left out."""
    request = _foreign(
        dialect=RESPONSES,
        max_output_tokens=5,
        temperature=0.5,
        top_k=3,
        stop=["x"],
        metadata={"k": "v"},
        service_tier="flex",
        user="u",
        stream=True,
        output_format=OutputFormat(kind="json_schema", schema={"type": "object"}, strict=True),
        tools=[
            Tool(name="f", parameters={"type": "object"}, extras={"cache_control": {}}),
            Tool(
                kind="custom",
                name="g",
                description="d",
                dialect=RESPONSES,
                raw={"format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            ),
            Tool(
                kind="opaque",
                name="namespace",
                dialect=RESPONSES,
                raw={"type": "namespace", "tools": [{"type": "function", "name": "h"}]},
            ),
        ],
        tool_choice=ToolChoice(mode="named", name="g"),
        extras={
            "store": True,
            "include": ["reasoning.encrypted_content"],
            "text": {"verbosity": "low"},
            "prompt_cache_key": "k",
            "background": False,
            "previous_response_id": None,
        },
    )
    assert _write(request) == {
        "model": "m",
        "messages": [],
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "stop": ["x"],
        "service_tier": "flex",
        "user": "u",
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
            {
                "type": "custom",
                "custom": {
                    "name": "g",
                    "description": "d",
                    "format": {
                        "type": "grammar",
                        "grammar": {"syntax": "lark", "definition": "x"},
                    },
                },
            },
            {"type": "function", "function": {"name": "h"}},
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "g"}},
        "verbosity": "low",
        "prompt_cache_key": "k",
    }


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        pytest.param(
            _foreign(dialect=RESPONSES, extras={"previous_response_id": "resp_1"}),
            "previous_response_id",
            id="state",
        ),
        pytest.param(
            _foreign(dialect=RESPONSES, extras={"background": True}), "background", id="background"
        ),
        pytest.param(_foreign(extras={"container": "c"}), "container", id="container"),
        pytest.param(_foreign(extras={"mcp_servers": [{}]}), "mcp_servers", id="mcp"),
        pytest.param(_foreign(dialect="new.api", extras={"x": 1}), "x", id="unknown-dialect"),
        pytest.param(
            _foreign(tools=[Tool(kind="opaque", name="web_search", dialect=ANTHROPIC)]),
            "tools.0",
            id="server-tool",
        ),
        pytest.param(
            _foreign(tool_choice=ToolChoice(mode="opaque", dialect=RESPONSES)),
            "tool_choice",
            id="choice",
        ),
        pytest.param(
            _foreign(_user(OpaquePart(dialect=ANTHROPIC, raw={"type": "container_upload"}))),
            "messages.0.content.0",
            id="block",
        ),
        pytest.param(
            _foreign(_user(MediaPart(modality="document", url="https://x/a.pdf"))),
            "messages.0.content.0",
            id="document-url",
        ),
        pytest.param(
            _foreign(_user(MediaPart(modality="image", file_id="file_1"))),
            "messages.0.content.0",
            id="foreign-file",
        ),
        pytest.param(_foreign(_assistant(IMAGE)), "messages.0.content.0", id="assistant-image"),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name(request_: ChatRequest, field: str) -> None:
    """Loud by default; left out where the caller chose so."""
    with pytest.raises(UnsupportedField) as caught:
        _write(request_)
    assert caught.value.param == field
    written = DIALECT.write_request(request_, WriteOptions(on_unsupported="drop"))
    assert written["model"] == "m"


def test_documents_become_files_or_text() -> None:
    """Inline text is text, data is a file with a name; a file of the same vendor keeps its id."""
    request = _foreign(
        _user(
            MediaPart(modality="document", text="body", name="Title"),
            MediaPart(modality="document", data="AAAA", mime_type="application/pdf"),
            MediaPart(modality="document", file_id="file-1"),
            MediaPart(modality="audio", data="AAAA", mime_type="audio/x-wav"),
        ),
        dialect=RESPONSES,
    )
    assert _write(request)["messages"][0]["content"] == [
        {"type": "text", "text": "Title\n\nbody"},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "document"},
        },
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]


@pytest.mark.parametrize(
    ("tool", "kept"),
    [
        ({"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}, True),
        ({"type": "tool_search"}, True),
        ({"type": "tool_search", "execution": "client"}, False),
    ],
)
def test_a_search_over_tools_is_needless(tool: dict[str, Any], kept: bool) -> None:
    """All tools are sent anyway, unless it is the client that finds them."""
    request = _foreign(
        dialect=RESPONSES,
        tools=[Tool(kind="opaque", name="t", raw=tool, dialect=RESPONSES), Tool(name="f")],
    )
    if not kept:
        with pytest.raises(UnsupportedField):
            _write(request)
        return
    assert _write(request)["tools"] == [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        pytest.param(
            {"type": "compaction", "content": "so far"}, "[compaction]\nso far\n", id="summary"
        ),
        pytest.param(
            {
                "type": "web_fetch_tool_result",
                "content": {
                    "url": "u",
                    "content": {"source": {"type": "text", "data": "page"}, "title": "t"},
                },
            },
            "[web_fetch_tool_result]\nu\npage\nt\n",
            id="page",
        ),
        pytest.param({"type": "mcp_tool_use", "input": {"text": "x"}}, "", id="left-out"),
    ],
)
def test_what_a_block_found_is_told(block: dict[str, Any], text: str) -> None:
    """Its words, under the name of what it was."""
    request = _foreign(_assistant(OpaquePart(dialect=ANTHROPIC, raw=block)))
    assert _write(request)["messages"] == [{"role": "assistant", "content": text}]


def test_server_tools_of_the_past_are_told_or_left_out() -> None:
    """What a search found is text for the next model; that it was asked for is not."""
    found = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": [
            {
                "type": "web_search_result",
                "title": "T",
                "url": "https://x",
                "encrypted_content": "zzz",
            }
        ],
    }
    request = _foreign(
        _assistant(
            OpaquePart(dialect=ANTHROPIC, raw={"type": "server_tool_use", "id": "s1"}),
            OpaquePart(dialect=ANTHROPIC, raw=found),
            TextPart(text="So."),
        )
    )
    content = _write(request)["messages"][0]["content"]
    assert content == "[web_search_tool_result]\nT\nhttps://x\nSo."
