"""A streamed answer held back whole, until guards that need all of it have judged it."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi.exchange import Exchange
from plano_asgi.guards.answer_text import passage_of
from plano_asgi.guards.base import Guard
from plano_asgi.guards.judging import judge_answer
from plano_asgi.guards.redaction import apply_spans
from plano_asgi.guards.run import unable
from plano_asgi.passages import Channel, Delta, Passage, StreamEditor, WireEvent


class HeldAnswer:
    """
    The events of one answer.

    Args:
        max_chars: Characters held, an event counting as one more. Beyond, no guard can judge.
    """

    def __init__(self, guards: Sequence[Guard], message: str | None, *, max_chars: int) -> None:
        self._guards = guards
        self._message = message
        self._room = max_chars
        self.is_given_up = False
        """It was too long: what comes from now on is not held and not judged."""
        self._events: list[WireEvent] = []
        self._deltas: dict[Channel, list[tuple[WireEvent, Delta]]] = {}
        self._alone: list[tuple[WireEvent, Passage]] = []

    def hold(
        self, events: Sequence[WireEvent], editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """
        Take in *events*; what goes out unjudged, nothing unless it is too long.

        Raises:
            GuardUnavailable: It is too long, and a guard is closed.
        """
        if self.is_given_up:
            return events
        for event in events:
            parts = editor.read(event)
            self._room -= 1 + sum(len(delta.text) for delta in parts.deltas)
            self._events.append(event)
            for delta in parts.deltas:
                self._deltas.setdefault(delta.channel, []).append((event, delta))
            self._alone += ((event, passage) for passage in parts.alone)
        return self._give_up(exchange) if self._room < 0 else ()

    def _give_up(self, exchange: Exchange) -> Sequence[WireEvent]:
        for guard in self._guards:
            unable(guard, exchange, "answer", rule="too-long")
        self.is_given_up = True
        events, self._events = self._events, []
        self._deltas, self._alone = {}, []
        return events

    async def release(self, exchange: Exchange) -> list[WireEvent]:
        """Judge all of it; what it is then. A text that is changed comes in one piece."""
        texts = {
            channel: passage_of(channel, "".join(delta.text for _, delta in deltas))
            for channel, deltas in self._deltas.items()
        }
        alone = [passage for _, passage in self._alone]
        passages = [*(passage for passage in texts.values() if passage.text), *alone]
        before = [passage.text for passage in passages]
        apply_spans(await judge_answer(self._guards, passages, exchange, self._message))
        changed = {id(p) for p, text in zip(passages, before, strict=True) if p.text != text}
        for event, passage in self._alone:
            if id(passage) in changed:
                event.raw = None
        void: set[int] = set()
        for channel, passage in texts.items():
            if id(passage) in changed:
                void |= _rewrite(self._deltas[channel], passage.text)
        events, self._events = self._events, []
        self._deltas, self._alone = {}, []
        return [event for event in events if id(event) not in void]


def _rewrite(deltas: Sequence[tuple[WireEvent, Delta]], text: str) -> set[int]:
    """Put *text* into the first of *deltas*; the events that have nothing left to say."""
    void = set()
    for event, delta in deltas:
        delta.replace(text)
        event.raw, text = None, ""
        parts = event.parts
        if parts is not None and parts.is_pure and not any(one.text for one in parts.deltas):
            void.add(id(event))
    return void
