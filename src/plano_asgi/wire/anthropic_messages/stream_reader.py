"""An upstream's event stream into neutral events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject, dumps_str, loads
from plano_asgi.conversation import (
    OpaquePart,
)
from plano_asgi.errors import UpstreamProtocolError
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
from plano_asgi.wire.anthropic_messages.blocks import NAME, read_citation
from plano_asgi.wire.anthropic_messages.errors import read_error
from plano_asgi.wire.anthropic_messages.fields import rest
from plano_asgi.wire.anthropic_messages.response import FINISH_REASONS, read_usage
from plano_asgi.wire.sse import DONE, SSEDecoder

_IMPLIED = {"text_delta": "text", "thinking_delta": "thinking"}
"""What a delta without a ``content_block_start`` belongs to (some compatible servers skip it)."""


@dataclass(slots=True)
class _Block:
    part: int
    kind: str
    start: JSONObject
    tool: int = 0
    json: list[str] = field(default_factory=list)


class MessagesStreamReader:
    """
    Reads ``message_start`` ... ``message_stop``. Unknown event and delta types are passed over;
    blocks without a neutral form arrive whole, as ``OpaqueAdded``, when they are complete.
    """

    def __init__(self) -> None:
        self._sse = SSEDecoder()
        self._blocks: dict[int, _Block] = {}
        self._parts = 0
        self._tools = 0
        self._usage: JSONObject = {}
        self._over = False

    def feed(self, chunk: bytes, /) -> list[StreamEvent]:
        """See ``StreamReader.feed``."""
        if self._over:
            return []
        try:
            frames = self._sse.feed(chunk)
        except UpstreamProtocolError as exc:
            return self._fail(exc)
        return self._read(frame.data for frame in frames)

    def close(self) -> list[StreamEvent]:
        """See ``StreamReader.close``."""
        return [] if self._over else self._read(frame.data for frame in self._sse.close())

    def _read(self, documents: Any) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for data in documents:
            if data.strip() == DONE:
                continue
            try:
                event = loads(data)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                events += self._fail(
                    UpstreamProtocolError("the upstream sent an event that is not JSON")
                )
            else:
                found = self._dispatch(event)
                if found:
                    found[0].raw = event
                events += found
            if self._over:
                break
        return events

    def _dispatch(self, event: JSONObject) -> list[StreamEvent]:
        handler = _HANDLERS.get(str(event.get("type")))
        return handler(self, event) if handler else []

    def _fail(self, error: Exception) -> list[StreamEvent]:
        self._over = True
        return [Failed(error=error)]

    # ----------------------------------------------------------------- message

    def _message_start(self, event: JSONObject) -> list[StreamEvent]:
        message = _object(event.get("message"))
        extras = rest(message, "id", "type", "role", "model", "content", "usage")
        started = Started(id=_text(message, "id"), model=_text(message, "model"), extras=extras)
        return [started, *self._report(message.get("usage"))]

    def _message_delta(self, event: JSONObject) -> list[StreamEvent]:
        delta = _object(event.get("delta"))
        reason, sequence = _text(delta, "stop_reason"), delta.get("stop_sequence")
        events: list[StreamEvent] = []
        if reason:
            stop = sequence if isinstance(sequence, str) else None
            events.append(Finished(reason=FINISH_REASONS.get(reason, "stop"), stop_sequence=stop))
        return [*events, *self._report(event.get("usage"))]

    def _message_stop(self, event: JSONObject) -> list[StreamEvent]:
        self._over = True
        return [Ended()]

    def _error(self, event: JSONObject) -> list[StreamEvent]:
        error = read_error(event)
        return self._fail(error or UpstreamProtocolError("the upstream sent an unreadable error"))

    def _report(self, usage: Any) -> list[StreamEvent]:
        """Counts are cumulative; what a later event leaves out keeps its value."""
        if not isinstance(usage, dict):
            return []
        self._usage |= {key: value for key, value in usage.items() if value is not None}
        return [UsageReported(usage=read_usage(dict(self._usage)))]

    # ----------------------------------------------------------------- blocks

    def _block_start(self, event: JSONObject) -> list[StreamEvent]:
        start = _object(event.get("content_block"))
        block = self._open(event, _text(start, "type"), start)
        opening = _OPENINGS.get(block.kind)
        return opening(self, block) if opening else []

    def _open(self, event: JSONObject, kind: str, start: JSONObject) -> _Block:
        block = _Block(self._parts, kind, dict(start))
        self._parts += 1
        index = event.get("index")
        self._blocks[index if isinstance(index, int) else -1] = block
        return block

    def _open_text(self, block: _Block) -> list[StreamEvent]:
        citations = block.start.get("citations")
        events = self._text(block, _text(block.start, "text"))
        for citation in citations if isinstance(citations, list) else []:
            events += self._cited(block, citation)
        return events

    def _open_thinking(self, block: _Block) -> list[StreamEvent]:
        thought = self._thought(block, text=_text(block.start, "thinking"))
        return thought + self._thought(block, signature=_text(block.start, "signature"))

    def _open_redacted(self, block: _Block) -> list[StreamEvent]:
        return self._thought(block, encrypted=_text(block.start, "data"))

    def _open_tool(self, block: _Block) -> list[StreamEvent]:
        block.tool = self._tools
        self._tools += 1
        call_id, name = _text(block.start, "id"), _text(block.start, "name")
        extras = rest(block.start, "type", "id", "name", "input")
        return [
            ToolCallStarted(index=block.tool, id=call_id, name=name, part=block.part, extras=extras)
        ]

    def _block_delta(self, event: JSONObject) -> list[StreamEvent]:
        delta = _object(event.get("delta"))
        kind, index = _text(delta, "type"), event.get("index")
        block = self._blocks.get(index if isinstance(index, int) else -1)
        if block is None:
            if kind not in _IMPLIED:
                return []
            block = self._open(event, _IMPLIED[kind], {})
        handler = _DELTAS.get((block.kind, kind))
        if handler:
            return handler(self, block, delta)
        if kind == "input_json_delta":
            block.json.append(_text(delta, "partial_json"))
        elif block.kind not in _OPENINGS:
            _merge(block.start, delta)
        return []

    def _block_stop(self, event: JSONObject) -> list[StreamEvent]:
        index = event.get("index")
        block = self._blocks.pop(index if isinstance(index, int) else -1, None)
        if block is None:
            return []
        if block.kind == "tool_use":
            return (
                []
                if any(block.json)
                else self._arguments(block, dumps_str(_object(block.start.get("input"))))
            )
        if block.kind in _OPENINGS:
            return []
        if any(block.json):
            block.start["input"] = _loads_lenient("".join(block.json))
        opaque = OpaquePart(dialect=NAME, raw=block.start)
        return [OpaqueAdded(block=opaque, part=block.part)]

    # ----------------------------------------------------------------- events of a block

    def _text(self, block: _Block, text: str) -> list[StreamEvent]:
        return [TextDelta(text=text, part=block.part)] if text else []

    def _cited(self, block: _Block, citation: Any) -> list[StreamEvent]:
        if not isinstance(citation, dict):
            return []
        return [CitationAdded(citation=read_citation(citation), part=block.part)]

    def _thought(
        self, block: _Block, *, text: str = "", signature: str = "", encrypted: str = ""
    ) -> list[StreamEvent]:
        if not (text or signature or encrypted):
            return []
        return [
            ReasoningDelta(
                text=text,
                part=block.part,
                signature=signature or None,
                encrypted=encrypted or None,
                dialect=NAME,
            )
        ]

    def _arguments(self, block: _Block, text: str) -> list[StreamEvent]:
        block.json.append(text)
        return [ToolCallDelta(index=block.tool, arguments=text, part=block.part)] if text else []


_HANDLERS: dict[str, Callable[[MessagesStreamReader, JSONObject], list[StreamEvent]]] = {
    "message_start": MessagesStreamReader._message_start,
    "content_block_start": MessagesStreamReader._block_start,
    "content_block_delta": MessagesStreamReader._block_delta,
    "content_block_stop": MessagesStreamReader._block_stop,
    "message_delta": MessagesStreamReader._message_delta,
    "message_stop": MessagesStreamReader._message_stop,
    "error": MessagesStreamReader._error,
}
_OPENINGS: dict[str, Callable[[MessagesStreamReader, _Block], list[StreamEvent]]] = {
    "text": MessagesStreamReader._open_text,
    "thinking": MessagesStreamReader._open_thinking,
    "redacted_thinking": MessagesStreamReader._open_redacted,
    "tool_use": MessagesStreamReader._open_tool,
}
_Delta = Callable[[MessagesStreamReader, _Block, JSONObject], list[StreamEvent]]
_DELTAS: dict[tuple[str, str], _Delta] = {
    ("text", "text_delta"): lambda self, block, delta: self._text(block, _text(delta, "text")),
    ("text", "citations_delta"): lambda self, block, delta: self._cited(
        block, delta.get("citation")
    ),
    ("thinking", "thinking_delta"): lambda self, block, delta: self._thought(
        block, text=_text(delta, "thinking")
    ),
    ("thinking", "signature_delta"): lambda self, block, delta: self._thought(
        block, signature=_text(delta, "signature")
    ),
    ("tool_use", "input_json_delta"): lambda self, block, delta: self._arguments(
        block, _text(delta, "partial_json")
    ),
}


def _object(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}


def _text(holder: JSONObject, key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _merge(block: JSONObject, delta: JSONObject) -> None:
    """Deltas of unknown blocks: texts grow, anything else is replaced."""
    for key, value in delta.items():
        if key == "type":
            continue
        known = block.get(key)
        block[key] = known + value if isinstance(known, str) and isinstance(value, str) else value


def _loads_lenient(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return {"INVALID_JSON": text}
