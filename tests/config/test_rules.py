"""References between the parts of a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.config.rules import Models, check_references

PROVIDERS = [
    {"model": "openai/gpt-4o", "name": "mine"},
    {"model": "azure_openai/gpt-4o"},
    {"model": "groq/org/llama"},
    {"model": "anthropic/*"},
    {"model": "openrouter/meta/*", "name": "router"},
]
COST = {"type": "cost", "provider": "digitalocean"}


def said(**document: Any) -> list[str]:
    """What the rules say, as ``path: message``."""
    document.setdefault("model_providers", PROVIDERS)
    found = check_references(document)
    return [f"{'.'.join(map(str, item.place))}: {item.message}" for item in found]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-4o", {"openai/gpt-4o"}),
        ("mine", {"openai/gpt-4o"}),
        ("gpt-4o", {"openai/gpt-4o", "azure_openai/gpt-4o"}),
        ("org/llama", {"groq/org/llama"}),
        ("anthropic/claude", {"anthropic/claude"}),
        ("anthropic/", set()),
        ("openrouter/meta/llama", {"openrouter/meta/llama"}),
        ("openrouter/other", set()),
        ("router/anything", {"router/anything"}),
        ("plano/echo", {"plano/echo"}),
        ("groq/gpt-4o", set()),
    ],
)
def test_names_lead_to_models(name: str, found: set[str]) -> None:
    """Full names, given names, bare ids, members of wildcards; never another provider's model."""
    assert Models({"model_providers": PROVIDERS}).find(name) == found


@pytest.mark.parametrize(
    ("aliases", "problems"),
    [
        ({"a": {"target": "openai/gpt-4o"}, "b": {"target": "org/llama"}}, []),
        ({"a": {"target": "anthropic/claude", "fallbacks": ["router/x", "a2"]}, "a2": {}}, []),
        ({"gpt": {"target": "org/llama"}, "org/llama": {"target": "org/llama"}}, []),
        ({"a": {"target": "b"}, "b": {"target": "mine"}}, []),
        (
            {"a": {"target": "gpt-4o"}},
            [
                "model_aliases.a.target: is served by several providers: write one of "
                "azure_openai/gpt-4o, openai/gpt-4o"
            ],
        ),
        (
            {"a": {"targets": [{"model": "mine", "weight": 1}, {"model": "openai/gpt-4p"}]}},
            [
                "model_aliases.a.targets.1.model: is no configured model; "
                "did you mean 'openai/gpt-4o' or 'azure_openai/gpt-4o'?"
            ],
        ),
        (
            {"a": {"target": "mine", "fallbacks": ["zzzz"]}},
            [
                "model_aliases.a.fallbacks.0: is no configured model; configured: anthropic/*, "
                "azure_openai/gpt-4o, gpt-4o, groq/org/llama, mine, openai/gpt-4o, "
                "openrouter/meta/*, org/llama and 2 more"
            ],
        ),
        ({"a": {"target": "a"}}, ["model_aliases.a.target: leads back to this alias"]),
        (
            {
                "a": {"target": "b"},
                "b": {"target": "mine", "fallbacks": ["c"]},
                "c": {"target": "a"},
            },
            [
                "model_aliases.a.target: leads back to this alias",
                "model_aliases.b.fallbacks.0: leads back to this alias",
                "model_aliases.c.target: leads back to this alias",
            ],
        ),
        ("not a mapping", []),
        ({"a": 3, "b": {"target": 4, "targets": 5, "fallbacks": 6}}, []),
    ],
)
def test_aliases_end_at_models(aliases: Any, problems: list[str]) -> None:
    """Also in wildcards; a model comes before an alias of the same name; no way round."""
    assert said(model_aliases=aliases) == problems


def preference(name: str = "code", prefer: str | None = None, *models: str) -> dict[str, Any]:
    """A routing preference."""
    policy = {"selection_policy": {"prefer": prefer}} if prefer else {}
    return {"name": name, "description": "d", "models": list(models) or ["mine"], **policy}


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({"routing_preferences": [preference("a"), preference("b", None, "anthropic/x")]}, []),
        (
            {"routing_preferences": [preference("a"), preference("a")]},
            ["routing_preferences.1.name: is the name of routing_preferences.0 too"],
        ),
        (
            {"routing_preferences": [preference("a", None, "mine", "mina")]},
            ["routing_preferences.0.models.1: is no configured model; did you mean 'mine'?"],
        ),
        (
            {"routing_preferences": [preference("a", "cheapest"), preference("b", "fastest")]},
            [
                "routing_preferences.0.selection_policy.prefer: needs a source of type 'cost' in "
                "model_metrics_sources",
                "routing_preferences.1.selection_policy.prefer: needs a source of type 'latency' "
                "in model_metrics_sources",
            ],
        ),
        (
            {
                "routing_preferences": [preference("a", "cheapest")],
                "model_metrics_sources": [COST],
            },
            [],
        ),
        (
            {"model_metrics_sources": [COST, {"type": "latency"}, COST]},
            ["model_metrics_sources.2.type: model_metrics_sources.0 is of this type already"],
        ),
        ({"routing": {"routing_budget": {}}}, []),  # the bundled list is installed
        ({"routing": {"routing_budget": {}}, "model_metrics_sources": [COST]}, []),
    ],
)
def test_preferences_have_what_they_need(document: dict[str, Any], problems: list[str]) -> None:
    """Models, unique names, and data for their rankings."""
    assert said(**document) == problems


SERVICES = {"agents": [{"id": "a1"}, {"id": "a2"}], "filters": [{"id": "redact"}]}


@pytest.mark.parametrize(
    ("listeners", "problems"),
    [
        (
            [
                {"type": "model", "name": "m", "port": 1, "input_filters": ["redact", "a1"]},
                {
                    "type": "agent",
                    "name": "a",
                    "port": 2,
                    "agents": [{"id": "a1", "input_filters": ["redact"]}, {"id": "redact"}],
                },
            ],
            [],
        ),
        (
            [{"type": "model", "name": "m"}, {"type": "model", "name": "m"}],
            [
                "listeners.1.type: listeners.0 is the model listener already; "
                "there can be only one",
                "listeners.1.name: is the name of listeners.0 too",
            ],
        ),
        (
            [{"type": "model", "port": 80}, {"type": "prompt", "port": "80"}],
            ["listeners.1.port: is the port of listeners.0 too"],
        ),
        (
            [
                {
                    "type": "agent",
                    "input_filters": ["redacts"],
                    "output_filters": ["zzzz"],
                    "agents": [{"id": "a9", "input_filters": ["qqqq"]}],
                }
            ],
            [
                "listeners.0.input_filters.0: is not defined in agents or filters; "
                "did you mean 'redact'?",
                "listeners.0.output_filters.0: is not defined in agents or filters; "
                "defined: a1, a2, redact",
                "listeners.0.agents.0.id: is not defined in agents or filters; "
                "defined: a1, a2, redact",
                "listeners.0.agents.0.input_filters.0: is not defined in agents or filters; "
                "defined: a1, a2, redact",
            ],
        ),
        ([{"type": "agent"}], ["listeners.0: an agent listener without agents is not opened"]),
    ],
)
def test_listeners_refer_to_what_is_there(
    listeners: list[dict[str, Any]], problems: list[str]
) -> None:
    """Agents and filters by id; doors do not collide."""
    assert said(listeners=listeners, **SERVICES) == problems


def test_agents_and_filters_share_ids() -> None:
    """An id leads to one service."""
    document = {"agents": [{"id": "x"}, {"id": "x"}], "filters": [{"id": "x"}, {"id": "y"}]}
    assert said(**document) == [
        "agents.1.id: is the id of agents.0 too",
        "filters.0.id: is the id of agents.0 too",
    ]


@pytest.mark.parametrize(
    ("targets", "problems"),
    [
        ([{"name": "t", "endpoint": {"name": "api"}}, {"name": "u"}], []),
        ([{"name": "t", "endpoint": {"name": "a1"}}], []),
        (
            [{"name": "t", "endpoint": {"name": "apy"}}, {"name": "t"}],
            [
                "prompt_targets.0.endpoint.name: is not defined in endpoints; "
                "defined: a1, a2, api, redact",
                "prompt_targets.1.name: is the name of prompt_targets.0 too",
            ],
        ),
        (
            [{"name": "t", "default": True}, {"name": "u", "default": True, "endpoint": 3}],
            [
                "prompt_targets.0.default: a default target needs an endpoint",
                "prompt_targets.1.default: a default target needs an endpoint",
                "prompt_targets.1.default: prompt_targets.0 is the default already; "
                "there can be only one",
            ],
        ),
    ],
)
def test_prompt_targets_have_endpoints(targets: list[dict[str, Any]], problems: list[str]) -> None:
    """Known ones, names of their own, one default."""
    assert said(prompt_targets=targets, endpoints={"api": {}}, **SERVICES) == problems


def test_the_first_of_two_equal_rate_limits_counts() -> None:
    """The second is a warning."""
    limit = {"model": "m", "selector": {"key": "x-user", "value": "u"}}
    other = {"model": "m", "selector": {"key": "x-user", "value": "v"}}
    found = list(check_references({"ratelimits": [limit, other, limit, {"selector": 1}]}))
    assert [(item.place, item.severity) for item in found] == [(("ratelimits", 2), "warn")]


def test_limits_of_a_model_and_selector_differ_by_their_unit() -> None:
    """So many a minute and so many a day are two limits, and both count."""
    upper = {"model": "m", "selector": {"key": "X-User", "value": "u"}}
    lower = {"model": "m", "selector": {"key": "x-user", "value": "u"}}
    minute, day = {"limit": {"unit": "minute"}}, {"limit": {"unit": "day"}}
    found = check_references({"ratelimits": [upper | minute, lower | day, lower | minute]})
    assert [item.place for item in found] == [("ratelimits", 2)]
