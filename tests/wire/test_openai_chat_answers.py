"""Whole chat answers: what upstreams spell in their own ways, and what a client is shown."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    Citation,
    FinishReason,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import (
    BodyTooLarge,
    PlanoError,
    RateLimited,
    RequestError,
    ShuttingDown,
    Unauthorized,
    UpstreamProtocolError,
    UpstreamStatus,
)
from plano_asgi.wire.openai_chat import OpenAIChat

DIALECT = OpenAIChat()
REQUEST = ChatRequest(model="asked", messages=[], dialect="openai.chat")


def _answer(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c", "created": 1, "model": "m", "choices": [{**choice, **fields}]}


def _choice(message: dict[str, Any], **fields: Any) -> Choice:
    return DIALECT.read_response(_answer(message, **fields)).choices[0]


def _message(*parts: Any, **fields: Any) -> dict[str, Any]:
    response = ChatResponse(choices=[Choice(parts=list(parts), finish_reason="stop", **fields)])
    message: dict[str, Any] = _written(response)["choices"][0]["message"]
    return message


def _written(response: ChatResponse, request: ChatRequest = REQUEST) -> dict[str, Any]:
    written = DIALECT.write_response(response, request)
    ChatCompletion.model_validate(written, strict=True)
    return written


# --------------------------------------------------------------------------- reading


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": ["x"]}, {"detail": "no"}])
def test_a_body_without_choices_is_no_answer(body: dict[str, Any]) -> None:
    """It is the upstream's fault, and another attempt may help."""
    with pytest.raises(UpstreamProtocolError):
        DIALECT.read_response(body)


def test_a_malformed_part_is_the_upstreams_fault() -> None:
    """A client is not told that its own request was wrong."""
    with pytest.raises(UpstreamProtocolError):
        _choice({"content": [{"type": "text", "text": 5}]})


def test_an_answer_may_lack_nearly_everything() -> None:
    """No id, no time, no model, no message, no usage, nulls in their places."""
    response = DIALECT.read_response(
        {"id": None, "created": 0, "usage": None, "choices": [{"finish_reason": "content_filter"}]}
    )
    assert response == ChatResponse(
        dialect="openai.chat", choices=[Choice(finish_reason="content_filter")]
    )
    written = _written(response)
    assert written["id"].startswith("chatcmpl-")
    assert written["model"] == "asked"
    assert written["created"] > 0


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("function_call", "tool_calls"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("whatever", "stop"),
        ("", None),
        (None, None),
    ],
)
def test_every_upstreams_word_for_the_end_is_understood(
    word: str | None, reason: FinishReason | None
) -> None:
    """Engines leak their own words; one nobody knows is a plain end."""
    assert _choice({"content": "x"}, finish_reason=word).finish_reason == reason


def test_a_stop_after_calls_is_a_call() -> None:
    """Forced calls end with "stop"; what the client has to do is told by the calls."""
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert _choice({"content": None, "tool_calls": calls}).finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("message", "part"),
    [
        pytest.param({"content": {"a": 1}}, TextPart(text='{"a":1}'), id="decoded-json"),
        pytest.param({"content": [{"type": "text", "text": "x"}]}, TextPart(text="x"), id="parts"),
        pytest.param({"refusal": "no"}, RefusalPart(text="no"), id="refusal"),
        pytest.param(
            {"reasoning": "hm"}, ReasoningPart(text="hm", dialect="openai.chat"), id="reasoning"
        ),
        pytest.param(
            {"audio": {"id": "a"}},
            OpaquePart(dialect="openai.chat", raw={"audio": {"id": "a"}}),
            id="audio",
        ),
        pytest.param(
            {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]},
            ToolCallPart(id="c", name="f", arguments='{"a":1}'),
            id="decoded-arguments",
        ),
        pytest.param(
            {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
            ToolCallPart(id="c", name="f", arguments="x", kind="custom"),
            id="custom",
        ),
    ],
)
def test_a_message_field_becomes_a_part(message: dict[str, Any], part: object) -> None:
    """Whatever form an upstream gives it."""
    assert _choice(message).parts == [part]


def test_a_call_without_an_id_gets_one() -> None:
    """The client has to name it when it answers."""
    (part,) = _choice({"tool_calls": [{"id": "", "function": {"name": "f"}}]}).parts
    assert isinstance(part, ToolCallPart)
    assert part.id.startswith("call_")


def test_unknown_fields_come_back_to_a_client_of_the_same_dialect() -> None:
    """At every level, null or not; a client of another dialect would not know them."""
    body = _answer({"content": "x", "refusal": None, "provider_data": {"a": 1}}, seed=7) | {
        "object": "chat.completion",
        "x_groq": {"id": "r"},
        "system_fingerprint": None,
    }
    body["choices"][0]["logprobs"] = {"content": [{"token": "x"}], "refusal": [{"token": "y"}]}
    response = DIALECT.read_response(body)
    assert DIALECT.write_response(response, REQUEST) == body
    response.dialect = "new.api"
    written = DIALECT.write_response(response, REQUEST)
    assert "x_groq" not in written
    assert "seed" not in written["choices"][0]
    assert "provider_data" not in written["choices"][0]["message"]


def test_url_citations_belong_to_the_text() -> None:
    """Other annotations are kept beside it, in their place again for a chat client."""
    cited = {
        "type": "url_citation",
        "url_citation": {
            "url": "u",
            "title": "t",
            "start_index": 0,
            "end_index": 1,
            "content": "q",
        },
    }
    other = {"type": "file", "file": {"name": "f"}}
    body = _answer({"content": "x", "refusal": None, "annotations": [cited, other]})
    response = DIALECT.read_response(body)
    (text,) = response.choices[0].parts
    assert isinstance(text, TextPart)
    assert text.citations == [
        Citation(url="u", title="t", quote="q", start=0, end=1, raw=cited, dialect="openai.chat")
    ]
    written = DIALECT.write_response(response, REQUEST)
    assert written["choices"][0]["message"]["annotations"] == [cited, other]


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (10, 5, 4, 3, 2),
            id="openai",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8},
            (10, 5, 8, 0, 0),
            id="deepseek",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "cache_read_input_tokens": 1,
                "cache_creation_input_tokens": 2,
                "prompt_tokens_details": None,
            },
            (10, 5, 1, 2, 0),
            id="anthropic-gateway",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 35,
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            (10, 25, 0, 0, 20),
            id="reasoning-beside-completion",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35},
            (10, 25, 0, 0, 20),
            id="reasoning-in-the-total-only",
        ),
    ],
)
def test_usage_is_counted_alike(raw: dict[str, Any], usage: tuple[int, ...]) -> None:
    """Input includes what was cached, output includes reasoning; the original is kept."""
    read = DIALECT.read_response(_answer({"content": "x"}) | {"usage": raw}).usage
    assert read == Usage(
        input_tokens=usage[0],
        output_tokens=usage[1],
        cache_read_input_tokens=usage[2],
        cache_creation_input_tokens=usage[3],
        reasoning_output_tokens=usage[4],
        raw=raw,
        dialect="openai.chat",
    )
    assert DIALECT.write_response(ChatResponse(usage=read), REQUEST)["usage"] is raw


@pytest.mark.parametrize("raw", [None, {}, {"prompt_tokens": None}, {"total_tokens": 0}, "x"])
def test_usage_that_counts_nothing_is_none(raw: Any) -> None:
    """So that it can be estimated."""
    assert DIALECT.read_response(_answer({"content": "x"}) | {"usage": raw}).usage is None


# --------------------------------------------------------------------------- writing


def test_foreign_usage_is_spelled_out() -> None:
    """With its details, and a total."""
    usage = Usage(
        input_tokens=10,
        output_tokens=5,
        cache_read_input_tokens=4,
        cache_creation_input_tokens=3,
        reasoning_output_tokens=2,
        raw={"input_tokens": 3},
        dialect="anthropic.messages",
    )
    assert _written(ChatResponse(usage=usage))["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("refusal", "content_filter"),
        ("pause", "stop"),
        ("context_window", "length"),
        ("error", "length"),
        ("tool_calls", "tool_calls"),
        (None, "stop"),
    ],
)
def test_the_end_is_told_in_the_apis_own_words(reason: FinishReason | None, word: str) -> None:
    """A closed list: clients switch over it."""
    response = ChatResponse(choices=[Choice(finish_reason=reason)])
    assert _written(response)["choices"][0]["finish_reason"] == word


def test_an_empty_answer_has_empty_content() -> None:
    """Null stands only beside something else that the model gave."""
    assert _message()["content"] == ""
    assert _message(ReasoningPart(text="hm"))["content"] == ""
    assert _message(RefusalPart(text="no"))["content"] is None
    assert _message(ToolCallPart(id="c", name="f"))["content"] is None


def test_foreign_citations_point_into_the_joined_text() -> None:
    """A part's own range, else the whole part; what has no URL cannot be told."""
    message = _message(
        TextPart(text="abc"),
        TextPart(
            text="defg",
            citations=[
                Citation(url="u", title="t", dialect="anthropic.messages"),
                Citation(url="v", start=1, end=2, dialect="openai.responses"),
                Citation(title="a document", dialect="anthropic.messages"),
            ],
        ),
    )
    assert message["content"] == "abcdefg"
    assert [item["url_citation"] for item in message["annotations"]] == [
        {"url": "u", "title": "t", "start_index": 3, "end_index": 7},
        {"url": "v", "title": "v", "start_index": 4, "end_index": 5},
    ]


def test_server_tool_blocks_of_other_apis_are_left_out() -> None:
    """The text they led to is there."""
    block = OpaquePart(dialect="anthropic.messages", raw={"type": "server_tool_use"})
    assert _message(block, TextPart(text="x")) == {
        "role": "assistant",
        "content": "x",
        "refusal": None,
    }


PROVEN = [
    pytest.param(
        [
            ReasoningPart(text="a", signature="s", dialect="anthropic.messages"),
            ReasoningPart(encrypted="x", dialect="anthropic.messages"),
            ReasoningPart(text="b", signature="t", dialect="anthropic.messages"),
        ],
        id="anthropic",
    ),
    pytest.param(
        [
            ReasoningPart(
                text="a", summary=True, encrypted="x", id="rs_1", dialect="openai.responses"
            ),
            ReasoningPart(text="b", encrypted="y", id="rs_2", dialect="openai.responses"),
        ],
        id="responses",
    ),
    pytest.param(
        [ReasoningPart(text="a", signature="s", dialect="bedrock.converse")], id="bedrock"
    ),
]


@pytest.mark.parametrize("parts", PROVEN)
def test_proof_of_reasoning_survives_a_chat_client(parts: list[ReasoningPart]) -> None:
    """Shown once, sent back next turn, it is what the model had made."""
    message = _message(*parts, TextPart(text="x"))
    assert message["reasoning_content"] == "\n\n".join(part.text for part in parts if part.text)
    turn = DIALECT.read_request({"model": "m", "messages": [message]}).messages[0]
    assert turn.parts == [*parts, TextPart(text="x")]


def test_reasoning_without_proof_is_plain_text() -> None:
    """There is nothing to send back."""
    message = _message(ReasoningPart(text="hm", dialect="gemini.generate"), TextPart(text="x"))
    assert message["reasoning_content"] == "hm"
    assert "reasoning_details" not in message


def test_a_call_of_a_custom_tool_is_free_text_again() -> None:
    """What an upstream without custom tools sent inside JSON."""
    declared = ChatRequest(model="m", messages=[], tools=[Tool(name="p", kind="custom")])
    calls = [
        ToolCallPart(id="a", name="p", arguments='{"input":"*** Begin"}'),
        ToolCallPart(id="b", name="f", arguments='{"input":"x"}'),
    ]
    response = ChatResponse(choices=[Choice(parts=[*calls], finish_reason="tool_calls")])
    patch, plain = _written(response, declared)["choices"][0]["message"]["tool_calls"]
    assert patch == {"id": "a", "type": "custom", "custom": {"name": "p", "input": "*** Begin"}}
    assert plain["function"] == {"name": "f", "arguments": '{"input":"x"}'}


def test_a_client_of_functions_is_answered_with_function_call() -> None:
    """It does not know tool calls."""
    functions = [{"name": "f"}]
    request = DIALECT.read_request({"model": "m", "messages": [], "functions": functions})
    part = ToolCallPart(id="c", name="f", arguments="{}")
    response = ChatResponse(choices=[Choice(parts=[part], finish_reason="tool_calls")])
    choice = _written(response, request)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    request.tools = [Tool(name="f")]
    assert "tool_calls" in _written(response, request)["choices"][0]["message"]


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "type_", "code"),
    [
        (RequestError("x", param="p"), "invalid_request_error", None),
        (Unauthorized("x"), "invalid_request_error", "invalid_api_key"),
        (BodyTooLarge("x"), "invalid_request_error", "request_too_large"),
        (RateLimited("x"), "rate_limit_error", "rate_limit_exceeded"),
        (ShuttingDown("x"), "server_error", "shutting_down"),
        (PlanoError("x"), "server_error", None),
        (
            UpstreamStatus("x", status=400, type="invalid_request_error", code="c", param="p"),
            "invalid_request_error",
            "c",
        ),
        (UpstreamStatus("x", status=402, type="billing_error"), "insufficient_quota", None),
    ],
)
def test_an_error_has_the_reference_shape(error: PlanoError, type_: str, code: str | None) -> None:
    """Four fields, whoever caused it; the upstream's own code and param are kept."""
    assert DIALECT.write_error(error, "req_1") == {
        "error": {"message": "x", "type": type_, "param": error.param, "code": code}
    }


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param({"error": {"message": "m", "code": 429}}, 429, "m", id="openrouter"),
        pytest.param({"error": {"message": "m", "type": "server_error"}}, 500, "m", id="type"),
        pytest.param({"error": "m"}, 502, "m", id="text"),
        pytest.param({"object": "error", "message": "m", "code": 400}, 400, "m", id="vllm"),
        pytest.param(
            {"choices": [{"error": {"message": "m", "code": 503}, "message": {}}]},
            503,
            "m",
            id="in-choice",
        ),
        pytest.param(
            {"choices": [{"finish_reason": "insufficient_system_resource"}]},
            502,
            "The upstream broke its answer off: insufficient_system_resource",
            id="finish-reason",
        ),
    ],
)
def test_an_error_hidden_in_a_success_is_found(
    body: dict[str, Any], status: int, message: str
) -> None:
    """Gateways answer 200 and think better of it."""
    error = DIALECT.error_in_body(body)
    assert error is not None
    assert (error.status, error.message) == (status, message)


def test_a_null_error_is_none() -> None:
    """Some upstreams always send the field."""
    assert DIALECT.error_in_body(_answer({"content": "x"}) | {"error": None}) is None


def test_the_dialect_says_what_it_is() -> None:
    """Its name and the type of its streams."""
    assert (DIALECT.name, DIALECT.stream_media_type) == ("openai.chat", "text/event-stream")
