"""
The response object around the output: every field of the schema, the client's settings echoed.

Clients of typed languages refuse an answer that lacks one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, FinishReason, Usage
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.request_writer import (
    write_own_reasoning,
    write_text_config,
)
from plano_asgi.wire.openai_responses.tools import write_tool_choice, write_tools
from plano_asgi.wire.token_counts import token_count

Status = Literal["completed", "incomplete", "failed"]

_DEFAULTS: JSONObject = {
    "background": False,
    "completed_at": None,
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "user": None,
}

_ECHOED_EXTRAS = frozenset({*_DEFAULTS, "prompt", "prompt_cache_options"})
_ECHOED_FIELDS = (
    "max_output_tokens",
    "parallel_tool_calls",
    "service_tier",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
)

CLIENT_STATE = frozenset({"store", "previous_response_id", "instructions", "conversation"})
"""
Fields where the client's word stands against the upstream's: whoever keeps the conversation for
the client asks the upstream something else.
"""

_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")

_LENIENT = WriteOptions(on_unsupported="drop")


def echo(request: ChatRequest) -> JSONObject:
    """The settings of *request* with the API's defaults for what it does not say."""
    settings: JSONObject = dict(_DEFAULTS)
    for key in _ECHOED_FIELDS:
        if (value := getattr(request, key)) is not None:
            settings[key] = value
    settings |= asked(request)
    settings["metadata"] = request.metadata or {}
    settings["reasoning"] = {"effort": None, "summary": None} | write_own_reasoning(
        request.reasoning
    )
    settings["text"] = {"format": {"type": "text"}, "verbosity": "medium"} | write_text_config(
        request
    )
    settings["tool_choice"] = write_tool_choice(request, _LENIENT) or "auto"
    settings["tools"] = [_full_tool(tool) for tool in write_tools(request, _LENIENT)]
    return settings


def write_tier(tier: str | None) -> JSONObject:
    """The ``service_tier`` that served the answer; other vendors' tiers are not shown."""
    return {"service_tier": tier} if tier in _TIERS else {}


def asked(request: ChatRequest) -> JSONObject:
    """What the client itself said in the fields that a response echoes."""
    said = {key: value for key, value in request.extras.items() if key in _ECHOED_EXTRAS}
    if text := "".join(m.text for m in request.messages if _is_instructions(m.extras)):
        said["instructions"] = text
    conversation = request.extras.get("conversation")
    if conversation is not None:
        said["conversation"] = (
            conversation if isinstance(conversation, dict) else {"id": conversation}
        )
    return said


def _is_instructions(extras: JSONObject) -> bool:
    return bool(extras.get(NAME, {}).get("instructions"))


def _full_tool(tool: JSONObject) -> JSONObject:
    if tool["type"] != "function":
        return tool
    return {"description": None, "parameters": {}, "strict": True} | tool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended, in this dialect's words."""

    status: Status
    reason: str | None = None
    """Of ``incomplete_details``."""

    def fields(self) -> JSONObject:
        """The fields of the response object."""
        details = None if self.reason is None else {"reason": self.reason}
        return {"status": self.status, "incomplete_details": details}


_COMPLETED = Outcome("completed")
_OUTCOMES: dict[FinishReason, Outcome] = {
    "length": Outcome("incomplete", "max_output_tokens"),
    "context_window": Outcome("incomplete", "max_output_tokens"),
    "content_filter": Outcome("incomplete", "content_filter"),
    "error": Outcome("failed"),
}


def outcome(reason: FinishReason | None) -> Outcome:
    """What a finish reason is called here; a refusal, a pause and calls are complete answers."""
    return _COMPLETED if reason is None else _OUTCOMES.get(reason, _COMPLETED)


def write_usage(usage: Usage | None) -> JSONObject | None:
    """The ``usage`` object, verbatim where it came from this dialect."""
    if usage is None:
        return None
    if usage.dialect == NAME and usage.raw:
        return usage.raw
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_input_tokens,
            "cache_write_tokens": usage.cache_creation_input_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def read_usage(raw: object) -> Usage | None:
    """The ``usage`` object of an answer; ``None`` where there is none yet."""
    if not isinstance(raw, dict):
        return None
    inputs, outputs = raw.get("input_tokens_details"), raw.get("output_tokens_details")
    return Usage(
        input_tokens=_count(raw, "input_tokens"),
        output_tokens=_count(raw, "output_tokens"),
        cache_read_input_tokens=_count(inputs, "cached_tokens"),
        cache_creation_input_tokens=_count(inputs, "cache_write_tokens"),
        reasoning_output_tokens=_count(outputs, "reasoning_tokens"),
        raw=raw,
        dialect=NAME,
    )


def _count(raw: object, key: str) -> int:
    return token_count(raw.get(key)) if isinstance(raw, dict) else 0
