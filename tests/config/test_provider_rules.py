"""What an entry of ``model_providers`` must say."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.config.issues import Finding
from plano_asgi.config.provider_rules import check_providers

KNOWN = {"openai", "groq", "ollama", "azure_openai", "amazon_bedrock", "vllm"}
URL = "https://llm.example/v1"


def findings(*entries: Any) -> list[Finding]:
    """What the rules say about *entries*."""
    document = {"model_providers": list(entries)}
    found = check_providers(
        document, known=KNOWN, needs_base_url={"azure_openai", "amazon_bedrock"}
    )
    return list(found)


@pytest.mark.parametrize(
    "entries",
    [
        [{"model": "openai/gpt-4o"}],
        [{"model": "openai/*"}, {"model": "openai/gpt-4o", "default": True}],
        [{"model": "openai/org/model/with/slashes"}],
        [{"model": "openai/gpt-4o"}, {"model": "azure_openai/gpt-4o", "base_url": URL}],
        [{"model": "openai/gpt-4o", "name": "mine"}, {"model": "groq/gpt-4o"}],
        [{"model": "openai/gpt-4o", "name": "openai/gpt-4o"}],
        [{"model": "openai/*"}, {"model": "openai/*", "name": "second"}],
        [{"model": "openai/*", "name": "a"}, {"model": "openai/*", "name": "b"}],
        [{"model": "my/llama", "base_url": URL, "provider_interface": "openai"}],
        [{"model": "my/*", "base_url": URL, "provider_interface": "arch"}],
        [{"model": "vllm/llama", "base_url": URL, "provider_interface": "openai"}],
        [{"model": "ollama/llama3"}],
        [{"model": "amazon_bedrock/nova", "region": "eu-west-1"}],
        [{"model": "bedrock/nova", "region": "eu-west-1"}],
        [{"model": "amazon_bedrock/nova", "base_url": URL}],
        [{"model": "azure_openai/gpt", "base_url": URL, "api_version": "2024-10-21"}],
        [{"model": "openai/x", "base_url": URL, "http_host": "llm.example"}],
        [{"model": 3}, "not a mapping", {}],
    ],
)
def test_sound_entries_pass(entries: list[Any]) -> None:
    """Including what Plano refuses without need: one model id at two providers."""
    known = {*KNOWN, "plano"}
    document = {"model_providers": entries}
    found = check_providers(
        document, known=known, needs_base_url={"azure_openai", "amazon_bedrock"}
    )
    assert list(found) == []


@pytest.mark.parametrize(
    ("entry", "key", "message"),
    [
        ({"model": "gpt-4o"}, "model", "must be '<provider>/<model id>'"),
        ({"model": "gpt-4o", "provider_interface": "openai"}, "model", "mean 'openai/...'?"),
        ({"model": "openai/"}, "model", "must be '<provider>/<model id>'"),
        ({"model": "/gpt-4o"}, "model", "must be '<provider>/<model id>'"),
        ({"model": "*"}, "model", "must be '<provider>/<model id>'"),
        ({"model": "openai/gpt-*"}, "model", "'*' stands for a whole last part only"),
        ({"model": "openai/*/x"}, "model", "'*' stands for a whole last part only"),
        ({"model": "openai/*", "default": True}, "default", "a wildcard cannot be the default"),
        ({"model": "azure_openai/gpt"}, "base_url", "'azure_openai' needs a base_url"),
        ({"model": "azure_openai/g", "base_url": ""}, "base_url", "'azure_openai' needs"),
        ({"model": "amazon_bedrock/x"}, "base_url", "needs a base_url (or 'region')"),
        ({"model": "opanai/x"}, "model", "did you mean 'openai'?"),
        ({"model": "zzz/x"}, "model", "needs base_url and provider_interface; known: amazon"),
        (
            {"model": "zzz/x", "base_url": URL},
            "model",
            "known provider and so needs provider_inter",
        ),
        (
            {"model": "zzz/x", "provider_interface": "openai"},
            "model",
            "known provider and so needs base_url",
        ),
        (
            {"model": "zzz/x", "base_url": URL, "provider_interface": "qqq"},
            "provider_interface",
            "must be one of: amazon_bedrock,",
        ),
        (
            {"model": "groq/x", "provider_interface": "openai"},
            "provider_interface",
            "is fixed for the known provider 'groq'",
        ),
        ({"model": "openai/x", "http_host": "h"}, "http_host", "is for an upstream with a base_"),
        ({"model": "openai/x", "region": "r"}, "region", "is for provider 'amazon_bedrock' only"),
        ({"model": "openai/x", "api_version": "v1"}, "api_version", "'azure_openai' only"),
    ],
)
def test_a_broken_entry_is_named(entry: dict[str, Any], key: str, message: str) -> None:
    """One finding, at the key to change."""
    (finding,) = findings(entry)
    assert finding.place == ("model_providers", 0, key)
    assert finding.severity == "error"
    assert message in finding.message


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"model": "openai/x", "passthrough_auth": True, "access_key": "k"}, "access_key"),
        ({"model": "openai/x", "provider_interface": "openai"}, "provider_interface"),
    ],
)
def test_what_has_no_effect_is_a_warning(entry: dict[str, Any], key: str) -> None:
    """It works, but not as the file suggests."""
    (finding,) = findings(entry)
    assert (finding.place[-1], finding.severity) == (key, "warn")


@pytest.mark.parametrize(
    ("entries", "place", "message"),
    [
        (
            [{"model": "openai/a", "name": "n"}, {"model": "groq/b", "name": "n"}],
            (1, "name"),
            "is the name of model_providers.0 too",
        ),
        (
            [{"model": "openai/a"}, {"model": "openai/a"}],
            (1, "model"),
            "is given by model_providers.0 already; give it once",
        ),
        (
            [{"model": "openai/a", "name": "x"}, {"model": "openai/a", "name": "y"}],
            (1, "model"),
            "is given by model_providers.0 already; give it once",
        ),
        (
            [{"model": "openai/*"}, {"model": "openai/*"}],
            (1, "model"),
            "is given by model_providers.0 already; give it once under another name",
        ),
        (
            [{"model": "openai/a", "name": "groq/b"}, {"model": "groq/b"}],
            (0, "name"),
            "is the model of model_providers.1: choose another name",
        ),
        (
            [{"model": "openai/a", "default": True}, {"model": "groq/b", "default": True}],
            (1, "default"),
            "model_providers.0 is the default already; there can be only one",
        ),
    ],
)
def test_entries_do_not_collide(
    entries: list[dict[str, Any]], place: tuple[int, str], message: str
) -> None:
    """A name leads to one entry, and there is one default."""
    (finding,) = findings(*entries)
    assert finding.place == ("model_providers", *place)
    assert finding.message == message
