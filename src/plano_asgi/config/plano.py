"""``Plano``: the gateway, built from Python arguments, a ``plano_config.yaml`` or nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import structlog

from plano_asgi.attempts import Breakers, RetryPolicy
from plano_asgi.config.compose import (
    ECHO,
    Model,
    alias_from_entry,
    compose,
    model_from_entry,
)
from plano_asgi.config.environment import providers_from_environment
from plano_asgi.config.filters import build_filters
from plano_asgi.config.guards import build_chain, build_prompt_guard
from plano_asgi.config.issues import ConfigError
from plano_asgi.config.limits import build_cache, build_meters
from plano_asgi.config.load import load_config
from plano_asgi.config.memory import build_memory
from plano_asgi.config.routing import build_routing, local_selector
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.sessions import add_sessions, build_shapers
from plano_asgi.config.state import build_state
from plano_asgi.config.support import unsupported
from plano_asgi.config.telemetry import build_telemetry, local_telemetry
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.gateway.gateway import Gateway, Limits
from plano_asgi.providers.base import UpstreamProvider
from plano_asgi.providers.catalogue import KNOWN_MODELS
from plano_asgi.providers.profiles import PROFILES
from plano_asgi.routing.base import RULES_KEY
from plano_asgi.routing.names import Alias, ModelEntry, Names, Target
from plano_asgi.routing.preferences import Preferences, RoutePreference
from plano_asgi.routing.preferences_field import FIELD
from plano_asgi.routing.selectors.base import Selector
from plano_asgi.routing.selectors.callable import Choose
from plano_asgi.routing.selectors.text_backed import TextSelector
from plano_asgi.telemetry.metrics_app import MetricsApp

_log = structlog.get_logger("plano_asgi")


class Plano(Gateway):
    """
    The gateway as an ASGI app.

        plano = Plano(models=["openai/gpt-4o", Model("anthropic/*", api_key=...)],
                      aliases={"fast": "openai/gpt-4o-mini"})
        app.mount("/v1", plano)

    Args:
        models: ``"provider/model"``, ``"provider/*"`` or ``Model``; the keys of plain strings come
            from the providers' usual environment variables.
        aliases: Name -> model, or ``Alias`` for weighted targets and fallbacks.
        providers: Providers of your own, each serving the models listed with it.
        preferences: Models by what is asked for; with *selector* to choose among them, else a local
            one: by meaning with the extra ``embed``, else by the preferences' examples.
        selector: See ``plano_asgi.routing.selectors``, or ``async (Exchange) -> name or None``.
        environ: Where keys are looked up; the process's environment by default.
        **options: As for ``Gateway``: ``auth``, ``guards``, ``filters``, ``memory``, ``state``,
            ``meters``, ``cache``, ``retry``, ``breaker``, ``limits``, ``cors_origins``,
            ``steps``, ``rules``, ``finalizers``, ``shapers``, ``resources``, ``transports``.

    Raises:
        ConfigurationError: Arguments that cannot work; says which and what is allowed.
    """

    metrics_app: MetricsApp | None = None
    """The page of its metrics, where a file asks for one; mount it, or let a server of its own."""
    metrics_path: str = "/metrics"

    def __init__(
        self,
        models: Iterable[str | Model] = (),
        *,
        aliases: Mapping[str, str | Alias] | None = None,
        providers: Mapping[UpstreamProvider, Sequence[str]] | None = None,
        preferences: Sequence[RoutePreference] = (),
        selector: Selector | Choose | None = None,
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        environ = os.environ if environ is None else environ
        built, entries = compose(models, environ, authenticated=options.get("auth") is not None)
        for provider, ids in (providers or {}).items():
            if provider.name in built:
                raise ConfigurationError(
                    f"two providers are called {provider.name!r}: give yours another name"
                )
            built[provider.name] = provider
            entries += [_own_entry(provider, model_id) for model_id in ids]
        names = Names(
            entries,
            aliases={name: _alias(value) for name, value in (aliases or {}).items()},
            known=KNOWN_MODELS,
        )
        steps = options.get("steps", ())
        if not any(map(_takes_preferences, steps)):
            chosen = selector or local_selector([entry.examples for entry in preferences])
            routing = Preferences(preferences, chosen or TextSelector(), names=names)
            if preferences or selector is not None:
                options["steps"] = [routing.take_field, *steps]
                options["rules"] = [*options.get("rules", ()), routing]
            else:  # a request may bring its own, which no upstream should see
                options["on_fields"] = {FIELD: partial(_bring, routing)}
        super().__init__(providers=built, names=names, **options)

    @classmethod
    def from_yaml(
        cls,
        path: str | Path,
        *,
        environ: Mapping[str, str] | None = None,
        allow_unsupported: bool = False,
        **options: Any,
    ) -> Self:
        """
        Build from Plano's own ``plano_config.yaml``, versions v0.1 to v0.4.0, unmodified.

        Args:
            allow_unsupported: Serve although the file asks for safety features (guards, filters,
                rate limits) that this version does not enforce. Off: that is an error, by name.
            **options: As for ``Plano``, but for *models* and *aliases*. What is given here wins;
                steps, rules, finalizers, shapers, resources and meters are added to the file's.

        Raises:
            ConfigError: Everything that is wrong with the file, each with path and value.
        """
        environ = os.environ if environ is None else environ
        config = load_config(Path(path), environ=environ)
        return cls.from_config(
            config, environ=environ, allow_unsupported=allow_unsupported, **options
        )

    @classmethod
    def from_config(
        cls,
        config: PlanoConfig,
        *,
        environ: Mapping[str, str] | None = None,
        allow_unsupported: bool = False,
        **options: Any,
    ) -> Self:
        """Build from a configuration already read with ``load_config``. Raises as ``from_yaml``."""
        environ = os.environ if environ is None else environ
        if fixed := options.keys() & {"models", "aliases"}:
            raise ConfigurationError(f"{', '.join(sorted(fixed))}: a file says these itself")
        left_out = unsupported(config)
        refused = [issue for issue in left_out if issue.severity == "refuse"]
        if refused and not allow_unsupported:
            raise ConfigError(refused)
        for issue in (*config.warnings, *left_out):
            _log.warning("configuration", detail=str(issue))
        connect_s = config.overrides.upstream_connect_timeout_s
        models = [model_from_entry(entry, connect_s=connect_s) for entry in config.model_providers]
        named = {name for alias in config.model_aliases.values() for name in alias.references}
        if ECHO in named - {model.model for model in models}:
            models.append(Model(ECHO))  # built in: an alias may lead to it without an entry
        models_and_names: dict[str, Any] = {
            "models": models,
            "aliases": {name: alias_from_entry(a) for name, a in config.model_aliases.items()},
            "environ": {},  # a file says itself which variables it reads
            "providers": options.pop("providers", None),
        }
        choosing = {name: options.pop(name, None) for name in ("preferences", "selector")}
        plain = _options_from(config)
        built = None if "telemetry" in options else build_telemetry(config, environ)
        if built is not None:
            plain["telemetry"] = built.telemetry
        if not isinstance(circuits := options.pop("breaker", None), Breakers):
            circuits = Breakers(circuits)
        plain["breaker"] = circuits  # of both: what is down is down for whoever asks
        # What guards and memory ask is asked of the same models, and not guarded itself.
        asking = Plano(**models_and_names, **_without_door(plain | options))
        described = _request_side(config, asking, choosing)
        for name in _PARTS:
            described[name] = [*described.get(name, ()), *options.pop(name, ())]
        plano = cls(**models_and_names, **plain | described | options)
        if built is not None:
            plano.metrics_app, plano.metrics_path = built.metrics_app, built.metrics_path
        return plano

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:
        """
        Build from nothing: all models of every provider whose key is in the environment
        (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``, ...), and always ``plano/echo``.
        """
        environ = os.environ if environ is None else environ
        found = [model_from_entry(e) for e in providers_from_environment(environ, PROFILES)]
        if "telemetry" not in options and (telemetry := local_telemetry(environ)) is not None:
            options["telemetry"] = telemetry
        return cls([*found, ECHO], environ=environ, **options)


def _options_from(config: PlanoConfig) -> dict[str, Any]:
    """The gateway options that a file sets; what is absent keeps its default."""
    options: dict[str, Any] = {}
    limits = {
        "max_body_bytes": config.limits.max_body_bytes,
        "max_answer_bytes": config.limits.max_response_bytes,
    }
    options["limits"] = Limits(**_given(limits))
    listener = next((item for item in config.listeners if item.type == "model"), None)
    retry = {
        "max_attempts": config.retries.max_attempts,
        "base_delay_s": config.retries.initial_delay_s,
        "max_delay_s": config.retries.max_delay_s,
    }
    if listener is not None:
        retry["deadline_s"] = listener.timeout_s
        if listener.max_retries is not None:
            retry["attempts_per_candidate"] = listener.max_retries + 1
    options["retry"] = RetryPolicy(**_given(retry))
    if config.auth is not None:
        keys = {_key_name(key.get_secret_value()): key for key in config.auth.api_keys}
        options["auth"] = ApiKeys(keys)
    if config.cors is not None:
        options["cors_origins"] = config.cors.allow_origins
    return options


_INNER = ("retry", "breaker", "limits", "transports", "telemetry")
_PARTS = ("steps", "rules", "finalizers", "resources", "meters", "shapers")


def _request_side(
    config: PlanoConfig, asking: Gateway, choosing: Mapping[str, Any]
) -> dict[str, Any]:
    """
    The routing, filters, guards and memory that a file describes; *choosing* has the preferences
    and the selector that are given beside it.
    """
    options: dict[str, Any] = {}
    parts = build_routing(config, asking, **choosing)
    add_sessions(config, asking, parts)
    options |= {name: getattr(parts, name) for name in _PARTS if hasattr(parts, name)}
    options["shapers"] = build_shapers(config, asking)
    if (filters := build_filters(config)) is not None:
        options["filters"] = filters
    chains = [build_chain(config.guards, asking)] if config.guards is not None else []
    if config.prompt_guards and (chain := build_prompt_guard(config.prompt_guards)):
        chains.insert(0, chain)
    if chains:
        options["guards"] = chains
    if config.state_storage is not None:
        options["state"] = build_state(config.state_storage)
    if meters := build_meters(config, asking.names, parts.cost):
        options["meters"] = meters
    if config.response_cache is not None:
        options["cache"] = build_cache(config.response_cache)
    if config.memory is not None:
        options["memory"] = build_memory(config.memory, asking)
    return options


def _without_door(options: Mapping[str, Any]) -> dict[str, Any]:
    """*options* for a gateway that nobody calls from outside: how it reaches its models."""
    return {k: v for k, v in options.items() if k in _INNER}


def _key_name(key: str) -> str:
    """
    The identity of a key without a name. Not its place in the list: with one taken out, its
    neighbour would inherit what is kept by identity.
    """
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


async def _bring(routing: Preferences, exchange: Exchange) -> None:
    await routing.take_field(exchange)
    exchange.state[RULES_KEY] = (routing,)


def _takes_preferences(step: object) -> bool:
    return isinstance(getattr(step, "__self__", None), Preferences)


def _alias(value: str | Alias) -> Alias:
    return value if isinstance(value, Alias) else Alias(targets=(Target(model=value),))


def _own_entry(provider: UpstreamProvider, model_id: str) -> ModelEntry:
    return ModelEntry(
        name=f"{provider.name}/{model_id}",
        provider=provider.name,
        model=model_id,
        prefix=provider.name,
        owned_by=provider.name,
    )
