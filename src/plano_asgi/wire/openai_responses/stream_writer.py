"""
A client's event stream, written.

Message and reasoning items are open one at a time. Calls stay open to the end, each at its own
``output_index``: an upstream may go on with an earlier call after it has begun the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    FinishReason,
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
from plano_asgi.wire.openai_responses.echo import outcome, write_tier, write_usage
from plano_asgi.wire.openai_responses.errors import failure
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.open_items import (
    OpenCall,
    OpenItem,
    OpenMessage,
    OpenReasoning,
    Sink,
)
from plano_asgi.wire.openai_responses.response import response_head, response_id
from plano_asgi.wire.tools import Declared, declared_tools


class ResponsesStreamWriter:
    """See ``StreamWriter``."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._declared = declared_tools(request)
        self._head: JSONObject | None = None
        self._open: OpenMessage | OpenReasoning | None = None
        self._calls: dict[int, OpenCall] = {}
        self._messages: dict[int, OpenMessage] = {}
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._sink = Sink()

    def write(self, events: Sequence[StreamEvent]) -> bytes:
        """Encode *events* of the first choice; the API has no other one."""
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None and getattr(event, "choice", 0) == 0:
                handler(self, event)
        return self._sink.take()

    def finish(self) -> bytes:
        """Close what is open, then ``response.completed``, or ``incomplete`` if it was cut."""
        self._begin()
        end = outcome(self._finish)
        unfinished = self._unfinished()
        for item in unfinished:
            cut = end.status == "incomplete" and item is unfinished[-1]
            item.close("incomplete" if cut else "completed")
        self._terminal(f"response.{end.status}", end.fields())
        return self._sink.take()

    def fail(self, error: PlanoError) -> bytes:
        """``response.failed`` with what there is of the output."""
        self._begin()
        for item in self._unfinished():
            item.abandon()
        self._terminal("response.failed", {"status": "failed", "error": failure(error)})
        return self._sink.take()

    # ----------------------------------------------------------------- the response

    def _on_started(self, event: Started) -> None:
        self._begin(event)

    def _begin(self, started: Started | None = None) -> None:
        if self._head is not None:
            return
        start = started or Started()
        created = int(time.time()) if start.created is None else start.created
        self._head = response_head(self._request, response_id(start.id), start.model, created)
        self._head |= write_tier(start.service_tier)
        self._sink.emit("response.created", response=self._head)
        self._sink.emit("response.in_progress", response=self._head)

    def _on_finished(self, event: Finished) -> None:
        self._finish = event.reason

    def _on_usage(self, event: UsageReported) -> None:
        self._usage = event.usage

    def _terminal(self, kind: str, fields: JSONObject) -> None:
        assert self._head is not None
        body = self._head | fields
        if body["status"] == "completed":
            body["completed_at"] = max(int(time.time()), body["created_at"])
        body |= {"output": self._sink.output, "usage": write_usage(self._usage)}
        self._sink.emit(kind, response=body)

    # ----------------------------------------------------------------- items

    def _close_open(self) -> None:
        if self._open is not None:
            self._open.close("completed")
            self._open = None

    def _unfinished(self) -> list[OpenItem]:
        found: list[OpenItem] = [*self._calls.values()]
        if self._open is not None:
            found.append(self._open)
        return sorted(found, key=lambda item: item.index)

    # ----------------------------------------------------------------- content

    def _on_text(self, event: TextDelta) -> None:
        if not event.text and not event.logprobs:
            return
        self._begin()
        message = self._message()
        message.add(event)
        self._messages[event.part] = message

    def _message(self) -> OpenMessage:
        if not isinstance(self._open, OpenMessage):
            self._close_open()
            self._open = OpenMessage(self._sink)
        return self._open

    def _on_citation(self, event: CitationAdded) -> None:
        # A citation may come after its text has been closed: it then only shows in the end.
        if message := self._messages.get(event.part) or next(
            iter(reversed(self._messages.values())), None
        ):
            message.cite(event.part, event.citation)

    def _on_reasoning(self, event: ReasoningDelta) -> None:
        if not (event.text or event.signature or event.encrypted):
            return
        self._begin()
        current = self._open
        if not isinstance(current, OpenReasoning) or current.part_number != event.part:
            self._close_open()
            self._open = current = OpenReasoning(self._sink, event)
        current.add(event)

    def _on_call(self, event: ToolCallStarted) -> None:
        self._begin()
        self._close_open()
        declared = self._declared.get(event.name, Declared())
        self._calls[event.index] = OpenCall(self._sink, event, declared)

    def _on_arguments(self, event: ToolCallDelta) -> None:
        if call := self._calls.get(event.index):
            call.add(event.arguments)

    def _on_opaque(self, event: OpaqueAdded) -> None:
        if event.block.dialect != NAME:
            return  # no client of this API can have asked for another one's server tool
        self._begin()
        self._close_open()
        item = event.block.raw
        index = self._sink.add_item(item)
        self._sink.emit("response.output_item.done", output_index=index, item=item)


_HANDLERS: dict[type, Callable[[ResponsesStreamWriter, Any], None]] = {
    Started: ResponsesStreamWriter._on_started,
    TextDelta: ResponsesStreamWriter._on_text,
    CitationAdded: ResponsesStreamWriter._on_citation,
    ReasoningDelta: ResponsesStreamWriter._on_reasoning,
    ToolCallStarted: ResponsesStreamWriter._on_call,
    ToolCallDelta: ResponsesStreamWriter._on_arguments,
    OpaqueAdded: ResponsesStreamWriter._on_opaque,
    Finished: ResponsesStreamWriter._on_finished,
    UsageReported: ResponsesStreamWriter._on_usage,
}
