"""
Where the texts of chat requests and answers stand.

Not shown: addresses of media and inline files in base64, which no text matcher can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin, Passage
from plano_asgi.wire.openai_chat.answer_texts import answer_passages
from plano_asgi.wire.openai_chat.editor import ChatEditor
from plano_asgi.wire.texts import DEFINITIONS, REQUEST, Reading, all_texts, last_answer

_ORIGIN_OF_ROLE: dict[str, Origin] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_BESIDE_MESSAGES: dict[str, tuple[Reading, Origin]] = {
    "tools": (DEFINITIONS, "tool_definition"),
    "functions": (DEFINITIONS, "tool_definition"),
    "response_format": (DEFINITIONS, "tool_definition"),
    "web_search_options": (DEFINITIONS, "tool_definition"),
    "prediction": (REQUEST, "user"),
    "documents": (REQUEST, "media"),  # retrieval of compatible upstreams
    "prompt": (REQUEST, "user"),
    "suffix": (REQUEST, "user"),
    "chat_template": (REQUEST, "system"),
    "chat_template_kwargs": (REQUEST, "system"),
}
"""Fields of a request that reach the model besides its messages."""


class ChatLayout:
    """``Layout`` of ``openai.chat``."""

    __slots__ = ()

    def request_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.request_passages``."""
        return all_texts(_request_texts(body)) if isinstance(body, dict) else []

    def answer_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.answer_passages``."""
        return list(answer_passages(body)) if isinstance(body, dict) else []

    def stream_editor(self) -> ChatEditor:
        """See ``Layout.stream_editor``."""
        return ChatEditor()


def _request_texts(body: JSONObject) -> Iterator[Passage]:
    messages = body.get("messages")
    messages = messages if isinstance(messages, list) else []
    answered = last_answer(messages)
    for turn in range(len(messages)):
        yield from _message(messages, turn, is_new=turn > answered)
    for key, (reading, origin) in _BESIDE_MESSAGES.items():
        if body.get(key):
            yield from reading.passages(body, key, origin, key, is_new=answered < 0)


def _message(messages: list[Any], turn: int, *, is_new: bool) -> Iterator[Passage]:
    message, path = messages[turn], f"messages.{turn}"
    if not isinstance(message, dict):  # nothing that the API knows; read by somebody, perhaps
        yield from REQUEST.passages(messages, turn, "user", path, turn=turn, is_new=is_new)
        return
    role = message.get("role")
    origin = _ORIGIN_OF_ROLE.get(role, "user") if isinstance(role, str) else "user"
    name = message.get("name")
    if isinstance(name, str) and name and origin != "tool_result":
        # A speaker's name; that of a tool is the tool's. Before the content, whose last text is
        # then the turn's last.
        yield Passage(name, "media", f"{path}.name", message, "name", turn, is_new)
    yield from REQUEST.passages(
        messages, turn, origin, path, turn=turn, is_new=is_new, is_turn=True
    )
