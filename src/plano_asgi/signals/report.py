"""
From instances to a report: groups, a score, its bucket, whether somebody should look, one line.

The score starts at 50 and is kept within 0 to 100:

===================  ==============================================================================
satisfaction         +12, +20, +28 for one, two, three or more instances
misalignment         -15 if there is more than 0.3 of it for each turn of the person
disengagement        -10 for each step of severity
stagnation           -8 for each step of severity, from three instances on
failure, loops,      -8, -5 and -3 for each instance; of more than five calls so much of that as
exhaustion           five calls are of all, and never more than 40 for all three together
===================  ==============================================================================

75 is excellent, 60 good, 40 neutral, 25 poor, below is severe. Somebody who asks for a person or
gives up, and five instances of disengagement or stagnation, are severe at once, with a score of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from plano_asgi.signals.base import (
    CATEGORIES,
    Quality,
    Signal,
    SignalGroup,
    SignalReport,
    TurnMetrics,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """
    The numbers of the table above, for those whose conversations go by others.

    Args:
        start: The score of a conversation without any signal.
        buckets: The least score of each, best first; below all of them is severe.
        satisfaction: Gained by one, two, three... instances; the last for all more.
        misalignment: Lost above *misalignment_ratio* (instances for each turn of the person).
        disengagement: Lost for each step of severity.
        stagnation: Lost for each step of severity, above *stagnation_count* instances.
        trouble: Lost for each instance of these categories.
        full_calls: Calls up to which trouble counts in full; of more, so much less.
        trouble_most: Lost for trouble at most.
        ending: Leaves that are severe at once.
        severe_at: The severity of disengagement and stagnation that is.
    """

    start: float = 50.0
    buckets: tuple[tuple[Quality, float], ...] = (
        ("excellent", 75.0),
        ("good", 60.0),
        ("neutral", 40.0),
        ("poor", 25.0),
    )
    satisfaction: tuple[float, ...] = (12.0, 20.0, 28.0)
    misalignment: float = 15.0
    misalignment_ratio: float = 0.3
    disengagement: float = 10.0
    stagnation: float = 8.0
    stagnation_count: int = 2
    trouble: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"failure": 8.0, "loops": 5.0, "exhaustion": 3.0})
    )
    full_calls: int = 5
    trouble_most: float = 40.0
    ending: frozenset[str] = frozenset(
        {"interaction.disengagement.escalation", "interaction.disengagement.quit"}
    )
    severe_at: int = 3

    def score(self, groups: Mapping[str, SignalGroup], turns: TurnMetrics, calls: int) -> float:
        """0 to 100; *calls*: how many calls of tools there were."""
        if self.is_lost(groups):
            return 0.0
        score = self.start + self._gained(groups["satisfaction"].count)
        score -= self.disengagement * groups["disengagement"].severity
        if misalignment_ratio(groups, turns) > self.misalignment_ratio:
            score -= self.misalignment
        if groups["stagnation"].count > self.stagnation_count:
            score -= self.stagnation * groups["stagnation"].severity
        return max(0.0, min(100.0, score - self._trouble(groups, calls)))

    def quality(self, score: float, groups: Mapping[str, SignalGroup]) -> Quality:
        """The bucket of *score*."""
        if self.is_lost(groups):
            return "severe"
        return next((name for name, least in self.buckets if score >= least), "severe")

    def is_lost(self, groups: Mapping[str, SignalGroup]) -> bool:
        """Whether the person asks for another, gives up, or has had far too much."""
        if any(signal.type in self.ending for signal in groups["disengagement"].signals):
            return True
        return max(groups[c].severity for c in ("disengagement", "stagnation")) >= self.severe_at

    def _gained(self, count: int) -> float:
        return self.satisfaction[min(count, len(self.satisfaction)) - 1] if count else 0.0

    def _trouble(self, groups: Mapping[str, SignalGroup], calls: int) -> float:
        lost = sum(each * groups[category].count for category, each in self.trouble.items())
        return min(self.trouble_most, lost * min(1.0, self.full_calls / max(calls, 1)))


SCORING = Scoring()


def report_of(
    signals: Iterable[Signal],
    turns: TurnMetrics,
    *,
    calls: int = 0,
    scoring: Scoring = SCORING,
) -> SignalReport:
    """
    The report over *signals*, in their order.

    It is flagged when its quality is poor or severe, or with any disengagement, failure or loop,
    or more than two instances of stagnation.

    Args:
        calls: How many calls of tools the conversation has.

    Raises:
        ValueError: A signal whose type is not ``layer.category.leaf``, or is of a category of
            another layer.
    """
    found: dict[str, list[Signal]] = {category: [] for category in CATEGORIES}
    layers = dict(CATEGORIES)
    for signal in signals:
        layer, category = _place(signal.type)
        if layers.setdefault(category, layer) != layer:
            raise ValueError(f"{signal.type}: {category} is of the layer {layers[category]}")
        found.setdefault(category, []).append(signal)
    groups = {name: SignalGroup(category=name, signals=tuple(found[name])) for name in found}
    score = scoring.score(groups, turns, calls)
    quality = scoring.quality(score, groups)
    return SignalReport(
        groups=groups,
        quality=quality,
        quality_score=score,
        turns=turns,
        is_flagged=_is_flagged(groups, quality, scoring),
        summary=_summary(groups, layers, turns, quality, scoring),
    )


def layer_of(group: SignalGroup) -> str:
    """The layer of a group: by its category, or, of one of your own, by its signals."""
    if layer := CATEGORIES.get(group.category):
        return layer
    return group.signals[0].type.split(".")[0] if group.signals else "custom"


def misalignment_ratio(groups: Mapping[str, SignalGroup], turns: TurnMetrics) -> float:
    """Instances of misalignment for each turn of the person."""
    return groups["misalignment"].count / max(turns.user_turns, 1)


def _place(signal_type: str) -> tuple[str, str]:
    parts = signal_type.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"{signal_type!r} is not layer.category.leaf")
    return parts[0], parts[1]


_FLAGGING = {"disengagement": 0, "failure": 0, "loops": 0}
"""More instances than this flag."""


def _is_flagged(groups: Mapping[str, SignalGroup], quality: Quality, scoring: Scoring) -> bool:
    limits = {**_FLAGGING, "stagnation": scoring.stagnation_count}
    return quality in ("poor", "severe") or any(groups[c].count > n for c, n in limits.items())


def _summary(
    groups: Mapping[str, SignalGroup],
    layers: Mapping[str, str],
    turns: TurnMetrics,
    quality: Quality,
    scoring: Scoring,
) -> str:
    parts = [
        f"Overall quality: {quality}",
        f"Turns: {turns.user_turns} (efficiency: {turns.efficiency_score:.0%})",
    ]
    for layer in dict.fromkeys(layers.values()):
        counts = ", ".join(_count(g) for c, g in groups.items() if layers[c] == layer)
        parts.append(f"{layer.capitalize()}: {counts}")
    ratio = misalignment_ratio(groups, turns)
    if ratio > scoring.misalignment_ratio:
        parts.append(f"Alert: misalignment in {ratio:.0%} of the turns")
    if (count := groups["stagnation"].count) > scoring.stagnation_count:
        parts.append(f"Alert: {count} times stagnation")
    escalations = [s for s in groups["disengagement"].signals if s.type.endswith(".escalation")]
    if escalations:
        parts.append(f"Alert: {len(escalations)} escalation{'s' * (len(escalations) > 1)}")
    return " | ".join(parts)


def _count(group: SignalGroup) -> str:
    return f"{group.category}: {group.count}" + (f" (sev {group.severity})" if group.count else "")
