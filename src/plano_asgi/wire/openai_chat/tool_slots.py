"""
Tool calls of a stream, told apart whatever the upstream does with their ``index``.

Seen: no index at all (Google, Ollama), every call under index 0, indexes from 1 on, a call whole
in one chunk, the name after the id, no id. A call is new when its index or its id is, or, without
them, when a name comes; everything else continues the call of that index, or the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.stream_events import (
    ToolCallDelta,
    ToolCallStarted,
)
from plano_asgi.wire.openai_chat.fields import new_id, text_of
from plano_asgi.wire.openai_chat.tools import arguments_text, call_extras

MAX_HELD_CHARS = 1 << 16
"""Arguments held back for a name; a call with more of them starts without one."""


@dataclass(slots=True)
class _Slot:
    """One call. Its arguments wait in ``held`` until its name is known."""

    index: int
    part: int
    id: str
    name: str = ""
    custom: bool = False
    extras: JSONObject = field(default_factory=dict)
    held: str = ""
    started: bool = False


class ToolSlots:
    """The tool calls of choice number *choice*."""

    __slots__ = ("_by_index", "_choice", "_slots")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._slots: list[_Slot] = []
        self._by_index: dict[object, _Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def read(
        self, call: JSONObject, open_part: Callable[[], int]
    ) -> Iterator[ToolCallStarted | ToolCallDelta]:
        """
        Events of one entry of ``delta.tool_calls``. *open_part* is called for a new call: it opens
        a part, and returns its number.
        """
        custom = isinstance(call.get("custom"), dict)
        inner: Any = call.get("custom" if custom else "function")
        inner = inner if isinstance(inner, dict) else {}
        name = text_of(inner.get("name"))
        slot = self._slot(call.get("index"), text_of(call.get("id")), name, open_part)
        slot.custom = slot.custom or custom
        slot.name = slot.name or name
        slot.held += arguments_text(inner.get("input" if custom else "arguments"))
        if not slot.started:
            slot.extras |= call_extras(call)
        if slot.name or len(slot.held) > MAX_HELD_CHARS:
            yield from self._emit(slot)

    def flush(self) -> Iterator[ToolCallStarted | ToolCallDelta]:
        """The choice is over: start what never got a name."""
        for slot in self._slots:
            if not slot.started:
                yield from self._emit(slot)

    def _slot(self, index: object, id: str, name: str, open_part: Callable[[], int]) -> _Slot:
        key = index if isinstance(index, int) else None
        slot = self._by_index.get(key)
        if key is None and slot is not None:
            known = next((s for s in self._slots if id and s.id == id), None)
            slot = known or (None if id or name else slot)
        elif slot is not None and (
            id != slot.id if id else slot.name and name not in ("", slot.name)
        ):
            slot = None
        if slot is None:
            slot = _Slot(len(self._slots), open_part(), id or new_id("call_"))
            self._slots.append(slot)
        self._by_index[key] = slot
        return slot

    def _emit(self, slot: _Slot) -> Iterator[ToolCallStarted | ToolCallDelta]:
        if not slot.started:
            slot.started = True
            yield ToolCallStarted(
                index=slot.index,
                id=slot.id,
                name=slot.name,
                choice=self._choice,
                part=slot.part,
                kind="custom" if slot.custom else "function",
                extras=slot.extras,
            )
        if slot.held:
            yield ToolCallDelta(
                index=slot.index, arguments=slot.held, choice=self._choice, part=slot.part
            )
            slot.held = ""
