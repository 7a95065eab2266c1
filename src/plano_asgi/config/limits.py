"""Limits, budgets and the response cache as a configuration spells them, made into objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import SecretStr

from plano_asgi.cache import ResponseCache
from plano_asgi.config.routing import own_prices
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_limits import Cache
from plano_asgi.config.schema_traffic import RateLimit as RateLimitConfig
from plano_asgi.exchange import Candidate
from plano_asgi.limits import RateLimit, RateLimits, Selector, SpendBudget, SpendBudgets
from plano_asgi.limits.meter import Meter
from plano_asgi.routing.names import Names
from plano_asgi.stores.base import Store
from plano_asgi.stores.open_store import open_store

MEMORY = "memory://"


def build_meters(config: PlanoConfig, names: Names) -> list[Meter]:
    """The meters of ``ratelimits`` and ``spend_budgets``, on one store."""
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
        prices = own_prices(config.model_metrics_sources)
        meters.append(SpendBudgets(budgets, store, prices, model_of=model_of, **outage))
    return meters


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
