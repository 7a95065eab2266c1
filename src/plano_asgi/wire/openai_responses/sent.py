"""What of an answer has gone out to the client, and how to end it there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.conversation import FinishReason
from plano_asgi.wire.openai_responses.echo import outcome
from plano_asgi.wire.openai_responses.names import new_id
from plano_asgi.wire.openai_responses.running_text import RunningText
from plano_asgi.wire.openai_responses.text_events import (
    BY_STEM,
    ITEM_ADDED,
    ITEM_DONE,
    OUTPUT_TEXT,
    PARTS,
    index_of,
    stem_of,
)


@dataclass(slots=True, eq=False)
class _Part:
    """A content or summary part; ``base`` is its path in the item."""

    stem: str
    index_key: str
    index: int
    base: str
    body: JSONObject
    is_done: bool = False


@dataclass(slots=True, eq=False)
class _Item:
    """An item of the output; ``body`` is empty while no event announced it."""

    index: int
    body: JSONObject = field(default_factory=dict)
    parts: dict[str, _Part] = field(default_factory=dict)
    texts: dict[str, RunningText] = field(default_factory=dict)
    """By slot, those that were streamed."""
    done: set[str] = field(default_factory=set)
    """Slots of texts whose ``done`` event is out."""
    is_done: bool = False

    @property
    def id(self) -> str:
        """The item's id, from whatever named it."""
        frames = (text.frame.get("item_id") for text in self.texts.values())
        return str(self.body.get("id") or next(filter(None, frames), ""))


class SentResponse:
    """
    Follows the events that go out, in order. ``stop`` then makes the ones that end the answer.

    The bodies in the events are kept as they are, not copied: nobody changes an event after it
    was sealed.
    """

    def __init__(self) -> None:
        self._head: JSONObject | None = None
        self._items: dict[int, _Item] = {}

    def note_delta(self, text: RunningText) -> None:
        """A piece of *text* goes out."""
        item = self._item(text.index)
        item.texts[text.slot] = text
        item.done.discard(text.slot)

    def note(self, kind: str, index: int, data: JSONObject) -> None:
        """An event about the response, an item, a part or a whole text goes out."""
        stem, verb = stem_of(kind)
        if isinstance(data.get("response"), dict):
            self._head = data["response"]
        elif verb == "done" and stem in BY_STEM:
            self._item(index).done.add(BY_STEM[stem].slot_of(data))
        elif kind in (ITEM_ADDED, ITEM_DONE):
            item, body = self._item(index), data.get("item")
            item.body = body if isinstance(body, dict) else item.body
            item.is_done = kind == ITEM_DONE
        elif stem in PARTS and isinstance(data.get("part"), dict):
            where, index_key = PARTS[stem]
            number = index_of(data, index_key)
            base = f"{where}.{number}"
            part = _Part(stem, index_key, number, base, data["part"], is_done=verb == "done")
            self._item(index).parts[base] = part

    def _item(self, index: int) -> _Item:
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _Item(index)
        return item

    # ----------------------------------------------------------------- the end

    def stop(self, reason: FinishReason, text: str) -> list[JSONObject]:
        """The events that end the answer, without their sequence numbers."""
        events: list[JSONObject] = []
        end = outcome(reason)
        refusal = text if end.status != "failed" else ""
        if self._head is None:
            self._head = _new_head()
            events += ({"type": f"response.{w}", "response": self._head} for w in _OPENING)
        unfinished = [self._items[n] for n in sorted(self._items) if not self._items[n].is_done]
        messages = [item for item in unfinished if item.body.get("type") == "message"]
        host = messages[-1] if messages and refusal else None
        for item in unfinished:
            events += _close_item(item, refusal if item is host else "")
        if refusal and host is None:
            events += self._refusal_item(refusal)
        fields: JSONObject = end.fields()
        if end.status == "failed":
            message = text or "The answer was stopped."
            fields["error"] = {"code": "server_error", "message": message}
        items = (self._items[index] for index in sorted(self._items))
        response = self._head | fields | {"output": [each.body for each in items if each.body]}
        response.setdefault("usage", None)
        events.append({"type": f"response.{end.status}", "response": response})
        return events

    def _refusal_item(self, text: str) -> Iterator[JSONObject]:
        index = max(self._items, default=-1) + 1
        body: JSONObject = {
            "id": new_id("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        item = self._items[index] = _Item(index, body)
        yield {"type": ITEM_ADDED, "output_index": index, "item": body}
        yield from _close_item(item, text)


_OPENING = ("created", "in_progress")


def _new_head() -> JSONObject:
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _close_item(item: _Item, refusal: str) -> Iterator[JSONObject]:
    body = loads(dumps(item.body))
    place = {"item_id": item.id, "output_index": item.index}
    unfinished = {slot: text for slot, text in item.texts.items() if slot not in item.done}
    for part in item.parts.values():
        yield from _close_part(part, unfinished, place)
        put(body, part.base.split("."), part.body)
    for text in unfinished.values():
        yield from _text_done(text, place)
    for slot, text in item.texts.items():
        put(body, slot.split("."), text.sent)
        _complete_part(body, text)
    if refusal:
        yield from _refuse(body, place, refusal)
    if not item.body:
        return  # never announced: there is no item to end
    if "status" in body:
        body["status"] = "incomplete"
    item.body, item.is_done = body, True
    yield {"type": ITEM_DONE, "output_index": item.index, "item": body}


def _close_part(
    part: _Part, unfinished: dict[str, RunningText], place: JSONObject
) -> Iterator[JSONObject]:
    """End a part's open texts and the part; those texts leave *unfinished*."""
    if part.is_done:
        return
    part.body = dict(part.body)
    for slot in [slot for slot in unfinished if slot.startswith(f"{part.base}.")]:
        text = unfinished.pop(slot)
        part.body[slot.removeprefix(f"{part.base}.")] = text.sent
        yield from _text_done(text, place)
    where = {part.index_key: part.index, "part": part.body}
    yield {"type": f"response.{part.stem}.done", **place, **where}


def _text_done(text: RunningText, place: JSONObject) -> Iterator[JSONObject]:
    kind = text.kind
    if kind is None or not kind.done_key or text.inner_key:
        return  # the item's own end says it
    data: JSONObject = {"type": f"response.{kind.stem}.done", **place}
    if kind.index_key:
        data[kind.index_key] = index_of(text.frame, kind.index_key)
    data[kind.done_key] = text.sent
    if kind is OUTPUT_TEXT:
        data["logprobs"] = []
    yield data


def _complete_part(body: JSONObject, text: RunningText) -> None:
    """Give a part that no event announced its type."""
    kind = text.kind
    if kind is None or not kind.index_key or not kind.holder_type:
        return
    parts = body.get(kind.slot.partition(".")[0])
    number = index_of(text.frame, kind.index_key)
    part = parts[number] if isinstance(parts, list) and number < len(parts) else None
    if isinstance(part, dict):
        part.setdefault("type", kind.holder_type)
        if kind is OUTPUT_TEXT:
            part.setdefault("annotations", [])


def _refuse(body: JSONObject, place: JSONObject, text: str) -> Iterator[JSONObject]:
    content = body.get("content")
    content = body["content"] = content if isinstance(content, list) else []
    where = {**place, "content_index": len(content)}
    part = {"type": "refusal", "refusal": text}
    yield {"type": "response.content_part.added", **where, "part": part | {"refusal": ""}}
    yield {"type": "response.refusal.delta", **where, "delta": text}
    yield {"type": "response.refusal.done", **where, "refusal": text}
    yield {"type": "response.content_part.done", **where, "part": part}
    content.append(part)


MAX_PARTS = 1000
"""Of one item; what an event says of a part beyond them is not put into the item."""


def put(holder: Any, path: list[str], value: Any) -> None:
    """
    Set *value* at *path* inside *holder*, making the objects and lists on the way; a list is
    filled up with empty objects.
    """
    for step, after in pairwise([*path, ""]):
        key: Any = step
        if isinstance(holder, list):
            key = int(step) if step.isdecimal() else MAX_PARTS
            if key >= MAX_PARTS:
                return
            holder.extend({} for _ in range(key + 1 - len(holder)))
        inner: Any = value
        if after:
            kind = list if after.isdecimal() else dict
            there = holder[key] if isinstance(holder, list) else holder.get(key)
            inner = there if isinstance(there, kind) else kind()
        holder[key] = inner
        holder = inner
