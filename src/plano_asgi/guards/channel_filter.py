"""Running texts changed on their way out: a transform per channel, over events and whole bodies."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Protocol

from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.passages import Channel, Delta, Passage, StreamEditor, StreamParts, WireEvent

_TEXT = attrgetter("text")


class TextTransform(Protocol):
    """Changes one running text; may hold some of it back."""

    async def feed(self, text: str, /) -> str:
        """What goes out now, *text* added."""
        ...

    async def flush(self) -> str:
        """The rest: the text ends here."""
        ...


class Chained:
    """Several transforms as one, the first nearest to the model."""

    def __init__(self, steps: Sequence[TextTransform]) -> None:
        self._steps = steps

    async def feed(self, text: str, /) -> str:
        """Through all of them."""
        for step in self._steps:
            if text:
                text = await step.feed(text)
        return text

    async def flush(self) -> str:
        """What each still held, through those after it."""
        text = ""
        for step in self._steps:
            text = (await step.feed(text) if text else "") + await step.flush()
        return text


class ChannelFilter(ResponseFilter):
    """
    Base of filters that change texts and nothing else. Subclass and write ``transform``.

    What a transform holds goes out in front of the event that ends its channel, so that no finish
    and no usage overtakes it. Events that are left without text, and had nothing else, are dropped.
    """

    def __init__(self) -> None:
        self._running: dict[Channel, TextTransform | None] = {}

    def transform(self, channel: Channel, /) -> TextTransform | None:
        """A fresh transform for *channel*; ``None`` lets it pass."""
        raise NotImplementedError

    async def change_whole(self, passages: Sequence[Passage], exchange: Exchange, /) -> None:
        """Change texts that came whole, in place."""
        for passage in passages:
            channel = Channel(passage.choice, passage.origin, passage.path, passage.is_json)
            if (transform := self.transform(channel)) is None:
                continue
            text = await transform.feed(passage.text) + await transform.flush()
            if text != passage.text:
                passage.replace(text)

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Change every text of a whole answer."""
        if exchange.layout is not None:
            await self.change_whole(exchange.layout.answer_passages(body), exchange)
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Change the texts of one event; what is held of channels that end goes before it."""
        parts = event.parts or editor.read(event)
        before: Sequence[WireEvent] = ()
        if parts.ends or parts.is_last:
            before = await self._ended(parts, editor)
        if parts.alone:
            await self._change_alone(event, parts.alone, exchange)
        if parts.deltas and await self._change(parts.deltas):
            event.raw = None
            if parts.is_pure and not any(map(_TEXT, parts.deltas)):
                event.parts = None  # a piece may hold its event: nobody else lets go of this one
                return before
        return [*before, event] if before else (event,)

    async def on_end(self, editor: StreamEditor, exchange: Exchange) -> Sequence[WireEvent]:
        """What is held of channels that nobody ended."""
        return await self._end_all(editor)

    async def _change(self, deltas: Sequence[Delta]) -> bool:
        is_changed = False
        running = self._running
        for delta in deltas:
            if not delta.text:
                continue
            channel = delta.channel
            try:
                transform = running[channel]
            except KeyError:
                transform = running[channel] = self.transform(channel)
            if transform is None:
                continue
            text = await transform.feed(delta.text)
            if text != delta.text:
                delta.replace(text)
                is_changed = True
        return is_changed

    async def _change_alone(
        self, event: WireEvent, passages: Sequence[Passage], exchange: Exchange
    ) -> None:
        texts = [passage.text for passage in passages]
        await self.change_whole(passages, exchange)
        if texts != [passage.text for passage in passages]:
            event.raw = None

    async def _ended(self, parts: StreamParts, editor: StreamEditor) -> list[WireEvent]:
        held: list[WireEvent] = []
        for channel in parts.ends:
            held += await self._end(channel, editor)
        return held + await self._end_all(editor) if parts.is_last else held

    async def _end_all(self, editor: StreamEditor) -> list[WireEvent]:
        held: list[WireEvent] = []
        for channel in list(self._running):
            held += await self._end(channel, editor)
        return held

    async def _end(self, channel: Channel, editor: StreamEditor) -> list[WireEvent]:
        transform = self._running.pop(channel, None)
        text = await transform.flush() if transform is not None else ""
        return [editor.delta(channel, text)] if text else []
