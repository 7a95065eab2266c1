"""
Where the texts of Messages requests and answers stand.

Not shown: addresses of media and inline files in base64, which no text matcher can read. Thinking
that a client sends back with its signature is "reasoning": the API refuses it when it is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin, Passage
from plano_asgi.wire.anthropic_messages.editor import MessagesEditor
from plano_asgi.wire.texts import ANSWER, DEFINITIONS, REQUEST, Reading, all_texts, last_answer

_ORIGIN_OF_ROLE: dict[str, Origin] = {"system": "system", "assistant": "assistant"}
_BESIDE_MESSAGES: dict[str, tuple[Reading, Origin]] = {
    "tools": (DEFINITIONS, "tool_definition"),
    "output_format": (DEFINITIONS, "tool_definition"),
    "context_management": (REQUEST, "system"),  # what to keep when the context is compacted
}
_ANSWER_FIELDS: dict[str, Origin] = {
    "content": "content",
    "stop_details": "refusal",
    "error": "error",
    "message": "error",
    "detail": "error",
}


class MessagesLayout:
    """``Layout`` of ``anthropic.messages``."""

    __slots__ = ()

    def request_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.request_passages``."""
        return all_texts(_request_texts(body)) if isinstance(body, dict) else []

    def answer_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.answer_passages``."""
        if not isinstance(body, dict):
            return []
        found: list[Passage] = []
        for key, origin in _ANSWER_FIELDS.items():
            if body.get(key):
                found += ANSWER.passages(body, key, origin, key)
        return found

    def stream_editor(self) -> MessagesEditor:
        """See ``Layout.stream_editor``."""
        return MessagesEditor()


def _request_texts(body: JSONObject) -> Iterator[Passage]:
    messages = body.get("messages")
    messages = messages if isinstance(messages, list) else []
    answered = last_answer(messages)
    is_first = answered < 0
    if body.get("system"):
        yield from REQUEST.passages(body, "system", "system", "system", is_new=is_first)
    for turn in range(len(messages)):
        yield from _message(messages, turn, is_new=turn > answered)
    for key, (reading, origin) in _BESIDE_MESSAGES.items():
        if body.get(key):
            yield from reading.passages(body, key, origin, key, is_new=is_first)
    config = body.get("output_config")
    if isinstance(config, dict) and config.get("format"):
        path = "output_config.format"
        yield from DEFINITIONS.passages(config, "format", "tool_definition", path, is_new=is_first)


def _message(messages: list[Any], turn: int, *, is_new: bool) -> Iterator[Passage]:
    message = messages[turn]
    is_turn = isinstance(message, dict)  # anything else is read by somebody, perhaps
    role = message.get("role") if is_turn else None
    origin = _ORIGIN_OF_ROLE.get(role, "user") if isinstance(role, str) else "user"
    return REQUEST.passages(
        messages, turn, origin, f"messages.{turn}", turn=turn, is_new=is_new, is_turn=is_turn
    )
