"""Guards that judge the texts of an answer, all at once."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi.exchange import Exchange
from plano_asgi.guards.base import Guard, Span, Subject
from plano_asgi.guards.run import ask_all, passages_for
from plano_asgi.guards.told import ToldGuards
from plano_asgi.passages import Passage


async def judge_answer(
    guards: Sequence[Guard],
    passages: Sequence[Passage],
    exchange: Exchange,
    message: str | None,
    stream: ToldGuards | None = None,
) -> list[Span]:
    """
    Ask *guards* at once, each about those of *passages* that it is shown; what they redact, in
    the order of the guards. *stream* tells of the stream that *passages* are a window of.

    Raises:
        ContentBlocked: At the first block; the others are cancelled.
        GuardUnavailable: At the first that cannot judge and is closed.
    """
    shown = [(guard, passages_for(guard, passages)) for guard in guards]
    asked = [
        (guard, Subject(side="answer", passages=texts, exchange=exchange))
        for guard, texts in shown
        if texts
    ]
    verdicts = await ask_all(asked, message, stream=stream)
    return [span for verdict in verdicts for span in verdict.spans]
