"""Names come from the lists they say they come from."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

import opentelemetry.semconv
import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.util.genai import _inference_invocation, _instruments

from plano_asgi.telemetry import metric_rows, semconv
from plano_asgi.telemetry.attributes import PROVIDER_NAMES
from plano_asgi.telemetry.metric_rows import METRICS, Metric
from plano_asgi.telemetry.semconv import NEXT, RELEASED

AHEAD = {
    "gen_ai.usage.cache_write.input_tokens": "opentelemetry-util-genai 1.3b0",
    "gen_ai.request.reasoning.level": "opentelemetry-util-genai 1.3b0",
    "gen_ai.request.previous_response.id": "opentelemetry-util-genai 1.3b0",
}
"""Newer than the installed conventions: each name, and the release that writes it."""
EVENTS = {"gen_ai.client.inference.operation.details": "semantic conventions 1.44, gen-ai-events"}
"""The conventions' Python package lists no events."""
PLANO = ("plano.", "signals.", "signal.", "llm.")
PLANO_ONLY = {"http.status_code"}
"""As Plano has it; the conventions have replaced it."""
NO_NAMES = {
    *("SEMCONV", "SCHEMA_URL", "GENAI_NEXT", "OPT_IN"),
    *("INVOKE_AGENT", "EXECUTE_TOOL", "FLAG"),
}


@functools.cache
def listed() -> frozenset[str]:
    """Every attribute and metric name of the installed conventions."""
    found: set[str] = set()
    for folder in ("attributes", "metrics", "_incubating.attributes", "_incubating.metrics"):
        package = importlib.import_module(f"opentelemetry.semconv.{folder}")
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            found |= {value for value in vars(module).values() if isinstance(value, str)}
    return frozenset(found)


def ours() -> list[tuple[str, str]]:
    """Every attribute and event name of ours, with the constant's."""
    return [
        (constant, value)
        for constant, value in vars(semconv).items()
        if constant.isupper() and constant not in NO_NAMES and isinstance(value, str)
        if not constant.startswith("SPAN_")
    ]


@pytest.mark.parametrize("name", [name for _, name in ours()])
def test_attributes_are_in_the_list_they_came_from(name: str) -> None:
    """Whatever is not Plano's own is in the installed conventions, or ahead of them by a table."""
    if name.startswith(PLANO) or name in PLANO_ONLY:
        return
    assert name in listed() | AHEAD.keys() | EVENTS.keys()


def test_names_ahead_of_the_conventions_are_in_the_release_they_say() -> None:
    """What OpenTelemetry's own library writes, and the conventions do not list yet."""
    written = {v for v in vars(_inference_invocation).values() if isinstance(v, str)}
    assert AHEAD.keys() <= written
    assert not AHEAD.keys() & listed()
    assert set(AHEAD.values()) == {semconv.GENAI_NEXT}


def test_metrics_are_in_the_list_they_came_from() -> None:
    """Metrics that are not Plano's own are in the installed conventions."""
    foreign = {metric.name for metric in METRICS if not metric.name.startswith("plano.")}
    assert len(foreign) == 4
    assert foreign <= listed()


class Recorder:
    """A meter that keeps what is asked of it."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}

    def create_histogram(self, **given: Any) -> None:
        """Keep the arguments."""
        self.made[given["name"]] = given


def test_metrics_have_the_conventions_units_and_buckets() -> None:
    """As OpenTelemetry's own library makes them."""
    meter: Any = Recorder()
    _instruments._Instruments(meter)
    for metric in METRICS:
        if not metric.name.startswith("plano."):
            made = meter.made[metric.name]
            assert metric.instrument == "histogram"
            assert metric.unit == made["unit"]
            assert list(metric.buckets) == made["explicit_bucket_boundaries_advisory"]


def test_every_metric_is_in_the_table_once() -> None:
    """And only histograms have buckets, ascending."""
    all_ = [value for value in vars(metric_rows).values() if isinstance(value, Metric)]
    assert all_ == list(METRICS)
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert bool(metric.buckets) == (metric.instrument == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_metrics_carry_known_attributes_only() -> None:
    """Each label is one of our attributes."""
    known = {name for _, name in ours()}
    for metric in METRICS:
        assert known.issuperset(metric.attributes), metric.name


def test_no_name_is_spelled_twice() -> None:
    """One constant for each name."""
    names = [name for _, name in ours()]
    assert len(names) == len(set(names))


def test_schema_is_the_newest_installed() -> None:
    """The schema URL is that of the conventions the names were checked against."""
    assert list(Schemas)[-1].value == semconv.SCHEMA_URL
    assert opentelemetry.semconv is not None


@pytest.mark.parametrize(
    "operation",
    [*sorted(semconv.INFERENCE_OPERATIONS), semconv.INVOKE_AGENT, semconv.EXECUTE_TOOL],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_operations_are_the_conventions(operation: str) -> None:
    """Values of ``gen_ai.operation.name``."""
    assert operation in {value.value for value in gen_ai_attributes.GenAiOperationNameValues}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_provider_names_are_the_conventions() -> None:
    """Values of ``gen_ai.provider.name``; Moonshot's is in the drafts."""
    known = {value.value for value in gen_ai_attributes.GenAiProviderNameValues}
    assert set(PROVIDER_NAMES.values()) - known == {"moonshot_ai"}


@pytest.mark.parametrize(
    ("opt_in", "names"),
    [
        pytest.param(None, RELEASED, id="unset"),
        pytest.param("", RELEASED, id="empty"),
        pytest.param("http,database/dup", RELEASED, id="other areas"),
        pytest.param("gen_ai_latest_experimental", NEXT, id="alone"),
        pytest.param(" http , GEN_AI_LATEST_EXPERIMENTAL ", NEXT, id="in a list"),
    ],
)
def test_opt_in_selects_the_names(opt_in: str | None, names: semconv.Names) -> None:
    """Only the entry for GenAI counts."""
    assert semconv.semconv(opt_in) is names
