"""The echo: its rules, and that its answers are well-formed OpenAI chat."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import NotFound, RequestError, UpstreamProtocolError
from plano_asgi.providers import Echo
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.client import Transport, UpstreamReply
from plano_asgi.providers.quirks import CHAT, MESSAGES
from plano_asgi.wire.sse import SSEDecoder

NO_TRANSPORT = cast(Transport, None)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "kelvin"]},
                "days": {"type": "integer", "minimum": 1},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}
ARGUMENTS = {"city": "city", "unit": "celsius", "days": 1}


def user(text: str) -> list[JSONObject]:
    """A conversation of one question."""
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


async def opened(body: JSONObject, *, stream: bool = False) -> UpstreamReply:
    """The open reply to *body*."""
    provider: UpstreamProvider = Echo(clock=lambda: 1700000000.5)
    call = UpstreamCall(
        path="/chat/completions", dialect=CHAT, model="echo", stream=stream, body=body
    )
    return await provider.open(provider.request(call), NO_TRANSPORT)


def whole(messages: list[JSONObject], **body: Any) -> ChatCompletion:
    """The answer, read by the official types."""

    async def ask() -> bytes:
        reply = await opened({"messages": messages, **body})
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        return await reply.read(max_bytes=1 << 20)

    return ChatCompletion.model_validate(loads(anyio.run(ask)), strict=True)


def chunks(messages: list[JSONObject], **body: Any) -> list[ChatCompletionChunk]:
    """The stream, read by the official types."""

    async def ask() -> bytes:
        reply = await opened({"messages": messages, **body}, stream=True)
        assert reply.headers["content-type"] == "text/event-stream"
        parts = [part async for part in reply]
        assert len(parts) > 3
        return b"".join(parts)

    decoder = SSEDecoder()
    data = [event.data for event in decoder.feed(anyio.run(ask))]
    assert data.pop() == "[DONE]"
    return [ChatCompletionChunk.model_validate(loads(item), strict=True) for item in data]


def joined(stream: list[ChatCompletionChunk], choice: int = 0) -> JSONObject:
    """A stream put together again."""
    content, reasoning, finish = "", "", None
    calls: dict[int, dict[str, str]] = {}
    for piece in (c for chunk in stream for c in chunk.choices if c.index == choice):
        content += piece.delta.content or ""
        reasoning += getattr(piece.delta, "reasoning_content", "") or ""
        finish = piece.finish_reason or finish
        for call in piece.delta.tool_calls or []:
            assert call.function is not None
            made = calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            made["id"] += call.id or ""
            made["name"] += call.function.name or ""
            made["arguments"] += call.function.arguments or ""
    return {
        "content": content,
        "reasoning": reasoning,
        "calls": [(call["name"], loads(call["arguments"])) for call in calls.values()],
        "finish": finish,
    }


def test_it_says_what_it_is_and_repeats() -> None:
    """Usage counts words; the clock is the caller's."""
    answer = whole(user("Hello there"))
    choice = answer.choices[0]
    text = "This is plano/echo; no model was asked. You said: Hello there"
    assert choice.message.content == text
    assert choice.finish_reason == "stop"
    assert (answer.model, answer.created) == ("echo", 1700000000)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 11)
    assert answer.usage.total_tokens == 15
    assert whole(user("Hello there")) == answer


def test_it_reads_parts_and_copes_with_silence() -> None:
    """Content parts count as text; other roles are not echoed."""
    parts: JSONObject = {
        "role": "user",
        "content": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "x"}},
            {"type": "text", "text": "b"},
        ],
    }
    assert str(whole([parts]).choices[0].message.content).endswith("You said: ab")
    assert str(whole([]).choices[0].message.content).endswith("You said nothing.")


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        pytest.param({}, user("stream this in several pieces, please"), id="text"),
        pytest.param({"tools": [WEATHER], "tool_choice": "required"}, user("hi"), id="tool"),
        pytest.param({"tools": [WEATHER, CLOCK]}, user("call get_weather, call clock"), id="tools"),
        pytest.param({"reasoning_effort": "high"}, user("think"), id="reasoning"),
        pytest.param({"n": 3}, user("thrice"), id="choices"),
        pytest.param({"max_tokens": 3}, user("be short"), id="limit"),
    ],
)
def test_stream_and_whole_answer_say_the_same(body: JSONObject, messages: list[JSONObject]) -> None:
    """Only the way differs: text, reasoning, calls, reasons and usage are equal."""
    answer = whole(messages, **body)
    stream = chunks(messages, **body, stream_options={"include_usage": True})
    for choice in answer.choices:
        calls = [
            (call.function.name, loads(call.function.arguments))
            for call in choice.message.tool_calls or []
            if call.type == "function"
        ]
        assert joined(stream, choice.index) == {
            "content": choice.message.content or "",
            "reasoning": getattr(choice.message, "reasoning_content", ""),
            "calls": calls,
            "finish": choice.finish_reason,
        }
    assert stream[-1].choices == []
    assert stream[-1].usage == answer.usage
    assert stream[0].choices[0].delta.role == "assistant"


def test_stream_reports_usage_only_when_asked() -> None:
    """Without ``include_usage`` every chunk has a choice."""
    assert all(chunk.choices for chunk in chunks(user("hi")))


@pytest.mark.parametrize(
    ("text", "options", "called"),
    [
        ("hi", {}, []),
        ("hi", {"tool_choice": "required"}, ["get_weather"]),
        ("what does the clock say", {"tool_choice": "required"}, ["clock"]),
        ("what does the clock say", {}, []),
        ("please CALL Get_Weather now", {}, ["get_weather"]),
        ("call clocks", {}, []),
        ("recall clock", {}, []),
        ("call clock and call get_weather", {}, ["get_weather", "clock"]),
        ("call clock and call get_weather", {"parallel_tool_calls": False}, ["get_weather"]),
        ("call clock", {"tool_choice": "none"}, []),
        ("hi", {"tool_choice": {"type": "function", "function": {"name": "clock"}}}, ["clock"]),
        ("hi", {"tool_choice": {"type": "function", "function": {"name": "nope"}}}, []),
        ("hi", {"tool_choice": {"type": "odd"}}, []),
    ],
)
def test_tools_are_called_by_rule(text: str, options: JSONObject, called: list[str]) -> None:
    """Forced, or told so in words; nothing else calls a tool."""
    tools = [WEATHER, CLOCK, {"type": "custom"}, "odd"]
    choice = whole(user(text), tools=tools, **options).choices[0]
    calls = [call for call in choice.message.tool_calls or [] if call.type == "function"]
    assert [call.function.name for call in calls] == called
    assert choice.finish_reason == ("tool_calls" if called else "stop")
    assert (choice.message.content is None) is bool(called)
    assert len({call.id for call in calls}) == len(calls)
    made = {call.function.name: loads(call.function.arguments) for call in calls}
    assert made.get("get_weather", ARGUMENTS) == ARGUMENTS
    assert made.get("clock", {}) == {}


def test_tool_results_are_quoted_and_not_called_for_again() -> None:
    """After results comes text, even where a tool is required."""
    messages = [
        *user("call clock"),
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "1", "content": "12:00"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "UTC"}]},
    ]
    choice = whole(messages, tools=[CLOCK], tool_choice="required").choices[0]
    assert choice.message.content == "The tool answered: 12:00 UTC"
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": WEATHER["function"]["parameters"]},  # type: ignore[index]
            },
            ARGUMENTS,
        ),
        ({"type": "json_object"}, {"echo": "hi"}),
        ({"type": "json_schema"}, "text"),
    ],
)
def test_output_format_is_kept(wanted: JSONObject, value: Any) -> None:
    """The content is JSON of the schema, or any JSON."""
    content = whole(user("hi"), response_format=wanted).choices[0].message.content
    assert loads(str(content)) == value


def test_output_format_text_is_plain() -> None:
    """An explicit text format changes nothing."""
    assert whole(user("hi"), response_format={"type": "text"}) != whole(user("hi"))
    content = whole(user("hi"), response_format={"type": "text"}).choices[0].message.content
    assert content == whole(user("hi")).choices[0].message.content


def test_reasoning_on_request() -> None:
    """An effort makes it think; "none" does not."""
    thought = whole(user("hi"), reasoning_effort="low")
    assert "low" in getattr(thought.choices[0].message, "reasoning_content", "")
    assert thought.usage is not None
    assert thought.usage.completion_tokens_details is not None
    assert thought.usage.completion_tokens_details.reasoning_tokens == 6
    plain = whole(user("hi"), reasoning_effort="none").choices[0].message
    assert not hasattr(plain, "reasoning_content")


@pytest.mark.parametrize(
    ("body", "text", "reason"),
    [
        ({"max_completion_tokens": 3}, "This is plano/echo;", "length"),
        ({"max_tokens": 1}, "This", "length"),
        ({"max_tokens": 99}, "This is plano/echo; no model was asked. You said: hi", "stop"),
        ({"stop": ";"}, "This is plano/echo", "stop"),
        ({"stop": ["was", "is", 3, ""]}, "Th", "stop"),
    ],
)
def test_limits_and_stop_sequences_cut(body: JSONObject, text: str, reason: str) -> None:
    """A limit is a length, a stop sequence a natural end."""
    choice = whole(user("hi"), **body).choices[0]
    assert (choice.message.content, choice.finish_reason) == (text, reason)


def test_it_serves_chat_and_nothing_else() -> None:
    """Other paths are not found; messages and n are checked."""
    echo = Echo()
    assert echo.dialect_for(MESSAGES, "echo") == CHAT
    assert (echo.name, echo.family) == ("plano", "plano")
    assert echo.write_options("echo").on_unsupported == "drop"
    assert echo.timeouts.total_s is None
    assert echo.streams(UpstreamCall(path="", dialect=CHAT, model="", stream=True))
    with pytest.raises(NotFound):
        echo.request(UpstreamCall(path="/embeddings", dialect="", model="echo"))
    bodies: list[JSONObject] = [
        {},
        {"messages": ["x"]},
        {"messages": [], "n": 0},
        {"messages": [], "n": 17},
    ]
    for body in bodies:
        call = UpstreamCall(path="/chat/completions", dialect=CHAT, model="echo", body=body)
        with pytest.raises(RequestError):
            echo.request(call)


@pytest.mark.anyio
async def test_reply_is_bounded_and_closable() -> None:
    """Too large a body is refused; a closed reply has nothing left; closing twice is fine."""
    reply = await opened({"messages": user("hi")})
    with pytest.raises(UpstreamProtocolError):
        await reply.read(max_bytes=10)
    stream = await opened({"messages": user("hi")}, stream=True)
    async for _ in stream:
        await stream.aclose()
    await stream.aclose()
    assert [chunk async for chunk in stream] == []
