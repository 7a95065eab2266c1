"""
Names and labels as Prometheus has them: what an OpenTelemetry exporter makes of ours.

Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from plano_asgi.telemetry.metric_rows import Metric

_UNITS: Final[Mapping[str, str]] = {"s": "_seconds", "By": "_bytes"}
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_]")
_OURS = "plano_"


def prometheus_label(name: str) -> str:
    """An attribute's name as a label's."""
    return _NOT_ALLOWED.sub("_", name)


def prometheus_name(metric: Metric, namespace: str = "plano") -> str:
    """*metric*'s name, of a histogram without ``_bucket``, ``_sum`` and ``_count``."""
    name = _NOT_ALLOWED.sub("_", metric.name)
    if name.startswith(_OURS):
        name = f"{namespace}_{name.removeprefix(_OURS)}"
    unit = _UNITS.get(metric.unit, "")
    total = "_total" if metric.instrument == "counter" else ""
    return f"{name.removesuffix(unit)}{unit}{total}"
