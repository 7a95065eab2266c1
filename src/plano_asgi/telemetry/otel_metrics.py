"""
Metrics through OpenTelemetry's API, to any ``MeterProvider``.

Counters and gauges are kept here and told when a reader asks (observable instruments), which costs
a tenth of what adding to the SDK's own does. Histograms have no such form in the API: they are
recorded as they happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from opentelemetry.metrics import (
    CallbackOptions,
    Meter,
    MeterProvider,
    Observation,
    get_meter_provider,
)

from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.metric_rows import Metric
from plano_asgi.telemetry.points import Labels, Points, Record
from plano_asgi.telemetry.semconv import SCHEMA_URL


class OTelMeters:
    """
    ``Meters`` that record to OpenTelemetry instruments. Make one for each provider: what two of
    them observe is not added up.

    Args:
        meter_provider: The global one if ``None``.
        max_series: Label combinations of one instrument; further ones fold into ``other``. The
            SDK has a bound of its own, 2000.
    """

    def __init__(
        self, meter_provider: MeterProvider | None = None, *, max_series: int = 1_000
    ) -> None:
        provider = meter_provider or get_meter_provider()
        meter = provider.get_meter("plano_asgi", schema_url=SCHEMA_URL)
        self._recorders = {
            metric.name: _recorder(meter, metric, Points(metric, max_series))
            for metric in INSTRUMENTS.values()
        }

    def recorder(self, metric: Metric) -> Record:
        """What records to *metric*."""
        return self._recorders[metric.name]


def _recorder(meter: Meter, metric: Metric, points: Points) -> Record:
    if metric.instrument == "histogram":
        histogram = meter.create_histogram(
            metric.name,
            unit=metric.unit,
            description=metric.description,
            explicit_bucket_boundaries_advisory=metric.buckets,
        )

        def observe(labels: Labels, value: float) -> None:
            histogram.record(value, points.at(labels).attributes)

        return observe
    create: dict[str, Callable[..., object]] = {
        "counter": meter.create_observable_counter,
        "up_down_counter": meter.create_observable_up_down_counter,
        "gauge": meter.create_observable_gauge,
    }
    callbacks = [partial(_observed, points)]
    create[metric.instrument](metric.name, callbacks, metric.unit, metric.description)
    return points.record


def _observed(points: Points, _options: CallbackOptions) -> Iterable[Observation]:
    """What a reader is told, in its thread."""
    for labels, total, _ in points.snapshot():
        yield Observation(total, points.at(labels).attributes)
