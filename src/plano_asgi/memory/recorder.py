"""Listen to an answer, and hand over what was asked and answered once it is whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, TypeAlias

from plano_asgi.conversation import Message, TextPart
from plano_asgi.exchange import LISTENS, Exchange, ResponseFilter
from plano_asgi.memory.base import Turn
from plano_asgi.passages import Channel, StreamEditor, WireEvent

_CONTENT = "content"

Spoilt: TypeAlias = Literal["blocked", "error", "disconnected"]
SPOILT: frozenset[Spoilt] = frozenset(("blocked", "error", "disconnected"))
"""How an exchange can end that is not recorded unless asked for."""


class Recorder(ResponseFilter):
    """
    Collects an answer's text as it passes, behind the guards and before placeholders are filled.

    Args:
        done: Called once with the turn, if the answer came to its end.
        max_chars: Of the text kept for it; the beginning counts.
        also: Exchanges to hand over although they did not end well.
    """

    rank = LISTENS

    def __init__(
        self,
        asked: Sequence[Message],
        done: Callable[[Turn], None],
        *,
        max_chars: int = 100_000,
        also: Collection[Spoilt] = (),
    ) -> None:
        self._also = also
        self._asked, self._done, self._max = asked, done, max_chars
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._size = 0
        self._is_whole = False
        self._has_mark = False

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Note the texts of a whole answer."""
        if exchange.layout is not None:
            for passage in exchange.layout.answer_passages(body):
                if passage.origin == _CONTENT:
                    self._note((passage.choice, passage.path), passage.text)
                self._is_whole |= passage.origin != "error"
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Note the texts of one event."""
        parts = editor.read(event)
        for delta in parts.deltas:
            channel: Channel = delta.channel
            if channel.origin == _CONTENT:
                self._note((channel.choice, channel.part), delta.text)
        for passage in parts.alone:
            if passage.origin == "error":
                return (event,)
            if passage.origin == _CONTENT:
                self._note((passage.choice, passage.path), passage.text)
        self._has_mark |= parts.is_last
        self._is_whole |= parts.is_last
        return (event,)

    async def on_end(self, editor: StreamEditor, exchange: Exchange) -> Sequence[WireEvent]:
        """A stream without an end mark of its own (plain text, say) is whole when it ends."""
        self._is_whole = True
        return ()

    async def on_close(self, exchange: Exchange) -> None:
        """Hand over, unless the answer broke off, was blocked, or told an error."""
        spoilt = how_spoilt(exchange)
        if self._has_mark and spoilt == "disconnected":
            spoilt = None  # many clients hang up at the end mark, without waiting for the end
        elif spoilt is None and not self._is_whole:
            spoilt = "error"
        if spoilt is None or spoilt in self._also:
            self._done(Turn(asked=self._asked, answered=list(self._answers())))

    def _note(self, key: tuple[int, str], text: str) -> None:
        room = self._max - self._size
        if room > 0 and text:
            self._texts.setdefault(key, []).append(text[:room])
            self._size += min(len(text), room)

    def _answers(self) -> Sequence[Message]:
        return [
            Message(role="assistant", parts=[TextPart(text="".join(texts))])
            for texts in self._texts.values()
        ]


def how_spoilt(exchange: Exchange) -> Spoilt | None:
    """In what manner *exchange* ended that is not worth remembering; ``None`` if it ended well."""
    if any(audit.status == "blocked" and not audit.report_only for audit in exchange.audits):
        return "blocked"
    if exchange.disconnected:
        return "disconnected"
    return "error" if exchange.error is not None or (exchange.status or 200) >= 400 else None
