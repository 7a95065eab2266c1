"""Tries under way, counted in front of whoever makes spans of them."""

from __future__ import annotations

import pytest

from plano_asgi.activities import Activity, Watcher
from plano_asgi.telemetry import Metrics, PrometheusMeters
from plano_asgi.telemetry.counted import Counted

FACTS = {"provider": "openai", "model": "gpt-4o"}


class Inner:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, activity: Activity) -> None:
        self.heard.append(f"begin {activity.kind}")

    def leave(self, activity: Activity) -> None:
        self.heard.append(f"leave {activity.kind}")

    def end(self, activity: Activity) -> None:
        self.heard.append(f"end {activity.kind}")

    def headers(self, activity: Activity | None) -> dict[str, str]:
        return {"traceparent": "t"}


def under_way(meters: PrometheusMeters) -> float:
    """Tries of the one model there is."""
    lines = meters.render().decode().splitlines()
    (line,) = [each for each in lines if each.startswith("plano_upstream_in_flight{")]
    return float(line.split()[-1])


@pytest.mark.parametrize("inner", [Inner(), None])
def test_an_attempt_counts_until_it_is_over(inner: Watcher | None) -> None:
    """Not until the task that began it has gone on."""
    meters = PrometheusMeters()
    counted = Counted(Metrics([meters]), inner)
    activity = Activity(counted, "attempt", "openai/gpt-4o", dict(FACTS))
    activity.__enter__()
    activity.leave()
    assert under_way(meters) == 1
    activity.end("timeout")
    activity.end()
    assert under_way(meters) == 0


def test_whoever_is_inside_hears_everything() -> None:
    """In order, and its headers are the ones sent."""
    inner = Inner()
    counted = Counted(Metrics([]), inner)
    with Activity(counted, "guard", "pii", {}) as activity:
        assert activity.headers == {"traceparent": "t"}
    with (
        pytest.raises(ValueError, match="no"),
        Activity(counted, "attempt", "openai/gpt-4o", dict(FACTS)),
    ):
        raise ValueError("no")
    kinds = ["guard", "attempt"]
    assert inner.heard == [f"{what} {k}" for k in kinds for what in ("begin", "leave", "end")]


def test_with_nobody_inside_there_are_no_headers() -> None:
    """Metrics alone put nothing on the wire."""
    counted = Counted(Metrics([]), None)
    with Activity(counted, "filter", "f", {}) as activity:
        assert activity.headers == {}
    assert counted.headers(None) == {}
