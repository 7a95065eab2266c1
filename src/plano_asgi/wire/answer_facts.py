"""What a whole answer says of itself, in any dialect, without reading what it says to the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import AnswerFacts, FinishReason, Usage
from plano_asgi.wire.anthropic_messages.response import FINISH_REASONS
from plano_asgi.wire.anthropic_messages.response import read_usage as read_messages_usage
from plano_asgi.wire.openai_chat.finish import read_finish
from plano_asgi.wire.openai_chat.usage import read_usage as read_chat_usage
from plano_asgi.wire.openai_responses.echo import read_usage as read_responses_usage
from plano_asgi.wire.openai_responses.response import finish_reason

_CALLS = frozenset(("function_call", "custom_tool_call"))


def facts_of(dialect: str, body: JSONObject) -> AnswerFacts:
    """Of *body*, an answer in *dialect*; what it does not say is empty. Never raises."""
    answer_id, model, read = body.get("id"), body.get("model"), _READERS.get(dialect)
    return AnswerFacts(
        answer_id if isinstance(answer_id, str) else "",
        model if isinstance(model, str) else "",
        tuple(filter(None, read(body))) if read is not None else (),
        usage_of(dialect, body.get("usage")),
    )


def usage_of(dialect: str, raw: Any) -> Usage | None:
    """Tokens in *raw*, the usage object of an answer in *dialect*; ``None`` where it is none."""
    read = _USAGE.get(dialect)
    return read(raw) if read is not None and isinstance(raw, dict) else None


def _chat(body: JSONObject) -> list[FinishReason | None]:
    found: list[FinishReason | None] = []
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            said = choice.get("message")
            called = isinstance(said, dict) and (
                said.get("tool_calls") or said.get("function_call")
            )
            found.append(read_finish(choice, called=bool(called)))
    return found


def _messages(body: JSONObject) -> list[FinishReason | None]:
    reason = body.get("stop_reason")
    return [FINISH_REASONS.get(str(reason), "stop")] if reason else []


def _responses(body: JSONObject) -> list[FinishReason | None]:
    if not isinstance(body.get("output"), list):
        return []
    calls = any(item.get("type") in _CALLS for item in _objects(body["output"]))
    return [finish_reason(body, calls=calls)]


def _objects(value: Any) -> list[JSONObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_READERS: Mapping[str, Callable[[JSONObject], list[FinishReason | None]]] = {
    "openai.chat": _chat,
    "openai.responses": _responses,
    "anthropic.messages": _messages,
}
_USAGE: Mapping[str, Callable[[JSONObject], Usage | None]] = {
    "openai.chat": read_chat_usage,
    "openai.responses": read_responses_usage,
    "anthropic.messages": read_messages_usage,
}
