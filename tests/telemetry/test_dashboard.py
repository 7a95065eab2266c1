"""The Grafana dashboard asks for what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plano_asgi._json import loads
from plano_asgi.telemetry.instruments import INSTRUMENTS
from plano_asgi.telemetry.prometheus_names import prometheus_label, prometheus_name

_PATH = Path(__file__).parents[2] / "docs" / "grafana" / "plano-asgi.json"
_DASHBOARD: dict[str, Any] = loads(_PATH.read_bytes())
_PANELS: list[dict[str, Any]] = _DASHBOARD["panels"]
_ROWS = {
    "Traffic",
    "Latency",
    "Tokens and cost",
    "Upstreams",
    "Guards, memory, caches, limits",
    "Routing",
    "Signals",
}

_BY = re.compile(r"\bby \(([^)]*)\)")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_LEGEND = re.compile(r"\{\{(\w+)\}\}")


def _series() -> dict[str, set[str]]:
    """Every series name that Prometheus has of us, with its labels."""
    found = {}
    for metric in INSTRUMENTS.values():
        name = prometheus_name(metric)
        labels = {prometheus_label(attribute) for attribute in metric.attributes}
        if metric.instrument == "histogram":
            found[f"{name}_bucket"] = labels | {"le"}
            found[f"{name}_sum"] = found[f"{name}_count"] = labels
        else:
            found[name] = labels
    return found


_SERIES = _series()


def _queries() -> Iterator[Any]:
    """Every query of a panel, with its legend."""
    for panel in _PANELS:
        for target in panel.get("targets", ()):
            where = f"{panel['title']} {target['refId']}"
            yield pytest.param(target["expr"], target["legendFormat"], id=where)


def _asked(query: str) -> dict[str, set[str]]:
    """The series that *query* asks for, with the labels that it matches."""
    without_groups = _BY.sub("", query)
    found: dict[str, set[str]] = {}
    for name in re.findall(r"(?<![\w$\"])(?:plano|gen_ai)_\w+(?=[{\[)\s,]|$)", without_groups):
        found.setdefault(name, set())
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", without_groups):
        found.setdefault(name, set()).update(_MATCHER.findall(matchers))
    return found


@pytest.mark.parametrize(("query", "legend"), list(_queries()))
def test_every_query_asks_for_series_and_labels_that_there_are(query: str, legend: str) -> None:
    """Names, matchers, groups and legends."""
    asked = _asked(query)
    assert asked
    for name, matched in asked.items():
        assert name in _SERIES
        assert matched <= _SERIES[name]
    groups = [group.split(", ") for group in _BY.findall(query)]
    grouped = {label for group in groups for label in group}
    for name in asked:
        assert grouped <= _SERIES[name]
    assert set(_LEGEND.findall(legend)) == grouped - {"le"}


@pytest.mark.parametrize(
    "query", [variable["definition"] for variable in _DASHBOARD["templating"]["list"][1:]]
)
def test_variables_are_values_of_labels_that_there_are(query: str) -> None:
    """Provider and model."""
    match = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query)
    assert match is not None
    assert match[2] in _SERIES[match[1]]


def test_every_instrument_is_on_the_dashboard() -> None:
    """A new one needs a panel."""
    text = _PATH.read_text("utf-8")
    missing = [
        metric.name for metric in INSTRUMENTS.values() if prometheus_name(metric) not in text
    ]
    assert not missing


def test_it_is_a_dashboard() -> None:
    """Rows, panels with ids of their own inside the grid, variables, the schema of Grafana 11."""
    assert _DASHBOARD["schemaVersion"] >= 39
    assert {panel["title"] for panel in _PANELS if panel["type"] == "row"} == _ROWS
    assert len({panel["id"] for panel in _PANELS}) == len(_PANELS)
    names = [variable["name"] for variable in _DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "provider", "model"]
    taken: set[tuple[int, int]] = set()
    for panel in _PANELS:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_the_check_finds_what_is_wrong() -> None:
    """A query for a series or a label that we do not have."""
    asked = _asked('sum by (le) (rate(plano_nothing_total{error_typo="x"}[5m])) / plano_other')
    assert asked == {"plano_nothing_total": {"error_typo"}, "plano_other": set()}
