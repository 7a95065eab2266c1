"""Several accounts or servers of one prefix, and the keys that they are known by."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.config import Model, Plano
from plano_asgi.config.issues import ConfigError
from plano_asgi.config.load import load_config
from plano_asgi.errors import ConfigurationError

PLAIN = Model("openai/gpt-4o", api_key="plain-key")
EU = Model("openai/gpt-4o", name="eu", account="eu", api_key="eu-key")
EU_MINI = Model("openai/gpt-4o-mini", account="eu", api_key="eu-key")
US = Model("openai/*", account="us", api_key="us-key")


@pytest.mark.parametrize("models", [*itertools.permutations([PLAIN, EU, EU_MINI, US])])
def test_named_accounts_keep_their_keys_in_any_order(models: tuple[Model, ...]) -> None:
    """So does the one that has no name, among them."""
    plano = Plano(models, environ={})
    assert set(plano.providers) == {"openai", "openai~eu", "openai~us"}
    leads = {"eu": "openai~eu", "openai/gpt-4o-mini": "openai~eu", "openai/o9": "openai~us"}
    found = {name: plano.names.resolve(name).candidates[0].provider for name in leads}
    assert found == leads
    (place,) = plano.names.resolve("openai~us/gpt-4o").candidates
    assert place.name == "openai~us/gpt-4o"


def test_accounts_without_a_name_go_by_their_order() -> None:
    """Beside named ones, which take none of their numbers."""
    models = [EU, PLAIN, Model("openai/*", api_key="other"), US, Model("openai/*", api_key="third")]
    assert list(Plano(models, environ={}).providers) == [
        "openai~eu",
        "openai",
        "openai~2",
        "openai~us",
        "openai~3",
    ]


def test_an_account_alone_may_have_a_name() -> None:
    """Prices and limits go by its prefix all the same."""
    plano = Plano([EU], environ={})
    assert list(plano.providers) == ["openai~eu"]
    assert plano.names.resolve("openai/gpt-4o").candidates[0].provider == "openai~eu"


def test_an_account_has_one_set_of_settings() -> None:
    """Nothing of which is in the error."""
    other = Model("openai/*", account="eu", api_key="another-key")
    with pytest.raises(ConfigurationError, match="account 'eu' of 'openai' has other") as caught:
        Plano([EU, other], environ={})
    assert "key" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "2", "EU", "e u", "a~b", "e/u", "é", "x" * 33])
def test_accounts_have_plain_names(name: str) -> None:
    """Short enough for a label, and no number: those are of accounts without a name."""
    with pytest.raises(ConfigurationError, match="32 lower-case letters"):
        Plano([Model("openai/gpt-4o", account=name, api_key="k")], environ={})
    with pytest.raises(ConfigError, match="32 lower-case letters"):
        load_config(_file({"model": "openai/gpt-4o", "account": name}), environ={})


@pytest.mark.anyio
async def test_a_named_account_is_told_and_may_be_asked_for() -> None:
    """By its key, with its own credentials."""
    plano, transport = gateway(answer({"object": "list", "data": []}), models=[PLAIN, EU])
    for asked, told in (("eu", "openai~eu/gpt-4o"), ("openai~eu/gpt-4o", "openai~eu/gpt-4o")):
        found = await drive(plano, "/v1/embeddings", {"model": asked, "input": "hi"})
        assert (found.status, found.headers["x-plano-model"]) == (200, told)
        assert transport.requests[-1].headers["authorization"] == "Bearer eu-key"


ONE = {"model": "house/*", "base_url": "http://one.test/v1", "provider_interface": "ollama"}
TWO = {"model": "house/qwen", "base_url": "http://two.test/v1", "provider_interface": "ollama"}
KEPT: dict[str, dict[str, Any]] = {
    "sessions": {"routing": {"session_cache": {"type": "redis", "url": "redis://cache.test"}}},
    "responses": {"state_storage": {"type": "sqlite", "connection_string": "sqlite:///s.db"}},
}


def _file(*models: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"version": "v0.4.0", "model_providers": list(models), **rest}


@pytest.mark.parametrize("kept", KEPT)
def test_a_file_that_keeps_by_the_order_of_accounts_is_warned(kept: str) -> None:
    """Once for each account that its order alone tells from another."""
    more = {**TWO, "model": "house/llama", "default": True}
    config = load_config(_file(ONE, TWO, more, **KEPT[kept]), environ={})
    (issue,) = config.warnings
    assert (issue.path, issue.severity) == ("model_providers.1", "warn")
    assert "'house~2'" in issue.message
    named = load_config(_file(ONE, {**TWO, "account": "two"}, **KEPT[kept]), environ={})
    assert named.warnings == ()


def test_a_file_that_keeps_nothing_is_not_warned() -> None:
    """The order may change at will then, between two starts."""
    memory = {"state_storage": {"type": "memory"}}
    assert load_config(_file(ONE, TWO, **memory), environ={}).warnings == ()


def test_a_file_says_where_an_account_has_other_settings() -> None:
    """What is the default counts as that, written down or not."""
    one, same = {**ONE, "account": "a"}, {**ONE, "model": "house/x", "account": "a"}
    config = load_config(_file(one, {**same, "drop_unsupported": False}), environ={})
    assert config.warnings == ()
    with pytest.raises(ConfigError, match=r"model_providers\.1\.account.*model_providers\.0 has"):
        load_config(_file(one, {**TWO, "account": "a"}), environ={})


def test_a_file_names_accounts(tmp_path: Path) -> None:
    """As Python does."""
    path = tmp_path / "plano_config.yaml"
    path.write_text(
        "version: v0.4.0\nmodel_providers:\n"
        "  - {model: openai/*, access_key: $ONE}\n"
        "  - {model: openai/gpt-4o, name: eu, account: eu, access_key: $TWO}\n",
        "utf-8",
    )
    plano = Plano.from_yaml(path, environ={"ONE": "one-key", "TWO": "two-key"})
    assert list(plano.providers) == ["openai", "openai~eu"]
    assert plano.names.resolve("eu").candidates[0].provider == "openai~eu"
