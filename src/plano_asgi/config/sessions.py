"""Sessions and prompt-cache markers as a configuration spells them, made into objects."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

from plano_asgi._json import JSONObject
from plano_asgi.config.balance import build_balancer, by_balance
from plano_asgi.config.routing import RoutingParts
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.gateway import Gateway
from plano_asgi.gateway.pipeline import Shaper
from plano_asgi.pricing import Prices, prefix_of
from plano_asgi.routing.base import RouteRule
from plano_asgi.routing.metric_sources import BundledPrices, CostSource
from plano_asgi.routing.metric_sources.base import Rates
from plano_asgi.routing.names import Names
from plano_asgi.routing.prompt_caching import CacheMarkers, with_cache_markers
from plano_asgi.routing.sessions import (
    Pricing,
    RoutingBudget,
    SessionOptions,
    Sessions,
    is_opted_out,
)
from plano_asgi.stores.base import Store
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.open_store import open_store

_DEFAULT_ENTRIES = 10_000
_MAX_MODELS = 4_096  # looked up once each: a session asks for several on every turn


def add_sessions(config: PlanoConfig, asking: Gateway, parts: RoutingParts) -> None:
    """
    Put a session rule around the rules of *parts*: ``X-Model-Affinity`` pins a conversation in
    every gateway that is read from a file, the rest as ``routing`` and ``prompt_caching`` say.
    """
    routing, caching = config.routing, config.prompt_caching
    budget = routing.routing_budget
    options = SessionOptions(
        ttl_s=routing.session_ttl_s,
        implicit_ttl_s=caching.session_ttl_s if caching.enabled else None,
        session_affinity=caching.enabled and caching.session_affinity,
        route_on_user_only=routing.route_on_user_only,
        budget=RoutingBudget(**budget.model_dump()) if budget is not None else None,
        tenant_header=routing.session_cache.tenant_header,
    )
    inner, balancer = _first_of(parts.rules), build_balancer(routing.balance, asking.names)
    if balancer is not None:
        inner = by_balance(balancer, inner, asking.names)
    sessions = Sessions(
        _store(config),
        inner,
        names=asking.names,
        serves=lru_cache(_MAX_MODELS)(asking.names.serves),
        prices=_pricing(_cost(parts.cost, is_needed=budget is not None), asking.names),
        options=options,
    )
    parts.rules = [sessions if balancer is None else balancer.counted(sessions)]
    parts.finalizers.insert(0, sessions.refresh)  # a quick follow-up finds its pin
    if balancer is not None:
        parts.finalizers.append(balancer)


def build_shapers(config: PlanoConfig, asking: Gateway) -> list[Shaper]:
    """The markers of ``prompt_caching``, for the provider that was chosen."""
    caching = config.prompt_caching
    if not (caching.enabled and caching.inject_cache_control):
        return []
    markers = CacheMarkers(min_prefix_tokens=caching.min_prefix_tokens)
    providers = asking.providers

    def mark(
        exchange: Exchange, candidate: Candidate, dialect: str, body: JSONObject
    ) -> JSONObject:
        if is_opted_out(exchange.headers):
            return body
        family = providers[candidate.provider].family
        return with_cache_markers(
            body, dialect, family=family, model=candidate.model, markers=markers
        )

    return [mark]


def _store(config: PlanoConfig) -> Store:
    cache = config.routing.session_cache
    if cache.type == "redis" and cache.url is not None:
        return open_store(cache.url.get_secret_value())
    # 0 is the default, as in Plano.
    return LocalStore(max_entries=config.routing.session_max_entries or _DEFAULT_ENTRIES)


def _first_of(rules: list[RouteRule]) -> RouteRule:
    async def inner(exchange: Exchange) -> Route | None:
        for rule in rules:
            if (route := await rule(exchange)) is not None:
                return route
        return None

    return inner


def _cost(cost: CostSource | None, *, is_needed: bool) -> CostSource | None:
    """The configured source, else the bundled list where it is installed."""
    if cost is None and find_spec("genai_prices"):
        return BundledPrices(Prices().price)
    if cost is None and is_needed:  # it would refuse no switch at all
        raise ConfigurationError(
            "routing.routing_budget: needs a source of type 'cost' in model_metrics_sources, or "
            "'plano-asgi[prices]', which has prices"
        )
    return cost


def _pricing(cost: CostSource | None, names: Names) -> Pricing:
    """By *cost*, where there is any."""

    @lru_cache(_MAX_MODELS)
    def called(provider: str, model: str) -> tuple[str, ...]:
        candidate = Candidate(provider=provider, model=model)
        known = (f"{prefix_of(provider)}/{model}", candidate.name, *names.names_of(candidate))
        return tuple(dict.fromkeys(known))

    def price(provider: str, model: str) -> Rates | None:
        if cost is None:
            return None
        found = (cost.rates(name) for name in called(provider, model))
        return next((rates for rates in found if rates is not None), None)

    return price
