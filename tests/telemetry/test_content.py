"""Content capture: only where asked for, masked, bounded."""

from __future__ import annotations

from typing import Any

import pytest

from exchanges import chat_exchange, exchange_of
from plano_asgi._json import loads
from plano_asgi.conversation import (
    ChatResponse,
    Choice,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.telemetry.attribute_values import Attributes
from plano_asgi.telemetry.content import ContentCapture, captured
from plano_asgi.telemetry.content_parts import PartWriter
from plano_asgi.telemetry.outcome import Outcome

SPAN = ContentCapture.SPAN_ONLY
RESPONSES, MESSAGES = "openai.responses", "anthropic.messages"


def capture(exchange: Exchange, answer: ChatResponse | None = None, **given: Any) -> Attributes:
    """What is captured of *exchange*."""
    return captured(Outcome(exchange=exchange, answer=answer), SPAN, **given)


def shown(attributes: Attributes, name: str) -> Any:
    """One attribute, read."""
    text = attributes[f"gen_ai.{name}"]
    assert isinstance(text, str)
    return loads(text)


def answer_of(*parts: Part, reason: Any = "stop") -> ChatResponse:
    """An answer of one choice."""
    return ChatResponse(choices=[Choice(parts=list(parts), finish_reason=reason)])


def test_nothing_without_being_asked() -> None:
    """Nor of what is no chat."""
    exchange = chat_exchange("Hello")
    assert captured(Outcome(exchange=exchange), ContentCapture.NO_CONTENT) == {}
    exchange.operation = "/embeddings"
    assert capture(exchange) == {}


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (None, ContentCapture.NO_CONTENT),
        ("", ContentCapture.NO_CONTENT),
        ("false", ContentCapture.NO_CONTENT),
        ("true", ContentCapture.EVENT_ONLY),
        ("no_content", ContentCapture.NO_CONTENT),
        (" span_only ", ContentCapture.SPAN_ONLY),
        ("EVENT_ONLY", ContentCapture.EVENT_ONLY),
        ("Span_And_Event", ContentCapture.SPAN_AND_EVENT),
    ],
)
def test_modes(value: str | None, mode: ContentCapture) -> None:
    """In any case; and what the variable took before."""
    assert ContentCapture.parse(value) is mode


def test_an_unknown_mode_is_refused() -> None:
    """Rather than guessed."""
    with pytest.raises(ConfigurationError, match="SPAN_AND_EVENT"):
        ContentCapture.parse("yes")


def test_where_content_goes() -> None:
    """Onto spans, into events, both, or nowhere."""
    assert [(mode.on_spans, mode.in_events) for mode in ContentCapture] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_chat() -> None:
    """Messages with parts, as the conventions have them; system messages stay in their place."""
    exchange = exchange_of(
        "openai.chat",
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "user", "content": "Weather?", "name": "ann"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "Rain"},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Tells it",
                        "parameters": {"type": "object"},
                    },
                }
            ],
        },
    )
    found = capture(exchange, answer_of(TextPart(text="It rains"), reason="tool_calls"))
    assert shown(found, "input.messages") == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief"}]},
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}], "name": "ann"},
        {
            "role": "assistant",
            "parts": [
                {
                    "type": "tool_call",
                    "id": "c1",
                    "name": "weather",
                    "arguments": {"city": "Rome"},
                }
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": "Rain"}],
        },
    ]
    assert shown(found, "output.messages") == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "It rains"}],
            "finish_reason": "tool_call",
        }
    ]
    assert shown(found, "tool.definitions") == [
        {
            "type": "function",
            "name": "weather",
            "description": "Tells it",
            "parameters": {"type": "object"},
        }
    ]
    assert len(found) == 3


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        pytest.param(
            MESSAGES,
            {
                "max_tokens": 9,
                "system": "Be brief",
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            },
            id="messages",
        ),
        pytest.param(
            RESPONSES,
            {"instructions": "Be brief", "input": "Hi", "tools": [{"type": "web_search"}]},
            id="responses",
        ),
    ],
)
def test_instructions_beside_the_messages(dialect: str, body: dict[str, Any]) -> None:
    """They have an attribute of their own, and server tools are named."""
    found = capture(exchange_of(dialect, {"model": "m", **body}))
    assert shown(found, "system_instructions") == [{"type": "text", "content": "Be brief"}]
    assert shown(found, "input.messages") == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    ]
    ((tool),) = shown(found, "tool.definitions")
    assert tool["type"] == body["tools"][0]["type"]


def test_every_text_is_masked() -> None:
    """Prompts, names, arguments with their keys, results, descriptions, answers."""
    exchange = exchange_of(
        MESSAGES,
        {
            "model": "m",
            "max_tokens": 9,
            "system": "I am Ann",
            "messages": [
                {"role": "user", "content": "Ann here"},
                {
                    "role": "assistant",
                    "content": [
                        {
                            "type": "tool_use",
                            "id": "c",
                            "name": "find",
                            "input": {"Ann": ["Ann", {"deep": "Ann\n"}]},
                        }
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c", "content": "Ann found"}
                    ],
                },
            ],
            "tools": [
                {
                    "name": "find",
                    "description": "Finds Ann",
                    "input_schema": {"type": "object", "description": "of Ann"},
                }
            ],
        },
    )
    exchange.scrubbers.append(lambda text: text.replace("Ann", "[NAME]"))
    answer = answer_of(
        TextPart(text="Ann!"), RefusalPart(text="Ann?"), ReasoningPart(text="Ann..."), reason=None
    )
    found = capture(exchange, answer)
    assert len(found) == 4
    for text in found.values():
        assert isinstance(text, str)
        assert "Ann" not in text
        assert "[NAME]" in text
    assert shown(found, "input.messages")[1]["parts"][0]["arguments"] == {
        "[NAME]": ["[NAME]", {"deep": "[NAME]\n"}]
    }


def test_a_text_is_masked_before_it_is_cut() -> None:
    """Half a value is not left standing at the cut."""
    exchange = chat_exchange("secret " * 2000)
    exchange.scrubbers.append(lambda text: text.replace("secret", "*"))
    assert "sec" not in str(capture(exchange, max_bytes=1_001)["gen_ai.input.messages"])


@pytest.mark.parametrize(
    ("part", "written"),
    [
        pytest.param(
            MediaPart(modality="image", mime_type="image/png", data="QUJDRA=="),
            {
                "type": "blob",
                "modality": "image",
                "mime_type": "image/png",
                "content": "",
                "bytes": 6,
            },
            id="blob",
        ),
        pytest.param(
            MediaPart(modality="image", url="https://u:pw@h.test:8/a.png?sig=secret#x"),
            {
                "type": "uri",
                "modality": "image",
                "mime_type": None,
                "uri": "https://h.test:8/a.png",
            },
            id="signed address",
        ),
        pytest.param(
            MediaPart(modality="image", url="data:image/png;base64,AAAA"),
            {"type": "uri", "modality": "image", "mime_type": None, "uri": "data:"},
            id="data address",
        ),
        pytest.param(
            MediaPart(modality="image", url="http://[::1"),
            {"type": "uri", "modality": "image", "mime_type": None, "uri": ""},
            id="no address",
        ),
        pytest.param(
            MediaPart(modality="document", file_id="file_1"),
            {"type": "file", "modality": "document", "mime_type": None, "file_id": "file_1"},
            id="file",
        ),
        pytest.param(
            MediaPart(modality="document", text="Words"),
            {"type": "text", "content": "Words"},
            id="text document",
        ),
        pytest.param(
            ToolCallPart(id="c", name="f", arguments='{"half'),
            {"type": "tool_call", "id": "c", "name": "f", "arguments": '{"half'},
            id="half arguments",
        ),
        pytest.param(
            ToolCallPart(id="c", name="f", arguments='{"n":1,"on":true,"none":null}'),
            {
                "type": "tool_call",
                "id": "c",
                "name": "f",
                "arguments": {"n": 1, "on": True, "none": None},
            },
            id="values that are no texts",
        ),
        pytest.param(
            ToolCallPart(id="c", name="f"),
            {"type": "tool_call", "id": "c", "name": "f", "arguments": {}},
            id="no arguments",
        ),
        pytest.param(
            ToolCallPart(id="c", name="f", arguments="[1]", kind="custom"),
            {"type": "tool_call", "id": "c", "name": "f", "arguments": "[1]"},
            id="custom tool",
        ),
        pytest.param(
            ToolResultPart(call_id="c", content=[TextPart(text="a"), TextPart(text="b")]),
            {
                "type": "tool_call_response",
                "id": "c",
                "response": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}],
            },
            id="result in parts",
        ),
        pytest.param(RefusalPart(text="No"), {"type": "refusal", "content": "No"}, id="refusal"),
        pytest.param(
            OpaquePart(dialect=MESSAGES, raw={"type": "server_tool_use", "input": "private"}),
            {"type": "server_tool_use"},
            id="of one dialect",
        ),
        pytest.param(ReasoningPart(encrypted="xyz"), None, id="unreadable reasoning"),
    ],
)
def test_parts(part: Part, written: dict[str, Any] | None) -> None:
    """Media by reference, what nobody can read not at all."""
    expected = [] if written is None else [written]
    assert PartWriter((), 1000).parts([part]) == expected


def test_json_is_masked_to_a_bounded_depth() -> None:
    """Deeper, it is masked as one text, and stays JSON."""
    deep: Any = "Ann"
    for _ in range(200):
        deep = [deep]
    written = PartWriter([lambda text: text.replace("Ann", "*")], 10_000).json(deep)
    for _ in range(32):
        ((written),) = written
    assert written == "[" * 168 + '"*"' + "]" * 168


def conversation(turns: int) -> Exchange:
    """*turns* messages of a hundred characters."""
    messages = [{"role": "user", "content": f"{i:03}" + "x" * 97} for i in range(turns)]
    return exchange_of("openai.chat", {"model": "m", "messages": messages})


@pytest.mark.parametrize("max_bytes", [1_000, 2_000, 64 << 10])
def test_the_newest_messages_stay(max_bytes: int) -> None:
    """And it is said how many do not."""
    found = capture(conversation(50), max_bytes=max_bytes)
    kept = shown(found, "input.messages")
    assert len(str(found["gen_ai.input.messages"]).encode()) <= max_bytes
    firsts = [int(message["parts"][0]["content"][:3]) for message in kept]
    assert firsts == list(range(50 - len(kept), 50))
    assert found.get("plano.content.dropped_messages", 0) == 50 - len(kept)


@pytest.mark.parametrize("text", ["x", "\x00", "\N{GRINNING FACE}", '"', "\ud83d"], ids=repr)
def test_one_message_too_long_by_itself_is_cut(text: str) -> None:
    """Its beginning stays, whatever a character costs; and it is said."""
    exchange = chat_exchange(text * 20_000)
    found = capture(exchange, answer_of(TextPart(text=text * 20_000)), max_bytes=4_000)
    assert found["plano.content.cut"] is True
    for name in ("input.messages", "output.messages"):
        assert len(str(found[f"gen_ai.{name}"]).encode()) <= 4_000
        ((message),) = shown(found, name)
        assert message["parts"][0]["content"].startswith(text * 100)


def test_many_parts_are_bounded_too() -> None:
    """Also where no single text is long."""
    parts: list[Part] = [ReasoningPart(text="x") for _ in range(5_000)]
    parts.append(ToolCallPart(id="c", name="f", arguments="[" + "1," * 5_000 + "1]"))
    found = capture(chat_exchange(), answer_of(*parts), max_bytes=4_000)
    assert len(str(found["gen_ai.output.messages"])) <= 4_000
    assert shown(found, "output.messages")[0]["parts"]
    assert found["plano.content.cut"] is True


def test_more_tools_than_fit_are_cut() -> None:
    """The first ones stay."""
    tools = [{"type": "function", "function": {"name": f"tool_{i}"}} for i in range(500)]
    found = capture(chat_exchange(tools=tools), max_bytes=1_000)
    kept = shown(found, "tool.definitions")
    assert [tool["name"] for tool in kept] == [f"tool_{i}" for i in range(len(kept))]
    assert found["plano.content.cut"] is True


def test_a_request_that_cannot_be_read_leaves_the_answer() -> None:
    """The upstream may have thought better of it than we do."""
    exchange = exchange_of("openai.chat", {"model": "m", "messages": "wrong"})
    found = capture(exchange, answer_of(TextPart(text="Hi")))
    assert list(found) == ["gen_ai.output.messages"]
