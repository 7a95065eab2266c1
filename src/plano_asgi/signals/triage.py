"""
Which conversations are worth keeping: the worst first, within a budget, and a few good ones.

The score of a report is the sum over its signals of ``weight x confidence / n`` for the n-th
signal of one leaf: a second failure adds half of the first. A budget is a bucket of tokens, one
for each conversation kept, that fills evenly through a minute. The emptier it is, the worse a
conversation has to be:

    least score = severe_score x (1 - tokens above the reserve / tokens above it when full)

so that with a full bucket anything with a signal is kept, and with only the reserve left those at
or above *severe_score*, of severe quality, or whose request failed, alone.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Literal, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.base import SignalReport

Reason: TypeAlias = Literal[
    "failed", "severe", "signals", "sample", "clean", "below_threshold", "over_budget"
]
"""
Kept: failed (whatever was said in it), severe, signals (bad enough for what is left of the budget),
sample (a clean one, drawn).
Dropped: clean (not drawn), below_threshold, over_budget.
"""

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "interaction.disengagement.escalation": 5.0,
        "interaction.disengagement.quit": 5.0,
        "disengagement": 3.0,
        "misalignment": 1.0,
        "stagnation": 1.0,
        "failure": 1.5,
        "loops": 2.0,
        "environment": 1.0,
        "satisfaction": 0.0,
    }
)


@dataclass(frozen=True, slots=True)
class TriageDecision:
    """Whether to keep it, how bad it is, and why."""

    keep: bool
    score: float
    reason: Reason


class Triage:
    """
    Decides on one conversation after the other; threads may share it.

    Args:
        weights: By a signal's type, ``layer.category``, its category or its layer; the first of
            these that is there counts, and nothing where none is.
        budget_per_minute: Conversations kept in a minute, and at once at most.
        keep_share: Of those without a weighty signal: so many are kept to compare with, 0 to 1.
        reserve_share: Of the budget: so much is for the severe and failed ones alone, 0 to 1.
        severe_score: From which score on a conversation is a severe one.
        timer: Seconds that only go up.
        rng: A number from 0 up to 1.

    Raises:
        ConfigurationError: A share outside 0 to 1, a budget below 1, a weight below 0 or a severe
            score that is not above 0.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = WEIGHTS,
        *,
        budget_per_minute: int = 60,
        keep_share: float = 0.01,
        reserve_share: float = 0.25,
        severe_score: float = 5.0,
        timer: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        for name, share in (("keep_share", keep_share), ("reserve_share", reserve_share)):
            if not 0 <= share <= 1:
                raise ConfigurationError(f"{name} is a share from 0 to 1, not {share}")
        if budget_per_minute < 1:
            raise ConfigurationError(f"budget_per_minute is 1 or more, not {budget_per_minute}")
        if severe_score <= 0:
            raise ConfigurationError(f"severe_score is above 0, not {severe_score}")
        if bad := sorted(name for name, weight in weights.items() if weight < 0):
            raise ConfigurationError(f"weights below 0: {', '.join(bad)}")
        self._weights = dict(weights)
        self._capacity = float(budget_per_minute)
        self._reserve = budget_per_minute * reserve_share
        self._keep_share = keep_share
        self._severe_score = severe_score
        self._timer = timer
        self._rng = rng
        self._lock = Lock()
        self._tokens = self._capacity
        self._filled_at = timer()

    def score(self, report: SignalReport) -> float:
        """How bad it is; 0 without a signal that weighs."""
        seen: Counter[str] = Counter()
        total = 0.0
        for signal in report.signals:
            seen[signal.type] += 1
            total += self._weight(signal.type) * signal.confidence / seen[signal.type]
        return total

    def decide(self, report: SignalReport, *, failed: bool = False) -> TriageDecision:
        """
        Keep or drop; what is kept takes a token of the budget.

        Args:
            failed: The request came to no good end, however calm its user was.
        """
        score = self.score(report)
        is_severe = score >= self._severe_score or (score > 0 and report.quality == "severe")
        is_drawn = score <= 0 and not failed and self._rng() < self._keep_share
        with self._lock:
            self._fill()
            reason = self._reason(score, failed, is_severe=is_severe, is_drawn=is_drawn)
            keep = reason in ("failed", "severe", "signals", "sample")
            self._tokens -= keep
        return TriageDecision(keep, score, reason)

    def _weight(self, signal_type: str) -> float:
        layer, category, _ = signal_type.split(".", 2)
        for name in (signal_type, f"{layer}.{category}", category, layer):
            if name in self._weights:
                return self._weights[name]
        return 0.0

    def _fill(self) -> None:
        now = self._timer()
        gained = (now - self._filled_at) * self._capacity / 60.0
        self._tokens = min(self._capacity, self._tokens + max(0.0, gained))
        self._filled_at = now

    def _reason(self, score: float, failed: bool, *, is_severe: bool, is_drawn: bool) -> Reason:
        if score <= 0 and not is_drawn and not failed:
            return "clean"
        if self._tokens < 1:
            return "over_budget"
        if failed:
            return "failed"
        if is_severe:
            return "severe"
        if self._tokens - 1 < self._reserve:
            return "over_budget" if is_drawn else "below_threshold"
        if is_drawn:
            return "sample"
        free = (self._tokens - self._reserve) / (self._capacity - self._reserve)
        return "signals" if score >= self._severe_score * (1 - free) else "below_threshold"
