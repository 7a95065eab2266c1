"""A circuit breaker per candidate: an upstream that is down costs nobody a timeout."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cachetools import LRUCache

from plano_asgi.exchange import Candidate

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]
OnBreaker: TypeAlias = Callable[[str, BreakerState], None]
"""Hears of a circuit: the candidate's ``provider/model``, and its state from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """
    *failures* in a row open the circuit for *cool_down_s*; then one probe is let through, and its
    outcome closes or re-opens it. *max_tracked* candidates are remembered, the idle ones go first.
    """

    failures: int = 5
    cool_down_s: float = 30.0
    max_tracked: int = 4096


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float | None = None
    probing: bool = False


class Breakers:
    """State of all circuits of this process. No method awaits: none needs a lock."""

    def __init__(
        self,
        policy: BreakerPolicy | None = None,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy or BreakerPolicy()
        self._timer = timer
        self._circuits: LRUCache[Candidate, _Circuit] = LRUCache(self._policy.max_tracked)
        self._listeners: list[OnBreaker] = []

    def listen(self, listener: OnBreaker) -> None:
        """Have *listener* hear of every change of a circuit."""
        self._listeners.append(listener)

    def wait_s(self, candidate: Candidate) -> float:
        """
        0 if *candidate* may be tried now, else the seconds until its circuit half-opens.

        A 0 from an open circuit hands out its one probe: answer it with ``succeeded``, ``failed``
        or ``released``.
        """
        circuit = self._circuits.get(candidate)
        if circuit is None or circuit.open_until is None:
            return 0.0
        left = circuit.open_until - self._timer()
        if left > 0:
            return left
        if circuit.probing:
            return self._policy.cool_down_s
        circuit.probing = True
        self._tell(candidate, "half_open")
        return 0.0

    def succeeded(self, candidate: Candidate) -> None:
        """The upstream answered: the circuit closes."""
        circuit = self._circuits.pop(candidate, None)
        if circuit is not None and circuit.open_until is not None:
            self._tell(candidate, "closed")

    def answered(self, candidate: Candidate) -> None:
        """A stream has begun: good enough for a probe, while the count waits for its end."""
        circuit = self._circuits.get(candidate)
        if circuit is not None and circuit.probing:
            self.succeeded(candidate)

    def failed(self, candidate: Candidate) -> None:
        """The upstream is unwell: count, open or re-open."""
        circuit = self._circuits.setdefault(candidate, _Circuit())
        circuit.failures += 1
        if circuit.probing or circuit.failures >= self._policy.failures:
            circuit.open_until = self._timer() + self._policy.cool_down_s
            self._tell(candidate, "open")
        circuit.probing = False

    def released(self, candidate: Candidate) -> None:
        """An attempt ended without saying anything about the upstream (the client left)."""
        if circuit := self._circuits.get(candidate):
            circuit.probing = False

    def _tell(self, candidate: Candidate, state: BreakerState) -> None:
        for listener in self._listeners:
            listener(candidate.name, state)

    def is_open(self, candidate: Candidate) -> bool:
        """For health pages: whether the circuit is open now."""
        circuit = self._circuits.get(candidate)
        return bool(circuit and circuit.open_until and circuit.open_until > self._timer())
