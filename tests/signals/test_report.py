"""Groups, severities, score, buckets, the flag and the line for people."""

from __future__ import annotations

import pytest

from plano_asgi.signals.base import CATEGORIES, LEAVES, Signal, SignalReport, TurnMetrics
from plano_asgi.signals.report import Scoring, report_of

_BY_CATEGORY = {leaf.split(".")[1]: leaf for leaf in reversed(LEAVES)}


def _report(
    *, user_turns: int = 4, calls: int = 0, leaves: tuple[str, ...] = (), **counts: int
) -> SignalReport:
    types = [_BY_CATEGORY[category] for category, n in counts.items() for _ in range(n)]
    types += [next(leaf for leaf in LEAVES if leaf.endswith(f".{name}")) for name in leaves]
    signals = [Signal(type=type_, message_index=i, confidence=1.0) for i, type_ in enumerate(types)]
    return report_of(signals, TurnMetrics(user_turns=user_turns), calls=calls)


@pytest.mark.parametrize(("count", "severity"), [(0, 0), (1, 1), (2, 1), (4, 2), (5, 3), (6, 3)])
def test_severity_goes_by_count(count: int, severity: int) -> None:
    """None, a few, some, many."""
    assert _report(failure=count).groups["failure"].severity == severity


def test_groups_stand_in_the_order_of_the_categories() -> None:
    """All of them, also the empty ones."""
    assert list(_report(loops=1).groups) == list(CATEGORIES)


@pytest.mark.parametrize(
    ("report", "quality", "score"),
    [
        pytest.param(_report(), "neutral", 50.0, id="nothing"),
        pytest.param(_report(satisfaction=1), "good", 62.0, id="pleased"),
        pytest.param(_report(satisfaction=2), "good", 70.0, id="pleased twice"),
        pytest.param(_report(satisfaction=3), "excellent", 78.0, id="delighted"),
        pytest.param(_report(satisfaction=9), "excellent", 78.0, id="no more than delighted"),
        pytest.param(_report(misalignment=1, user_turns=3), "poor", 35.0, id="corrected"),
        pytest.param(_report(misalignment=1, user_turns=4), "neutral", 50.0, id="corrected rarely"),
        pytest.param(_report(leaves=("negative_stance",)), "neutral", 40.0, id="cross"),
        pytest.param(_report(leaves=("negative_stance",) * 5), "severe", 0.0, id="furious"),
        pytest.param(_report(leaves=("escalation",)), "severe", 0.0, id="wants a person"),
        pytest.param(_report(leaves=("quit", "gratitude")), "severe", 0.0, id="gives up"),
        pytest.param(_report(stagnation=2), "neutral", 50.0, id="said twice"),
        pytest.param(_report(stagnation=3), "poor", 34.0, id="going nowhere"),
        pytest.param(_report(stagnation=5), "severe", 0.0, id="stuck"),
        pytest.param(_report(failure=2, calls=2), "poor", 34.0, id="both calls failed"),
        pytest.param(_report(failure=5, calls=50), "neutral", 46.0, id="a tenth failed"),
        pytest.param(_report(failure=50, calls=5), "severe", 10.0, id="trouble has an end"),
        pytest.param(_report(loops=1, calls=4), "neutral", 45.0, id="a loop"),
        pytest.param(_report(exhaustion=2), "neutral", 44.0, id="exhausted"),
    ],
)
def test_score_and_bucket(report: SignalReport, quality: str, score: float) -> None:
    """The table of the module, case by case; every bucket is reached."""
    assert (report.quality, report.quality_score) == (quality, score)


@pytest.mark.parametrize(
    ("report", "is_flagged"),
    [
        pytest.param(_report(), False, id="nothing"),
        pytest.param(_report(misalignment=1, user_turns=3), True, id="poor"),
        pytest.param(_report(misalignment=1), False, id="misalignment"),
        pytest.param(_report(leaves=("negative_stance",)), True, id="disengagement"),
        pytest.param(_report(stagnation=2), False, id="two of stagnation"),
        pytest.param(_report(stagnation=3, satisfaction=3), True, id="three of stagnation"),
        pytest.param(_report(failure=1, calls=100), True, id="failure"),
        pytest.param(_report(loops=1, calls=100), True, id="loop"),
        pytest.param(_report(exhaustion=1), False, id="exhaustion"),
    ],
)
def test_what_somebody_should_look_at_is_flagged(report: SignalReport, is_flagged: bool) -> None:
    """By quality, or by what there is."""
    assert report.is_flagged is is_flagged


def test_the_summary_tells_quality_turns_layers_and_alerts() -> None:
    """In one line; what has no instances has no severity."""
    assert _report().summary == (
        "Overall quality: neutral | Turns: 4 (efficiency: 100%)"
        " | Interaction: misalignment: 0, stagnation: 0, disengagement: 0, satisfaction: 0"
        " | Execution: failure: 0, loops: 0 | Environment: exhaustion: 0"
    )
    summary = _report(user_turns=2, misalignment=1, stagnation=3, leaves=("escalation",)).summary
    assert summary.startswith("Overall quality: severe")
    assert "disengagement: 1 (sev 1)" in summary
    assert summary.endswith(
        "Alert: misalignment in 50% of the turns | Alert: 3 times stagnation | Alert: 1 escalation"
    )


def test_categories_of_your_own_come_last_and_do_not_score() -> None:
    """Their layer is the one that their signals say."""
    signal = Signal(type="business.churn.cancel", message_index=0, confidence=0.5)
    report = report_of([signal], TurnMetrics())
    assert list(report.groups) == [*CATEGORIES, "churn"]
    assert report.quality_score == 50.0
    assert report.summary.endswith("Business: churn: 1 (sev 1)")
    assert list(report.signals) == [signal]


@pytest.mark.parametrize("type_", ["churn", "a.b", "a..c", "a.b.c.d", "business.failure.x"])
def test_a_type_that_is_no_leaf_is_refused(type_: str) -> None:
    """Layer, category, leaf; and no known category of another layer."""
    with pytest.raises(ValueError, match=type_):
        report_of([Signal(type=type_, message_index=0, confidence=1)], TurnMetrics())


def test_the_numbers_of_the_score_can_be_others() -> None:
    """For those whose conversations go by others."""
    strict = Scoring(start=80.0, trouble={"failure": 60.0}, trouble_most=60.0)
    signal = Signal(type="execution.failure.bad_query", message_index=0, confidence=1)
    report = report_of([signal], TurnMetrics(), calls=1, scoring=strict)
    assert (report.quality, report.quality_score) == ("severe", 20.0)
