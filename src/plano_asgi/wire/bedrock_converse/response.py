"""Whole Converse answers: read and write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import (
    ChatResponse,
    Choice,
    FinishReason,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.bedrock_converse.blocks import Writing, write_blocks
from plano_asgi.wire.bedrock_converse.content import read_answer
from plano_asgi.wire.bedrock_converse.media import DocumentNames
from plano_asgi.wire.bedrock_converse.names import FINISH_REASONS, NAME, STOP_REASONS
from plano_asgi.wire.token_counts import token_count

_MODELLED = frozenset({"output", "stopReason", "usage", "serviceTier"})
_ANSWER_PARTS = (TextPart, RefusalPart, ReasoningPart, ToolCallPart, OpaquePart)


def read_response(body: JSONObject) -> ChatResponse:
    """
    The answer in *body*. Converse gives it neither an id nor a time; the id is made here.

    ``model`` is what a prompt router chose, else empty: the URL said it.

    Raises:
        UpstreamProtocolError: There is no message in it.
    """
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        raise UpstreamProtocolError("the upstream's answer holds no message")
    usage, tier = body.get("usage"), body.get("serviceTier")
    stop_reason = body.get("stopReason")
    return ChatResponse(
        id=new_id(),
        model=invoked_model(body),
        choices=[
            Choice(
                parts=read_answer(content),
                finish_reason=finish_reason(stop_reason),
                stop_sequence=stop_sequence(body),
                extras={"stopReason": stop_reason} if isinstance(stop_reason, str) else {},
            )
        ],
        usage=read_usage(usage) if isinstance(usage, dict) else None,
        service_tier=tier.get("type") if isinstance(tier, dict) else None,
        dialect=NAME,
        extras={name: value for name, value in body.items() if name not in _MODELLED},
    )


def write_response(response: ChatResponse) -> JSONObject:
    """A whole answer: the first choice, which is all that Converse has room for."""
    choice = response.choices[0] if response.choices else Choice()
    body: JSONObject = {
        "output": {"message": {"role": "assistant", "content": write_answer(choice.parts)}},
        "stopReason": stop_reason(choice),
        "usage": write_usage(response.usage or Usage()),
        "metrics": {"latencyMs": 0},
    }
    if response.service_tier:
        body["serviceTier"] = {"type": response.service_tier}
    return {**body, **(response.extras if response.dialect == NAME else {})}


def write_answer(parts: Sequence[Part]) -> list[JSONObject]:
    """The blocks of an answer; blocks that only another dialect knows are left out."""
    writing = Writing(options=_DROP, own=True, names=DocumentNames(keep=True))
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, ToolCallPart) and not _is_object(part.arguments):
            # A call that was cut short is still the answer; its text must not be lost.
            part = ToolCallPart(id=part.id, name=part.name, arguments=part.arguments, kind="custom")
        if isinstance(part, _ANSWER_PARTS):
            kept.append(part)
    return write_blocks(kept, "output.message.content", writing)


def read_usage(usage: JSONObject) -> Usage:
    """
    Tokens. Converse's ``inputTokens`` leaves out what was read from or written to the cache
    (``totalTokens`` is the sum of all four); the neutral count includes it.
    """
    read = _count(usage, "cacheReadInputTokens")
    written = _count(usage, "cacheWriteInputTokens")
    return Usage(
        input_tokens=_count(usage, "inputTokens") + read + written,
        output_tokens=_count(usage, "outputTokens"),
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        raw=usage,
        dialect=NAME,
    )


def write_usage(usage: Usage) -> JSONObject:
    """Tokens as Converse counts them, or as it counted them."""
    if usage.dialect == NAME and usage.raw:
        return usage.raw
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    cached = {"cacheReadInputTokens": read, "cacheWriteInputTokens": written}
    return {
        "inputTokens": max(0, usage.input_tokens - read - written),
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        **{name: count for name, count in cached.items() if count},
    }


def finish_reason(stop_reason: object) -> FinishReason:
    """Why it stopped; a reason that nobody knows is a natural end."""
    return FINISH_REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"


def stop_sequence(holder: JSONObject) -> str | None:
    """The stop sequence, where the request asked for it (``/stop_sequence``)."""
    fields = holder.get("additionalModelResponseFields")
    value = fields.get("stop_sequence") if isinstance(fields, dict) else None
    return value if isinstance(value, str) else None


def invoked_model(holder: JSONObject) -> str:
    """The model that a prompt router chose; "" without one."""
    value: Any = holder
    for key in ("trace", "promptRouter", "invokedModelId"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def new_id() -> str:
    """An id for an answer, which Converse has none of."""
    return f"bedrock-{uuid4().hex}"


_DROP = WriteOptions(on_unsupported="drop")


def stop_reason(choice: Choice) -> str:
    """The stop reason of *choice*, in Bedrock's own word where it gave one."""
    reason = choice.finish_reason or "stop"
    original = choice.extras.get("stopReason")
    if isinstance(original, str) and FINISH_REASONS.get(original) == reason:
        return original
    if reason == "stop" and choice.stop_sequence is not None:
        return "stop_sequence"
    return STOP_REASONS[reason]


def _is_object(arguments: str) -> bool:
    try:
        return not arguments.strip() or isinstance(loads(arguments), dict)
    except ValueError:
        return False


def _count(usage: JSONObject, name: str) -> int:
    return token_count(usage.get(name))
