"""Signals on spans, under Plano's names."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.signals.base import Signal, SignalGroup, SignalReport, TurnMetrics
from plano_asgi.telemetry.semconv import FLAG
from plano_asgi.telemetry.signal_events import flagged_name, signal_attributes, signal_events


def signal(kind: str, **given: Any) -> Signal:
    """One instance, by its type."""
    return Signal(type=kind, **{"message_index": 1, "confidence": 1, **given})


def report(*signals: Signal, **given: Any) -> SignalReport:
    """Of *signals*, grouped in the order of their categories' first."""
    groups: dict[str, list[Signal]] = {"stagnation": []}
    for one in signals:
        groups.setdefault(one.category, []).append(one)
    return SignalReport(
        groups={
            category: SignalGroup(category=category, signals=tuple(members))
            for category, members in groups.items()
        },
        **given,
    )


def test_attributes() -> None:
    """Four always; of a category only if it has any."""
    loops = [signal("execution.loops.retry", confidence=0.95)] * 3
    own = signal("business.churn.threat")
    found = signal_attributes(
        report(
            *loops,
            own,
            quality="poor",
            quality_score=35,
            turns=TurnMetrics(user_turns=4, efficiency_score=1),
        )
    )
    assert found == {
        "signals.quality": "poor",
        "signals.quality_score": 35.0,
        "signals.turn_count": 4,
        "signals.efficiency_score": 1.0,
        "signals.execution.loops.count": 3,
        "signals.execution.loops.severity": 2,
        "signals.business.churn.count": 1,
        "signals.business.churn.severity": 1,
    }
    assert {type(found[f"signals.{name}_score"]) for name in ("quality", "efficiency")} == {float}


def test_events() -> None:
    """One for each instance, in order; doubles, and metadata as JSON text."""
    retry = signal(
        "execution.loops.retry", confidence=0.95, snippet="curl", metadata={"count": 3, "é": None}
    )
    quit_ = signal("interaction.disengagement.quit", message_index=2)
    assert signal_events(report(retry, quit_), with_snippets=False) == [
        (
            "signal.execution.loops.retry",
            {
                "signal.type": "execution.loops.retry",
                "signal.message_index": 1,
                "signal.confidence": 0.95,
                "signal.metadata": '{"count":3,"é":null}',
            },
        ),
        (
            "signal.interaction.disengagement.quit",
            {
                "signal.type": "interaction.disengagement.quit",
                "signal.message_index": 2,
                "signal.confidence": 1.0,
                "signal.metadata": "{}",
            },
        ),
    ]


def test_snippets_only_where_asked_for_and_masked() -> None:
    """Words of the conversation are content."""
    found = report(signal("interaction.disengagement.quit", snippet="I, Ann, am done"))
    ((_, attributes),) = signal_events(
        found, with_snippets=True, scrubbers=[lambda text: text.replace("Ann", "[NAME]")]
    )
    assert attributes["signal.snippet"] == "I, [NAME], am done"
    empty = report(signal("interaction.disengagement.quit"))
    ((_, attributes),) = signal_events(empty, with_snippets=True)
    assert "signal.snippet" not in attributes


def test_events_are_bounded() -> None:
    """Their number, and the metadata of one."""
    noisy = report(*[signal("execution.loops.retry", metadata={"x": "y" * 5000})] * 200)
    events = signal_events(noisy, with_snippets=True)
    assert len(events) == 128
    assert events[0][1]["signal.metadata"] == "{}"
    assert signal_attributes(noisy)["signals.execution.loops.count"] == 200


@pytest.mark.parametrize(
    ("found", "name"),
    [
        pytest.param(None, "chat m", id="not analysed"),
        pytest.param(report(), "chat m", id="fine"),
        pytest.param(report(is_flagged=True), "chat m \U0001f6a9", id="flagged"),
    ],
)
def test_flag(found: SignalReport | None, name: str) -> None:
    """One space and the flag."""
    assert flagged_name("chat m", found) == name
    assert FLAG == " \U0001f6a9"
