"""What a configuration asks for in vain."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.config import PlanoConfig, load_config, unsupported
from plano_asgi.config.support import UNSUPPORTED

URL = "http://service.example"


def asked(**more: Any) -> list[tuple[str, str]]:
    """Severity and path of what a small configuration with *more* asks for in vain."""
    document = {"version": "v0.4.0", "model_providers": [{"model": "openai/gpt-4o"}], **more}
    return [
        (issue.severity, issue.path) for issue in unsupported(load_config(document, environ={}))
    ]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"tracing": {}, "routing": {}, "prompt_caching": {"enabled": False}, "overrides": {}},
        {"tracing": {"random_sampling": 5}, "agents": [], "endpoints": {}},
        {"telemetry": {"metrics": {"prometheus": True}, "access_log": {}}},
        {"overrides": {"upstream_connect_timeout": "1s", "disable_signals": True}},
        {"auth": {"api_keys": ["a-long-key"]}, "limits": {"max_body_bytes": 1}},
        {"retries": {"max_attempts": 2}, "cors": {"allow_origins": ["*"]}},
        {"model_aliases": {"a": {"targets": [{"model": "gpt-4o"}], "fallbacks": ["gpt-4o"]}}},
        {"mode": "llm", "listeners": [{"type": "model", "name": "m", "max_retries": 2}]},
        {"prompt_guards": {"input_guards": {"jailbreak": {"on_exception": {"message": "no"}}}}},
        {"routing_preferences": [{"name": "n", "description": "d", "models": ["gpt-4o"]}]},
        {"model_metrics_sources": [{"type": "cost", "provider": "models.dev"}]},
        {
            "ratelimits": [
                {
                    "model": "m",
                    "selector": {"key": "k", "value": "v"},
                    "limit": {"tokens": 1, "unit": "day"},
                }
            ],
            "spend_budgets": [{"usd": 5}],
            "response_cache": {"ttl": "5m"},
        },
        {"prompt_caching": {"enabled": True}, "routing": {"session_ttl_seconds": 5}},
        {"state_storage": {"type": "memory"}},
        {"guards": {"use": [{"type": "secrets"}]}, "memory": {"store": "memory://"}},
        {
            "filters": [{"id": "f", "url": URL}],
            "listeners": [
                {"type": "model", "name": "m", "input_filters": ["f"], "output_filters": ["f"]}
            ],
        },
    ],
)
def test_what_is_supported_or_default_is_not_reported(more: dict[str, Any]) -> None:
    """Writing a default down asks for nothing."""
    assert asked(**more) == []


FILTERS = [{"id": "f", "url": URL}]
MODEL = {"type": "model", "name": "m"}


@pytest.mark.parametrize(
    ("more", "issues"),
    [
        (
            {
                "filters": FILTERS,
                "agents": [{"id": "g", "url": URL}],
                "listeners": [
                    {
                        "type": "agent",
                        "name": "a",
                        "port": 1,
                        "agents": [{"id": "g", "description": "d", "input_filters": ["f"]}],
                    },
                ],
            },
            [
                ("warn", "listeners.0.agents.0.input_filters"),
                ("warn", "listeners.0.type"),
                ("warn", "agents"),
            ],
        ),
        (
            {
                "agents": FILTERS,
                "listeners": [
                    MODEL,
                    {
                        "type": "agent",
                        "name": "a",
                        "port": 1,
                        "agents": [{"id": "f", "description": "d"}],
                    },
                ],
            },
            [("warn", "listeners.1.type"), ("warn", "agents")],
        ),
        (
            {"listeners": [MODEL, {"type": "prompt", "name": "p"}], "system_prompt": "s"},
            [("refuse", "listeners.1.type"), ("warn", "system_prompt")],
        ),
        (
            {
                "endpoints": {"api": {"endpoint": "h:80"}},
                "prompt_targets": [{"name": "t", "description": "d"}],
            },
            [("refuse", "prompt_targets"), ("warn", "endpoints")],
        ),
        (
            {"overrides": {"upstream_tls_ca_path": "/ca.pem", "new": 1}},
            [("refuse", "overrides.upstream_tls_ca_path"), ("warn", "overrides.new")],
        ),
        (
            {"model_providers": [{"model": "openai/x", "capabilities": {"context_window": 9}}]},
            [("warn", "model_providers.0.capabilities")],
        ),
    ],
)
def test_features_to_come_are_reported_by_name(
    more: dict[str, Any], issues: list[tuple[str, str]]
) -> None:
    """``refuse`` first, ``warn`` after."""
    assert asked(**more) == issues


HONOURED = {
    *("version", "listeners", "model_providers", "model_aliases", "overrides", "mode"),
    *("auth", "limits", "retries", "cors"),
    *("prompt_guards", "guards", "memory", "filters"),
    *("routing_preferences", "model_metrics_sources"),
    *("routing", "prompt_caching", "state_storage"),
    *("ratelimits", "spend_budgets", "limits_store", "response_cache"),
    *("tracing", "telemetry"),
}


def test_every_key_is_honoured_or_has_a_row() -> None:
    """A new top-level key has to say which."""
    rows = {pattern.split(".")[0] for pattern in UNSUPPORTED}
    assert set(PlanoConfig.model_fields) == HONOURED | rows
