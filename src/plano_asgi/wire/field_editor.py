"""A stream of an app's own making, read and changed in place: JSON events, lines, plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.conversation import FinishReason
from plano_asgi.passages import NOTHING, Channel, Delta, Passage, StreamParts, WireEvent
from plano_asgi.wire.field_paths import FieldPaths
from plano_asgi.wire.sse import DONE
from plano_asgi.wire.wire_events import data_passage

MAX_CHANNELS = 1024

TEXT = Channel(0, "content")
"""The channel of events that are text and no JSON."""

_END_KEYS = ("done", "finished", "is_final", "is_finished", "final", "end", "completed")
_REASON_KEYS = ("finish_reason", "stop_reason")
_END_WORDS = frozenset(
    (
        "done",
        "end",
        "ended",
        "complete",
        "completed",
        "finish",
        "finished",
        "final",
        "stop",
        "close",
    )
)


class DataDelta(Delta):
    """A piece of text that is an event's whole data: ``holder`` is the event."""

    __slots__ = ()

    def replace(self, text: str) -> None:
        """Put *text* in the place of this piece."""
        self.text = self.holder.data = text


@dataclass(frozen=True, slots=True)
class _Frame:
    """The last event of a channel, for the shape of the next."""

    data: Any
    name: str


class FieldEditor:
    """
    See ``StreamEditor``. Each field path that an event matches is a channel, its successive
    strings are the pieces; events that are no JSON are the pieces of one more.

    An app of its own making does not say when a text is whole. It is taken to be where an event
    says that the answer ends: by its name, ``type`` or ``event`` (done, end, final, ...), a true
    ``done`` or the like, a ``finish_reason``, or ``[DONE]``. Any other event leaves texts open.

    Args:
        paths: Where the texts of an event's data stand.
        refusal_body: Makes the data of an event that says a text, for a stream that is stopped
            before it brought any; ``None`` where the stream is one plain text.
        max_channels: Texts that are kept apart; beyond them, the one unused for longest ends.
    """

    def __init__(
        self,
        paths: FieldPaths,
        refusal_body: Callable[[str], JSONObject] | None,
        *,
        max_channels: int = MAX_CHANNELS,
    ) -> None:
        self._paths = paths
        self._refusal_body = refusal_body
        self._max = max_channels
        self._frames: dict[Channel, _Frame] = {}
        self._open: set[Channel] = set()
        self._given_up: list[Channel] = []

    # ----------------------------------------------------------------- reading

    def split(self, event: WireEvent, /) -> Sequence[WireEvent]:
        """See ``StreamEditor``."""
        data = event.data
        if event.parts is not None or not isinstance(data, dict) or not _flags(data):
            return (event,)
        texts = [found for found in self._paths.find(data) if found.holder[found.key]]
        if not texts or _is_named_end(event):
            return (event,)
        first = loads(dumps(data))
        _continue(first)
        for holder, key, _ in texts:
            holder[key] = ""
        event.raw = None
        return (WireEvent(first, event.name), event)

    def read(self, event: WireEvent, /) -> StreamParts:
        """See ``StreamEditor``."""
        if event.parts is None:
            for channel in self._given_up:
                self._frames.pop(channel, None)
            self._given_up = []
            event.parts = self._read(event)
        return event.parts

    def _read(self, event: WireEvent) -> StreamParts:
        data = event.data
        if isinstance(data, str):
            return self._read_text(event, data)
        if not isinstance(data, dict | list):
            return NOTHING
        found = [each for each in self._paths.find(data) if each.holder[each.key]]
        if _is_named_end(event):
            # Its texts are whole ones: often the answer once more.
            alone = [Passage(h[key], "content", path, h, key) for h, key, path in found]
            return StreamParts(ends=self._close(), alone=alone)
        ends = self._close() if isinstance(data, dict) and _is_finished(data) else []
        deltas = []
        for holder, key, path in found:
            channel = Channel(0, "content", path)
            deltas.append(Delta(channel, holder[key], holder, key))
            self._use(channel, event)
        return StreamParts(ends=[*ends, *self._give_up()], deltas=deltas)

    def _read_text(self, event: WireEvent, text: str) -> StreamParts:
        if not text:
            return NOTHING
        if text == DONE and self._refusal_body is not None:
            return StreamParts(ends=self._close(), is_last=True)
        if _is_named_end(event):
            return StreamParts(ends=self._close(), alone=data_passage(event, "content"))
        self._use(TEXT, event)
        return StreamParts(deltas=(DataDelta(TEXT, text, event, "data"),), is_pure=True)

    def _use(self, channel: Channel, event: WireEvent) -> None:
        self._frames.pop(channel, None)  # the order is that of last use
        self._frames[channel] = _Frame(event.data, event.name)
        self._open.add(channel)

    def _close(self) -> list[Channel]:
        ends = [channel for channel in self._frames if channel in self._open]
        self._open.clear()
        return ends

    def _give_up(self) -> list[Channel]:
        """Channels over the limit; their frames stay until the next event, for what is held."""
        self._given_up = list(self._frames)[: max(0, len(self._frames) - self._max)]
        ends = [channel for channel in self._given_up if channel in self._open]
        self._open.difference_update(ends)
        return ends

    # ----------------------------------------------------------------- writing

    def delta(self, channel: Channel, text: str, /) -> WireEvent:
        """See ``StreamEditor``. Other texts of the event that is the pattern are left empty."""
        frame = self._frames[channel]
        if isinstance(frame.data, str):
            event = WireEvent(text, frame.name)
            event.parts = StreamParts(
                deltas=(DataDelta(channel, text, event, "data"),), is_pure=True
            )
            return event
        data = loads(dumps(frame.data))
        _continue(data)
        deltas: list[Delta] = []
        for holder, key, path in self._paths.find(data):
            is_it = path == channel.part
            holder[key] = text if is_it else ""
            if is_it:
                deltas.append(Delta(channel, text, holder, key))
        return WireEvent(data, frame.name, parts=StreamParts(deltas=deltas, is_pure=True))

    def seal(self, event: WireEvent, /) -> WireEvent:
        """See ``StreamEditor``: such a stream repeats nothing and counts nothing."""
        if isinstance(event.data, str):
            event.parts = None  # its piece holds the event, and the event that
        return event

    def stop(self, reason: FinishReason, text: str, /) -> list[WireEvent]:
        """
        See ``StreamEditor``. There is no way to say *reason* here: *text* is the last piece of the
        channel that spoke last, and the stream just ends.
        """
        if not text:
            return []
        if self._frames:
            return [self.delta(next(reversed(self._frames)), text)]
        return [WireEvent(text if self._refusal_body is None else self._refusal_body(text))]


def _is_named_end(event: WireEvent) -> bool:
    data = event.data
    names: list[object] = [event.name]
    if isinstance(data, dict):
        names += [data.get("type"), data.get("event")]
    return any(isinstance(name, str) and name.lower() in _END_WORDS for name in names)


def _flags(data: JSONObject) -> list[str]:
    """The keys by which *data* says that the answer ends."""
    flags = [key for key in _END_KEYS if data.get(key) is True]
    return flags + [key for key in _REASON_KEYS if isinstance(data.get(key), str) and data[key]]


def _is_finished(data: JSONObject) -> bool:
    """Whether *data* says that the answer ends, itself or in its one choice (completions)."""
    if _flags(data):
        return True
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    return isinstance(choice, dict) and bool(_flags(choice))


def _continue(data: Any) -> None:
    """Take back that the answer ends."""
    if isinstance(data, dict):
        for key in _flags(data):
            data[key] = False if data[key] is True else None
