"""Whole Responses answers: read from upstreams, written for clients of this API."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response

from plano_asgi._json import loads
from plano_asgi.conversation import (
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
from plano_asgi.errors import UpstreamProtocolError, UpstreamReset, UpstreamStatus
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.reasoning_pack import unpack

DIALECT = OpenAIResponses()
TOOLS = [
    {"type": "function", "name": "f", "parameters": {}, "strict": True},
    {"type": "custom", "name": "patch"},
]


def written(*parts: Part, finish: FinishReason = "stop", **fields: Any) -> dict[str, Any]:
    """The answer of a foreign upstream, for a client of this API."""
    request = DIALECT.read_request({"model": "asked", "input": "hi", "tools": TOOLS})
    choice = Choice(parts=list(parts), finish_reason=finish, logprobs=fields.pop("logprobs", None))
    answer = ChatResponse(
        id="chatcmpl-1", model="m", created=7, choices=[choice], dialect="openai.chat", **fields
    )
    body = DIALECT.write_response(answer, request)
    Response.model_validate(body)
    return body


def body(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An upstream's answer."""
    return {"id": "resp_1", "status": "completed", "output": list(output), **fields}


def test_a_foreign_answer_has_every_field() -> None:
    """Identity, echo, usage, and one item a part."""
    answer = written(
        ReasoningPart(text="hm", dialect="anthropic.messages", signature="sig"),
        TextPart(text="a", citations=[Citation(url="https://x", title="X", start=0, end=1)]),
        TextPart(text="b"),
        ToolCallPart(id="c1", name="f", extras={"foreign": 1}),
        ToolCallPart(id="c2", name="patch", arguments='{"input":"raw"}'),
        ToolCallPart(id="c3", name="patch", arguments="not json"),
        MediaPart(modality="image", mime_type="image/png", data="iV"),
        OpaquePart(dialect="anthropic.messages", raw={"type": "server_tool_use"}),
        finish="tool_calls",
        usage=Usage(input_tokens=5, output_tokens=2, cache_creation_input_tokens=1),
        service_tier="flex",
        logprobs=[{"token": "a", "logprob": 0.0}],
    )
    assert answer["id"].startswith("resp_")
    assert (answer["model"], answer["created_at"], answer["status"]) == ("m", 7, "completed")
    assert answer["service_tier"] == "flex"
    assert answer["usage"]["input_tokens_details"]["cache_write_tokens"] == 1
    assert answer["usage"]["total_tokens"] == 7
    kinds = [item["type"] for item in answer["output"]]
    assert kinds == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
        "custom_tool_call",
        "image_generation_call",
    ]
    reasoning, message, call, custom, odd, image = answer["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "hm"}]
    part = unpack(reasoning["encrypted_content"])
    assert part is not None
    assert part.signature == "sig"
    assert [each["text"] for each in message["content"]] == ["a", "b"]
    assert message["content"][0]["annotations"] == [
        {
            "type": "url_citation",
            "url": "https://x",
            "title": "X",
            "start_index": 0,
            "end_index": 1,
        }
    ]
    assert message["content"][0]["logprobs"] == [
        {"token": "a", "logprob": 0.0, "bytes": [], "top_logprobs": []}
    ]
    assert (call["arguments"], "foreign" in call) == ("{}", False)
    assert call["id"].startswith("fc_")
    assert custom["input"] == "raw"
    assert odd["input"] == "not json"
    assert image["result"] == "iV"


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("refusal", "completed", None),
        ("pause", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("context_window", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("error", "failed", None),
    ],
)
def test_finish_reasons_become_a_status(
    finish: FinishReason, status: str, details: dict[str, str] | None
) -> None:
    """What is cut is incomplete, and so is its last item."""
    answer = written(RefusalPart(text="no"), finish=finish)
    assert (answer["status"], answer["incomplete_details"]) == (status, details)
    item = "incomplete" if status == "incomplete" else "completed"
    assert answer["output"][0]["status"] == item
    assert (answer["completed_at"] is not None) == (status == "completed")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": None}, "length"),
        ({"status": "failed"}, "error"),
        ({"status": "cancelled"}, "error"),
        ({"status": "queued"}, None),
        ({"status": "in_progress"}, None),
    ],
)
def test_a_status_becomes_a_finish_reason_and_comes_back(
    fields: dict[str, Any], reason: str | None
) -> None:
    """Read and written, the status is the upstream's own."""
    answer = body(**fields)
    response = DIALECT.read_response(answer)
    assert response.choices[0].finish_reason == reason
    request = DIALECT.read_request({"model": "m", "input": "hi"})
    assert DIALECT.write_response(response, request)["status"] == answer["status"]


def test_a_changed_finish_reason_changes_the_status() -> None:
    """A guard that cuts an answer of the same API is visible in it."""
    response = DIALECT.read_response(body())
    response.choices[0].finish_reason = "content_filter"
    request = DIALECT.read_request({"model": "m", "input": "hi"})
    answer = DIALECT.write_response(response, request)
    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "content_filter"}


def test_the_clients_state_stands_in_the_echo() -> None:
    """Who keeps the conversation asks the upstream statelessly; the client reads its own words."""
    response = DIALECT.read_response(
        body(store=False, previous_response_id=None, instructions="merged", temperature=0.7)
    )
    request = DIALECT.read_request(
        {"model": "m", "input": "hi", "store": True, "previous_response_id": "resp_0"}
    )
    answer = DIALECT.write_response(response, request)
    assert answer["store"] is True
    assert answer["previous_response_id"] == "resp_0"
    assert answer["temperature"] == 0.7


def test_another_vendors_tier_is_not_shown() -> None:
    """Typed clients know this API's tiers only."""
    assert written(TextPart(text="x"), service_tier="on_demand")["service_tier"] == "default"


def test_messages_stay_apart() -> None:
    """Two message items are two again, with their ids and phases."""
    items: list[dict[str, Any]] = [
        {
            "type": "message",
            "id": f"msg_{phase}",
            "role": "assistant",
            "status": "completed",
            "phase": phase,
            "content": [{"type": "output_text", "text": phase, "annotations": [], "logprobs": []}],
        }
        for phase in ("commentary", "final_answer")
    ]
    request = DIALECT.read_request({"model": "m", "input": "hi"})
    response = DIALECT.read_response(body(*items))
    assert len(response.choices[0].parts) == 2
    assert DIALECT.write_response(response, request)["output"] == items


@pytest.mark.parametrize("answer", [{}, {"output": "x"}, body({"type": "function_call"})])
def test_what_is_no_answer_is_a_protocol_error(answer: dict[str, Any]) -> None:
    """A document without output, or with a malformed item."""
    with pytest.raises(UpstreamProtocolError):
        DIALECT.read_response(answer)


def test_errors_under_a_200() -> None:
    """A failed response and a bare error body are errors; ``error: null`` is not."""
    failed = {
        "status": "failed",
        "output": [],
        "error": {"code": "rate_limit_exceeded", "message": "slow"},
    }
    error = DIALECT.error_in_body(failed)
    assert isinstance(error, UpstreamStatus)
    assert (error.status, error.message, error.in_stream) == (429, "slow", False)
    assert DIALECT.error_in_body({"error": {"message": "x"}}) is not None
    assert DIALECT.error_in_body({"status": "cancelled", "output": []}) is not None
    assert DIALECT.error_in_body(body(error=None)) is None


def test_a_source_without_url_is_a_file() -> None:
    """Documents cited by name; an annotation of this API stays as it was."""
    own = {"type": "file_path", "file_id": "file-1", "index": 0}
    cited = [Citation(title="notes"), Citation(raw=own, dialect=DIALECT.name)]
    answer = written(TextPart(text="a", citations=cited))
    assert answer["output"][0]["content"][0]["annotations"] == [
        {"type": "file_citation", "file_id": "", "filename": "notes", "index": 0},
        own,
    ]


def test_a_lone_stream_error_is_an_error_event() -> None:
    """A relayed stream that broke off ends with the API's ``error`` event."""
    data = DIALECT.write_stream_error(UpstreamReset("cut"), None)
    event, _, line = data.decode().partition("\n")
    assert event == "event: error"
    assert loads(line.removeprefix("data: ").strip())["error"]["message"] == "cut"


def test_error_bodies_are_openais() -> None:
    """The same shape as in the chat API."""
    error = UpstreamStatus("m", status=401, type="authentication_error", code="invalid_api_key")
    assert DIALECT.write_error(error, "req_1") == {
        "error": {
            "message": "m",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }
