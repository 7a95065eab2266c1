"""
Metrics for a Prometheus that scrapes, through `prometheus_client`. Right with several workers: with
``PROMETHEUS_MULTIPROC_DIR`` set before Python starts, all of them write to that directory, and any
of them answers for all.

Names and labels are those that OpenTelemetry's rules make of ours, so that one dashboard reads
what comes from here and what comes over OTLP.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.metric_rows import BUILD_INFO, UPSTREAM_BREAKER_STATE, Metric
from plano_asgi.telemetry.points import BoundedSeries, Labels, Points, Record
from plano_asgi.telemetry.prometheus_names import prometheus_label, prometheus_name

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

MULTIPROC_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that `prometheus_client` reads at import."""
_log = structlog.get_logger("plano_asgi")


class PrometheusMeters:
    """
    ``Meters`` that a ``MetricsApp`` shows.

    Args:
        registry: Where the instruments are registered; one of its own if ``None``. What else is
            in it is shown too, but with several workers: `prometheus_client` gathers theirs from
            the directory.
        namespace: Takes the place of ``plano`` in the names that begin with it.
        max_series: Label combinations of one instrument; further ones fold into ``other``.

    Raises:
        MissingExtra: `prometheus-client` is not installed.
        ConfigurationError: *registry* has these instruments already, or
            ``PROMETHEUS_MULTIPROC_DIR`` is no directory or was set too late.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        namespace: str = "plano",
        *,
        max_series: int = 2_000,
    ) -> None:
        if find_spec("prometheus_client") is None:
            raise MissingExtra("PrometheusMeters", "prometheus")
        from prometheus_client import CollectorRegistry

        self._shared_dir = _shared_dir()
        self._registry = registry or CollectorRegistry()
        make = _of_this_process if self._shared_dir is None else _of_all_workers
        try:
            self._recorders = make(self._registry, namespace, max_series)
        except ValueError as exc:  # it may name a collector of the application's: not repeated
            raise ConfigurationError(
                "the registry has these instruments already: share one PrometheusMeters, or give "
                "each a registry or a namespace of its own"
            ) from exc

    def recorder(self, metric: Metric) -> Record:
        """What records to *metric*."""
        return self._recorders[metric.name]

    def render(self, *, openmetrics: bool = False) -> bytes:
        """
        Everything as text, of all workers. Reads files and takes milliseconds: call it in a worker
        thread.
        """
        from prometheus_client import CollectorRegistry, exposition
        from prometheus_client.openmetrics import exposition as openmetrics_exposition

        registry = self._registry
        if self._shared_dir is not None:
            registry = CollectorRegistry()
            registry.register(_AllWorkers(self._shared_dir))
        if openmetrics:
            text: bytes = openmetrics_exposition.generate_latest(registry)  # type: ignore[no-untyped-call]
            return text
        return exposition.generate_latest(registry)


# ---- one worker


def _of_this_process(
    registry: CollectorRegistry, namespace: str, max_series: int
) -> dict[str, Record]:
    """
    Kept here, and shown by a collector: `prometheus_client`'s own instruments take three times as
    long, and add a ``_created`` series to each of ours.
    """
    points = [Points(metric, max_series) for metric in INSTRUMENTS.values()]
    registry.register(_Collector(points, namespace))
    return {each.metric.name: each.record for each in points}


class _Collector:
    """Shows points as `prometheus_client`'s families."""

    def __init__(self, points: list[Points], namespace: str) -> None:
        self._shown = [(each, prometheus_name(each.metric, namespace)) for each in points]

    def describe(self) -> Iterator[Family]:
        """The families, empty: registering tells by it that a name is taken."""
        for points, name in self._shown:
            yield _family(points.metric, name)

    def collect(self) -> Iterator[Family]:
        """The families as they are now."""
        for points, name in self._shown:
            family = _family(points.metric, name)
            for labels, total, counts in points.snapshot():
                if counts:
                    family.add_metric(labels, _cumulated(points.metric.buckets, counts), total)
                else:
                    family.add_metric(labels, total)
            yield family


def _family(metric: Metric, name: str) -> Any:
    from prometheus_client import core

    kinds = {"counter": core.CounterMetricFamily, "histogram": core.HistogramMetricFamily}
    kind: Callable[..., Any] = kinds.get(metric.instrument, core.GaugeMetricFamily)
    return kind(name, metric.description, labels=_label_names(metric))


def _cumulated(bounds: tuple[float, ...], counts: list[int]) -> list[tuple[str, float]]:
    from prometheus_client.utils import floatToGoString

    shown, so_far = [], 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        so_far += count
        shown.append((floatToGoString(bound), float(so_far)))  # type: ignore[no-untyped-call]
    return shown


def _label_names(metric: Metric) -> list[str]:
    return [prometheus_label(attribute) for attribute in metric.attributes]


# ---- several workers

_WORST_OF_WORKERS = frozenset({UPSTREAM_BREAKER_STATE, BUILD_INFO})


def _of_all_workers(
    registry: CollectorRegistry, namespace: str, max_series: int
) -> dict[str, Record]:
    """Written through to the directory that all of them share."""
    return {
        metric.name: _Shared(metric, prometheus_name(metric, namespace), registry, max_series)
        for metric in INSTRUMENTS.values()
    }


class _Shared:
    """
    One instrument of `prometheus_client`, whose values are in a file. ``labels()`` costs more than
    recording: what it returns is kept, for a bounded number of label combinations.
    """

    def __init__(
        self, metric: Metric, name: str, registry: CollectorRegistry, max_series: int
    ) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        labels = _label_names(metric)
        self._parent: Any
        if metric.instrument == "histogram":
            self._parent = Histogram(
                name, metric.description, labels, registry=registry, buckets=metric.buckets
            )
        elif metric.instrument == "counter":
            self._parent = Counter(name, metric.description, labels, registry=registry)
        else:
            worst = metric in _WORST_OF_WORKERS
            self._parent = Gauge(
                name,
                metric.description,
                labels,
                registry=registry,
                multiprocess_mode="livemax" if worst else "livesum",
            )
        self._method = "observe" if metric.instrument == "histogram" else "inc"
        self._series = BoundedSeries(max_series)
        self._bound: dict[Labels, Callable[[float], None]] = {}
        self._lock = threading.Lock()

    def __call__(self, labels: Labels, value: float) -> None:
        """Record *value*."""
        bound = self._bound.get(labels)
        (bound or self._bind(labels))(value)

    def _bind(self, labels: Labels) -> Callable[[float], None]:
        with self._lock:
            labels = self._series(labels)
            child = self._parent.labels(*labels) if labels else self._parent
            bound: Callable[[float], None] = getattr(child, self._method)
            self._bound[labels] = bound
            return bound


class _AllWorkers:
    """
    Shows what all workers wrote. A file that cannot be read (its worker was killed while it made
    it, or is making it now) is left out; `prometheus_client` would show nothing at all.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Family]:
        """The families, summed."""
        files = sorted(map(str, self._directory.glob("*.db")))
        try:
            return _merged(files)
        except _UNREADABLE:
            return _merged([file for file in files if _is_readable(file)])


_UNREADABLE = (OSError, ValueError, IndexError, RuntimeError, struct.error)


def _merged(files: list[str]) -> Iterable[Family]:
    from prometheus_client.multiprocess import MultiProcessCollector

    families: Iterable[Family] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return families


def _is_readable(file: str) -> bool:
    try:
        _merged([file])
    except _UNREADABLE:
        _log.warning("metrics_file_unreadable", file=Path(file).name)
        return False
    return True


def _shared_dir() -> Path | None:
    """The directory that workers share, if `prometheus_client` uses one."""
    from prometheus_client import values

    path = os.environ.get(MULTIPROC_DIR)
    shares = bool(getattr(values.ValueClass, "_multiprocess", False))
    if path is None and not shares:
        return None
    if path is None or not shares:
        raise ConfigurationError(
            f"{MULTIPROC_DIR} must be set before prometheus_client is imported"
        )
    if not Path(path).is_dir():
        raise ConfigurationError(f"{MULTIPROC_DIR} is no directory")
    return Path(path)


def prepare_shared_dir(path: str | Path) -> None:
    """
    Make *path*, and remove what workers of an earlier run left in it. For whoever starts the
    workers, once, before the first of them.

    Raises:
        OSError: It cannot be made or emptied.
    """
    directory = Path(path)
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.glob("*.db"):
        left.unlink(missing_ok=True)


def mark_process_dead(pid: int, path: str | Path | None = None) -> None:
    """
    Take the gauges of a worker that has ended out of the sums; its counters stay. For whoever
    starts the workers (gunicorn's ``child_exit``). *path* is ``PROMETHEUS_MULTIPROC_DIR`` if
    ``None``.

    Raises:
        MissingExtra: `prometheus-client` is not installed.
        ConfigurationError: There is no such directory.
    """
    if find_spec("prometheus_client") is None:
        raise MissingExtra("mark_process_dead", "prometheus")
    from prometheus_client import multiprocess

    directory = path or os.environ.get(MULTIPROC_DIR)
    if directory is None or not Path(directory).is_dir():
        raise ConfigurationError(f"{MULTIPROC_DIR} is no directory")
    multiprocess.mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
