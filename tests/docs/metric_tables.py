"""The tables of the page on metrics: every instrument, and the arguments of what records them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docs import arguments
from docs.guard_tables import Rows
from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.metric_rows import Metric
from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.otel_metrics import OTelMeters
from plano_asgi.telemetry.prometheus import PrometheusMeters
from plano_asgi.telemetry.prometheus_names import prometheus_name

_KINDS = {"up_down_counter": "gauge"}
"""What Prometheus calls them."""


def instruments() -> Rows:
    """Every instrument, under both its names."""
    return [_instrument(metric) for metric in INSTRUMENTS.values()]


def _instrument(metric: Metric) -> Sequence[str]:
    labels = ", ".join(f"`{attribute}`" for attribute in metric.attributes) or "none"
    kind = _KINDS.get(metric.instrument, metric.instrument)
    names = f"`{metric.name}`<br>`{prometheus_name(metric)}`"
    return names, kind, metric.unit.strip("{}") or "1", labels, metric.description


def buckets() -> Rows:
    """The bounds of every histogram; those that share them in one row."""
    found: dict[str, list[str]] = {}
    for metric in INSTRUMENTS.values():
        if metric.buckets:
            bounds = ", ".join(f"{bound:.10g}" for bound in metric.buckets)
            found.setdefault(bounds, []).append(f"`{metric.name}`")
    return [(", ".join(names), bounds) for bounds, names in found.items()]


def _rows(target: Callable[..., Any]) -> Callable[[], Rows]:
    return lambda: arguments.rows(target)


HEADS: Mapping[str, tuple[Sequence[str], Callable[[], Rows]]] = {
    "metrics": (("metric", "kind", "unit", "attributes", "what"), instruments),
    "metric_buckets": (("histogram", "bounds"), buckets),
    **{
        f"args_{target.__name__}": (("argument", "default", "what"), _rows(target))
        for target in (Metrics, PrometheusMeters, OTelMeters)
    },
}
"""Table -> its heads, and what makes its rows."""
