"""
A chain of guards, as one step of an exchange.

Request side, in this order: those that change texts, one after the other; those that only judge,
at once, the first block ending the others; those beside the model call, left on
``exchange.beside``. Answer side: one ``AnswerFilter`` for all of them, then each guard's own
filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any, Literal

from plano_asgi.errors import ConfigurationError, ContentBlocked, PlanoError
from plano_asgi.exchange import AnswerInstead, AnswerStopped, Exchange
from plano_asgi.guards.answer import AnswerFilter
from plano_asgi.guards.audit import OnAudit, listen, skipped
from plano_asgi.guards.base import Guard, Span, Subject, Verdict
from plano_asgi.guards.redaction import apply_spans
from plano_asgi.guards.run import applies, ask_all, passages_for
from plano_asgi.guards.vault_keeper import VaultKeeper
from plano_asgi.passages import Passage

OnBlock = Literal["error", "answer"]

_RAN = "guards.ran"


class GuardChain:
    """
    Guards an exchange: ``await chain(exchange)``. A guard object that has already run on an
    exchange, in this chain or another, is passed over.

    Args:
        guards: In the order in which those that change texts change them.
        on_block: "error": a block before the answer starts is a 400; "answer": it is an answer
            with status 200 that reads *message* and finishes as filtered.
        message: What the client reads, where neither verdict nor guard says something else.
        on_audit: Hears of every audit record as it is made.
        vaults: Keeps the vaults of conversations whose earlier turns a server keeps.
        window_chars, overlap_chars: Of a stream that is judged as it comes: characters held for
            one judgement, and of what went before, shown with it.
        max_held_chars: Of an answer that is held until it is whole; over it, a guard cannot judge.
    """

    def __init__(
        self,
        guards: Sequence[Guard],
        *,
        on_block: OnBlock = "error",
        message: str | None = None,
        on_audit: OnAudit | None = None,
        vaults: VaultKeeper | None = None,
        window_chars: int = 800,
        overlap_chars: int = 200,
        max_held_chars: int = 1 << 20,
    ) -> None:
        if on_block not in ("error", "answer"):
            raise ConfigurationError(f"on_block must be 'error' or 'answer', not {on_block!r}")
        for guard in guards:
            if not isinstance(guard, Guard):
                raise ConfigurationError(f"a guard chain takes guards, not {guard!r}")
            if guard.changes and guard.policy.stage == "beside":
                raise ConfigurationError(
                    f"{guard.name}: a guard that redacts cannot run beside the call"
                )
        self.guards = tuple(guards)
        self.on_block: OnBlock = on_block
        self.message = message
        self._on_audit = on_audit
        self._vaults = vaults
        self._answer_options: Any = {
            "on_block": on_block,
            "message": message,
            "window_chars": window_chars,
            "overlap_chars": overlap_chars,
            "max_held_chars": max_held_chars,
        }

    async def __call__(self, exchange: Exchange) -> None:
        """
        Guard the request now; leave on *exchange* what guards the answer.

        Raises:
            ContentBlocked: A guard blocks; ``AnswerInstead`` under ``on_block="answer"``.
            GuardUnavailable: A guard could not judge, and is closed.
        """
        guards = _fresh(self.guards, exchange)
        if not guards:
            return
        if self._on_audit is not None:
            listen(exchange, self._on_audit)
        if self._vaults is not None:
            await self._vaults(exchange)
        await self._guard_request(exchange, _asked(guards, exchange))
        self._guard_answer(exchange, guards)

    async def _guard_request(self, exchange: Exchange, guards: list[Guard]) -> None:
        if not guards:
            return
        passages = exchange.passages()
        beside = [guard for guard in guards if guard.policy.stage == "beside"]
        rounds = _rounds([guard for guard in guards if guard.policy.stage == "before"])
        try:
            while rounds:
                subjects = _subjects(rounds.pop(0), passages, exchange)
                _apply(exchange, await ask_all(subjects, self.message))
        except PlanoError as exc:
            for guard in (*chain.from_iterable(rounds), *beside):
                skipped(exchange, guard, "request", rule="cancelled")
            if self.on_block == "answer" and isinstance(exc, ContentBlocked):
                raise AnswerInstead(exc.message) from exc
            raise
        if subjects := _subjects(beside, passages, exchange):
            exchange.beside.append(partial(self._guard_beside, subjects))

    async def _guard_beside(self, subjects: Sequence[tuple[Guard, Subject]]) -> None:
        try:
            await ask_all(subjects, self.message, may_redact=False)
        except ContentBlocked as exc:
            as_answer = self.on_block == "answer"
            raise AnswerStopped(exc, text=exc.message, as_answer=as_answer) from exc
        except PlanoError as exc:
            raise AnswerStopped(exc, reason="error") from exc

    def _guard_answer(self, exchange: Exchange, guards: Sequence[Guard]) -> None:
        judges = [guard for guard in guards if applies(guard, exchange, "answer")]
        for guard in guards:
            if "answer" in guard.policy.sides and guard not in judges:
                skipped(exchange, guard, "answer")
        if judges:
            answer = AnswerFilter(exchange, judges, **self._answer_options)
            exchange.response_filters.append(answer)
        for guard in guards:
            if (guard in judges or applies(guard, exchange, "request")) and (
                own := guard.answer_filter(exchange)
            ) is not None:
                exchange.response_filters.append(own)


def _fresh(guards: Sequence[Guard], exchange: Exchange) -> list[Guard]:
    ran: set[int] = exchange.state.setdefault(_RAN, set())  # by id: a guard need not be hashable
    fresh = [guard for guard in guards if id(guard) not in ran]
    ran.update(map(id, fresh))
    return fresh


def _asked(guards: Sequence[Guard], exchange: Exchange) -> list[Guard]:
    """Those that judge this request; the others of its side are on record as skipped."""
    asked = []
    for guard in guards:
        if applies(guard, exchange, "request"):
            asked.append(guard)
        elif "request" in guard.policy.sides:
            skipped(exchange, guard, "request")
    return asked


def _rounds(guards: Sequence[Guard]) -> list[list[Guard]]:
    """Who is asked at once: the changing ones each alone, the quick ones too, then the rest."""
    judging = [guard for guard in guards if not guard.changes]
    rounds = [[guard] for guard in guards if guard.changes]
    rounds.extend([guard] for guard in judging if guard.is_quick)
    return [*rounds, [guard for guard in judging if not guard.is_quick]]


def _subjects(
    guards: Sequence[Guard], passages: Sequence[Passage], exchange: Exchange
) -> list[tuple[Guard, Subject]]:
    found = []
    for guard in guards:
        if shown := passages_for(guard, passages):
            found.append((guard, Subject(side="request", passages=shown, exchange=exchange)))
        else:
            skipped(exchange, guard, "request", rule="no_text")
    return found


def _apply(exchange: Exchange, verdicts: Sequence[Verdict]) -> None:
    spans: list[Span] = [span for verdict in verdicts for span in verdict.spans]
    if spans:
        apply_spans(spans)
        exchange.touch()
