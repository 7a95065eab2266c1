"""What a Prometheus reads from us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from asgi_drive import drive
from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.metrics_app import MetricsApp
from plano_asgi.telemetry.prometheus import (
    MULTIPROC_DIR,
    PrometheusMeters,
    mark_process_dead,
    prepare_shared_dir,
)
from plano_asgi.telemetry.prometheus_names import prometheus_name
from telemetry.metric_outcomes import GPT, ordinary_outcome, outcome_of, tried

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
_HERE = Path(__file__).parent


def _read(text: str, families: Any = text_string_to_metric_families) -> Samples:
    """Every sample of an exposition, absent labels left out."""
    return {
        (sample.name, frozenset((k, v) for k, v in sample.labels.items() if v)): sample.value
        for family in families(text)
        for sample in family.samples
    }


def _sum(samples: Samples, name: str, **labels: str) -> float:
    """Of all samples of *name* with *labels*."""
    return sum(
        value
        for (each, found), value in samples.items()
        if each == name and set(labels.items()) <= found
    )


def _recorded(**options: Any) -> PrometheusMeters:
    meters = PrometheusMeters(**options)
    metrics = Metrics([meters], version="1.0")
    for outcome in (ordinary_outcome(), outcome_of(tried(GPT, "timeout"), error_type="timeout")):
        metrics.begin(outcome.exchange)
        metrics.finish(outcome)
    return meters


def test_a_parser_reads_the_text() -> None:
    """Counters, histograms with the conventions' buckets, gauges."""
    samples = _read(_recorded().render().decode())
    assert _sum(samples, "plano_requests_total") == 2
    assert _sum(samples, "plano_requests_total", error_type="timeout") == 1
    assert _sum(samples, "plano_requests_in_flight") == 0
    assert _sum(samples, "plano_build_info", plano_version="1.0") == 1
    name = "gen_ai_client_token_usage"
    output = {"gen_ai_token_type": "output"}
    assert _sum(samples, f"{name}_sum", **output) == 42
    assert _sum(samples, f"{name}_bucket", le="16.0", **output) == 0
    assert _sum(samples, f"{name}_bucket", le="64.0", **output) == 2
    assert _sum(samples, f"{name}_bucket", le="+Inf", **output) == 2
    assert not [key for key, _ in samples if key.endswith("_created")]


def test_an_openmetrics_parser_reads_the_other_form() -> None:
    """The stricter one, and it says the same."""
    meters = _recorded()
    strict = _read(meters.render(openmetrics=True).decode(), openmetrics_families)
    assert strict == _read(meters.render().decode())


def test_every_instrument_has_its_prometheus_name() -> None:
    """Units and ``_total`` as an OpenTelemetry exporter writes them."""
    names = {prometheus_name(metric) for metric in INSTRUMENTS.values()}
    assert len(names) == len(INSTRUMENTS)
    assert {
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_token_usage",
        "plano_upstream_time_to_first_token_seconds",
        "plano_cost_total",
        "plano_upstream_breaker_state",
    } <= names


def test_a_namespace_takes_the_place_of_ours() -> None:
    """The conventions' names stay."""
    names = {name for name, _ in _read(_recorded(namespace="acme").render().decode())}
    assert "acme_requests_total" in names
    assert "gen_ai_client_token_usage_sum" in names
    assert not [name for name in names if name.startswith("plano_")]


def test_an_applications_registry_can_be_shared() -> None:
    """Its metrics are shown too; the same instruments twice are refused."""
    registry = CollectorRegistry()
    Counter("app_things", "Things", registry=registry).inc()
    text = _recorded(registry=registry).render().decode()
    assert "app_things_total 1.0" in text
    assert "plano_requests_total" in text
    with pytest.raises(ConfigurationError, match="share one PrometheusMeters"):
        PrometheusMeters(registry=registry)


def test_series_are_bounded() -> None:
    """The product of bounded labels is bounded, too."""
    meters = PrometheusMeters(max_series=3)
    metrics = Metrics([meters])
    for number in range(10):
        metrics.finish(outcome_of(provider=f"p{number}"))
    samples = _read(meters.render().decode())
    assert sum(name == "plano_requests_total" for name, _ in samples) == 4
    assert _sum(samples, "plano_requests_total") == 10
    assert _sum(samples, "plano_requests_total", plano_provider="other") == 7


def test_hostile_label_values_do_not_break_the_text() -> None:
    """Quotes, backslashes and line ends arrive as values, or as ``?``."""
    meters = PrometheusMeters()
    Metrics([meters]).finish(outcome_of(model='a"b\\c\n# TYPE x counter\nx 1'))
    samples = _read(meters.render().decode())
    assert _sum(samples, "plano_requests_total", plano_model='a"b\\c?# TYPE x counter?x 1') == 1
    assert _read(meters.render(openmetrics=True).decode(), openmetrics_families)


@pytest.mark.anyio
async def test_the_endpoint_answers_in_the_form_that_is_asked_for() -> None:
    """Text by default, OpenMetrics for a scraper that names it; nothing but GET and HEAD."""
    app = Starlette(routes=[Route("/metrics", MetricsApp(_recorded()))])
    text = await drive(app, "/metrics", method="GET")
    assert text.status == 200
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert _sum(_read(text.body.decode()), "plano_requests_total") == 2
    accept = {"accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3"}
    strict = await drive(app, "/metrics", method="GET", headers=accept)
    assert strict.headers["content-type"].startswith("application/openmetrics-text")
    assert strict.body.endswith(b"# EOF\n")
    head = await drive(app, "/metrics", method="HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(text.body)))
    refused = await drive(app, "/metrics", method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@contextmanager
def _worker(directory: Path, exchanges: int) -> Iterator[subprocess.Popen[str]]:
    """A worker that has recorded so many exchanges and holds one in flight."""
    command = [sys.executable, str(_HERE / "multiprocess_worker.py"), str(exchanges)]
    with subprocess.Popen(
        command,
        env=_environment(directory),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate(timeout=30)


def _environment(directory: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(_HERE.parent), *sys.path])
    return {**os.environ, MULTIPROC_DIR: str(directory), "PYTHONPATH": paths}


def _scrape(directory: Path, *arguments: str) -> str:
    """What a further worker answers."""
    return subprocess.run(
        [sys.executable, str(_HERE / "multiprocess_scrape.py"), *arguments],
        env=_environment(directory),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def test_one_scrape_sums_all_workers(tmp_path: Path) -> None:
    """Counters and histograms of both; gauges of the living; the worst circuit."""
    directory = tmp_path / "shared"
    prepare_shared_dir(directory)
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(directory, number)) for number in (2, 3)]
        text = _scrape(directory)
        samples = _read(text)
        assert _sum(samples, "plano_requests_total") == 5
        assert _sum(samples, "gen_ai_client_operation_duration_seconds_count") == 5
        assert _sum(samples, "plano_requests_in_flight") == 2
        assert _sum(samples, "plano_build_info", plano_version="1.0") == 1
        assert _sum(samples, "plano_upstream_breaker_state") == 2
        assert "# HELP plano_requests_total Exchanges, each counted once" in text
        dead = workers[1].pid
    mark_process_dead(dead, directory)
    samples = _read(_scrape(directory, "openmetrics"), openmetrics_families)
    assert _sum(samples, "plano_requests_total") == 5
    assert _sum(samples, "plano_requests_in_flight") == 1
    prepare_shared_dir(directory)
    assert not list(directory.iterdir())


def _refusal(*command: str, directory: Path) -> str:
    """The last line of what Python says to *command* with that directory."""
    made = subprocess.run(
        [sys.executable, *command],
        env=_environment(directory),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return made.stderr.splitlines()[-1]


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    """By whoever needs it."""
    missing = tmp_path / "missing"
    said = _refusal(str(_HERE / "multiprocess_scrape.py"), directory=missing)
    assert said.endswith("PROMETHEUS_MULTIPROC_DIR is no directory")
    with pytest.raises(ConfigurationError, match="is no directory"):
        mark_process_dead(1, missing)


_TOO_LATE = """
import os
directory = os.environ.pop("PROMETHEUS_MULTIPROC_DIR")
import prometheus_client
os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
from plano_asgi.telemetry.prometheus import PrometheusMeters
PrometheusMeters()
"""


def test_a_directory_set_too_late_is_refused(tmp_path: Path) -> None:
    """`prometheus_client` would not write to it."""
    said = _refusal("-c", _TOO_LATE, directory=tmp_path)
    assert said.endswith("must be set before prometheus_client is imported")
