"""
A stream of Messages events, read and changed in place.

Every content block is a running text: it goes on until its ``content_block_stop``, or until the
message ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import FinishReason
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, Delta, Origin, Passage, StreamParts, WireEvent
from plano_asgi.wire.anthropic_messages.response import message_id, stop_reason
from plano_asgi.wire.sse import DONE
from plano_asgi.wire.texts import ANSWER, NOT_TEXT
from plano_asgi.wire.wire_events import data_passage

MAX_BLOCKS = 4096

_DELTAS: dict[str, tuple[str, Origin]] = {
    "text_delta": ("text", "content"),
    "thinking_delta": ("thinking", "reasoning"),
    "input_json_delta": ("partial_json", "tool_call"),
}
"""Delta types whose text runs on: the key it stands under, and whose it is."""
_JSON = "partial_json"
_NO_DELTA: tuple[str, None] = ("", None)
_TYPE_OF_ORIGIN = {origin: kind for kind, (_, origin) in _DELTAS.items()}
_BLOCKS: dict[str, Origin] = {"text": "content", "thinking": "reasoning"}
"""Block types that may begin with text; its key is the type."""


class MessagesEditor:
    """
    ``StreamEditor`` of ``anthropic.messages``.

    Args:
        max_blocks: How many content blocks one answer may have.

    Raises (from ``read``):
        UpstreamProtocolError: It has more.
    """

    __slots__ = ("_blocks", "_max", "_open", "_sent", "_shapes", "_start", "_usage")

    def __init__(self, *, max_blocks: int = MAX_BLOCKS) -> None:
        self._max = max_blocks
        self._blocks: set[int] = set()
        self._open: dict[Channel, None] = {}
        self._shapes: dict[Channel, tuple[str, str]] = {}
        self._start: JSONObject = {}
        self._usage: JSONObject = {}
        self._sent = _Sent()

    def split(self, event: WireEvent, /) -> Sequence[WireEvent]:
        """See ``StreamEditor.split``; no event of this API ends the text it brings."""
        return (event,)

    def read(self, event: WireEvent, /) -> StreamParts:
        """See ``StreamEditor.read``."""
        if event.parts is None:
            event.parts = self._read(event)
        return event.parts

    def delta(self, channel: Channel, text: str, /) -> WireEvent:
        """See ``StreamEditor.delta``."""
        kind = _TYPE_OF_ORIGIN.get(channel.origin, "text_delta")
        key = _DELTAS[kind][0]
        kind, key = self._shapes.get(channel, (kind, key))
        delta = {"type": kind, key: text}
        index = int(channel.part.partition(".")[0])
        event = _event("content_block_delta", index=index, delta=delta)
        event.parts = StreamParts(deltas=[Delta(channel, text, delta, key)], is_pure=True)
        return event

    def seal(self, event: WireEvent, /) -> WireEvent:
        """See ``StreamEditor.seal``: notes what the client has open, for ``stop``."""
        if isinstance(event.data, dict):
            self._sent.note(event.data)
        return event

    def stop(self, reason: FinishReason, text: str, /) -> list[WireEvent]:
        """
        See ``StreamEditor.stop``: closes what the client has open; *text* as a block of its own;
        a stop reason with the usage that is known; ``message_stop``.
        """
        sent = self._sent
        if sent.is_over:
            return []
        events = [] if sent.has_begun else [self._message_start()]
        events += [_event("content_block_stop", index=index) for index in sorted(sent.open)]
        if text and not sent.has_reason:
            block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": text}
            events += [
                _event("content_block_start", index=sent.next, content_block=block),
                _event("content_block_delta", index=sent.next, delta=delta),
                _event("content_block_stop", index=sent.next),
            ]
        if not sent.has_reason:
            said = {"stop_reason": stop_reason(reason, None, calls=False), "stop_sequence": None}
            usage = {"output_tokens": 0} | self._usage
            events.append(_event("message_delta", delta=said, usage=usage))
        return [*events, _event("message_stop")]

    def _message_start(self) -> WireEvent:
        """As the upstream sent it, if it did."""
        if self._start:
            return WireEvent(self._start, "message_start")
        message: JSONObject = {
            "id": message_id(""),
            "type": "message",
            "role": "assistant",
            "model": "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return _event("message_start", message=message)

    # ----------------------------------------------------------------- reading

    def _read(self, event: WireEvent) -> StreamParts:
        data = event.data
        if isinstance(data, dict):
            kind = data.get("type")
            reader = _READERS.get(kind) if isinstance(kind, str) else None
            if reader is not None:
                return reader(self, data)
            if data.get("error") or event.name == "error":
                return self._read_error(data)
            return _told(ANSWER.passages([data], 0, "content", ""))
        if data == DONE:
            return StreamParts(ends=self._end_all(), is_last=True)
        if isinstance(data, list):
            return _told(ANSWER.passages([data], 0, "content", ""))
        return _told(data_passage(event, "content"))

    def _read_message_start(self, data: JSONObject) -> StreamParts:
        message = data.get("message")
        if not isinstance(message, dict):
            return _told(())
        self._start = {**data, "message": {**message, "content": []}}
        self._count(message)
        if not message.get("content"):
            return _told(())
        return _told(ANSWER.passages(message, "content", "content", "message.content"))

    def _read_block_start(self, data: JSONObject) -> StreamParts:
        block = data.get("content_block")
        if not isinstance(block, dict):
            return _told(())
        index = self._block(data)
        kind = block.get("type")
        deltas: list[Delta] = []
        alone: list[Passage] = []
        for key in block:
            if key == kind and key in _BLOCKS and isinstance(block[key], str):
                deltas += self._goes_on(Channel(0, _BLOCKS[key], str(index)), block, key)
            elif key not in NOT_TEXT and block[key]:
                alone += _below(block, key, f"content.{index}")
        return StreamParts(deltas=deltas, alone=alone)

    def _read_block_delta(self, data: JSONObject) -> StreamParts:
        delta = data.get("delta")
        if not isinstance(delta, dict):
            return _told(())
        index, kind = self._block(data), str(delta.get("type"))
        key, origin = _DELTAS.get(kind, _NO_DELTA)
        if origin and len(delta) == 2 and isinstance(delta.get(key), str):
            deltas = self._goes_on(Channel(0, origin, str(index), key == _JSON), delta, key)
            return StreamParts(deltas=deltas, is_pure=bool(deltas) and len(data) == 3)
        ends = self._end_block(index, "reasoning") if kind == "signature_delta" else ()
        found = self._read_fields(index, kind, delta)
        return StreamParts(ends, found.deltas, found.alone)

    def _read_fields(self, index: int, kind: str, delta: JSONObject) -> StreamParts:
        """A delta of a type that is new to us, or has more fields: its strings may run on."""
        deltas: list[Delta] = []
        alone: list[Passage] = []
        known, origin = _DELTAS.get(kind, _NO_DELTA)
        for key, value in delta.items():
            if not value or key in NOT_TEXT:
                continue
            if not isinstance(value, str):
                alone += _below(delta, key, f"content.{index}")
            elif origin and key == known:
                deltas += self._goes_on(Channel(0, origin, str(index), key == _JSON), delta, key)
            else:
                whose = ANSWER.by_key.get(key, "content")
                channel = Channel(0, whose, f"{index}.{kind}.{key}")
                self._shapes[channel] = (kind, key)
                deltas += self._goes_on(channel, delta, key)
        return StreamParts(deltas=deltas, alone=alone)

    def _read_block_stop(self, data: JSONObject) -> StreamParts:
        return StreamParts(ends=self._end_block(self._block(data)))

    def _read_message_delta(self, data: JSONObject) -> StreamParts:
        self._count(data)
        delta = data.get("delta")
        alone = ANSWER.passages(data, "delta", "refusal", "delta") if delta else ()
        return StreamParts(ends=self._end_all(), alone=list(alone))

    def _read_message_stop(self, data: JSONObject) -> StreamParts:
        return StreamParts(ends=self._end_all(), is_last=True)

    def _read_error(self, data: JSONObject) -> StreamParts:
        alone = list(ANSWER.passages([data], 0, "error", ""))
        return StreamParts(ends=self._end_all(), alone=alone, is_last=True)

    def _read_ping(self, data: JSONObject) -> StreamParts:
        return StreamParts()

    def _block(self, data: JSONObject) -> int:
        """The index of the block that *data* is about."""
        index = data.get("index")
        index = index if isinstance(index, int) else 0
        if index not in self._blocks:
            if len(self._blocks) >= self._max:
                raise UpstreamProtocolError(f"the answer has over {self._max} blocks")
            self._blocks.add(index)
        return index

    def _goes_on(self, channel: Channel, holder: JSONObject, key: str) -> list[Delta]:
        if not holder[key]:
            return []
        if channel not in self._open:
            if len(self._open) + len(self._shapes) > self._max:
                raise UpstreamProtocolError(f"the answer has over {self._max} running texts")
            self._open[channel] = None
        return [Delta(channel, holder[key], holder, key)]

    def _end_block(self, index: int, origin: Origin | None = None) -> list[Channel]:
        """The channels of one block; those of *origin*, if given."""
        part = str(index)
        return self._end(
            [
                known
                for known in self._open
                if known.part.partition(".")[0] == part and origin in (None, known.origin)
            ]
        )

    def _end_all(self) -> list[Channel]:
        return self._end(list(self._open))

    def _end(self, channels: list[Channel]) -> list[Channel]:
        for channel in channels:
            del self._open[channel]
        return channels

    def _count(self, holder: JSONObject) -> None:
        """Counts are cumulative; what a later event leaves out keeps its value."""
        usage = holder.get("usage")
        if isinstance(usage, dict):
            self._usage |= {key: n for key, n in usage.items() if isinstance(n, int)}


class _Sent:
    """What the client was sent."""

    __slots__ = ("has_begun", "has_reason", "is_over", "next", "open")

    def __init__(self) -> None:
        self.has_begun = self.has_reason = self.is_over = False
        self.open: set[int] = set()
        self.next = 0

    def note(self, data: JSONObject) -> None:
        kind, index = data.get("type"), data.get("index")
        if kind == "content_block_delta":  # nine events of ten
            return
        index = index if isinstance(index, int) else 0
        if kind == "message_start":
            self.has_begun = True
        elif kind == "content_block_start":
            self.open.add(index)
            self.next = max(self.next, index + 1)
        elif kind == "content_block_stop":
            self.open.discard(index)
        elif kind == "message_delta":
            delta = data.get("delta")
            self.has_reason = isinstance(delta, dict) and bool(delta.get("stop_reason"))
        elif kind in ("message_stop", "error"):
            self.is_over = True


_READERS: dict[str, Callable[[MessagesEditor, JSONObject], StreamParts]] = {
    "message_start": MessagesEditor._read_message_start,
    "content_block_start": MessagesEditor._read_block_start,
    "content_block_delta": MessagesEditor._read_block_delta,
    "content_block_stop": MessagesEditor._read_block_stop,
    "message_delta": MessagesEditor._read_message_delta,
    "message_stop": MessagesEditor._read_message_stop,
    "error": MessagesEditor._read_error,
    "ping": MessagesEditor._read_ping,
}


def _event(kind: str, **fields: Any) -> WireEvent:
    return WireEvent({"type": kind, **fields}, kind)


def _told(passages: Iterable[Passage]) -> StreamParts:
    return StreamParts(alone=list(passages))


def _below(holder: JSONObject, key: str, path: str) -> Iterable[Passage]:
    """Texts that a block or a delta tells whole."""
    return ANSWER.passages(holder, key, ANSWER.by_key.get(key, "content"), f"{path}.{key}")
