"""Which conversations are kept: the worst first, within a budget, and a few good ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals import Signal, SignalReport, Triage, TurnMetrics
from plano_asgi.signals.report import report_of


@dataclass(slots=True)
class Clock:
    """Seconds that only a test moves on."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def _report(*types: str, confidence: float = 1.0) -> SignalReport:
    signals = [Signal(type=type_, message_index=0, confidence=confidence) for type_ in types]
    return report_of(signals, TurnMetrics(user_turns=10), calls=10)


CLEAN = _report()
MILD = _report("environment.exhaustion.timeout")
SEVERE = _report("interaction.disengagement.quit")


def test_the_score_is_the_weights_of_the_signals() -> None:
    """The second of a leaf counts half, a doubtful one less, satisfaction nothing."""
    triage = Triage({"failure": 2.0, "satisfaction": 0.0})
    failure = "execution.failure.bad_query"
    assert triage.score(_report(failure)) == 2.0
    assert triage.score(_report(failure, failure)) == 3.0
    assert triage.score(_report(failure, confidence=0.5)) == 1.0
    assert triage.score(_report("interaction.satisfaction.gratitude")) == 0.0
    assert triage.score(SEVERE) == 0.0


def test_the_most_specific_weight_counts() -> None:
    """Type, layer and category, category, layer."""
    names = ("execution.failure.bad_query", "execution.failure", "failure", "execution")
    weights = dict(zip(names, (4.0, 3.0, 2.0, 1.0), strict=True))
    for name in names:
        assert Triage(weights).score(_report("execution.failure.bad_query")) == weights.pop(name)


def test_a_full_budget_keeps_whatever_has_a_signal() -> None:
    """And says why."""
    triage = Triage(timer=Clock(), rng=lambda: 0.5)
    assert (triage.decide(MILD).keep, triage.decide(MILD).reason) == (True, "signals")
    assert (triage.decide(SEVERE).keep, triage.decide(SEVERE).reason) == (True, "severe")
    assert (triage.decide(CLEAN).keep, triage.decide(CLEAN).reason) == (False, "clean")


def test_the_emptier_the_budget_the_worse_a_conversation_has_to_be() -> None:
    """Mild ones are dropped first, and the reserve is for severe ones."""
    triage = Triage(budget_per_minute=20, reserve_share=0.25, timer=Clock())
    mild = [triage.decide(MILD) for _ in range(20)]
    assert [d.keep for d in mild].count(True) == 4
    assert mild[-1].reason == "below_threshold"
    severe = [triage.decide(SEVERE) for _ in range(20)]
    assert [d.keep for d in severe].count(True) == 16
    assert severe[-1].reason == "over_budget"


def test_the_budget_fills_again() -> None:
    """Evenly, and never above its size."""
    clock = Clock()
    triage = Triage(budget_per_minute=2, timer=clock)
    assert [triage.decide(SEVERE).keep for _ in range(3)] == [True, True, False]
    clock.now = 30.0
    assert [triage.decide(SEVERE).keep for _ in range(2)] == [True, False]
    clock.now = 3600.0
    assert [triage.decide(SEVERE).keep for _ in range(3)] == [True, True, False]


def test_a_share_of_the_clean_ones_is_kept_to_compare_with() -> None:
    """Drawn, and within the budget outside the reserve."""
    draws = iter([0.05, 0.1, 0.0, 0.0])
    triage = Triage(
        budget_per_minute=2,
        reserve_share=0.5,
        keep_share=0.1,
        timer=Clock(),
        rng=lambda: next(draws),
    )
    assert [triage.decide(CLEAN).reason for _ in range(3)] == ["sample", "clean", "over_budget"]


def test_a_reserve_of_everything_keeps_only_severe_ones() -> None:
    """No division by nothing either."""
    triage = Triage(reserve_share=1.0, timer=Clock())
    assert triage.decide(MILD).reason == "below_threshold"
    assert triage.decide(SEVERE).reason == "severe"


def test_a_conversation_of_severe_quality_is_severe_whatever_its_score() -> None:
    """The bucket says it too."""
    triage = Triage({"disengagement": 0.1}, timer=Clock())
    assert triage.decide(SEVERE).reason == "severe"


def test_threads_never_keep_more_than_the_budget() -> None:
    """Many at once, and exactly so many kept."""
    triage = Triage(budget_per_minute=50, timer=Clock())
    with ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(lambda _: triage.decide(SEVERE).keep, range(400)))
    assert kept == 50


@pytest.mark.parametrize(
    "arguments",
    [
        {"keep_share": 1.1},
        {"reserve_share": -0.1},
        {"budget_per_minute": 0},
        {"severe_score": 0.0},
        {"weights": {"failure": -1.0}},
    ],
)
def test_numbers_that_mean_nothing_are_refused(arguments: dict[str, float]) -> None:
    """When it is built."""
    with pytest.raises(ConfigurationError):
        Triage(**arguments)  # type: ignore[arg-type]


def test_what_failed_is_kept_however_calm_its_user_was() -> None:
    """From the reserve, too, but within the budget: failures come in storms."""
    triage = Triage(budget_per_minute=2, keep_share=0.0, timer=Clock())
    made = [triage.decide(CLEAN, failed=True) for _ in range(3)]
    assert [(one.keep, one.reason) for one in made] == [
        (True, "failed"),
        (True, "failed"),
        (False, "over_budget"),
    ]
