"""
Read a ConverseStream: event-stream frames to neutral events.

``messageStart``, then per block ``contentBlockStart`` (text and reasoning blocks often have none),
``contentBlockDelta`` and ``contentBlockStop``, then ``messageStop`` with the reason and
``metadata`` with the usage, which is the end mark. Block events carry a ``contentBlockIndex``;
``p`` is padding. An error is a frame of message type ``exception`` (modelled, with
``:exception-type``) or ``error`` (anything else, with ``:error-code``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.conversation import (
    Citation,
    OpaquePart,
)
from plano_asgi.errors import UpstreamError, UpstreamProtocolError
from plano_asgi.stream_events import (
    CitationAdded,
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire.bedrock_converse.content import read_citation
from plano_asgi.wire.bedrock_converse.names import NAME, SERVER_TOOL, blob_to_text
from plano_asgi.wire.bedrock_converse.response import (
    finish_reason,
    invoked_model,
    new_id,
    read_usage,
    stop_sequence,
)
from plano_asgi.wire.eventstream import EventStreamDecoder, Frame
from plano_asgi.wire.upstream_error import read_error_event, status_of, type_of


@dataclass(slots=True)
class _Block:
    """One open content block. *opaque*: it is only handed out whole, at its end."""

    call: int | None = None
    """Index of the tool call it is."""
    pieces: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    """Not handed out yet: a block without text cites for the text before it."""
    opaque: JSONObject | None = None
    argued: bool = False


class ConverseStreamReader:
    """Decode one ConverseStream; see ``wire.base.StreamReader``."""

    def __init__(self) -> None:
        self._decoder = EventStreamDecoder()
        self._blocks: dict[int, _Block] = {}
        self._parts: dict[tuple[int, str], int] = {}
        self._last_text: int | None = None
        self._calls = 0
        self._finished = False
        self._over = False

    def feed(self, chunk: bytes, /) -> list[StreamEvent]:
        """Take the next bytes, cut anywhere; return the events they complete."""
        events: list[StreamEvent] = []
        if self._over:
            return events
        try:
            for frame in self._decoder.feed(chunk):
                events += self._frame_events(frame)
                if self._over:
                    break
        except UpstreamProtocolError as exc:
            events.append(self._fail(exc))
        return events

    def close(self) -> list[StreamEvent]:
        """An answer with ``messageStop`` is whole, even if the usage after it never came."""
        if self._over or not self._finished:
            return []
        self._over = True
        return [Ended()]

    def _frame_events(self, frame: Frame) -> list[StreamEvent]:
        kind = frame.text(":message-type")
        if kind in ("exception", "error"):
            return [self._fail(_frame_error(frame), _raw(frame))]
        name = frame.text(":event-type")
        handler = _EVENTS.get(name)
        if handler is None:
            return []
        payload = _payload(frame)
        events = handler(self, payload)
        if events:
            events[0].raw = {name: payload}
        return events

    def _fail(self, error: UpstreamError, raw: object = None) -> Failed:
        self._over = True
        return Failed(error=error, raw=raw)

    def _part(self, index: int, kind: str) -> int:
        return self._parts.setdefault((index, kind), len(self._parts))

    def _block(self, payload: JSONObject) -> tuple[int, _Block]:
        index = payload.get("contentBlockIndex")
        index = index if isinstance(index, int) else 0
        return index, self._blocks.setdefault(index, _Block())

    def _started(self, payload: JSONObject) -> list[StreamEvent]:
        return [Started(id=new_id(), model=invoked_model(payload))]

    def _block_started(self, payload: JSONObject) -> list[StreamEvent]:
        index, block = self._block(payload)
        start = _object(payload, "start")
        call = _object(start, "toolUse")
        if not call or call.get("type") == SERVER_TOOL:
            whole = {name: dict(value) for name, value in start.items() if isinstance(value, dict)}
            block.opaque = whole or None  # an empty start is how a text block may begin
            return []
        block.call, self._calls = self._calls, self._calls + 1
        return [
            ToolCallStarted(
                index=block.call,
                id=str(call.get("toolUseId", "")),
                name=str(call.get("name", "")),
                part=self._part(index, "call"),
            )
        ]

    def _delta(self, payload: JSONObject) -> list[StreamEvent]:
        index, block = self._block(payload)
        events: list[StreamEvent] = []
        for name, value in _object(payload, "delta").items():
            if handler := _DELTAS.get(name):
                events += handler(self, index, block, value)
        return events

    def _text(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        if not isinstance(value, str) or not value:
            return []
        self._last_text = part = self._part(index, "text")
        return [*self._cited(block), TextDelta(text=value, part=part)]

    def _arguments(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        text = _field(value, "input")
        if not isinstance(text, str) or not text:
            return []
        if block.call is None:
            block.pieces.append(text)
            return []
        block.argued = True
        return [ToolCallDelta(index=block.call, arguments=text, part=self._part(index, "call"))]

    def _reasoning(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        pieces = ((name, _field(value, name)) for name in ("text", "signature"))
        given: list[JSONObject] = [
            {name: piece} for name, piece in pieces if isinstance(piece, str) and piece
        ]
        if isinstance(blob := _field(value, "redactedContent"), str):
            given.append({"encrypted": blob_to_text(blob)})
        return [
            ReasoningDelta(part=self._part(index, "reasoning"), dialect=NAME, **each)
            for each in given
        ]

    def _citation(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        if isinstance(value, dict):
            block.citations.append(read_citation(value))
            if (index, "text") in self._parts:
                return self._cited(block)
        return []

    def _result(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        result = _object(block.opaque or {}, "toolResult")
        if isinstance(value, list):
            result.setdefault("content", []).extend(value)
        return []

    def _image(self, index: int, block: _Block, value: Any) -> list[StreamEvent]:
        _object(block.opaque or {}, "image").update(value if isinstance(value, dict) else {})
        return []

    def _cited(self, block: _Block) -> list[StreamEvent]:
        citations, block.citations = block.citations, []
        if self._last_text is None:
            return []
        return [CitationAdded(citation=each, part=self._last_text) for each in citations]

    def _block_stopped(self, payload: JSONObject) -> list[StreamEvent]:
        index, _ = self._block(payload)
        return self._close_block(index)

    def _close_block(self, index: int) -> list[StreamEvent]:
        block = self._blocks.pop(index)
        if block.call is not None:
            # A tool without parameters gets no delta; its input is an object all the same.
            part = self._part(index, "call")
            empty = ToolCallDelta(index=block.call, arguments="{}", part=part)
            return [] if block.argued else [empty]
        if block.opaque is not None:
            if use := _object(block.opaque, "toolUse"):
                use["input"] = _json_or_text("".join(block.pieces))
            opaque = OpaquePart(dialect=NAME, raw=block.opaque)
            return [OpaqueAdded(block=opaque, part=self._part(index, "opaque"))]
        if block.citations and self._last_text is None:
            self._last_text = self._part(index, "text")
        return self._cited(block)

    def _stopped(self, payload: JSONObject) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for index in sorted(self._blocks):
            events += self._close_block(index)
        self._finished = True
        reason = finish_reason(payload.get("stopReason"))
        return [*events, Finished(reason=reason, stop_sequence=stop_sequence(payload))]

    def _metadata(self, payload: JSONObject) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if usage := _object(payload, "usage"):
            events.append(UsageReported(usage=read_usage(usage)))
        if self._finished:
            self._over = True
            events.append(Ended())
        return events


_EVENTS: dict[str, Callable[[ConverseStreamReader, JSONObject], list[StreamEvent]]] = {
    "messageStart": ConverseStreamReader._started,
    "contentBlockStart": ConverseStreamReader._block_started,
    "contentBlockDelta": ConverseStreamReader._delta,
    "contentBlockStop": ConverseStreamReader._block_stopped,
    "messageStop": ConverseStreamReader._stopped,
    "metadata": ConverseStreamReader._metadata,
}

_DELTAS: dict[str, Callable[[ConverseStreamReader, int, _Block, Any], list[StreamEvent]]] = {
    "text": ConverseStreamReader._text,
    "toolUse": ConverseStreamReader._arguments,
    "reasoningContent": ConverseStreamReader._reasoning,
    "citation": ConverseStreamReader._citation,
    "toolResult": ConverseStreamReader._result,
    "image": ConverseStreamReader._image,
}


def _payload(frame: Frame) -> JSONObject:
    try:
        payload = loads(frame.payload)
    except ValueError as exc:
        raise UpstreamProtocolError("an event of the upstream is not JSON") from exc
    if not isinstance(payload, dict):
        raise UpstreamProtocolError("an event of the upstream is not an object")
    return payload


def _frame_error(frame: Frame) -> UpstreamError:
    code = frame.text(":exception-type") or frame.text(":error-code")
    if frame.text(":message-type") == "error":
        document: object = {"message": frame.text(":error-message")}
        data = dumps(document)
    else:
        data, document = frame.payload, _json_or_text(frame.payload.decode("utf-8", "replace"))
    error = read_error_event(document, data)
    error.code = code or error.code
    error.status = status_of(code) or error.status
    error.type = type_of(error.status)
    return error


def _raw(frame: Frame) -> JSONObject:
    name = frame.text(":exception-type") or frame.text(":error-code")
    return {name: _json_or_text(frame.payload.decode("utf-8", "replace"))}


def _json_or_text(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return text


def _field(value: Any, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _object(holder: JSONObject, name: str) -> JSONObject:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}
