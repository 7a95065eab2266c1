"""
Neutral events into a client's event stream.

The API knows one open block at a time, other dialects interleave the arguments of parallel calls.
So blocks stand in a queue: the first is open and streams, the others are held until it is whole.
A text or thinking block is whole as soon as another begins; a tool call when its arguments are a
complete JSON object, or when the answer is finished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject, dumps, loads
from plano_asgi.conversation import (
    ChatRequest,
    FinishReason,
    ReasoningPart,
    Usage,
)
from plano_asgi.errors import PlanoError
from plano_asgi.stream_events import (
    CitationAdded,
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
from plano_asgi.wire.anthropic_messages.blocks import NAME, NATIVE_REASONING, packed_signature
from plano_asgi.wire.anthropic_messages.errors import write_error
from plano_asgi.wire.anthropic_messages.response import message_id, stop_reason, write_usage
from plano_asgi.wire.sse import encode


@dataclass(slots=True)
class _Block:
    key: tuple[Any, ...]
    start: JSONObject
    deltas: list[JSONObject] = field(default_factory=list)
    """Not yet sent."""
    opened: bool = False
    done: bool = False
    arguments: list[str] = field(default_factory=list)
    """Of a tool call, all of them."""
    thought: ReasoningPart | None = None
    """Of thinking by another dialect: what its signature has to carry."""

    def whole(self) -> bool:
        """Whether a tool call's arguments are a complete JSON object."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(loads("".join(self.arguments)), dict)
        except ValueError:
            return False


class MessagesStreamWriter:
    """
    Writes one message. Choice 0 only, which is all this API has. Left out because no block can
    say it: opaque blocks and citations of other dialects.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._id = ""
        self._model = request.model
        self._usage: Usage | None = None
        self._reason: FinishReason | None = None
        self._sequence: str | None = None
        self._calls = False
        self._begun = False
        self._index = 0
        self._queue: deque[_Block] = deque()
        self._tools: dict[int, _Block] = {}
        self._out = bytearray()

    def write(self, events: Sequence[StreamEvent], /) -> bytes:
        """See ``StreamWriter.write``."""
        started = False
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler and getattr(event, "choice", 0) == 0:
                handler(self, event)
            started = started or isinstance(event, Started)
        if started or self._queue:
            self._begin()
        self._pump()
        return self._take()

    def finish(self) -> bytes:
        """See ``StreamWriter.finish``."""
        self._begin()
        self._close_all()
        delta = {
            "stop_reason": stop_reason(self._reason, self._sequence, calls=self._calls),
            "stop_sequence": self._sequence,
        }
        usage = write_usage(self._usage)
        self._emit({"type": "message_delta", "delta": delta, "usage": usage})
        self._emit({"type": "message_stop"})
        return self._take()

    def fail(self, error: PlanoError, /) -> bytes:
        """See ``StreamWriter.fail``."""
        self._emit(write_error(error, None))
        return self._take()

    # ----------------------------------------------------------------- events

    def _started(self, event: Started) -> None:
        self._id, self._model = event.id, event.model or self._model

    def _text(self, event: TextDelta) -> None:
        if event.channel == "refusal":
            self._reason = "refusal"
        if event.text:
            start = {"type": "text", "text": ""}
            block = self._current(("text", event.part, event.channel), start)
            block.deltas.append({"type": "text_delta", "text": event.text})

    def _cited(self, event: CitationAdded) -> None:
        if event.citation.dialect == NAME:
            block = self._current(("text", event.part, "content"), {"type": "text", "text": ""})
            block.deltas.append({"type": "citations_delta", "citation": event.citation.raw})

    def _thought(self, event: ReasoningDelta) -> None:
        native = event.dialect in NATIVE_REASONING
        if native and event.encrypted:
            block = self._append(
                ("redacted",), {"type": "redacted_thinking", "data": event.encrypted}
            )
            block.done = True
            return
        start = {"type": "thinking", "thinking": "", "signature": ""}
        block = self._current(("thinking", event.part), start)
        if event.text:
            block.deltas.append({"type": "thinking_delta", "thinking": event.text})
        if native and event.signature:
            block.deltas.append({"type": "signature_delta", "signature": event.signature})
        elif not native:
            known = block.thought or ReasoningPart()
            block.thought = ReasoningPart(
                summary=known.summary or event.summary,
                signature=event.signature or known.signature,
                encrypted=event.encrypted or known.encrypted,
                id=event.id or known.id,
                dialect=event.dialect or known.dialect,
            )

    def _call(self, event: ToolCallStarted) -> None:
        extras = event.extras if event.extras.keys() <= {"caller", "toolset_name"} else {}
        start = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}} | extras
        self._calls = True
        self._tools[event.index] = self._append(("tool", event.index), start)

    def _arguments(self, event: ToolCallDelta) -> None:
        block = self._tools.get(event.index)
        if block is not None and not block.done and event.arguments:
            block.arguments.append(event.arguments)
            block.deltas.append({"type": "input_json_delta", "partial_json": event.arguments})

    def _opaque(self, event: OpaqueAdded) -> None:
        if event.block.dialect == NAME:
            self._append(("opaque",), event.block.raw).done = True

    def _finished(self, event: Finished) -> None:
        self._reason = "refusal" if self._reason == "refusal" else event.reason
        self._sequence = event.stop_sequence
        for block in self._queue:
            block.done = True

    def _reported(self, event: UsageReported) -> None:
        self._usage = event.usage

    # ----------------------------------------------------------------- blocks

    def _current(self, key: tuple[Any, ...], start: JSONObject) -> _Block:
        last = self._queue[-1] if self._queue else None
        if last is not None and last.key == key and not last.done:
            return last
        return self._append(key, start)

    def _append(self, key: tuple[Any, ...], start: JSONObject) -> _Block:
        if self._queue and self._queue[-1].key[0] != "tool":
            self._queue[-1].done = True
        block = _Block(key, start)
        self._queue.append(block)
        return block

    def _close_all(self) -> None:
        for block in self._queue:
            block.done = True
        self._pump()

    def _pump(self) -> None:
        """Send all of the first block and, once that is whole, of the next."""
        while self._queue:
            block = self._queue[0]
            self._send(block)
            waiting = len(self._queue) > 1
            if not block.done and waiting and block.key[0] == "tool":
                block.done = block.whole()
            if not block.done:
                return
            if block.thought is not None:
                signature = packed_signature(block.thought)
                self._delta({"type": "signature_delta", "signature": signature})
            self._emit({"type": "content_block_stop", "index": self._index})
            self._index += 1
            self._queue.popleft()

    def _send(self, block: _Block) -> None:
        if not block.opened:
            block.opened = True
            start = {"type": "content_block_start", "index": self._index}
            self._emit({**start, "content_block": block.start})
        for delta in block.deltas:
            self._delta(delta)
        block.deltas.clear()

    def _delta(self, delta: JSONObject) -> None:
        self._emit({"type": "content_block_delta", "index": self._index, "delta": delta})

    # ----------------------------------------------------------------- bytes

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        message: JSONObject = {
            "id": message_id(self._id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage),
        }
        self._emit({"type": "message_start", "message": message})

    def _emit(self, event: JSONObject) -> None:
        self._out += encode(dumps(event), event["type"])

    def _take(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out


_HANDLERS: dict[type, Callable[[MessagesStreamWriter, Any], None]] = {
    Started: MessagesStreamWriter._started,
    TextDelta: MessagesStreamWriter._text,
    CitationAdded: MessagesStreamWriter._cited,
    ReasoningDelta: MessagesStreamWriter._thought,
    ToolCallStarted: MessagesStreamWriter._call,
    ToolCallDelta: MessagesStreamWriter._arguments,
    OpaqueAdded: MessagesStreamWriter._opaque,
    Finished: MessagesStreamWriter._finished,
    UsageReported: MessagesStreamWriter._reported,
}
