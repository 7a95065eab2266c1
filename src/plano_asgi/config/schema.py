"""
``plano_config.yaml`` as types: Plano's keys, versions v0.1 to v0.4.0, and ours next to them.

A document has been through ``migrate`` and ``expand`` when it comes here: one spelling, listeners
as a list, variables filled in. The models say what each value may be; what spans several values
(references, duplicates) is in ``rules`` and ``provider_rules``.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, PrivateAttr

from plano_asgi.config.issues import Issue
from plano_asgi.config.schema_base import ConfigModel, Name
from plano_asgi.config.schema_guards import Guards
from plano_asgi.config.schema_limits import Cache, LimitStore, Spend
from plano_asgi.config.schema_memory import Memory
from plano_asgi.config.schema_models import ModelAlias, ModelProvider
from plano_asgi.config.schema_operations import (
    Auth,
    Cors,
    Limits,
    Retries,
    StateStorage,
    Tracing,
)
from plano_asgi.config.schema_routing import (
    ModelMetricsSource,
    Overrides,
    PromptCaching,
    Routing,
    RoutingPreference,
)
from plano_asgi.config.schema_telemetry import TelemetryOptions
from plano_asgi.config.schema_traffic import (
    Agent,
    Endpoint,
    EndpointName,
    FilterService,
    Listener,
    PromptGuards,
    PromptTarget,
    RateLimit,
)

Version = Literal["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0", "v0.4.0"]
"""What Plano calls its formats."""

VERSIONS: tuple[str, ...] = get_args(Version)
"""All of them, oldest first."""


class PlanoConfig(ConfigModel):
    """
    A whole configuration, valid in itself. ``load_config`` makes one.

    ``warnings`` holds what the loading noticed and could live with.
    """

    version: Version
    """As migrated: always ``v0.4.0`` after ``load_config``."""
    listeners: tuple[Listener, ...] = ()
    model_providers: tuple[ModelProvider, ...] = ()
    model_aliases: dict[Name, ModelAlias] = Field(default_factory=dict)
    routing_preferences: tuple[RoutingPreference, ...] = ()
    model_metrics_sources: tuple[ModelMetricsSource, ...] = ()
    routing: Routing = Field(default_factory=Routing)
    prompt_caching: PromptCaching = Field(default_factory=PromptCaching)
    overrides: Overrides = Field(default_factory=Overrides)
    agents: tuple[Agent, ...] = ()
    filters: tuple[FilterService, ...] = ()
    endpoints: dict[EndpointName, Endpoint] = Field(default_factory=dict)
    state_storage: StateStorage | None = None
    system_prompt: str | None = None
    prompt_targets: tuple[PromptTarget, ...] = ()
    ratelimits: tuple[RateLimit, ...] = ()
    prompt_guards: PromptGuards | None = None
    tracing: Tracing = Field(default_factory=Tracing)
    mode: Literal["llm", "prompt"] = "prompt"
    """Read by no version."""

    auth: Auth | None = None
    limits: Limits = Field(default_factory=Limits)
    retries: Retries = Field(default_factory=Retries)
    cors: Cors | None = None
    guards: Guards | None = None
    memory: Memory | None = None
    spend_budgets: tuple[Spend, ...] = ()
    limits_store: LimitStore = Field(default_factory=LimitStore)
    response_cache: Cache | None = None
    telemetry: TelemetryOptions | None = None

    _warnings: tuple[Issue, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """Notes of the loading: deprecated spellings, values that another one overrides."""
        return self._warnings

    @property
    def default_provider(self) -> ModelProvider | None:
        """The entry with ``default: true``."""
        return next((entry for entry in self.model_providers if entry.default), None)

    @property
    def model_listener(self) -> Listener | None:
        """The one listener of type ``model``."""
        return next((entry for entry in self.listeners if entry.type == "model"), None)
