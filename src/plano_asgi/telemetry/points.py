"""
What instruments have come to, kept in this process: sums and bucket counts by label values.

Backends show it when they are asked. Adding costs a look-up under a lock, which is a fraction of
what the clients' own instruments take.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.labels import OTHER
from plano_asgi.telemetry.metric_rows import Metric
from plano_asgi.telemetry.semconv import SERVER_PORT, USAGE_ESTIMATED

Labels = tuple[str, ...]
"""Values in the order of an instrument's attributes; "" where one is absent."""
Record = Callable[[Labels, float], None]
"""Adds to a counter or a gauge, puts into a histogram."""
_TYPES: Mapping[str, Callable[[str], int]] = {SERVER_PORT: int, USAGE_ESTIMATED: bool}
"""Of attributes that are no texts."""


class BoundedSeries:
    """
    At most *max_series* distinct label tuples of one instrument; later ones fold into one, whose
    values are all ``other``. The product of bounded labels can be large all the same.
    """

    __slots__ = ("_max_series", "_seen")

    def __init__(self, max_series: int) -> None:
        if max_series < 1:
            raise ConfigurationError("max_series must be at least 1")
        self._max_series = max_series
        self._seen: set[Labels] = set()

    def __call__(self, labels: Labels) -> Labels:
        """What to record for *labels*. Not thread-safe: call it under the caller's lock."""
        if labels in self._seen or not labels:
            return labels
        if len(self._seen) >= self._max_series:
            return (OTHER,) * len(labels)
        self._seen.add(labels)
        return labels


class Point:
    """One label combination: the *total* of its values, and of a histogram how many by bucket."""

    __slots__ = ("attributes", "counts", "total")

    def __init__(self, attributes: dict[str, str | int], buckets: int) -> None:
        self.attributes = attributes
        """Labels by attribute, without absent ones; shared, not to be changed."""
        self.counts = [0] * buckets
        """Not cumulated; the last one is of what is above all bounds."""
        self.total = 0.0


class Points:
    """The label combinations of one instrument; a bounded number. Thread-safe."""

    __slots__ = ("_bounds", "_lock", "_points", "_series", "metric")

    def __init__(self, metric: Metric, max_series: int) -> None:
        self.metric = metric
        self._bounds = metric.buckets
        self._series = BoundedSeries(max_series)
        self._points: dict[Labels, Point] = {}
        self._lock = threading.Lock()

    @property
    def record(self) -> Record:
        """What adds to it."""
        return self._observe if self.metric.instrument == "histogram" else self._add

    def _add(self, labels: Labels, n: float) -> None:
        with self._lock:
            point = self._points.get(labels) or self._made(labels)
            point.total += n

    def _observe(self, labels: Labels, value: float) -> None:
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            point = self._points.get(labels) or self._made(labels)
            point.counts[bucket] += 1
            point.total += value

    def _made(self, labels: Labels) -> Point:
        labels = self._series(labels)
        if labels not in self._points:
            pairs = zip(self.metric.attributes, labels, strict=True)
            attributes = {name: _typed(name, text) for name, text in pairs if text}
            buckets = len(self._bounds) + 1 if self._bounds else 0
            self._points[labels] = Point(attributes, buckets)
        return self._points[labels]

    def at(self, labels: Labels) -> Point:
        """The point of *labels*."""
        if (point := self._points.get(labels)) is None:
            with self._lock:
                point = self._made(labels)
        return point

    def snapshot(self) -> Iterable[tuple[Labels, float, list[int]]]:
        """Labels, total and bucket counts of every point, as they are at one moment."""
        with self._lock:
            return [(labels, p.total, p.counts.copy()) for labels, p in self._points.items()]


def _typed(attribute: str, text: str) -> str | int:
    make = _TYPES.get(attribute)
    return text if make is None or text == OTHER else make(text)
