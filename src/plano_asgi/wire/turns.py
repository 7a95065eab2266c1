"""
The turns of a request body: where they stand, where a user's begin, how to say one thing more.

Changes are copies along the path to the change: every other object, and so every other byte of
the body once written, stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject

_OWN = ("system", "developer")


@dataclass(frozen=True, slots=True)
class TurnShape:
    """How one dialect spells its turns: the body's field, and the type of a text part in it."""

    field: str
    text_type: str

    def turns(self, body: JSONObject) -> list[Any]:
        """The turns of *body*; empty where there is no list of them."""
        found = body.get(self.field)
        return found if isinstance(found, list) else []

    def last_user_turn(self, body: JSONObject) -> int | None:
        """Index of the last turn in which the user says something; ``None`` if there is none."""
        turns = self.turns(body)
        return next((n for n in range(len(turns) - 1, -1, -1) if self.is_user(turns[n])), None)

    def is_user(self, turn: Any) -> bool:
        """Whether a user speaks, and not only a tool whose result the dialect calls a user's."""
        if not isinstance(turn, dict) or turn.get("role") != "user":
            return False
        content = turn.get("content")
        if not isinstance(content, list):
            return isinstance(content, str)
        return any(_type(part) != "tool_result" for part in content)

    def is_own(self, turn: Any) -> bool:
        """Whether it is the app's own: a system or developer turn."""
        return isinstance(turn, dict) and turn.get("role") in _OWN

    def text(self, body: JSONObject, index: int | None = None) -> str:
        """What the user says in turn *index*, or in a body whose one turn is plain text."""
        if index is None:
            said = body.get(self.field)
            return said if isinstance(said, str) else ""
        content = self.turns(body)[index].get("content")
        if isinstance(content, str):
            return content
        parts = content if isinstance(content, list) else []
        texts = (part.get("text") for part in parts if _type(part) == self.text_type)
        return "\n".join(text for text in texts if isinstance(text, str))

    def say(self, body: JSONObject, text: str, *, index: int | None, first: bool = False) -> Any:
        """
        *body* with *text* added to turn *index* (``None``: to its one plain text), as its last
        or *first* part. Where the turn's content is plain text it stays plain text.
        """
        if index is None:
            return {**body, self.field: _joined(body.get(self.field) or "", text, first)}
        turns = list(self.turns(body))
        turn = turns[index]
        content = turn["content"]
        if isinstance(content, str):
            content = _joined(content, text, first)
        else:
            part = {"type": self.text_type, "text": text}
            content = [part, *content] if first else [*content, part]
        turns[index] = {**turn, "content": content}
        return {**body, self.field: turns}


def _joined(old: str, new: str, first: bool) -> str:
    return f"{new}\n\n{old}" if first else f"{old}\n\n{new}"


def _type(part: Any) -> Any:
    return part.get("type") if isinstance(part, dict) else None


TURNS: Mapping[str, TurnShape] = {
    "openai.chat": TurnShape("messages", "text"),
    "anthropic.messages": TurnShape("messages", "text"),
    "openai.responses": TurnShape("input", "input_text"),
}
"""By client dialect."""
