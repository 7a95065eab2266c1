"""Prices and latencies: how sources are read, refreshed and measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from exchanges import chat_exchange
from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Attempt, Candidate, Exchange
from plano_asgi.pricing import Prices
from plano_asgi.routing.metric_sources import (
    BundledPrices,
    MeasuredLatency,
    Rates,
    Refreshed,
    digitalocean,
    models_dev,
    prometheus,
)
from plano_asgi.routing.metric_sources.catalogues import read_digitalocean, read_models_dev
from plano_asgi.routing.metric_sources.prometheus import query_url, read_prometheus

MODELS_DEV = {
    "openai": {"models": {"gpt-4o": {"cost": {"input": 2.5, "output": 10, "cache_read": 1.25}}}},
    "azure": {"models": {"gpt-4o": {"cost": {"input": 9, "output": 9}}}},
    "free": {"models": {"x": {"cost": None}, "y": {"cost": {"input": 1}}, "z": "junk"}},
    "junk": 7,
}
OCEAN = {
    "data": [
        {
            "model_id": "anthropic-claude-4.5-sonnet",
            "pricing": {
                "input_price_per_million": 3e-6,
                "output_price_per_million": "0.000015",
                "cache_read_input_price_per_million": 3e-7,
            },
        },
        {"model_id": "openai/gpt-oss-120b", "pricing": {"input_cache_read": 1e-7}},
        {"model_id": "unpriced", "pricing": None},
        {"pricing": {}},
        "junk",
    ]
}
VECTOR = {
    "status": "success",
    "data": {
        "result": [
            {"metric": {"model_name": "openai/gpt-4o"}, "value": [1, "0.25"]},
            {"metric": {"model_name": "slow"}, "value": [1, "2"]},
            {"metric": {}, "value": [1, "1"]},
            {"metric": {"model_name": "bad"}, "value": [1, "NaN"]},
            {"metric": {"model_name": "worse"}, "value": []},
            "junk",
        ]
    },
}


def test_models_dev_catalogue() -> None:
    """Per million, by ``provider/model`` and by the bare id of the first who has it."""
    assert read_models_dev(dumps(MODELS_DEV)) == {
        "openai/gpt-4o": Rates(input=2.5, output=10, cached=1.25),
        "azure/gpt-4o": Rates(input=9, output=9),
        "gpt-4o": Rates(input=2.5, output=10, cached=1.25),
    }


def test_digitalocean_catalogue() -> None:
    """Prices are per token whatever they are called; no pricing, no entry."""
    table = read_digitalocean(dumps(OCEAN))
    assert list(table) == ["anthropic-claude-4.5-sonnet", "openai/gpt-oss-120b"]
    rates = table["anthropic-claude-4.5-sonnet"]
    assert (rates.input, rates.output) == pytest.approx((3.0, 15.0))
    assert rates.cached == pytest.approx(0.3)
    assert table["openai/gpt-oss-120b"].cached == pytest.approx(0.1)


def test_aliases_rename_catalogue_keys() -> None:
    """The model is known by its name here alone; of models.dev the bare id stays."""
    ocean = read_digitalocean(dumps(OCEAN), {"openai/gpt-oss-120b": "openai/gpt-4o"})
    assert "openai/gpt-4o" in ocean
    assert "openai/gpt-oss-120b" not in ocean
    dev = read_models_dev(dumps(MODELS_DEV), {"openai/gpt-4o": "mine/best"})
    assert set(dev) == {"mine/best", "azure/gpt-4o", "gpt-4o"}


@pytest.mark.parametrize("read", [read_models_dev, read_digitalocean, read_prometheus])
@pytest.mark.parametrize("document", [b"{}", b"[]", b"oops", b'{"error": "no"}', b'{"data": []}'])
def test_other_documents_are_no_data(read: Callable[[bytes], Any], document: bytes) -> None:
    """An error page never becomes an empty table."""
    with pytest.raises(ValueError):  # noqa: PT011 - any text will do
        read(document)


def test_negative_and_foreign_prices_are_left_out() -> None:
    """What is no price is none."""
    odd: list[Any] = [-1, True, "x", "inf", None, {}]
    for value in odd:
        document = {"p": {"models": {"m": {"cost": {"input": value, "output": 1}}}}, **MODELS_DEV}
        assert "p/m" not in read_models_dev(dumps(document))


def test_prometheus_vector() -> None:
    """By label ``model_name``; rows that say nothing are left out."""
    assert read_prometheus(dumps(VECTOR)) == {"openai/gpt-4o": 0.25, "slow": 2.0}
    assert read_prometheus(dumps(VECTOR), {"slow": "b/slow"})["b/slow"] == 2.0
    assert read_prometheus(b'{"status":"success","data":{"result":[]}}') == {}


def test_query_is_quoted() -> None:
    """PromQL has braces, quotes and plus signs."""
    assert query_url("http://prom:9090/", 'a{b="c"}+1') == (
        "http://prom:9090/api/v1/query?query=a%7Bb%3D%22c%22%7D%2B1"
    )


class Source:
    """Answers what it is told, or fails; notes the URLs."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.urls: list[str] = []

    async def __call__(self, url: str) -> bytes:
        self.urls.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.anyio
async def test_sources_are_asked_where_they_live() -> None:
    """Public addresses by default, others on request."""
    source = Source(dumps(MODELS_DEV))
    catalogue = models_dev(source)
    assert await catalogue.refresh()
    assert catalogue.rates("vercel/gpt-4o") == Rates(input=2.5, output=10, cached=1.25)
    assert catalogue.rates("gpt-9") is None
    ocean = digitalocean(Source(dumps(OCEAN)), aliases={"openai/gpt-oss-120b": "b"})
    await ocean.refresh()
    assert ocean.rates("b") is not None
    metrics = Source(dumps(VECTOR))
    latencies = prometheus(metrics, url="http://prom:9090", query="up")
    await latencies.refresh()
    assert (latencies.latency("slow"), latencies.latency("x")) == (2.0, None)
    assert not latencies.learns
    assert source.urls == ["https://models.dev/api.json"]
    assert metrics.urls == ["http://prom:9090/api/v1/query?query=up"]


@pytest.mark.anyio
async def test_failed_refresh_keeps_the_last_good_table_and_says_so() -> None:
    """Whatever goes wrong; the first failure's time stays until the next success."""
    now = [1000.0]
    source = Source(dumps(MODELS_DEV), OSError("secret"), b"<html>", dumps(MODELS_DEV))
    catalogue = models_dev(source)
    catalogue._clock = lambda: now[0]
    await catalogue.refresh()
    assert (catalogue.fetched_at, catalogue.stale_since) == (1000.0, None)
    with capture_logs() as logs:
        for now[0] in (1010.0, 1020.0):
            assert not await catalogue.refresh()
    assert catalogue.rates("openai/gpt-4o") is not None
    assert catalogue.stale_since == 1010.0
    assert [log["event"] for log in logs] == ["metrics_refresh_failed"] * 2
    assert logs[0]["models"] == 3
    assert "secret" not in str(logs)
    await catalogue.refresh()
    assert catalogue.stale_since is None


@pytest.mark.anyio
async def test_slow_source_is_given_up() -> None:
    """A fetch is bounded in time."""

    async def fetch(url: str) -> bytes:
        await anyio.sleep_forever()
        return b""

    slow = Refreshed("slow", fetch, "http://x", read_prometheus, timeout_s=0.01)
    assert not await slow.refresh()


class Sleeps:
    """Notes the waits; after *most* of them it waits for ever."""

    def __init__(self, most: int) -> None:
        self.waits: list[float] = []
        self.most = most
        self.done = anyio.Event()

    async def __call__(self, seconds: float) -> None:
        if len(self.waits) == self.most:
            self.done.set()
            await anyio.sleep_forever()
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_refreshes_in_the_background() -> None:
    """Once before serving, then at the interval give or take a tenth, sooner after a failure."""
    sleeps, draws = Sleeps(3), iter([0.0, 1.0, 0.5, 0.5])
    source = Source(dumps(VECTOR), dumps(VECTOR), OSError(), dumps(VECTOR))
    table = Refreshed(
        "test",
        source,
        "http://x",
        read_prometheus,
        interval_s=600,
        retry_s=60,
        sleep=sleeps,
        rng=lambda: next(draws),
    )
    with anyio.fail_after(5):
        async with table.lifespan():
            assert table.table
            await sleeps.done.wait()
    assert sleeps.waits == pytest.approx([540, 660, 60])
    assert len(source.urls) == 4


@pytest.mark.anyio
async def test_without_an_interval_it_is_fetched_until_it_worked() -> None:
    """A source that is down at the start does not stay unknown for ever."""
    sleeps = Sleeps(9)
    source = Source(OSError(), OSError(), dumps(VECTOR))
    table = Refreshed("test", source, "u", read_prometheus, sleep=sleeps, rng=lambda: 0.5)
    await table.run()
    assert sleeps.waits == pytest.approx([0, 60, 60])
    assert table.table


@pytest.mark.anyio
async def test_starting_does_not_wait_for_a_dead_source() -> None:
    """Entering is bounded, and what the app raises comes out as it is."""

    async def fetch(url: str) -> bytes:
        await anyio.sleep_forever()
        return b""

    table = Refreshed("dead", fetch, "u", read_prometheus)
    with pytest.raises(KeyError, match="mine"):
        async with table.lifespan(first_wait_s=0.01):
            raise KeyError("mine")


def test_times_are_checked() -> None:
    """A bound that is none is refused."""
    with pytest.raises(ConfigurationError, match=r"models\.dev: its times"):
        models_dev(Source(b""), interval_s=-1)


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "gpt-4o",
        "azure_openai/gpt-4o",
        "anthropic/claude-sonnet-4-5",
        "vercel/anthropic/claude-sonnet-4-5",
        "gemini/gemini-2.5-pro",
        "xai/grok-3",
        "groq/llama-3.3-70b-versatile",
        "mistral/mistral-large-latest",
        "deepseek/deepseek-chat",
    ],
)
def test_bundled_prices_know_usual_names(name: str) -> None:
    """With this gateway's provider prefixes, and no network."""
    rates = BundledPrices(Prices().price).rates(name)
    assert rates is not None
    assert 0 < rates.input <= rates.output


def test_bundled_prices_in_detail() -> None:
    """Cached input is there where published; unknown models have no price."""
    prices = BundledPrices(Prices().price, aliases={"openai/gpt-4o": "mine"})
    assert prices.rates("openai/gpt-4o") == Rates(input=2.5, output=10, cached=1.25)
    assert prices.rates("mine") == prices.rates("openai/gpt-4o")
    assert prices.rates("nobody/knows-this") is None
    assert prices.rates("") is None


def test_cached_price_falls_back_to_a_discount() -> None:
    """Where none is published."""
    assert Rates(input=2, output=4).cached_or(0.1) == pytest.approx(0.2)
    assert Rates(input=2, output=4, cached=1).cached_or(0.1) == 1


GPT = Candidate(provider="openai", model="gpt-4o")


def streamed(*starts: float, first_byte: float | None, candidate: Candidate = GPT) -> Exchange:
    """An exchange whose tries began at *starts*, the last of which answered."""
    exchange = chat_exchange(stream=True)
    exchange.attempts = [Attempt(candidate=candidate, started=start) for start in starts]
    exchange.served_by = candidate
    exchange.timings.first_byte = first_byte
    return exchange


@pytest.mark.anyio
async def test_time_to_first_token_is_measured() -> None:
    """From the start of the try that answered; the median counts."""
    source = MeasuredLatency(timer=lambda: 0.0)
    for seconds in (0.2, 9.0, 0.4):
        await source(streamed(5.0, 10.0, first_byte=10.0 + seconds))
    assert source.latency("openai/gpt-4o") == pytest.approx(0.4)
    assert source.latency("openai/other") is None
    assert source.learns


@pytest.mark.anyio
async def test_what_is_no_stream_is_not_measured() -> None:
    """Whole answers, failures and streams without content say nothing about the first token."""
    source = MeasuredLatency()
    unary = streamed(1.0, first_byte=2.0)
    unary.stream = False
    failed = streamed(1.0, first_byte=2.0)
    failed.served_by = None
    for exchange in (unary, failed, streamed(1.0, first_byte=None), streamed(first_byte=1.0)):
        await source(exchange)
    assert source.latency("openai/gpt-4o") is None


def test_measures_are_bounded() -> None:
    """In number, in age, and in models."""
    now = [0.0]
    source = MeasuredLatency(samples=2, max_age_s=10, max_models=2, timer=lambda: now[0])
    for seconds in (100.0, 1.0, 3.0):
        source.record("a", seconds)
    assert source.latency("a") == 2.0
    now[0] = 11.0
    assert source.latency("a") is None
    for model in "abc":
        source.record(model, 1.0)
    assert source.latency("a") is None
    assert source.latency("c") == 1.0
    with pytest.raises(ConfigurationError, match="MeasuredLatency"):
        MeasuredLatency(samples=0)
