"""Whole Converse answers, errors in them, and identifiers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import exchanges
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    Citation,
    FinishReason,
    MediaPart,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import RateLimited, UpstreamProtocolError
from plano_asgi.wire.base import Dialect
from plano_asgi.wire.bedrock_converse import BedrockConverse
from plano_asgi.wire.bedrock_converse.names import blob_to_text, text_to_blob, tool_use_id

DIALECT: Dialect = BedrockConverse()
REQUEST = ChatRequest(model="m", messages=[])


def answer(*blocks: object, **fields: Any) -> dict[str, Any]:
    """A Converse answer of *blocks*."""
    message = {"role": "assistant", "content": list(blocks)}
    return {"output": {"message": message}, "stopReason": "end_turn", **fields}


def test_the_dialect_says_what_it_is() -> None:
    """Its name and the media type of its streams."""
    assert DIALECT.name == "bedrock.converse"
    assert DIALECT.stream_media_type == "application/vnd.amazon.eventstream"


@pytest.mark.parametrize("item", exchanges("bedrock.converse", streaming=False))
def test_recorded_answers_survive_reading_and_writing(item: dict[str, Any]) -> None:
    """What Bedrock answered is written again as it was; its tokens add up."""
    body = item["response"]["body"]
    if item["response"]["status"] >= 400:
        with pytest.raises(UpstreamProtocolError):
            DIALECT.read_response(body)
        return
    response = DIALECT.read_response(body)
    usage = response.usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == body["usage"]["totalTokens"]
    assert response.choices[0].parts
    assert DIALECT.error_in_body(body) is None
    for block in body["output"]["message"]["content"]:
        if block.get("toolUse", {}).get("type") == "tool_use":
            del block["toolUse"]["type"]  # the default, which some models spell out
    assert DIALECT.write_response(response, REQUEST) == body


def test_every_block_finds_its_part() -> None:
    """Text, thoughts, calls and citations are neutral; what only Bedrock knows stays whole."""
    server = {"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {}}}
    image = {"image": {"format": "png", "source": {"bytes": "AA=="}}}
    web = {"location": {"web": {"url": "https://x.example"}}, "title": "t"}
    source = {"source": "https://y.example", "sourceContent": [{"text": "q"}, {}]}
    body = answer(
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "RXFBRA=="}},
        {"text": "a"},
        {"citationsContent": {"content": [], "citations": [web]}},
        {"citationsContent": {"content": [{"text": "b"}], "citations": [source, "x"]}},
        {"toolUse": {"toolUseId": "c", "name": "f", "input": {"k": 1}}},
        server,
        image,
        {"reasoningContent": {"future": 1}},
        {"reasoningContent": 5},
        {"citationsContent": 5},
        {"toolUse": 5},
        "not a block",
        stopReason="tool_use",
        usage={"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 4},
        serviceTier={"type": "flex"},
        trace={"promptRouter": {"invokedModelId": "arn:x"}},
        additionalModelResponseFields={"stop_sequence": "|"},
        metrics={"latencyMs": 5},
    )
    response = DIALECT.read_response(body)
    assert response.id.startswith("bedrock-")
    assert (response.model, response.service_tier) == ("arn:x", "flex")
    assert response.usage == Usage(
        input_tokens=5,
        output_tokens=2,
        cache_read_input_tokens=4,
        raw=body["usage"],
        dialect="bedrock.converse",
    )
    assert response.extras["metrics"] == {"latencyMs": 5}
    dialect = "bedrock.converse"
    assert response.choices == [
        Choice(
            parts=[
                ReasoningPart(text="t", signature="s", dialect=dialect),
                ReasoningPart(encrypted="EqAD", dialect=dialect),
                TextPart(
                    text="a",
                    citations=[
                        Citation(url="https://x.example", title="t", raw=web, dialect=dialect)
                    ],
                ),
                TextPart(
                    text="b",
                    citations=[
                        Citation(url="https://y.example", quote="q", raw=source, dialect=dialect)
                    ],
                ),
                ToolCallPart(id="c", name="f", arguments='{"k":1}'),
                OpaquePart(dialect=dialect, raw=server),
                OpaquePart(dialect=dialect, raw=image),
                OpaquePart(dialect=dialect, raw={"reasoningContent": {"future": 1}}),
                OpaquePart(dialect=dialect, raw={"reasoningContent": 5}),
                OpaquePart(dialect=dialect, raw={"citationsContent": 5}),
                OpaquePart(dialect=dialect, raw={"toolUse": 5}),
            ],
            finish_reason="tool_calls",
            stop_sequence="|",
            extras={"stopReason": "tool_use"},
        )
    ]


def test_a_citation_without_any_text_is_kept() -> None:
    """With no text before it, it gets an empty part of its own; an empty text leaves none."""
    body = answer({"text": ""}, {"citationsContent": {"citations": [{"title": "t"}]}})
    (part,) = DIALECT.read_response(body).choices[0].parts
    assert isinstance(part, TextPart)
    assert part.citations[0].title == "t"


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "error"),
        ("model_context_window_exceeded", "context_window"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_stop_reasons_are_translated(stop_reason: object, expected: FinishReason) -> None:
    """And the known ones are written back in Bedrock's own word."""
    response = DIALECT.read_response(answer({"text": "x"}, stopReason=stop_reason))
    assert response.choices[0].finish_reason == expected
    written = DIALECT.write_response(response, REQUEST)["stopReason"]
    assert written == (stop_reason if stop_reason not in ("something_new", None) else "end_turn")


@pytest.mark.parametrize("body", [{}, {"output": {}}, {"output": {"message": {}}}, {"output": 1}])
def test_an_answer_without_a_message_is_none(body: dict[str, Any]) -> None:
    """It is the upstream's mistake."""
    with pytest.raises(UpstreamProtocolError):
        DIALECT.read_response(body)


def test_an_answer_of_another_dialect_is_written() -> None:
    """What Converse can say is said; foreign blocks and a second choice are not."""
    response = ChatResponse(
        dialect="openai.chat",
        extras={"system_fingerprint": "x"},
        usage=Usage(input_tokens=10, output_tokens=2, cache_read_input_tokens=4),
        choices=[
            Choice(
                parts=[
                    TextPart(text="a"),
                    RefusalPart(text="b"),
                    MediaPart(modality="audio", data="AA=="),
                    ToolCallPart(id="c", name="f", arguments='{"k":1}'),
                    ToolCallPart(id="d", name="f", arguments='{"k"'),
                    OpaquePart(dialect="anthropic.messages", raw={}),
                ],
                finish_reason="stop",
                stop_sequence="|",
            ),
            Choice(index=1),
        ],
    )
    assert DIALECT.write_response(response, REQUEST) == {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"text": "a"},
                    {"text": "b"},
                    {"toolUse": {"toolUseId": "c", "name": "f", "input": {"k": 1}}},
                    {"toolUse": {"toolUseId": "d", "name": "f", "input": {"input": '{"k"'}}},
                ],
            }
        },
        "stopReason": "stop_sequence",
        "usage": {
            "inputTokens": 6,
            "outputTokens": 2,
            "totalTokens": 12,
            "cacheReadInputTokens": 4,
        },
        "metrics": {"latencyMs": 0},
    }
    assert DIALECT.write_response(ChatResponse(), REQUEST)["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        ({"message": "no"}, "no", 502),
        ({"__type": "ThrottlingException", "message": "slow"}, "slow", 429),
        (
            {"Output": {"__type": "com.amazon.coral#UnknownOperationException"}, "Version": "1.0"},
            "The upstream answered with status 502 (Bad Gateway) and no message.",
            502,
        ),
    ],
)
def test_an_error_in_a_200_is_found(body: dict[str, Any], message: str, status: int) -> None:
    """A body with a message or type and no output is an error."""
    error = DIALECT.error_in_body(body)
    assert error is not None
    assert (error.message, error.status, error.in_stream) == (message, status, False)


def test_no_error_is_found_in_what_is_none() -> None:
    """An answer, and an unknown object."""
    assert DIALECT.error_in_body(answer({"text": "x"})) is None
    assert DIALECT.error_in_body({"x": 1}) is None


def test_an_error_is_a_message() -> None:
    """That is all AWS's SDKs read from the body."""
    assert DIALECT.write_error(RateLimited("slow down"), "r") == {"message": "slow down"}


@given(st.text())
def test_ciphertext_survives_as_a_blob(text: str) -> None:
    """Blobs are base64 of what Anthropic calls data; text and blob come back as they were."""
    assert text_to_blob(blob_to_text(text_to_blob(text))) == text_to_blob(text)


@pytest.mark.parametrize("blob", ["/w==", "not base64", "YQ=", "YR==", "YmFzZTY0Onh4"])
def test_a_blob_that_is_no_text_stays_as_it_is(blob: str) -> None:
    """Binary, malformed, and one that would be mistaken for a marked one."""
    assert blob_to_text(blob) == f"base64:{blob}"
    assert text_to_blob(blob_to_text(blob)) == blob


def test_tool_ids_fit_bedrocks_rules() -> None:
    """Good ones are untouched, others become the same good one each time."""
    assert tool_use_id("functions.f:0") == "functions.f:0"
    assert tool_use_id("a b") == tool_use_id("a b") != tool_use_id("a c")
    assert len(tool_use_id("x" * 500)) <= 64
