"""How a model is chosen: preferences, metrics, sessions, budgets, prompt caching, overrides."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from plano_asgi.config.schema_base import (
    HTTPURL,
    ConfigModel,
    HeaderName,
    Name,
    Number,
    Seconds,
    Whole,
)

Prefer = Literal["cheapest", "fastest", "long_context_quality", "none"]
"""How the models of a preference are ranked; ``none`` keeps their order."""

_METRICS_PROVIDERS = {
    "cost": ("digitalocean", "models.dev", "genai-prices", "own"),
    "latency": ("prometheus", "self"),
}


OWN_PRICES = ("genai-prices", "own")
"""The sources of costs that take ``prices``."""


class SelectionPolicy(ConfigModel):
    """Ranking of a preference's models."""

    prefer: Annotated[Prefer, BeforeValidator(lambda value: value or "none")] = "none"


class RoutingPreference(ConfigModel):
    """A kind of task in words, and the models for it, best first."""

    name: Name
    description: str
    models: tuple[Name, ...] = Field(min_length=1)
    selection_policy: SelectionPolicy | None = None
    examples: tuple[Name, ...] = ()
    """Ours: things a user might say; local selectors learn from them."""

    @property
    def prefer(self) -> Prefer:
        """The policy, ``none`` where there is none."""
        return self.selection_policy.prefer if self.selection_policy else "none"


class ModelPrice(ConfigModel):
    """USD per million tokens, but for *per_request*; ``None`` costs what other tokens do."""

    input: Number = Field(ge=0)
    output: Number = Field(ge=0)
    cache_read: Number | None = Field(default=None, ge=0)
    cache_write: Number | None = Field(default=None, ge=0)
    cache_write_1h: Number | None = Field(default=None, ge=0)
    reasoning: Number | None = Field(default=None, ge=0)
    per_request: Number = Field(default=0.0, ge=0)
    """USD."""


class ModelMetricsSource(ConfigModel):
    """Where prices (``cost``) or response times (``latency``) come from."""

    type: Literal["cost", "latency"]
    provider: Literal["digitalocean", "models.dev", "prometheus", "genai-prices", "own", "self"]
    """
    Ours: the bundled ``genai-prices``, ``own``, those of *prices* alone, and ``self``, times
    measured by this gateway.
    """
    url: HTTPURL | None = None
    query: Name | None = None
    """PromQL; one value per label ``model_name``."""
    refresh_interval_s: Whole | None = Field(default=None, ge=1, alias="refresh_interval")
    """Absent: fetched once, at the start."""
    model_aliases: dict[str, Name] = Field(default_factory=dict)
    """Key in the catalogue to the model's name here."""
    prices: dict[Name, ModelPrice] = Field(default_factory=dict)
    """
    Ours, by ``provider/model``, bare model id or a pattern with ``*``: over those of
    ``genai-prices``, or all there are of ``own``. Spend budgets go by them, too.
    """

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        providers = _METRICS_PROVIDERS[self.type]
        if self.provider not in providers:
            raise ValueError(f"a {self.type} source has provider {' or '.join(providers)}")
        if self.provider == "prometheus" and not (self.url and self.query):
            raise ValueError("a latency source needs 'url' and 'query'")
        if self.type == "cost" and self.query:
            raise ValueError("'query' belongs to a latency source")
        if self.prices and self.provider not in OWN_PRICES:
            raise ValueError(f"'prices' belong to provider {' or '.join(OWN_PRICES)}")
        if self.provider == "own" and not self.prices:
            raise ValueError("provider own needs 'prices'")
        return self


class SessionCache(ConfigModel):
    """Where session bindings are kept."""

    type: Literal["memory", "redis"] = "memory"
    url: SecretStr | None = None
    """``redis://`` or ``rediss://``; may hold a password."""
    tenant_header: HeaderName | None = None

    @model_validator(mode="after")
    def _redis_has_a_url(self) -> Self:
        if self.type == "redis" and not (self.url and self.url.get_secret_value()):
            raise ValueError("type redis needs 'url'")
        return self


class RoutingBudget(ConfigModel):
    """How much a session may spend on leaving a warm prompt cache."""

    max_switch_spend_pct: Number = Field(ge=0, le=100)
    """Percent of what the session would cost without a switch."""
    replenish_on_rebind: bool = True
    cache_read_discount: Number = Field(default=0.1, ge=0, le=1)
    """Price of a cached token relative to a fresh one, where no price is published."""
    record_counterfactual: bool = False


class Replica(ConfigModel):
    """One upstream of a model that several serve."""

    model: Name
    """A name that clients could send, of one place."""
    weight: Number = Field(default=1.0, ge=0)
    """Share relative to the others; 0 is failover only."""


class Balance(ConfigModel):
    """Ours: several upstreams that serve one model, and which of them a request tries first."""

    policy: Literal["weighted", "least_busy", "prefix_affinity"]
    replicas: tuple[Replica, ...]
    max_load_factor: Number = Field(default=1.5, ge=1)
    min_load: Whole = Field(default=8, ge=1)

    @model_validator(mode="after")
    def _someone_serves(self) -> Self:
        if len(self.replicas) < 2:
            raise ValueError("needs two replicas at least")
        if not any(replica.weight for replica in self.replicas):
            raise ValueError("needs a replica with a weight above 0")
        return self


class Routing(ConfigModel):
    """Sessions and balancing: which model and which upstream a conversation stays with."""

    llm_provider: Name | None = None
    """Read by no version since v0.3."""
    model: Name | None = None
    """Read by no version since v0.3."""
    session_ttl_s: Whole = Field(default=600, ge=1, alias="session_ttl_seconds")
    session_max_entries: Whole = Field(default=10_000, ge=0, le=10_000)
    """0 is the default, as in Plano."""
    session_cache: SessionCache = Field(default_factory=SessionCache)
    routing_budget: RoutingBudget | None = None
    route_on_user_only: bool = False
    timeout_s: Number = Field(default=5.0, gt=0)
    """Ours: what a request waits for the choice of a route at most."""
    decision_ttl_s: Number = Field(default=600.0, gt=0)
    """Ours: how long the decision about a turn is kept."""
    threshold: Number | None = Field(default=None, ge=0, le=1)
    """Ours: the score that the best route must reach, where no model is asked."""
    balance: tuple[Balance, ...] = ()
    """Ours: a request for one replica of a group may go to any."""


class PromptCaching(ConfigModel):
    """Cache markers for providers that need them; nothing happens unless ``enabled``."""

    enabled: bool = False
    session_affinity: bool = True
    inject_cache_control: bool = True
    min_prefix_tokens: Whole = Field(default=1024, ge=0)
    session_ttl_s: Whole | None = Field(default=None, ge=1, alias="session_ttl_seconds")


class Overrides(ConfigModel):
    """Plano's switches. The one place where unknown keys are let through (``model_extra``)."""

    model_config = ConfigDict(extra="allow")

    llm_routing_model: Name | None = None
    agent_orchestration_model: Name | None = None
    orchestrator_model_context_length: Whole = Field(default=8192, ge=1)
    """Tokens."""
    llm_routing_prompt: str | None = None
    """Ours: other wording, with ``{routes}`` and ``{conversation}`` in it."""
    llm_routing_max_answer_tokens: Whole = Field(default=256, ge=1)
    """Ours: models that think aloud need more."""
    llm_routing_temperature: Number | Literal["none"] = 0.01
    """Ours: ``none`` sends none, for models that refuse any."""
    disable_signals: bool = False
    upstream_connect_timeout_s: Seconds = Field(default=5.0, alias="upstream_connect_timeout")
    upstream_tls_ca_path: Name = "/etc/ssl/certs/ca-certificates.crt"
    use_agent_orchestrator: bool = False
    optimize_context_window: bool = False
    prompt_target_intent_matching_threshold: Number | None = Field(default=None, ge=0, le=1)
