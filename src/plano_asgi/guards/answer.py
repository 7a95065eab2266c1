"""
The answer side of a guard chain: all of its guards on one answer, whole or streamed.

Guards that find passages run first, each as a holdback per channel; then those that judge, over
windows of what is left; last those that need the answer whole, for which it is held to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn

from plano_asgi.errors import ConfigurationError, ContentBlocked, PlanoError
from plano_asgi.exchange import AnswerStopped, Exchange
from plano_asgi.guards.answer_text import Finder, FoundText, JudgedText
from plano_asgi.guards.answer_whole import HeldAnswer
from plano_asgi.guards.audit import skipped
from plano_asgi.guards.base import Guard
from plano_asgi.guards.channel_filter import Chained, ChannelFilter, TextTransform
from plano_asgi.guards.judging import judge_answer
from plano_asgi.guards.redaction import apply_spans
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.guards.told import ToldGuards
from plano_asgi.passages import Channel, Passage, StreamEditor, StreamParts, WireEvent

__all__ = ["AnswerFilter", "ChannelFilter", "TextTransform"]


class AnswerFilter(ChannelFilter):
    """
    Guards one answer; made per exchange.

    Args:
        guards: Those that apply to this exchange's answer, in the order in which they change it.
        on_block: Before the first byte a block is an error, or an answer that reads *message*.
        message: What the client reads, where neither verdict nor guard says something else.
        window_chars: Characters of a text that guards judge at once; text is held until then.
        overlap_chars: Of what went before, shown with each window.
        max_held_chars: Of an answer that is held whole. Over it: ``GuardUnavailable``.
    """

    def __init__(
        self,
        exchange: Exchange,
        guards: Sequence[Guard],
        *,
        on_block: Literal["error", "answer"] = "error",
        message: str | None = None,
        window_chars: int = 800,
        overlap_chars: int = 200,
        max_held_chars: int = 1 << 20,
    ) -> None:
        super().__init__()
        if window_chars < 1 or overlap_chars < 0:
            raise ConfigurationError("window_chars must be at least 1, overlap_chars at least 0")
        self._exchange = exchange
        self._guards = tuple(guards)
        self._on_block = on_block
        self._message = message
        self._window = {"window_chars": window_chars, "overlap_chars": overlap_chars}
        self._judges = [g for g in guards if not isinstance(g, TextGuard) and not g.needs_whole]
        self._finders: list[Finder] | None = None
        self._told: ToldGuards | None = None
        self._is_over = False
        whole = [g for g in guards if not isinstance(g, TextGuard) and g.needs_whole]
        self._need_whole = whole
        self._held = HeldAnswer(whole, message, max_chars=max_held_chars) if whole else None

    def transform(self, channel: Channel, /) -> TextTransform | None:
        """The guards that are shown this channel, in a row."""
        steps: list[TextTransform] = [
            FoundText(finder, finder.matcher, channel)
            for finder in self._found()
            if finder.matcher is not None and channel.origin in finder.guard.policy.origins
        ]
        if judges := [g for g in self._judges if channel.origin in g.policy.origins]:
            asked = JudgedText(
                judges, channel, self._exchange, self._message, self._told, **self._window
            )
            steps.append(asked)
        if len(steps) > 1:
            return Chained(steps)
        return steps[0] if steps else None

    async def change_whole(self, passages: Sequence[Passage], exchange: Exchange, /) -> None:
        """Guards that change, one after the other; then the others, at once."""
        guards = self._guards
        if self._finders is not None:  # in a stream: those that need it whole see it at its end
            guards = tuple(guard for guard in guards if guard not in self._need_whole)
        rounds = [[guard] for guard in guards if guard.changes]
        rounds.append([guard for guard in guards if not guard.changes])
        for asked in rounds:
            found = await judge_answer(asked, passages, exchange, self._message, self._told)
            apply_spans(found)

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Guard every text of a whole answer."""
        try:
            return await super().on_body(body, exchange)
        except PlanoError as exc:
            self._stop(exc)

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Guard the texts of one event."""
        try:
            self._found()
            events = await super().on_event(event, editor, exchange)
            if self._held is None:
                return events
            unjudged = self._held.hold(events, editor, exchange)
            if self._held.is_given_up or not editor.read(event).is_last:
                return unjudged
            return await self._held.release(exchange)
        except PlanoError as exc:
            self._stop(exc)

    async def on_end(self, editor: StreamEditor, exchange: Exchange) -> Sequence[WireEvent]:
        """What is held of a stream that ended without an end mark."""
        self._is_over = True
        try:
            events = await super().on_end(editor, exchange)
            if self._held is None:
                return events
            unjudged = self._held.hold(events, editor, exchange)
            return unjudged if self._held.is_given_up else await self._held.release(exchange)
        except PlanoError as exc:
            self._stop(exc)

    async def on_close(self, exchange: Exchange) -> None:
        """Put on record what was found in a stream, and who had nothing to look at."""
        for finder in self._finders or ():
            finder.conclude()
        seen = {audit.guard for audit in exchange.audits if audit.side == "answer"}
        for guard in self._guards:
            if guard.name not in seen:
                skipped(exchange, guard, "answer", rule="no_text")
        if self._told is not None:
            is_cut = exchange.disconnected or exchange.error is not None
            self._told.close(is_cut=is_cut and not self._is_over)

    async def _ended(self, parts: StreamParts, editor: StreamEditor) -> list[WireEvent]:
        self._is_over = self._is_over or parts.is_last
        return await super()._ended(parts, editor)

    def _found(self) -> list[Finder]:
        """The guards that find passages, those that change first; made when a stream begins."""
        if self._finders is None:
            found = [guard for guard in self._guards if isinstance(guard, TextGuard)]
            found.sort(key=lambda guard: not guard.changes)
            exchange = self._exchange
            told = self._told = ToldGuards(exchange) if exchange.watcher is not None else None
            self._finders = [Finder(guard, exchange, self._message, told) for guard in found]
            for finder in self._finders:
                finder.begin()
        return self._finders

    def _stop(self, error: PlanoError) -> NoReturn:
        if isinstance(error, ContentBlocked):
            as_answer = self._on_block == "answer"
            raise AnswerStopped(error, text=error.message, as_answer=as_answer) from error
        raise AnswerStopped(error, reason="error") from error
