"""Sums and buckets are exact, from any thread, and bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.metric_rows import Metric
from plano_asgi.telemetry.points import Points

_COUNTER = Metric(name="c", instrument="counter", unit="", description="", attributes=("a", "b"))
_HISTOGRAM = Metric(name="h", instrument="histogram", unit="s", description="", buckets=(1.0, 2.0))


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    """A bound is part of its bucket; what is above all of them has one of its own."""
    points = Points(_HISTOGRAM, 1)
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        points.record((), value)
    assert list(points.snapshot()) == [((), 14.0, [2, 2, 1])]


def test_nothing_is_lost_between_threads() -> None:
    """Many of them, on the same labels and on new ones."""
    points = Points(_COUNTER, 1000)

    def add(number: int) -> None:
        points.record(("same", ""), 1)
        points.record(("new", str(number % 100)), 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(4000)))
    totals = {labels: total for labels, total, _ in points.snapshot()}
    assert totals.pop(("same", "")) == 4000
    assert len(totals) == 100
    assert sum(totals.values()) == 4000


def test_combinations_past_the_bound_share_one() -> None:
    """None of the earlier ones is lost."""
    points = Points(_COUNTER, 2)
    for number in range(5):
        points.record((str(number), "x"), 1)
    assert {labels: total for labels, total, _ in points.snapshot()} == {
        ("0", "x"): 1,
        ("1", "x"): 1,
        ("other", "other"): 3,
    }


def test_absent_labels_are_absent_attributes() -> None:
    """Which is what an empty label is to Prometheus."""
    assert Points(_COUNTER, 1).at(("1", "")).attributes == {"a": "1"}


def test_a_bound_of_none_is_refused() -> None:
    """It cannot work."""
    with pytest.raises(ConfigurationError):
        Points(_COUNTER, 0)
