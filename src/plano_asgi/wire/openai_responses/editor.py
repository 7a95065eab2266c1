"""
A stream of the Responses API, read and changed in place.

The API says every text up to five times: in deltas, in a ``done`` event, in the finished part, in
the finished item and in the final response. The editor shows it once, as deltas, and rewrites the
repetitions from what really went out. A text that was never streamed, or that is told otherwise
than it was streamed, is shown whole where it stands: nothing goes out unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import FinishReason
from plano_asgi.passages import Channel, Delta, Passage, StreamParts, WireEvent
from plano_asgi.wire.openai_responses.event_texts import OWN, Said, said_in, type_of
from plano_asgi.wire.openai_responses.item_texts import (
    OFFSETS,
    answer_leaves,
    ends_by,
    shared_length,
)
from plano_asgi.wire.openai_responses.numbering import Numbering
from plano_asgi.wire.openai_responses.running_text import RunningText, RunningTexts, TextDelta
from plano_asgi.wire.openai_responses.sent import SentResponse
from plano_asgi.wire.openai_responses.text_events import (
    TextKind,
    index_of,
    kind_at,
    number_in,
)
from plano_asgi.wire.sse import DONE
from plano_asgi.wire.wire_events import data_passage

MAX_CHARS = 32 << 20


@dataclass(slots=True, eq=False)
class _Parts(StreamParts):
    """``StreamParts``, and what is the editor's own business."""

    repeats: Sequence[tuple[RunningText, Passage]] = ()
    wholes: Sequence[tuple[RunningText, Passage]] = ()
    late: Sequence[tuple[RunningText, str]] = ()
    """Text that a repetition holds beyond what was streamed."""
    is_ours: bool = False
    """The event is none of the upstream's."""


class ResponsesEditor:
    """
    See ``StreamEditor``. Keeps the texts of the answer, as the final response does.

    Args:
        max_chars: How much text may come in.

    Raises (from ``split`` and ``read``):
        UpstreamProtocolError: More came in.
    """

    def __init__(self, *, max_chars: int = MAX_CHARS) -> None:
        self._texts = RunningTexts(max_chars)
        self._numbers = Numbering()
        self._sent = SentResponse()
        self._latest: RunningText | None = None
        """The text of the last event, if that was a delta: the next one is likely to go on."""

    # ----------------------------------------------------------------- reading

    def split(self, event: WireEvent, /) -> Sequence[WireEvent]:
        """
        See ``StreamEditor``. Text that an ``added`` event brings follows it as a delta; text that
        a ``done`` event, an item or the final response adds to what was streamed goes before it.
        """
        if event.parts is not None or not isinstance(event.data, dict):
            return (event,)
        after = self._carve(event)
        parts = event.parts = self._read(event)
        before = [self._piece(text, rest) for text, rest in parts.late]
        return (*before, event, *after)

    def read(self, event: WireEvent, /) -> StreamParts:
        """See ``StreamEditor``."""
        if event.parts is None:
            event.parts = self._read(event)
        return event.parts

    def _read(self, event: WireEvent, *, is_ours: bool = False) -> _Parts:
        data = event.data
        if not isinstance(data, dict):
            return self._read_other(event)
        if not is_ours:
            self._numbers.receive(data)
        if self._latest is not None and self._latest.goes_on_in(data):
            delta = self._take(self._latest, event, data, "delta", is_ours=is_ours)
            return _Parts(deltas=(delta,), is_pure=True, is_ours=is_ours)
        said, index = said_in(event), self._index(data)
        parts = _Parts(alone=list(said.alone), is_last=said.is_last, is_ours=is_ours)
        if said.is_last:
            parts.ends = self._texts.close()
        elif said.ends is not None:
            parts.ends = self._texts.close(index, said.ends)
        self._latest = None
        if said.kind is not None:
            parts.deltas = self._deltas(event, said.kind, said, index, is_ours=is_ours)
            parts.is_pure = bool(parts.deltas)
        self._sort(said, index, parts)
        return parts

    def _read_other(self, event: WireEvent) -> _Parts:
        data = event.data
        if data == DONE:
            return _Parts(ends=self._texts.close(), is_last=True)
        if isinstance(data, list):
            return _Parts(alone=list(answer_leaves(data, "", "content")))
        return _Parts(alone=data_passage(event, "content"))

    def _deltas(
        self, event: WireEvent, kind: TextKind, said: Said, index: int, *, is_ours: bool
    ) -> list[Delta]:
        deltas: list[Delta] = []
        for holder, key, slot in said.deltas:
            text = self._texts.at(index, slot, kind.origin, is_json=kind.is_json)
            self._texts.open(text, kind)
            text.name, text.inner_key = event.name, "" if holder is event.data else key
            deltas.append(self._take(text, event, holder, key, is_ours=is_ours))
            self._latest = text
        return deltas

    def _take(
        self, text: RunningText, event: WireEvent, holder: Any, key: str, *, is_ours: bool
    ) -> Delta:
        """The piece of *text* at ``holder[key]``, which counts as received unless it is ours."""
        text.frame = event.data
        piece: str = holder[key]
        if not is_ours:
            self._texts.count(len(piece))
            text.receive(piece)
        return TextDelta(text.channel, piece, holder, key)

    def _sort(self, said: Said, index: int, parts: _Parts) -> None:
        """Tell whole texts that repeat what was read from those that nobody has read yet."""
        if not said.texts:
            return
        alone, ends = list(parts.alone), list(parts.ends)
        repeats, wholes, late = [], [], []
        for position, slot, passage in said.texts:
            at = index if position == OWN else self._position(said, position)
            text = self._texts.at(at, slot, passage.origin, is_json=passage.is_json)
            received = text.received
            if not passage.text:
                continue
            if passage.text == received:
                repeats.append((text, passage))
                continue
            if text.kind is not None and received and passage.text.startswith(received):
                late.append((text, passage.text[len(received) :]))
                repeats.append((text, passage))
                if text.channel not in ends:
                    ends.append(text.channel)
            else:
                alone.append(passage)
                wholes.append((text, passage))
            if not parts.is_ours:
                self._texts.count(max(0, len(passage.text) - len(received)))
                text.receive_whole(passage.text)
        parts.alone, parts.ends = alone, ends
        parts.repeats, parts.wholes, parts.late = repeats, wholes, late

    def _position(self, said: Said, position: int) -> int:
        return self._texts.position_of(said.output[position], position)

    def _index(self, data: JSONObject) -> int:
        item = data.get("item")
        name = item.get("id") if isinstance(item, dict) else data.get("item_id")
        if "output_index" not in data and not isinstance(name, str):
            return OWN  # an event about no item
        return self._texts.index_of(data, name)

    # ----------------------------------------------------------------- writing

    def _carve(self, event: WireEvent) -> list[WireEvent]:
        """Move running text out of an ``added`` event, into deltas of their own."""
        data: JSONObject = event.data
        if not type_of(event).endswith(".added"):
            return []
        index, pieces = self._index(data), []
        for _, slot, passage in said_in(event).texts:
            kind = kind_at(passage.holder, slot)
            if not passage.text or kind is None:
                continue
            text = self._texts.at(index, slot, kind.origin, is_json=kind.is_json)
            self._texts.open(text, kind)
            text.frame = _frame(event, kind, index, slot)
            text.name = text.frame["type"] if event.name else ""
            text.receive(passage.text)
            pieces.append(self._piece(text, passage.text))
            passage.holder[passage.key] = ""
            event.raw = None
        return pieces

    def delta(self, channel: Channel, text: str, /) -> WireEvent:
        """See ``StreamEditor``. *channel* is one that ``read`` has told of."""
        return self._piece(self._texts.by_channel[channel], text)

    def _piece(self, text: RunningText, piece: str) -> WireEvent:
        data, holder, key = text.delta_data(piece)
        delta = TextDelta(text.channel, piece, holder, key)
        return WireEvent(data, text.name, parts=_Parts(deltas=(delta,), is_pure=True, is_ours=True))

    def seal(self, event: WireEvent, /) -> WireEvent:
        """See ``StreamEditor``. An event that was never read is taken for one of a filter's own."""
        parts = event.parts
        if not isinstance(parts, _Parts):
            parts = event.parts = self._read(event, is_ours=True)
        for delta in parts.deltas:
            text = self._texts.by_channel[delta.channel]
            text.send(delta.text)
            self._sent.note_delta(text)
        for text, passage in parts.wholes:
            text.send_whole(passage.text)
        if parts.is_pure:
            if self._numbers.send(event.data, is_ours=parts.is_ours):
                event.raw = None
        elif isinstance(event.data, dict):
            changed = [self._rewrite(*each) for each in parts.repeats]
            changed.append(self._fit_annotation(event))
            changed.append(self._numbers.send(event.data, is_ours=parts.is_ours))
            if any(changed):
                event.raw = None
            self._sent.note(type_of(event), self._index(event.data), event.data)
        return event

    def _rewrite(self, text: RunningText, passage: Passage) -> bool:
        sent = text.sent
        if sent == passage.text:
            return False
        passage.replace(sent)
        return True

    def _fit_annotation(self, event: WireEvent) -> bool:
        """
        An annotation of words that have changed since: it is left, and points at the end of what
        was sent. The repetitions later leave it out.
        """
        data: JSONObject = event.data
        annotation = data.get("annotation")
        if not isinstance(annotation, dict):
            return False
        text = self._texts.find(
            self._index(data), f"content.{index_of(data, 'content_index')}.text"
        )
        if text is None or text.received.startswith(text.sent):
            return False  # unchanged, or just not out yet
        if ends_by(annotation, shared_length(text.received, text.sent)):
            return False
        annotation.update({key: len(text.sent) for key in OFFSETS if key in annotation})
        return True

    def stop(self, reason: FinishReason, text: str, /) -> list[WireEvent]:
        """
        See ``StreamEditor``. *text* becomes a refusal part of the message that is open, or of one
        of its own; ``response.incomplete`` (or what *reason* is called here) ends the stream.
        """
        events = self._sent.stop(reason, text)
        self._numbers.number_from_here(events)
        made = [WireEvent(data, data["type"], parts=_Parts(is_ours=True)) for data in events]
        assert made[-1].parts is not None
        made[-1].parts.is_last = True
        return made


def _frame(event: WireEvent, kind: TextKind, index: int, slot: str) -> JSONObject:
    """The shape of a delta event for a text that an ``added`` event brought."""
    data: JSONObject = event.data
    item = data.get("item")
    item_id = item.get("id") if isinstance(item, dict) else data.get("item_id")
    frame = {
        "type": f"response.{kind.stem}.delta",
        "item_id": item_id,
        "output_index": data.get("output_index", index),
    }
    if kind.index_key:
        frame[kind.index_key] = number_in(slot)
    return frame
