"""Older spellings rewritten as the current one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from plano_asgi.config.migrate import Migrated, migrate, version_tuple

LISTENERS = [{"type": "model", "name": "m", "port": 12000, "timeout": "300s"}]


def migrated(**document: Any) -> Migrated:
    """*document*, which must survive unchanged, migrated."""
    document.setdefault("listeners", deepcopy(LISTENERS))
    before = deepcopy(document)
    result = migrate(document)
    assert document == before
    return result


def provider(model: str, *preferences: tuple[str, str]) -> dict[str, Any]:
    """A v0.3 provider with inline preferences."""
    inline = [{"name": name, "description": text} for name, text in preferences]
    return {"model": model} | ({"routing_preferences": inline} if inline else {})


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v0.4.0", (0, 4, 0)),
        ("V0.3", (0, 3, 0)),
        ("0.1-beta", (0, 1, 0)),
        ("v0.4.0.9", (0, 4, 0)),
        ("vx.y", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_versions_compare_as_numbers(version: str, expected: tuple[int, int, int]) -> None:
    """Prefix and suffix do not count, what is no number is 0."""
    assert version_tuple(version) == expected


def test_distinct_inline_preferences_become_top_level_entries() -> None:
    """v0.3, two providers: two entries, inline lists gone, version raised."""
    document = migrated(
        version="v0.3.0",
        model_providers=[provider("a/1", ("code", "write")), provider("b/2", ("talk", "chat"))],
    ).document
    assert document["version"] == "v0.4.0"
    assert document["model_providers"] == [{"model": "a/1"}, {"model": "b/2"}]
    assert document["routing_preferences"] == [
        {"name": "code", "description": "write", "models": ["a/1"]},
        {"name": "talk", "description": "chat", "models": ["b/2"]},
    ]


def test_the_same_name_on_two_providers_is_one_entry() -> None:
    """Models in the order of declaration, the first description kept, with a word about it."""
    result = migrated(
        version="0.2.0",
        model_providers=[
            provider("a/1", ("code", "")),
            provider("b/2", ("code", "x")),
            provider("c/3", ("code", "y")),
        ],
    )
    assert result.document["routing_preferences"] == [
        {"name": "code", "description": "x", "models": ["a/1", "b/2", "c/3"]}
    ]
    (finding,) = result.findings
    assert finding.severity == "warn"
    assert finding.place == ("model_providers", 2, "routing_preferences", 0, "description")


def test_a_top_level_entry_wins_over_an_inline_one() -> None:
    """It is kept verbatim; the inline models are not merged in."""
    top = [{"name": "code", "description": "top", "models": ["z/9"]}]
    document = migrated(
        version="v0.3.0",
        routing_preferences=top,
        model_providers=[provider("a/1", ("code", "inline"), ("talk", "chat"))],
    ).document
    talk = {"name": "talk", "description": "chat", "models": ["a/1"]}
    assert document["routing_preferences"] == [*top, talk]


def test_a_wildcard_cannot_have_inline_preferences() -> None:
    """There is no model to name."""
    (finding,) = migrated(
        version="v0.3.0", model_providers=[provider("a/*", ("code", "x"))]
    ).findings
    assert (finding.severity, "wildcard" in finding.message) == ("error", True)


def test_without_preferences_only_the_version_changes() -> None:
    """v0.3 without any: version raised, nothing added."""
    document = migrated(version="v0.3.0", model_providers=[provider("a/1")]).document
    assert document == {
        "version": "v0.4.0",
        "listeners": LISTENERS,
        "model_providers": [{"model": "a/1"}],
    }


@pytest.mark.parametrize("version", ["v0.4.0", "v0.5.0", "v9", "nonsense", ""])
def test_current_and_unknown_versions_are_left_alone(version: str) -> None:
    """Stray inline preferences stay where they are, and are said to be ignored."""
    providers = [provider("a/1", ("code", "x"))]
    result = migrated(version=version, model_providers=providers)
    assert result.document["version"] == version
    assert result.document["model_providers"] == providers
    assert "routing_preferences" not in result.document
    assert [finding.severity for finding in result.findings] == ["warn"]


def test_a_preference_without_name_is_an_error() -> None:
    """It cannot become an entry."""
    broken = {"model": "a/1", "routing_preferences": [{"description": "x"}]}
    (finding,) = migrated(version="v0.3.0", model_providers=[broken]).findings
    assert finding.message == "needs a name"


@pytest.mark.parametrize(
    ("old", "new", "severities"),
    [
        ({"llm_providers": [{"model": "a/1"}]}, {"model_providers": [{"model": "a/1"}]}, []),
        (
            {"state_storage_v1_responses": {"type": "memory"}},
            {"state_storage": {"type": "memory"}},
            ["warn"],
        ),
        (
            {"routing": {"routing_budget": {"max_overhead_pct": 20}}},
            {"routing": {"routing_budget": {"max_switch_spend_pct": 20}}},
            ["warn"],
        ),
        (
            {"tracing": {"random_sampling": 1, "custom_attribute_prefixes": ["x-"]}},
            {"tracing": {"random_sampling": 1, "span_attributes": {"header_prefixes": ["x-"]}}},
            ["warn"],
        ),
        (
            {"llm_providers": [{"model": "a/1"}], "model_providers": [{"model": "b/2"}]},
            {"model_providers": [{"model": "b/2"}]},
            ["error"],
        ),
    ],
)
def test_renamed_keys_are_understood(
    old: dict[str, Any], new: dict[str, Any], severities: list[str]
) -> None:
    """An older name works alone; both names at once are an error."""
    result = migrated(version="v0.4.0", **old)
    assert result.document == {"version": "v0.4.0", "listeners": LISTENERS} | new
    assert [finding.severity for finding in result.findings] == severities


def test_filter_chains_are_input_filters() -> None:
    """On listeners and on their agents, with a word about it; not next to the new name."""
    listener = {
        **LISTENERS[0],
        "filter_chain": ["f"],
        "agents": [{"id": "a", "filter_chain": ["g"]}, {"filter_chain": [], "input_filters": []}],
    }
    result = migrated(version="v0.4.0", listeners=[listener])
    (after,) = result.document["listeners"]
    assert after["input_filters"] == ["f"]
    assert after["agents"] == [{"id": "a", "input_filters": ["g"]}, {"input_filters": []}]
    assert [finding.severity for finding in result.findings] == ["warn", "warn", "error"]


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        pytest.param(
            None,
            [("model", "egress_traffic", 12000, "300s")],
            id="absent",
        ),
        pytest.param(
            [{"type": "prompt", "name": "p", "timeout": "5s"}],
            [("prompt", "p", 10000, "5s"), ("model", "egress_traffic", 12000, "300s")],
            id="no model listener",
        ),
        pytest.param(
            [{"type": "model", "name": "m"}, {"type": "agent", "name": "a"}],
            [("model", "m", 12000, "300s"), ("agent", "a", None, "30s")],
            id="defaults by type",
        ),
        pytest.param(
            {"egress_traffic": {"port": 1, "message_format": "openai"}, "ingress_traffic": {}},
            [("model", "egress_traffic", 1, "300s")],
            id="legacy, empty ingress",
        ),
        pytest.param(
            {"ingress_traffic": {"port": 2, "timeout": "9s"}},
            [
                ("prompt", "ingress_traffic", 2, "9s"),
                ("model", "egress_traffic", 12000, "300s"),
            ],
            id="legacy, ingress only",
        ),
    ],
)
def test_listeners_become_a_list(listeners: Any, expected: list[tuple[Any, ...]]) -> None:
    """Legacy objects too; ports and timeouts by type; always a model listener."""
    result = migrated(version="v0.1", listeners=listeners, model_providers=[{"model": "a/1"}])
    after = [
        (entry["type"], entry["name"], entry.get("port"), entry["timeout"])
        for entry in result.document["listeners"]
    ]
    assert (after, result.findings) == (expected, ())
    assert all("message_format" not in entry for entry in result.document["listeners"])


def test_legacy_listeners_need_providers() -> None:
    """As in Plano; unknown doors and doors of the wrong shape are named."""
    result = migrated(version="v0.1", listeners={"egres_traffic": {}, "ingress_traffic": 3})
    assert [finding.place for finding in result.findings] == [
        ("model_providers",),
        ("listeners", "egres_traffic"),
        ("listeners", "ingress_traffic"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"version": 4, "listeners": "x", "model_providers": "y", "tracing": []},
        {"version": "v0.3.0", "listeners": ["x", {"agents": 1}], "model_providers": [1, {}]},
        {"version": "v0.3.0", "model_providers": [{"model": 1, "routing_preferences": [1]}]},
        {"version": "v0.3.0", "model_providers": [{"model": "a/1", "routing_preferences": 1}]},
    ],
)
def test_what_is_not_understood_is_left_to_the_schema(document: dict[str, Any]) -> None:
    """Wrong shapes do not stop the migration."""
    assert migrate(document).findings == ()
