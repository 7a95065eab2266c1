"""Limits, budgets and the response cache as a configuration spells them, made into objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from pydantic import SecretStr

from plano_asgi.cache import ResponseCache
from plano_asgi.config.prices import own_prices
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_limits import Cache
from plano_asgi.config.schema_traffic import RateLimit as RateLimitConfig
from plano_asgi.exchange import Candidate
from plano_asgi.limits import RateLimit, RateLimits, Selector, SpendBudget, SpendBudgets
from plano_asgi.limits.meter import Meter
from plano_asgi.pricing import Prices, Rates
from plano_asgi.routing.metric_sources import BundledPrices, CostSource
from plano_asgi.routing.names import Names
from plano_asgi.stores.base import Store
from plano_asgi.stores.open_store import open_store

MEMORY = "memory://"


def build_meters(config: PlanoConfig, names: Names, cost: CostSource | None = None) -> list[Meter]:
    """
    The meters of ``ratelimits`` and ``spend_budgets``, on one store.

    Args:
        cost: Where routing has its prices from.
    """
    if not config.ratelimits and not config.spend_budgets:
        return []
    store = store_at(config.limits_store.url)
    outage: dict[str, Any] = {}
    if config.limits_store.on_outage is not None:
        outage["on_outage"] = config.limits_store.on_outage
    model_of = _model_of(names)
    meters: list[Meter] = []
    if config.ratelimits:
        limits = [
            RateLimit(
                model=entry.model,
                tokens=entry.limit.tokens,
                unit=entry.limit.unit,
                selector=Selector(key=entry.selector.key, value=entry.selector.value),
            )
            for entry in _first_of_each(config.ratelimits)
        ]
        meters.append(RateLimits(limits, store, model_of=model_of, **outage))
    if config.spend_budgets:
        budgets = [
            SpendBudget(
                usd=entry.usd, period=entry.period, model=entry.model, identity=entry.identity
            )
            for entry in config.spend_budgets
        ]
        if config.limits_store.unknown_price is not None:
            outage["unknown_price"] = config.limits_store.unknown_price
        prices = _prices(config, cost)
        meters.append(SpendBudgets(budgets, store, prices, model_of=model_of, **outage))
    return meters


def _prices(config: PlanoConfig, cost: CostSource | None) -> Prices:
    """
    Those of the catalogue that routing goes by, and for what it leaves out those of the bundled
    list where that is installed; without a catalogue, ``own_prices``.
    """
    if cost is None or isinstance(cost, BundledPrices):
        return own_prices(config.model_metrics_sources, config.model_providers)
    return Prices(source=_listed_by(cost), bundled=find_spec("genai_prices") is not None)


def _listed_by(cost: CostSource) -> Callable[[str], Rates | None]:
    def rates(name: str) -> Rates | None:
        found = cost.rates(name)
        if found is None:
            return None
        return Rates(input=found.input, output=found.output, cache_read=found.cached)

    return rates


def _first_of_each(entries: Iterable[RateLimitConfig]) -> Iterable[RateLimitConfig]:
    """As Plano: of several for the same model, selector and unit, the first counts."""
    found: dict[object, RateLimitConfig] = {}
    for entry in entries:
        selector = entry.selector
        key = (entry.model, selector.key.lower(), selector.value, entry.limit.unit)
        found.setdefault(key, entry)
    return found.values()


def build_cache(config: Cache) -> ResponseCache:
    """The cache that a ``response_cache`` block describes."""
    given = {"ttl_s": config.ttl_s, "max_entry_bytes": config.max_entry_bytes}
    options: Any = {name: value for name, value in given.items() if value is not None}
    return ResponseCache(store_at(config.url), shared=config.shared, **options)


def store_at(url: SecretStr | None) -> Store:
    """The store that *url* names; one in this process without any."""
    return open_store(url.get_secret_value() if url is not None else MEMORY)


def _model_of(names: Names) -> Callable[[str | None], Candidate]:
    return lambda name: names.resolve(name).candidates[0]
