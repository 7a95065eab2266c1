"""Which call a piece of arguments belongs to, and how a delta of a running text is spelled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from plano_asgi._json import JSONObject, loads
from plano_asgi.wire.openai_chat.fields import text_of

Path: TypeAlias = tuple[str | JSONObject, ...]
"""Where a text stands in a delta. An object in it: the text's place is one like it, in a list."""


class CallNumbers:
    """
    The tool calls of one choice, numbered in the order of their beginning. They are told apart as
    ``tool_slots`` does: one is new when its index or its id is, or, without them, when a name
    comes.
    """

    __slots__ = ("_count", "_known")

    def __init__(self) -> None:
        self._known: dict[int | None, tuple[int, str, str]] = {}
        self._count = 0

    def number(self, entry: JSONObject, name: Any) -> tuple[int, bool]:
        """The number of the call that *entry* of ``tool_calls`` speaks of; whether it is new."""
        index = entry.get("index")
        index = index if isinstance(index, int) else None
        id, name = text_of(entry.get("id")), text_of(name)
        number, known_id, known_name = self._known.get(index, (-1, "", ""))
        if id:
            is_new = id != known_id
        elif index is None:
            is_new = bool(name)
        else:
            is_new = bool(known_name and name not in ("", known_name))
        if is_new or number < 0:
            number, known_id, known_name, is_new = self._count, "", "", True
            self._count += 1
        self._known[index] = (number, id or known_id, known_name or name)
        return number, is_new


def is_whole(arguments: str) -> bool:
    """Whether *arguments* are complete JSON."""
    try:
        loads(arguments)
    except ValueError:
        return False
    return True


class Place(NamedTuple):
    """Where a text stands in a delta: its path, the object that holds it, its key there."""

    path: Path
    holder: JSONObject
    key: str


def placed(path: Path, text: str, delta: JSONObject) -> Place:
    """Put *text* into *delta* at *path*."""
    holder = delta
    for here, below in pairwise(path):
        if isinstance(here, str):
            inner: JSONObject = {} if isinstance(below, str) else dict(below)
            holder[here] = inner if isinstance(below, str) else [inner]
            holder = inner
    key = str(path[-1])
    holder[key] = text
    return Place(path, holder, key)
