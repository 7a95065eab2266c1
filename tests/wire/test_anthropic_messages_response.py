"""Whole Messages answers and errors."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message as SDKMessage

from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    Citation,
    FinishReason,
    MediaPart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import (
    ModelNotFound,
    PlanoError,
    RateLimited,
    RequestError,
    UnsupportedField,
    UpstreamProtocolError,
    UpstreamStatus,
)
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.reasoning_pack import unpack

DIALECT = AnthropicMessages()
REQUEST = ChatRequest(model="claude-x", messages=[], dialect=DIALECT.name)


def message(**fields: Any) -> dict[str, Any]:
    """An upstream's message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    } | fields


def write(*parts: Part, reason: FinishReason | None = "stop", **fields: Any) -> dict[str, Any]:
    """The message for an answer of another dialect, checked against the SDK's type."""
    choice = Choice(parts=list(parts), finish_reason=reason)
    given = {"id": "chatcmpl-1", "model": "m", "dialect": "openai.chat"} | fields
    written = DIALECT.write_response(ChatResponse(choices=[choice], **given), REQUEST)
    SDKMessage.model_validate(written)
    return written


@pytest.mark.parametrize(
    ("stop_reason", "sequence", "finish"),
    [
        ("end_turn", None, "stop"),
        ("stop_sequence", "END", "stop"),
        ("max_tokens", None, "length"),
        ("tool_use", None, "tool_calls"),
        ("pause_turn", None, "pause"),
        ("refusal", None, "refusal"),
        ("model_context_window_exceeded", None, "context_window"),
        ("compaction", None, "pause"),
        ("a_new_reason", None, "stop"),
        (None, None, None),
    ],
)
def test_stop_reasons(stop_reason: str | None, sequence: str | None, finish: str | None) -> None:
    """Every reason is understood and given back, new ones included."""
    body = message(stop_reason=stop_reason, stop_sequence=sequence)
    response = DIALECT.read_response(body)
    assert response.choices[0].finish_reason == finish
    assert response.choices[0].stop_sequence == sequence
    expected = stop_reason or "end_turn"
    assert DIALECT.write_response(response, REQUEST)["stop_reason"] == expected


def test_usage_includes_what_the_cache_served() -> None:
    """Neutral input tokens are the sum; the raw object goes back untouched."""
    raw = {
        "input_tokens": 3,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
        "server_tool_use": {"web_search_requests": 1},
    }
    response = DIALECT.read_response(message(usage=raw))
    assert response.usage == Usage(
        input_tokens=123,
        output_tokens=7,
        cache_read_input_tokens=100,
        cache_creation_input_tokens=20,
        reasoning_output_tokens=4,
        raw=raw,
        dialect=DIALECT.name,
    )
    assert DIALECT.write_response(response, REQUEST)["usage"] == raw


def test_usage_of_other_dialects_leaves_the_cached_tokens_out() -> None:
    """Anthropic's counts are disjoint."""
    usage = Usage(
        input_tokens=123, output_tokens=7, cache_read_input_tokens=100, reasoning_output_tokens=4
    )
    assert write(TextPart(text="Hi"), usage=usage)["usage"] == {
        "input_tokens": 23,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 100,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
    }


@pytest.mark.parametrize(
    "body", [{}, {"content": "text"}, {"content": [{"text": "x"}]}, {"content": [{"type": "text"}]}]
)
def test_what_is_no_message(body: dict[str, Any]) -> None:
    """Anything else is the upstream's protocol error."""
    with pytest.raises(UpstreamProtocolError):
        DIALECT.read_response(body)


def test_answer_of_another_dialect() -> None:
    """Text, calls and reasoning become blocks; the id is a message id."""
    reasoning = ReasoningPart(text="Hm", encrypted="gAAA", id="rs_1", dialect="openai.responses")
    call = ToolCallPart(id="call_1", name="find", arguments='{"q":1}')
    written = write(reasoning, TextPart(text="Hi", extras={"x": 1}), call, reason="tool_calls")
    assert written["id"] == "msg_chatcmpl-1"
    assert written["stop_reason"] == "tool_use"
    thinking, text, used = written["content"]
    assert thinking["thinking"] == "Hm"
    restored = unpack(thinking["signature"])
    assert restored == ReasoningPart(encrypted="gAAA", id="rs_1", dialect="openai.responses")
    assert text == {"type": "text", "text": "Hi"}
    assert used == {"type": "tool_use", "id": "call_1", "name": "find", "input": {"q": 1}}


def test_foreign_reasoning_comes_back_whole() -> None:
    """What the client hands back is the part that went out."""
    reasoning = ReasoningPart(text="Hm", signature="x", summary=True, dialect="openai.responses")
    turn = {"role": "assistant", "content": write(reasoning)["content"]}
    body = {"max_tokens": 1, "messages": [turn]}
    assert DIALECT.read_request(body).messages[0].parts == [reasoning]


def test_bedrock_signatures_are_claudes_own() -> None:
    """They are shown as they are."""
    part = ReasoningPart(text="Hm", signature="sig", dialect="bedrock.converse")
    block = {"type": "thinking", "thinking": "Hm", "signature": "sig"}
    assert write(part)["content"] == [block]


@pytest.mark.parametrize(
    ("reason", "parts", "stop_reason"),
    [
        pytest.param("stop", [ToolCallPart(id="c", name="f")], "tool_use", id="calls-win"),
        pytest.param(None, [], "end_turn", id="unsaid"),
        pytest.param("length", [TextPart(text="a")], "max_tokens", id="length"),
        pytest.param("content_filter", [], "refusal", id="filter"),
        pytest.param("stop", [RefusalPart(text="No.")], "refusal", id="refusal"),
        pytest.param("error", [], "max_tokens", id="cut-short"),
    ],
)
def test_finish_reasons(reason: FinishReason | None, parts: list[Part], stop_reason: str) -> None:
    """Every neutral reason has a stop reason."""
    assert write(*parts, reason=reason)["stop_reason"] == stop_reason


def test_broken_arguments_are_wrapped() -> None:
    """Cut JSON is handed on as the API advises."""
    written = write(ToolCallPart(id="c", name="f", arguments='{"a": '), reason="length")
    assert written["content"][0]["input"] == {"INVALID_JSON": '{"a": '}


def test_what_no_block_can_say_is_left_out() -> None:
    """Foreign items and citations, media, and empty text."""
    cited = TextPart(text="Hi", citations=[Citation(url="https://a.test", dialect="openai.chat")])
    item = OpaquePart(dialect="openai.responses", raw={"type": "web_search_call"})
    picture = MediaPart(modality="image", data="AAAA")
    written = write(item, cited, TextPart(text=""), picture, RefusalPart(text=""), reason="length")
    assert written["content"] == [{"type": "text", "text": "Hi"}]


def test_empty_answer_is_a_valid_message() -> None:
    """No choice at all is a message without content."""
    written = DIALECT.write_response(ChatResponse(), REQUEST)
    SDKMessage.model_validate(written)
    assert written["content"] == []
    assert written["model"] == "claude-x"
    assert len(written["id"]) > len("msg_")


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        pytest.param(RateLimited("slow down"), "rate_limit_error", "slow down", id="ours"),
        pytest.param(ModelNotFound("x"), "not_found_error", "model", id="not-found"),
        pytest.param(RequestError("bad", param="a.b"), "invalid_request_error", "a.b: bad", id="p"),
        pytest.param(UnsupportedField("n", "d"), "invalid_request_error", "'n'", id="unsupported"),
        pytest.param(
            UpstreamStatus("nope", status=429, type="tokens"), "rate_limit_error", "nope", id="429"
        ),
        pytest.param(
            UpstreamStatus("nope", status=422, type="odd"),
            "invalid_request_error",
            "nope",
            id="422",
        ),
        pytest.param(UpstreamStatus("nope", status=502, type="x"), "api_error", "nope", id="502"),
        pytest.param(PlanoError("boom"), "api_error", "boom", id="root"),
    ],
)
def test_errors_are_written_in_the_api_s_words(error: PlanoError, kind: str, text: str) -> None:
    """The type is one of Anthropic's; a field's name is in the message."""
    body = DIALECT.write_error(error, "req_1")
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert text in body["error"]["message"]
    assert body["request_id"] == "req_1"
    assert "request_id" not in DIALECT.write_error(error, None)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 500), ("odd_error", 502)],
)
def test_error_inside_a_200(kind: str, status: int) -> None:
    """It is told by its shape, its status by its type."""
    error = DIALECT.error_in_body({"type": "error", "error": {"type": kind, "message": "m"}})
    assert error is not None
    assert (error.status, error.message) == (status, "m")
    assert DIALECT.error_in_body(message()) is None


# --------------------------------------------------------------------------- reasoning removed


def test_without_reasoning() -> None:
    """Thinking goes, and turns that were nothing else; nothing else changes."""
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    text = {"type": "text", "text": "A"}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [thinking, text]},
            {"role": "assistant", "content": [redacted]},
        ],
    }
    assert DIALECT.without_reasoning(body) == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [text]},
        ],
    }
    assert len(body["messages"]) == 3


@pytest.mark.parametrize(
    "body", [{}, {"messages": "odd"}, {"messages": ["odd", {"role": "user", "content": ["odd"]}]}]
)
def test_without_reasoning_returns_the_body_itself(body: dict[str, Any]) -> None:
    """Nothing to remove: the same object, whatever is in it."""
    assert DIALECT.without_reasoning(body) is body
