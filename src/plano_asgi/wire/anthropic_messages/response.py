"""Whole answers, both ways: blocks, stop reasons, usage."""

from __future__ import annotations

from uuid import uuid4

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
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
from plano_asgi.errors import RequestError, UpstreamProtocolError
from plano_asgi.wire.anthropic_messages.blocks import (
    NAME,
    NATIVE_REASONING,
    call_block,
    clean_id,
    native_thinking,
    packed_signature,
    read_block,
    text_block,
)
from plano_asgi.wire.anthropic_messages.fields import objects, rest
from plano_asgi.wire.token_counts import token_count

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}
_STOP_REASONS: dict[FinishReason, str] = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "pause": "pause_turn",
    "refusal": "refusal",
    "content_filter": "refusal",
    "context_window": "model_context_window_exceeded",
    "error": "max_tokens",  # an answer cut short: this API has no nearer word for it
}
_MESSAGE_FIELDS = (
    "id",
    "type",
    "role",
    "model",
    "content",
    "stop_reason",
    "stop_sequence",
    "usage",
)

# --------------------------------------------------------------------------- reading


def read_response(body: JSONObject) -> ChatResponse:
    """
    Read a message. Fields the neutral form lacks (``container``, ``stop_details``) go to
    ``extras``; a stop reason it cannot tell apart goes to the choice's.

    Raises:
        UpstreamProtocolError: *body* is not a message.
    """
    try:
        blocks = objects(body.get("content"), "content")
        parts = [read_block(block, f"content.{index}") for index, block in enumerate(blocks)]
    except RequestError as exc:
        raise UpstreamProtocolError(f"the upstream's answer is no message: {exc}") from exc
    reason, sequence = body.get("stop_reason"), body.get("stop_sequence")
    choice = Choice(parts=parts, stop_sequence=sequence if isinstance(sequence, str) else None)
    if isinstance(reason, str):
        choice.finish_reason = FINISH_REASONS.get(reason, "stop")
        if _reason_of(choice) != reason:
            choice.extras["stop_reason"] = reason
    usage = body.get("usage")
    return ChatResponse(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        choices=[choice],
        usage=read_usage(usage) if isinstance(usage, dict) else None,
        dialect=NAME,
        extras=rest(body, *_MESSAGE_FIELDS),
    )


def read_usage(raw: JSONObject) -> Usage:
    """Anthropic's ``input_tokens`` leave cached ones out; the neutral ones include them."""
    read, created = (
        _count(raw, "cache_read_input_tokens"),
        _count(raw, "cache_creation_input_tokens"),
    )
    details = raw.get("output_tokens_details")
    return Usage(
        input_tokens=_count(raw, "input_tokens") + read + created,
        output_tokens=_count(raw, "output_tokens"),
        cache_read_input_tokens=read,
        cache_creation_input_tokens=created,
        reasoning_output_tokens=(
            _count(details, "thinking_tokens") if isinstance(details, dict) else 0
        ),
        raw=raw,
        dialect=NAME,
    )


def _count(raw: JSONObject, key: str) -> int:
    return token_count(raw.get(key))


# --------------------------------------------------------------------------- writing


def write_response(response: ChatResponse, request: ChatRequest) -> JSONObject:
    """
    Write a message: the first choice, which is all this API has.

    Left out because no block can say it: server-tool items and media of other dialects, and
    their citations (see ``text_block``).
    """
    native = response.dialect == NAME
    choice = response.choices[0] if response.choices else Choice()
    blocks = [_write_part(part, native=native) for part in choice.parts]
    reason = choice.extras.get("stop_reason") if native else None
    message: JSONObject = {
        "id": message_id(response.id),
        "type": "message",
        "role": "assistant",
        "model": response.model or request.model,
        "content": [block for block in blocks if block is not None],
        "stop_reason": reason or _reason_of(choice),
        "stop_sequence": choice.stop_sequence,
        "usage": write_usage(response.usage),
    }
    return message | (response.extras if native else {})


def message_id(upstream_id: str) -> str:
    """*upstream_id* as a message id; a new one where the upstream gave none."""
    if upstream_id.startswith("msg_"):
        return upstream_id
    return f"msg_{clean_id(upstream_id) if upstream_id else uuid4().hex}"


def stop_reason(reason: FinishReason | None, sequence: str | None, *, calls: bool) -> str:
    """
    The ``stop_reason`` for *reason*.

    Args:
        sequence: The stop sequence that was met, if any.
        calls: The answer holds tool calls: some upstreams end those with a plain stop.
    """
    if reason in (None, "stop"):
        return "tool_use" if calls else "stop_sequence" if sequence is not None else "end_turn"
    return _STOP_REASONS[reason]


def _reason_of(choice: Choice) -> str:
    calls = any(isinstance(part, ToolCallPart) for part in choice.parts)
    refused = any(isinstance(part, RefusalPart) for part in choice.parts)
    reason = "refusal" if refused else choice.finish_reason
    return stop_reason(reason, choice.stop_sequence, calls=calls)


def write_usage(usage: Usage | None) -> JSONObject:
    """``usage`` of a message; an object of this dialect is given back as it came."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    if usage.dialect == NAME and usage.raw:
        return usage.raw
    read, created = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    written: JSONObject = {
        "input_tokens": max(usage.input_tokens - read - created, 0),
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_output_tokens:
        details = {"thinking_tokens": usage.reasoning_output_tokens}
        written["output_tokens_details"] = details
    return written


def _write_part(part: Part, *, native: bool) -> JSONObject | None:
    match part:
        case TextPart():
            if not part.text and not native:
                return None  # the client could not send it back
            return text_block(part.text, part.citations, part.extras if native else {})
        case RefusalPart():
            return text_block(part.text, [], {}) if part.text else None
        case ReasoningPart():
            if part.dialect in NATIVE_REASONING:
                return native_thinking(part)
            signature = packed_signature(part)
            return {"type": "thinking", "thinking": part.text, "signature": signature}
        case ToolCallPart():
            return _write_call(part, part.extras if native else {})
        case OpaquePart(dialect=dialect, raw=raw):
            return raw if dialect == NAME else None
        case _:
            return None


def _write_call(part: ToolCallPart, extras: JSONObject) -> JSONObject:
    try:
        return call_block(part, part.id, extras)
    except ValueError:
        # Broken JSON is the model's, often cut by a limit. The API's own advice for handing it on:
        # https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/fine-grained-tool-streaming
        wrapped = {"INVALID_JSON": part.arguments}
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": wrapped} | extras
