"""The whole way: from text to a valid configuration, or to everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plano_asgi.config import ConfigError, PlanoConfig, load_config

CANARY = "sk-canary-0123456789"
ENVIRON = {"OPENAI_API_KEY": CANARY, "PORT": "8080", "FLAG": "true"}


def minimal(**more: Any) -> dict[str, Any]:
    """A small valid configuration, changed by *more*."""
    providers = [{"model": "openai/gpt-4o", "access_key": "$OPENAI_API_KEY"}]
    return {"version": "v0.4.0", "model_providers": providers, **more}


def provider(**more: Any) -> dict[str, Any]:
    """``minimal`` with one provider, changed by *more*."""
    return minimal(model_providers=[{"model": "openai/gpt-4o", **more}])


def problems(source: Any) -> list[str]:
    """What ``load_config`` says about *source*."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, environ=ENVIRON)
    return [str(issue) for issue in caught.value.issues]


def test_a_minimal_configuration_loads() -> None:
    """Version and a provider are enough; the rest has Plano's defaults."""
    config = load_config(minimal(), environ=ENVIRON)
    (entry,) = config.model_providers
    assert entry.access_key is not None
    assert entry.access_key.get_secret_value() == CANARY
    assert (entry.provider, entry.model_id, entry.interface) == ("openai", "gpt-4o", "openai")
    assert config.model_listener is not None
    assert (config.model_listener.port, config.model_listener.timeout_s) == (12000, 300.0)
    assert (config.default_provider, config.warnings) == (None, ())


def test_file_text_and_data_are_the_same(tmp_path: Path) -> None:
    """One configuration, three sources."""
    text = "version: v0.4.0\nmodel_providers:\n  - model: openai/gpt-4o\n"
    path = tmp_path / "plano_config.yaml"
    path.write_text(text, "utf-8")
    data = {"version": "v0.4.0", "model_providers": [{"model": "openai/gpt-4o"}]}
    assert load_config(path) == load_config(str(path)) == load_config(text) == load_config(data)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up when called, not at import."""
    monkeypatch.setenv("PLANO_TEST_NAME", "from-the-process")
    config = load_config(provider(name="$PLANO_TEST_NAME"))
    assert config.model_providers[0].name == "from-the-process"


def test_variables_may_stand_for_numbers_and_switches() -> None:
    """Plano substitutes text before parsing; a port or a flag from a variable keeps working."""
    listeners = [{"type": "model", "name": "m", "port": "$PORT"}]
    config = load_config(
        minimal(listeners=listeners, prompt_caching={"enabled": "$FLAG"}), environ=ENVIRON
    )
    assert config.listeners[0].port == 8080
    assert config.prompt_caching.enabled


def test_a_literal_key_and_an_escaped_dollar_are_fine() -> None:
    """No variable is needed; ``$$`` writes a dollar sign."""
    config = load_config(provider(access_key="pa$$word"), environ={})
    key = config.model_providers[0].access_key
    assert key is not None
    assert key.get_secret_value() == "pa$word"


def test_everything_wrong_is_reported_at_once() -> None:
    """Migration, variables, shape, providers and references in one list, each with its place."""
    document = {
        "version": "v0.3",
        "llm_providers": [
            {"model": "gpt-4o", "acess_key": CANARY},
            {"model": "zzz/x", "access_key": "$MISSING", "default": "perhaps"},
        ],
        "listeners": {"egress_traffic": {"port": 70000, "timeout": 30}, "side_door": {}},
        "model_aliases": {"fast": {"target": "gpt-5"}},
        "endpoints": {"bad name": {"endpoint": "x"}},
        "tracing": {"random_sampling": 101, "exporters": [{"type": "posthog"}]},
        "state_storage": {"type": "postgres"},
    }
    found = problems(document)
    (unknown,) = [line for line in found if line.startswith("llm_providers.1.model: ")]
    assert "names no known provider and so needs base_url and provider_interface" in unknown
    assert [line for line in found if line != unknown] == [
        "listeners.side_door: unknown key; allowed: egress_traffic, ingress_traffic, "
        "or a list of listeners",
        "llm_providers.1.access_key: the environment variable MISSING is not set "
        "(write $$ for a literal $)",
        "version: must be one of 'v0.1', 'v0.1.0', '0.1-beta', '0.2.0', 'v0.3.0' or 'v0.4.0' "
        "(got 'v0.3')",
        "listeners.egress_traffic.port: must be less than or equal to 65535 (got 70000)",
        "listeners.egress_traffic.timeout: must be a number with a unit: "
        "'500ms', '30s', '5m' or '1h' (got 30)",
        "llm_providers.0.acess_key: unknown key; did you mean 'access_key'?",
        "llm_providers.1.default: must be true or false (got 'perhaps')",
        "endpoints.bad name: must match pattern '^[a-zA-Z][a-zA-Z0-9_]*$' (got a mapping of 1)",
        "state_storage: type postgres needs 'connection_string' (got a mapping of 1)",
        "tracing.random_sampling: must be less than or equal to 100 (got 101)",
        "tracing.exporters.0.url: is required",
        "tracing.exporters.0.api_key: is required",
        "llm_providers.0.model: must be '<provider>/<model id>', or '<provider>/*' for all its "
        "models (got 'gpt-4o')",
        "model_aliases.fast.target: is no configured model; configured: plano/echo, x, zzz/x "
        "(got 'gpt-5')",
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "version: is required"),
        (minimal(version=0.4), "version: must be one of 'v0.1', "),
        (minimal(version="v0.5.0"), "version: must be one of 'v0.1', "),
        (minimal(modle_providers=[]), "modle_providers: unknown key; did you mean 'model_provider"),
        (minimal(zzzz=1), "zzzz: unknown key; allowed: agents, auth, "),
        (minimal(routing={"session_ttl": 1}), "routing.session_ttl: unknown key; did you mean 'se"),
        (
            minimal(model_aliases={"a": {"target": "gpt-4o", "tarjets": []}}),
            "model_aliases.a.tarjets: unknown key; did you mean 'targets'",
        ),
        (
            minimal(listeners=[{"type": "agent", "name": "a", "prot": 1, "port": 5}]),
            "listeners.0.prot: unknown key; did you mean 'port'",
        ),
        (
            provider(timeouts={"connect": 1}),
            "model_providers.0.timeouts.connect: unknown key; did you mean 'connect_s'?",
        ),
        (minimal(model_providers={"a": 1}), "model_providers: must be a list (got a mapping of 1)"),
        (minimal(model_providers=["x"]), "model_providers.0: must be a mapping (got 'x')"),
        (minimal(model_aliases=["x"]), "model_aliases: must be a mapping (got a list of 1)"),
        (minimal(listeners="x"), "listeners: must be a list (got 'x')"),
        (minimal(listeners=[{"type": "agent", "name": "a"}]), "listeners.0.port: is required"),
        (
            minimal(listeners=[{"type": "model", "name": "m", "port": True}]),
            "listeners.0.port: must be a number (got True)",
        ),
        (
            minimal(listeners=[{"type": "modle", "name": "m", "port": 1, "timeout": "1s"}]),
            "listeners.0.type: must be one of 'model', 'prompt' or 'agent' (got 'modle')",
        ),
        (provider(name=7), "model_providers.0.name: must be text; put it in quotes (got 7)"),
        (provider(model="  "), "model_providers.0.model: must not be empty (got '  ')"),
        (provider(access_key=""), "model_providers.0.access_key: must not be empty (got a hidden"),
        (
            provider(base_url="llm.example"),
            "model_providers.0.base_url: must be an absolute URL with http:// or https://",
        ),
        (
            provider(base_url="http://h:99999/"),
            "model_providers.0.base_url: is not a URL: its host or port cannot be read",
        ),
        (
            provider(base_url=f"https://u:{CANARY}@llm.example"),
            "model_providers.0.base_url: must not carry credentials; give them as access_key or "
            "headers (got 'https://***@llm.example')",
        ),
        (
            provider(base_url="https://llm.example/?a=1"),
            "model_providers.0.base_url: must not carry a query or fragment",
        ),
        (
            provider(headers={"X Org": "1"}),
            "model_providers.0.headers.X Org: is not a header name (got a hidden value)",
        ),
        (
            provider(headers={"X-Org": f"{CANARY}\r\nX: y"}),
            "model_providers.0.headers.X-Org: holds characters that a header cannot carry",
        ),
        (
            provider(dialects={"openai.chat": "openai.chut"}),
            "model_providers.0.dialects.openai.chat: must be one of: anthropic.messages, ",
        ),
        (
            provider(dialects={"bedrock.converse": "openai.chat"}),
            "model_providers.0.dialects.bedrock.converse: must be one of: anthropic.messages, ",
        ),
        (provider(timeouts={"read_s": 0}), "model_providers.0.timeouts.read_s: must be greater"),
        (
            minimal(model_aliases={"a": {}}),
            "model_aliases.a: needs exactly one of 'target' and 'targets'",
        ),
        (
            minimal(
                model_aliases={"a": {"target": "gpt-4o", "targets": [{"model": "openai/gpt-4o"}]}}
            ),
            "model_aliases.a: needs exactly one of 'target' and 'targets'",
        ),
        (
            minimal(model_aliases={"a": {"targets": [{"model": "gpt-4o", "weight": 0}]}}),
            "model_aliases.a: needs a target with a weight above 0",
        ),
        (
            minimal(model_aliases={"a": {"targets": [{"model": "gpt-4o", "weight": -1}]}}),
            "model_aliases.a.targets.0.weight: must be greater than or equal to 0 (got -1)",
        ),
        (
            minimal(routing_preferences=[{"name": "a", "description": "", "models": []}]),
            "routing_preferences.0.models: must not be empty",
        ),
        (
            minimal(model_metrics_sources=[{"type": "cost", "provider": "prometheus"}]),
            "model_metrics_sources.0: a cost source has provider digitalocean or models.dev",
        ),
        (
            minimal(model_metrics_sources=[{"type": "latency", "provider": "prometheus"}]),
            "model_metrics_sources.0: a latency source needs 'url' and 'query'",
        ),
        (
            minimal(
                model_metrics_sources=[{"type": "cost", "provider": "models.dev", "query": "q"}]
            ),
            "model_metrics_sources.0: 'query' belongs to a latency source",
        ),
        (
            provider(routing_preferences=[{"nam": "x", "name": "n"}]),
            "model_providers.0.routing_preferences.0.nam: unknown key; did you mean 'name'?",
        ),
        (
            minimal(
                endpoints={"a": {"endpoint": "h", "conect_timeout": "1s"}},
            ),
            "endpoints.a.conect_timeout: unknown key; did you mean 'connect_timeout'?",
        ),
        (
            minimal(routing={"session_cache": {"type": "redis"}}),
            "routing.session_cache: type redis needs 'url'",
        ),
        (
            minimal(routing={"session_max_entries": 10001}),
            "routing.session_max_entries: must be less than or equal to 10000 (got 10001)",
        ),
        (
            minimal(auth={"api_keys": ["short"]}),
            "auth.api_keys.0: must have at least 8 characters (got a hidden value)",
        ),
        (minimal(auth={"api_keys": []}), "auth.api_keys: must not be empty (got a hidden value)"),
        (minimal(limits={"max_body_bytes": 0}), "limits.max_body_bytes: must be greater than or"),
        (
            minimal(
                ratelimits=[
                    {
                        "model": "m",
                        "selector": {"key": "x-user", "value": "v"},
                        "limit": {"tokens": 1, "unit": "week"},
                    }
                ]
            ),
            "ratelimits.0.limit.unit: must be one of 'second', 'minute', 'hour' or 'day'",
        ),
        (
            minimal(
                prompt_targets=[
                    {
                        "name": "t",
                        "description": "d",
                        "parameters": [
                            {"name": "p", "description": "d", "type": "str", "default": [1]}
                        ],
                    }
                ]
            ),
            "prompt_targets.0.parameters.0.default: must be text, a number or true/false",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    document: dict[str, Any], problem: str
) -> None:
    """Path, value and what to write instead; nothing else is complained about."""
    assert any(line.startswith(problem) for line in problems(document)), problems(document)


def test_an_undefined_variable_is_said_once() -> None:
    """The type error it would cause is not."""
    listeners = [{"type": "model", "name": "m", "port": "$NOPE"}]
    (problem,) = problems(minimal(listeners=listeners))
    assert problem.startswith("listeners.0.port: the environment variable NOPE is not set")


def test_keys_with_nothing_after_them_are_absent() -> None:
    """A section whose lines are commented out; an unknown one is still unknown."""
    config = load_config(minimal(model_aliases=None, tracing=None, overrides=None), environ=ENVIRON)
    assert config == load_config(minimal(), environ=ENVIRON)
    assert problems(minimal(model_alias=None)) == [
        "model_alias: unknown key; did you mean 'model_aliases'?"
    ]


def test_overrides_let_unknown_keys_through() -> None:
    """As Plano does."""
    config = load_config(minimal(overrides={"something_new": 1}), environ=ENVIRON)
    assert config.overrides.model_extra == {"something_new": 1}


@pytest.mark.parametrize(
    "document",
    [
        provider(access_key=[CANARY]),
        provider(acess_key=CANARY),
        provider(headers={"X-Org": [CANARY]}),
        provider(headers=CANARY + "\n"),
        provider(base_url="$OPENAI_API_KEY"),
        provider(model="$OPENAI_API_KEY"),
        provider(default="$OPENAI_API_KEY"),
        minimal(version="$OPENAI_API_KEY"),
        minimal(auth={"api_keys": [CANARY, 1]}),
        minimal(auth=[CANARY]),
        minimal(model_aliases={"a": {"target": "$OPENAI_API_KEY"}}),
        minimal(state_storage={"type": "x", "connection_string": CANARY}),
        minimal(routing={"session_cache": {"type": "y", "url": f"redis://:{CANARY}@h"}}),
        minimal(tracing={"exporters": [{"type": "posthog", "url": "x", "api_key": CANARY}]}),
    ],
)
def test_secrets_stay_out_of_errors(document: dict[str, Any]) -> None:
    """Neither the message nor the chain of causes holds a key, whatever is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load_config(document, environ=ENVIRON)
    error = caught.value
    shown = [str(error), repr(error), repr(error.issues), repr(error.__cause__)]
    assert not [text for text in shown if CANARY in text]


def test_secrets_stay_out_of_a_loaded_configuration() -> None:
    """No repr, no dump shows a key."""
    document = minimal(
        auth={"api_keys": [CANARY]},
        routing={"session_cache": {"type": "redis", "url": f"redis://:{CANARY}@h"}},
        state_storage={"type": "postgres", "connection_string": CANARY},
    )
    document["model_providers"][0]["headers"] = {"X-Org": CANARY}
    config = load_config(document, environ=ENVIRON)
    assert CANARY not in repr(config) + str(config) + config.model_dump_json()


def test_warnings_come_with_the_configuration() -> None:
    """Deprecated and overridden things are told, in the spelling of the file."""
    document = {
        "version": "v0.3.0",
        "llm_providers": [
            {"model": "openai/gpt-4o", "access_key": "k", "passthrough_auth": True},
        ],
        "filters": [{"id": "f", "url": "http://f.example"}],
        "listeners": [{"type": "model", "name": "m", "filter_chain": ["f"]}],
    }
    config = load_config(document, environ={})
    assert [(issue.path, issue.severity) for issue in config.warnings] == [
        ("listeners.0.filter_chain", "warn"),
        ("llm_providers.0.access_key", "warn"),
    ]
    assert config.listeners[0].input_filters == ("f",)


def test_providers_known_are_an_argument() -> None:
    """Other tables, other prefixes."""
    document = minimal(model_providers=[{"model": "mine/x"}])
    config = load_config(document, environ={}, known_providers={"mine"}, needs_base_url=())
    assert config.model_providers[0].provider == "mine"
    with pytest.raises(ConfigError, match="'mine' needs a base_url"):
        load_config(document, environ={}, known_providers={"mine"}, needs_base_url={"mine"})


def test_a_configuration_is_immutable() -> None:
    """Nothing changes it after the checks."""
    config = load_config(minimal(), environ=ENVIRON)
    with pytest.raises(ValueError, match="frozen"):
        setattr(config, "version", "v0.3.0")  # noqa: B010
    assert isinstance(config, PlanoConfig)
