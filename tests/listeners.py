"""Response filters of a few lines, for tests of whoever runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plano_asgi.errors import ContentBlocked
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.passages import StreamEditor, WireEvent


class Shout(ResponseFilter):
    """Writes every text of an answer in capitals; *mark* goes in front of a whole one."""

    def __init__(self, mark: str = "") -> None:
        self.mark = mark
        self.closed = 0

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        assert exchange.layout is not None
        for passage in exchange.layout.answer_passages(body):
            passage.replace(self.mark + passage.text.upper())
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        for delta in editor.read(event).deltas:
            delta.replace(delta.text.upper())
            event.raw = None
        return (event,)

    async def on_close(self, exchange: Exchange) -> None:
        self.closed += 1


class Hold(ResponseFilter):
    """Holds every text back until the end mark, or the end without one."""

    def __init__(self) -> None:
        self.held: list[WireEvent] = []

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        parts = editor.read(event)
        if parts.is_last:
            return [*await self.on_end(editor, exchange), event]
        if parts.deltas:
            self.held.append(event)
            return ()
        return (event,)

    async def on_end(self, editor: StreamEditor, exchange: Exchange) -> Sequence[WireEvent]:
        held, self.held = self.held, []
        return held


class StopAt(ResponseFilter):
    """Stops the answer at a text that holds *word*; whole bodies too."""

    def __init__(self, word: str, error: Exception | None = None) -> None:
        self.word = word
        self.error = error or AnswerStopped(
            ContentBlocked("Not this."), text="I had better stop here."
        )

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        assert exchange.layout is not None
        for passage in exchange.layout.answer_passages(body):
            if self.word in passage.text:
                raise self.error
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        if any(self.word in delta.text for delta in editor.read(event).deltas):
            raise self.error
        return (event,)


class Hear(ResponseFilter):
    """Changes nothing; notes that the response was over, and how."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.closed: list[tuple[bool, Exception | None]] = []

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        self.heard.append(body)
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        self.heard.append(event.data)
        return (event,)

    async def on_close(self, exchange: Exchange) -> None:
        self.closed.append((exchange.disconnected, exchange.error))


def registering(*filters: ResponseFilter) -> Any:
    """A step that registers *filters*."""

    async def step(exchange: Exchange) -> None:
        exchange.response_filters.extend(filters)

    return step
