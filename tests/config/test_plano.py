"""``Plano``: the same gateway from Python, from YAML, from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.attempts import RetryPolicy
from plano_asgi.config import ConfigError, Model, Plano
from plano_asgi.errors import ConfigurationError
from plano_asgi.providers import Provider
from plano_asgi.providers.base import UpstreamProvider
from plano_asgi.routing.names import Alias, Target

HEAD = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000, max_retries: 4}]\n"


def from_text(tmp_path: Path, text: str, **environ: str) -> Plano:
    """A gateway from a YAML text."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(text, "utf-8")
    return Plano.from_yaml(path, environ=environ)


def test_strings_take_their_keys_from_the_environment() -> None:
    """Of the provider's usual variable."""
    plano = Plano(["openai/gpt-4o", "groq/*"], environ={"OPENAI_API_KEY": "k-openai"})
    assert plano.missing() == ["Provider 'groq' has no API key (usually $GROQ_API_KEY)"]


def test_a_key_of_the_environment_goes_to_no_other_base_url() -> None:
    """Somebody else's server is not the provider."""
    model = Model("openai/gpt-4o", base_url="http://localhost:8000")
    plano = Plano([model], environ={"OPENAI_API_KEY": "k-openai"})
    assert "k-openai" not in repr(vars(plano.providers["openai"]))


def test_models_of_one_account_share_a_provider_and_a_second_account_does_not() -> None:
    """One connection's worth of settings each."""
    plano = Plano(
        [
            Model("openai/gpt-4o", api_key="one-key"),
            Model("openai/gpt-4o-mini", api_key="one-key"),
            Model("openai/gpt-4o", api_key="two-key"),
        ],
        environ={},
    )
    assert list(plano.providers) == ["openai", "openai~2"]
    candidates = plano.names.resolve("openai/gpt-4o").candidates
    assert [c.provider for c in candidates] == ["openai", "openai~2"]


@pytest.mark.anyio
async def test_what_the_header_says_of_a_second_account_may_be_sent() -> None:
    """And leads to that account alone, of a model or of a wildcard; no list shows it."""
    plano, transport = gateway(
        answer({"object": "list", "data": []}),
        models=[
            Model("openai/gpt-4o", api_key="one-key"),
            Model("openai/gpt-4o", name="eu", api_key="two-key"),
            Model("groq/*", api_key="one-key"),
            Model("groq/*", api_key="two-key"),
        ],
    )
    for name in ("openai~2/gpt-4o", "groq~2/llama-3.3-70b"):
        found = await drive(plano, "/v1/embeddings", {"model": name, "input": "hi"})
        assert (found.status, found.headers["x-plano-model"]) == (200, name)
        assert transport.requests[-1].headers["authorization"] == "Bearer two-key"
        (candidate,) = plano.names.resolve(name).candidates
        assert candidate.name == name
    listed = [info.id for info in plano.names.models()]
    assert {"openai/gpt-4o", "eu"} <= set(listed)
    assert not [name for name in listed if "~" in name]
    assert len(plano.names.resolve("gpt-4o").candidates) == 2
    assert plano.names.name_of(plano.names.resolve("eu").candidates[0]) == "eu"


def test_the_mark_of_a_second_account_is_no_part_of_a_prefix() -> None:
    """A key tells its prefix."""
    with pytest.raises(ConfigurationError, match="has no '~'"):
        Plano([Model("my~house/llama", interface="openai_compatible")], environ={})


@pytest.mark.parametrize("name", ["gpt-4o", "/gpt-4o", "openai/", ""])
def test_a_model_without_provider_is_refused(name: str) -> None:
    """With the form that is meant."""
    with pytest.raises(ConfigurationError, match="provider/model-id"):
        Plano([name], environ={})


def test_an_unknown_provider_is_refused_with_near_matches() -> None:
    """At construction, not at the first request."""
    with pytest.raises(ConfigurationError, match="openai"):
        Plano(["opnai/gpt-4o"], environ={})


def test_a_provider_of_ones_own_is_one_object() -> None:
    """Any OpenAI-compatible URL, or any class with the protocol."""
    own: UpstreamProvider = Provider(
        "openai_compatible", name="mine", base_url="http://localhost:1"
    )
    plano = Plano(providers={own: ["llama", "qwen"]}, environ={})
    assert plano.names.resolve("mine/llama").candidates[0].provider == "mine"


def test_yaml_and_python_say_the_same(tmp_path: Path) -> None:
    """Names, aliases, accounts."""
    text = HEAD + (
        "model_providers:\n"
        "  - {model: openai/gpt-4o, access_key: $KEY, default: true}\n"
        "  - {model: mistral/*, access_key: $KEY}\n"
        "  - {model: vllm/llama, base_url: 'http://localhost:8000', provider_interface: openai}\n"
        "model_aliases:\n"
        "  fast: {target: gpt-4o, fallbacks: [mistral/small]}\n"
        "  split: {targets: [{model: gpt-4o, weight: 3}, {model: vllm/llama, weight: 1}]}\n"
    )
    read = from_text(tmp_path, text, KEY="the-key")
    said = Plano(
        [
            Model("openai/gpt-4o", api_key="the-key", default=True),
            Model("mistral/*", api_key="the-key"),
            Model("vllm/llama", base_url="http://localhost:8000", interface="openai"),
        ],
        aliases={
            "fast": Alias(targets=(Target(model="gpt-4o"),), fallbacks=("mistral/small",)),
            "split": Alias(
                targets=(Target(model="gpt-4o", weight=3), Target(model="vllm/llama", weight=1))
            ),
        },
        environ={},
    )
    assert read.names.models() == said.names.models()
    assert list(read.providers) == list(said.providers)
    for name in (None, "fast", "mistral/x", "gpt-4o", "llama"):
        assert read.names.resolve(name) == said.names.resolve(name)


def test_safety_features_not_yet_enforced_are_refused_by_name(tmp_path: Path) -> None:
    """Silence would be unsafe; it can be overruled in words."""
    text = HEAD + (
        "model_providers: [{model: openai/gpt-4o, access_key: $KEY}]\n"
        "overrides: {upstream_tls_ca_path: /ca.pem}\n"
    )
    with pytest.raises(ConfigError, match="upstream_tls_ca_path"):
        from_text(tmp_path, text, KEY="the-key")
    path = tmp_path / "plano_config.yaml"
    assert Plano.from_yaml(path, environ={"KEY": "the-key"}, allow_unsupported=True)


def test_options_of_the_file_and_of_the_call(tmp_path: Path) -> None:
    """The call's win."""
    text = HEAD + (
        "model_providers: [{model: openai/gpt-4o, access_key: $KEY}]\n"
        "auth: {api_keys: [a-long-enough-key]}\nlimits: {max_body_bytes: 10}\n"
        "retries: {max_attempts: 2}\ncors: {allow_origins: ['*']}\n"
    )
    path = tmp_path / "plano_config.yaml"
    path.write_text(text, "utf-8")
    assert Plano.from_yaml(path, environ={"KEY": "the-key"}, retry=RetryPolicy())
