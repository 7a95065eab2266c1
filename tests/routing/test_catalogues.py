"""Names in price lists, and lists that nobody fetches."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from plano_asgi._json import dumps
from plano_asgi.routing.metric_sources import Catalogue, PrometheusLatency, digitalocean, prometheus
from plano_asgi.routing.metric_sources.catalogues import read_digitalocean, read_models_dev

PRICING = {"input_price_per_million": 1e-6, "output_price_per_million": 2e-6}
OCEAN = {
    "data": [
        {"model_id": "gpt-oss-120b", "creator": "OpenAI", "pricing": PRICING},
        {"model_id": "llama", "creator": "Meta", "pricing": PRICING},
        {"model_id": "llama", "creator": "Other", "pricing": {"input_price_per_million": 9e-6}},
        {"model_id": "plain", "creator": None, "pricing": PRICING},
    ]
}


def test_digitalocean_models_go_by_creator_and_id() -> None:
    """As Plano's documentation spells aliases; by the bare id, too, where it is free."""
    table = read_digitalocean(dumps(OCEAN))
    names = {"openai/gpt-oss-120b", "gpt-oss-120b", "meta/llama", "other/llama", "llama", "plain"}
    assert set(table) == names
    assert table["llama"] == table["meta/llama"] != table["other/llama"]


@pytest.mark.parametrize("key", ["openai/gpt-oss-120b", "gpt-oss-120b"])
def test_either_name_can_be_renamed(key: str) -> None:
    """The documented key and the one that the catalogue has."""
    table = read_digitalocean(dumps(OCEAN), {key: "house/oss"})
    assert table["house/oss"].input == pytest.approx(1.0)
    assert key not in table


def test_an_alias_wins_over_what_the_catalogue_calls_so() -> None:
    """Whatever stands first."""
    cost = {"input": 1, "output": 1}
    dear = {"input": 9, "output": 9}
    for models in (("mine", "gpt-4o"), ("gpt-4o", "mine")):
        listed = {m: {"cost": cost if m == "mine" else dear} for m in models}
        table = read_models_dev(
            dumps({"openai": {"models": listed}}), {"openai/mine": "openai/gpt-4o"}
        )
        assert table["openai/gpt-4o"].input == 1


async def never(url: str) -> bytes:
    """Nothing is fetched."""
    raise AssertionError(url)


async def ocean(url: str) -> bytes:
    """The catalogue."""
    return dumps(OCEAN)


def wanted(source: Catalogue | PrometheusLatency) -> None:
    """Look a model up, twice."""
    for _ in range(2):
        found = source.rates("m") if isinstance(source, Catalogue) else source.latency("m")
        assert found is None


@pytest.mark.parametrize(
    "source", [digitalocean(never), prometheus(never, url="http://p.test", query="q")]
)
def test_a_table_that_nobody_fetches_says_so_once(source: Catalogue | PrometheusLatency) -> None:
    """At the first look-up, with what is to be done."""
    with capture_logs() as logs:
        wanted(source)
    (line,) = logs
    assert (line["event"], line["source"]) == ("metrics_never_fetched", source.label)
    assert "lifespan" in line["detail"]


@pytest.mark.anyio
async def test_a_table_that_is_fetched_says_nothing() -> None:
    """Whether or not it has the model."""
    source = digitalocean(ocean)
    with capture_logs() as logs:
        async with source.lifespan():
            wanted(source)
    assert logs == []
