"""
What guards do with a streamed answer, told to whoever watches the exchange.

A stream is judged in many windows, and each guard is one activity all the same: from the first
window it looks at to the end of the answer. A guard that waits for nothing (``is_quick``) spends
microseconds here and there for as long as the stream lasts: it is told of once it finds something.
"""

from __future__ import annotations

from contextvars import Context, copy_context

from plano_asgi.activities import Activity
from plano_asgi.exchange import Exchange
from plano_asgi.guards.audit import Status
from plano_asgi.guards.base import Guard

_WEIGHTS: dict[Status, int] = {
    "passed": 0,
    "skipped": 1,
    "redacted": 2,
    "error": 3,
    "timeout": 4,
    "blocked": 5,
}
"""Of all that a guard found in one stream, the heaviest is told."""


class ToldGuards:
    """The guards of one streamed answer; made per exchange, where somebody watches it."""

    __slots__ = ("_exchange", "_open")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._open: dict[int, tuple[Activity, Context]] = {}  # by id: a guard need not be hashable

    def begin(self, guard: Guard) -> Context:
        """
        The activity of *guard* begins, unless it has.

        Returns:
            Where to start a task that judges for it: what that task asks of others belongs to the
            activity.
        """
        if (known := self._open.get(id(guard))) is None:
            activity = self._exchange.doing("guard", guard.name, side="answer")
            activity.__enter__()
            known = self._open[id(guard)] = activity, copy_context()
            activity.leave()
        return known[1]

    def note(
        self, guard: Guard, status: Status, rule: str = "", score: float | None = None
    ) -> None:
        """*guard* has found something out; where that is nothing, only if it is told of already."""
        if id(guard) not in self._open:
            if status in ("passed", "skipped"):
                return
            self.begin(guard)
        activity = self._open[id(guard)][0]
        if _WEIGHTS[status] >= _WEIGHTS.get(activity.facts.get("status", "passed"), 0):
            activity.note(**told(guard, status, rule, score))

    def end(self, guard: Guard, error: BaseException | None = None) -> None:
        """*guard* has ended the answer: it blocks, or it could not judge and says why."""
        if id(guard) in self._open:
            self._open[id(guard)][0].end(error)

    def close(self, *, is_cut: bool) -> None:
        """The answer is over; what is still open is "cancelled" where it was *is_cut* off."""
        for activity, _ in self._open.values():
            activity.end("cancelled" if is_cut else None)


def told(guard: Guard, status: Status, rule: str, score: float | None) -> dict[str, object]:
    """What a watcher is told that *guard* found out."""
    is_only_told = guard.policy.report_only or None
    return {"status": status, "rule": rule, "score": score, "report_only": is_only_told}
