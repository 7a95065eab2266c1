"""What one event of a stream says, before anyone remembers what was said already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Passage, WireEvent
from plano_asgi.wire.openai_responses.item_texts import (
    answer_item_texts,
    answer_leaves,
    answer_part_texts,
    error_texts,
    text_at,
)
from plano_asgi.wire.openai_responses.text_events import (
    BY_STEM,
    ENDS,
    ITEM_ADDED,
    ITEM_DONE,
    PARTS,
    SILENT,
    STARTS,
    TextKind,
    index_of,
    kind_of,
    pieces_of,
    stem_of,
)

OWN = -1
"""In the place of a position in the output: the item that the event itself is about."""


@dataclass(slots=True)
class Said:
    """
    What an event says. ``texts`` are told whole, each with its slot and the position of its item
    in ``output``, or ``OWN``.
    """

    kind: TextKind | None = None
    """Of ``deltas``."""
    deltas: list[tuple[Any, str, str]] = field(default_factory=list)
    """Holder, key and slot."""
    texts: list[tuple[int, str, Passage]] = field(default_factory=list)
    output: list[Any] = field(default_factory=list)
    alone: list[Passage] = field(default_factory=list)
    ends: str | None = None
    """The slot at or below which the item's texts end; "" for all of them."""
    is_last: bool = False

    def tell(self, passages: Iterable[Passage], slot_of: Callable[[str], str] = str) -> None:
        """Whole texts of the event's own item; *slot_of* makes a slot of a path."""
        self.texts += ((OWN, slot_of(each.path), each) for each in passages)


def type_of(event: WireEvent) -> str:
    """The type of an event whose data is an object."""
    kind = event.data.get("type")
    return kind if isinstance(kind, str) and kind else event.name


def said_in(event: WireEvent) -> Said:
    """What *event*, whose data is an object, says."""
    data: JSONObject = event.data
    said, kind = Said(), type_of(event)
    stem, verb = stem_of(kind)
    if kind in _READERS:
        _READERS[kind](data, said)
    elif verb == "delta":
        said.kind = kind_of(stem, data)
        said.deltas = list(pieces_of(data, said.kind))
    elif stem in PARTS:
        _read_part(data, stem, verb, said)
    elif verb == "done":
        _read_done(data, kind_of(stem, data), said)
    elif data.get("error"):
        _read_end(data, said)
    else:
        said.tell(answer_leaves(data, "", "content"))
    return said


def _read_nothing(data: JSONObject, said: Said) -> None:
    """Encoded media."""


def _read_item(data: JSONObject, said: Said) -> None:
    said.tell(answer_item_texts(data.get("item"), ""))


def _read_item_done(data: JSONObject, said: Said) -> None:
    said.ends = ""
    _read_item(data, said)


def _read_part(data: JSONObject, stem: str, verb: str, said: Said) -> None:
    where, key = PARTS[stem]
    base = f"{where}.{index_of(data, key)}"
    said.ends = base if verb == "done" else None
    if isinstance(data.get("part"), dict):
        said.tell(answer_part_texts(data["part"], base))


def _read_done(data: JSONObject, kind: TextKind, said: Said) -> None:
    said.ends = kind.slot_of(data)
    if kind.stem not in BY_STEM or not kind.done_key:
        said.tell(answer_leaves(data, "", kind.origin))
    elif isinstance(data.get(kind.done_key), str):
        passage = text_at(data, kind.done_key, kind.origin, is_json=kind.is_json)
        said.tell((passage,), lambda _path: kind.slot_of(data))


def _read_annotation(data: JSONObject, said: Said) -> None:
    place = f"content.{index_of(data, 'content_index')}.annotations"
    if isinstance(data.get("annotation"), dict):
        base = f"{place}.{index_of(data, 'annotation_index')}"
        said.tell(answer_leaves(data["annotation"], base, "citation"))


def _read_response(data: JSONObject, said: Said) -> None:
    response = data.get("response")
    if not isinstance(response, dict):
        return
    output = response.get("output")
    said.output = output if isinstance(output, list) else []
    for position, item in enumerate(said.output):
        said.texts += ((position, each.path, each) for each in answer_item_texts(item, ""))
    if isinstance(response.get("output_text"), str):
        said.alone.append(text_at(response, "output_text", "content"))
    said.alone += error_texts(response, "response")


def _read_end(data: JSONObject, said: Said) -> None:
    said.is_last = True
    said.alone += error_texts(data)
    if isinstance(data.get("message"), str):
        said.alone.append(text_at(data, "message", "error"))
    _read_response(data, said)


_READERS: dict[str, Callable[[JSONObject, Said], None]] = {
    ITEM_ADDED: _read_item,
    ITEM_DONE: _read_item_done,
    "response.output_text.annotation.added": _read_annotation,
    **dict.fromkeys(SILENT, _read_nothing),
    **dict.fromkeys(STARTS, _read_response),
    **dict.fromkeys(ENDS, _read_end),
}
