"""
Write a ConverseStream: neutral events to event-stream frames.

Converse streams one answer, so events of other choices than the first are passed over. Tool calls
stay open until the end, because other dialects may interleave their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from plano_asgi._json import JSONObject, dumps, dumps_str
from plano_asgi.conversation import (
    Choice,
    Usage,
)
from plano_asgi.errors import PlanoError
from plano_asgi.stream_events import (
    CitationAdded,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire.bedrock_converse.names import KIN, NAME, text_to_blob, tool_use_id
from plano_asgi.wire.bedrock_converse.response import stop_reason, write_usage
from plano_asgi.wire.eventstream import encode_frame

_EXCEPTIONS = {
    400: "validationException",
    429: "throttlingException",
    500: "internalServerException",
    502: "modelStreamErrorException",
    503: "serviceUnavailableException",
    504: "modelTimeoutException",
    529: "serviceUnavailableException",
}


class ConverseStreamWriter:
    """Encode one ConverseStream; see ``wire.base.StreamWriter``."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._opened = False
        self._open: dict[int, bool] = {}  # block index to whether it is a tool call
        self._finished = Finished(reason="stop")
        self._usage = Usage()

    def write(self, events: Sequence[StreamEvent], /) -> bytes:
        """Encode *events*; usage and finish reason wait for ``finish``."""
        for event in events:
            handler = _EVENTS.get(type(event))
            if handler is not None and getattr(event, "choice", 0) == 0:
                handler(self, event)
        return self._take()

    def finish(self) -> bytes:
        """Close what is open; then ``messageStop`` and ``metadata``."""
        self._begin()
        self._close(calls=True)
        choice = Choice(
            finish_reason=self._finished.reason, stop_sequence=self._finished.stop_sequence
        )
        self._event("messageStop", {"stopReason": stop_reason(choice)})
        usage = write_usage(self._usage)
        self._event("metadata", {"usage": usage, "metrics": {"latencyMs": 0}})
        return self._take()

    def fail(self, error: PlanoError, /) -> bytes:
        """An exception frame; no end mark."""
        name = _EXCEPTIONS.get(error.status, "internalServerException")
        self._frame(
            {":message-type": "exception", ":exception-type": name}, {"message": error.message}
        )
        return self._take()

    def _text(self, event: TextDelta) -> None:
        if event.text:
            self._delta(event.part, {"text": event.text})

    def _citation(self, event: CitationAdded) -> None:
        if event.citation.dialect == NAME:
            self._delta(event.part, {"citation": event.citation.raw})

    def _reasoning(self, event: ReasoningDelta) -> None:
        if event.text:
            self._delta(event.part, {"reasoningContent": {"text": event.text}})
        if event.signature and event.dialect in KIN:
            self._delta(event.part, {"reasoningContent": {"signature": event.signature}})
        if event.encrypted and event.dialect in KIN:
            blob = text_to_blob(event.encrypted)
            self._delta(event.part, {"reasoningContent": {"redactedContent": blob}})

    def _call(self, event: ToolCallStarted) -> None:
        start = {"toolUse": {"toolUseId": tool_use_id(event.id), "name": event.name}}
        self._start(event.part, start, call=True)

    def _arguments(self, event: ToolCallDelta) -> None:
        self._delta(event.part, {"toolUse": {"input": event.arguments}})

    def _opaque(self, event: OpaqueAdded) -> None:
        if event.block.dialect != NAME:
            return
        for name, value in event.block.raw.items():
            if name in _OPAQUE:
                start, delta = _OPAQUE[name](value)
                self._start(event.part, {name: start}, call=False)
                self._delta(event.part, {name: delta})

    def _finish(self, event: Finished) -> None:
        self._finished = event

    def _report(self, event: UsageReported) -> None:
        self._usage = event.usage

    def _begin(self) -> None:
        if not self._opened:
            self._opened = True
            self._event("messageStart", {"role": "assistant"})

    def _start(self, part: int, start: JSONObject, *, call: bool) -> None:
        self._begin()
        self._close(calls=False)
        self._open[part] = call
        self._event("contentBlockStart", {"contentBlockIndex": part, "start": start})

    def _delta(self, part: int, delta: JSONObject) -> None:
        self._begin()
        if part not in self._open:
            self._close(calls=False)
            self._open[part] = False
        self._event("contentBlockDelta", {"contentBlockIndex": part, "delta": delta})

    def _close(self, *, calls: bool) -> None:
        for part in [part for part, call in self._open.items() if calls or not call]:
            del self._open[part]
            self._event("contentBlockStop", {"contentBlockIndex": part})

    def _event(self, name: str, payload: JSONObject) -> None:
        self._frame({":message-type": "event", ":event-type": name}, payload)

    def _frame(self, headers: dict[str, str], payload: JSONObject) -> None:
        typed = {**headers, ":content-type": "application/json"}
        self._out.append(encode_frame(typed, dumps(payload)))

    def _take(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out


_EVENTS: dict[type, Callable[[ConverseStreamWriter, Any], None]] = {
    TextDelta: ConverseStreamWriter._text,
    CitationAdded: ConverseStreamWriter._citation,
    ReasoningDelta: ConverseStreamWriter._reasoning,
    ToolCallStarted: ConverseStreamWriter._call,
    ToolCallDelta: ConverseStreamWriter._arguments,
    OpaqueAdded: ConverseStreamWriter._opaque,
    Finished: ConverseStreamWriter._finish,
    UsageReported: ConverseStreamWriter._report,
}


def _without(block: JSONObject, name: str) -> JSONObject:
    return {key: value for key, value in block.items() if key != name}


# How each whole block is told in a stream: what its start says, and its one delta.
_OPAQUE: dict[str, Callable[[JSONObject], tuple[JSONObject, Any]]] = {
    "toolUse": lambda b: (_without(b, "input"), {"input": dumps_str(b.get("input", {}))}),
    "toolResult": lambda b: (_without(b, "content"), b.get("content", [])),
    "image": lambda b: (_without(b, "source"), {"source": b.get("source", {})}),
}
