"""
An upstream's event stream, read: events out of bytes, beginning, end and failure of the response.

The items in between are ``item_reader``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import UpstreamError, UpstreamProtocolError
from plano_asgi.stream_events import (
    Ended,
    Failed,
    Finished,
    Started,
    StreamEvent,
    UsageReported,
)
from plano_asgi.wire.openai_responses import item_reader
from plano_asgi.wire.openai_responses.echo import read_usage
from plano_asgi.wire.openai_responses.errors import read_error, read_failure
from plano_asgi.wire.openai_responses.item_reader import ItemReader, object_at
from plano_asgi.wire.openai_responses.response import finish_reason, unix_seconds
from plano_asgi.wire.sse import DONE, SSEDecoder, SSEEvent


class ResponsesStreamReader:
    """See ``StreamReader``."""

    __slots__ = ("_data", "_decoder", "_items", "_over", "_started")

    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._items = ItemReader()
        self._data = ""
        self._started = self._over = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Take the next bytes, cut anywhere; return the events they complete."""
        return self._read(lambda: self._decoder.feed(chunk))

    def close(self) -> list[StreamEvent]:
        """Say that the upstream closed; return what an unterminated last event held."""
        return self._read(self._decoder.close)

    def _read(self, decode: Callable[[], list[SSEEvent]]) -> list[StreamEvent]:
        events = self._items.events = []
        if self._over:
            return events
        try:
            for event in decode():
                self._take(event)
        except UpstreamError as exc:
            self._fail(exc, None)
        return events

    def _take(self, sse: SSEEvent) -> None:
        if self._over or sse.data == DONE:
            return
        self._data = sse.data
        try:
            event = loads(sse.data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise UpstreamProtocolError("the upstream sent an event that is no JSON object")
        before = len(self._items.events)
        self._handle(str(event.get("type") or sse.event), event)
        if len(self._items.events) > before:
            self._items.events[before].raw = event

    def _handle(self, kind: str, event: JSONObject) -> None:
        if item_handler := item_reader.HANDLERS.get(kind):
            item_handler(self._items, event)
        elif handler := _HANDLERS.get(kind):
            handler(self, event)
        elif event.get("error"):
            self._on_error(event)

    def _fail(self, error: Exception, raw: Any) -> None:
        self._items.events.append(Failed(error=error, raw=raw))
        self._over = True

    # ----------------------------------------------------------------- the response

    def _on_start(self, event: JSONObject) -> None:
        response = object_at(event, "response")
        if self._started:
            return
        self._started = True
        tier = response.get("service_tier")
        self._items.events.append(
            Started(
                id=str(response.get("id") or ""),
                model=str(response.get("model") or ""),
                created=unix_seconds(response.get("created_at")),
                service_tier=tier if isinstance(tier, str) else None,
            )
        )

    def _on_completed(self, event: JSONObject) -> None:
        self._end({"status": "completed"} | object_at(event, "response"))

    def _on_incomplete(self, event: JSONObject) -> None:
        self._end({"status": "incomplete"} | object_at(event, "response"))

    def _end(self, response: JSONObject) -> None:
        self._items.finish(response.get("output"))
        events = self._items.events
        reason = finish_reason(response, calls=self._items.calls > 0)
        events.append(Finished(reason=reason or "stop"))
        if usage := read_usage(response.get("usage")):
            events.append(UsageReported(usage=usage))
        events.append(Ended())
        self._over = True

    def _on_failed(self, event: JSONObject) -> None:
        self._fail(read_failure(object_at(event, "response"), self._data.encode()), event)

    def _on_error(self, event: JSONObject) -> None:
        self._fail(read_error(event, self._data.encode()), event)


_HANDLERS: dict[str, Callable[[ResponsesStreamReader, JSONObject], None]] = {
    "response.created": ResponsesStreamReader._on_start,
    "response.queued": ResponsesStreamReader._on_start,
    "response.in_progress": ResponsesStreamReader._on_start,
    "response.completed": ResponsesStreamReader._on_completed,
    "response.incomplete": ResponsesStreamReader._on_incomplete,
    "response.failed": ResponsesStreamReader._on_failed,
    "response.cancelled": ResponsesStreamReader._on_failed,
    "error": ResponsesStreamReader._on_error,
}
