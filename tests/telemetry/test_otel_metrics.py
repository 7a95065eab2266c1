"""What an OpenTelemetry reader gets."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from plano_asgi.conversation import Usage
from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.otel_metrics import OTelMeters
from plano_asgi.telemetry.prometheus import PrometheusMeters
from plano_asgi.telemetry.semconv import SCHEMA_URL
from telemetry.metric_outcomes import GPT, SONNET, ordinary_outcome, outcome_of, tried


def _points(reader: InMemoryMetricReader) -> dict[str, Any]:
    """Metric -> its data, as a reader gets them."""
    data = reader.get_metrics_data()
    assert data is not None
    ((scope,),) = (resource.scope_metrics for resource in data.resource_metrics)
    assert scope.scope.name == "plano_asgi"
    assert scope.scope.schema_url == SCHEMA_URL
    return {metric.name: metric for metric in scope.metrics}


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


def test_histograms_have_the_conventions_buckets_and_attributes(
    reader: InMemoryMetricReader,
) -> None:
    """Absent labels are absent attributes."""
    metrics = Metrics([OTelMeters(MeterProvider([reader]))])
    metrics.finish(ordinary_outcome())
    metric = _points(reader)["gen_ai.client.operation.duration"]
    (point,) = metric.data.data_points
    assert metric.unit == "s"
    assert point.explicit_bounds == INSTRUMENTS[metric.name].buckets
    assert dict(point.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "smart",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "server.address": "api.example.com",
        "server.port": 443,
    }
    assert (point.count, point.sum) == (1, 2.0)


def test_counters_and_gauges_are_told_when_a_reader_asks(reader: InMemoryMetricReader) -> None:
    """What they have come to, each time."""
    metrics = Metrics([OTelMeters(MeterProvider([reader]))])
    for expected in (1, 2):
        outcome = ordinary_outcome()
        metrics.begin(outcome.exchange)
        metrics.finish(outcome)
        points = _points(reader)
        (counted,) = points["plano.requests"].data.data_points
        assert (counted.value, points["plano.requests"].data.is_monotonic) == (expected, True)
        (flying,) = points["plano.requests.in_flight"].data.data_points
        assert flying.value == 0


def test_every_reader_gets_all(reader: InMemoryMetricReader) -> None:
    """A second one takes nothing from the first."""
    second = InMemoryMetricReader()
    metrics = Metrics([OTelMeters(MeterProvider([reader, second]))])
    metrics.finish(ordinary_outcome())
    assert _points(reader).keys() == _points(second).keys()


def test_series_are_bounded(reader: InMemoryMetricReader) -> None:
    """Counters and histograms alike."""
    metrics = Metrics([OTelMeters(MeterProvider([reader]), max_series=2)])
    for number in range(9):
        metrics.finish(outcome_of(provider=f"p{number}"))
    points = _points(reader)
    assert len(points["plano.requests"].data.data_points) == 3
    assert len(points["gen_ai.client.operation.duration"].data.data_points) == 3


def test_a_provider_that_takes_nothing_is_fine() -> None:
    """So is having none at all."""
    for meters in (OTelMeters(NoOpMeterProvider()), OTelMeters()):
        Metrics([meters]).finish(ordinary_outcome())


def _samples(text: bytes) -> dict[Any, float]:
    """Every sample, by name and labels; numbers as numbers."""
    return {
        (
            sample.name,
            frozenset(
                (name, float(value) if name == "le" else value)
                for name, value in sample.labels.items()
                if value
            ),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_both_ways_to_prometheus_give_the_same_series() -> None:
    """One dashboard reads ours, and what OpenTelemetry's exporter makes of the same."""
    registry = CollectorRegistry()
    exporter = PrometheusMetricReader(True, scope_info_enabled=False, registry=registry)
    meters = PrometheusMeters()
    metrics = Metrics([OTelMeters(MeterProvider([exporter])), meters], version="1.0")
    facts = {"cache": "miss", "route_outcome": "none", "route_latency_s": 0.01, "limit": "team"}
    broken = outcome_of(tried(GPT, "timeout"), tried(SONNET), stream=True, facts=facts)
    guessed = outcome_of(usage=Usage(input_tokens=9, output_tokens=3, estimated=True))
    for outcome in (ordinary_outcome(), broken, guessed):
        metrics.begin(outcome.exchange)
        metrics.finish(outcome)
    metrics.breaker("openai/gpt-4o", "open")
    metrics.dropped(3, "SpanStore")
    theirs, ours = _samples(generate_latest(registry)), _samples(meters.render())
    assert ours.keys() == theirs.keys()
    assert ours == pytest.approx(theirs)
    assert len(ours) > 150
