"""Messages: readable, complete, without secrets."""

from __future__ import annotations

import pytest

from plano_asgi.config.issues import ConfigError, Issue, Place, is_secret_name, near, shown
from plano_asgi.errors import ConfigurationError


@pytest.mark.parametrize(
    "name",
    [
        *("access_key", "api_key", "api_keys", "Authorization", "connection_string", "token"),
        *("x-api-key", "X-Auth-Token", "password", "client_secret", "Cookie", "APIKEY"),
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    """In any case, with dashes or underscores."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key", "tokens", "min_prefix_tokens", "model", "keyboard"])
def test_other_names_are_not_secret(name: str) -> None:
    """A selector's ``key`` is a header's name, ``tokens`` are counted."""
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "place", "text"),
    [
        ("openai/gpt", ("model",), "'openai/gpt'"),
        (3, ("port",), "3"),
        (True, (), "True"),
        (None, ("a",), "nothing"),
        ({"api_key": "canary"}, ("tracing",), "a mapping of 1"),
        (["canary", "b"], ("auth",), "a list of 2"),
        ("canary", ("model_providers", 0, "access_key"), "a hidden value"),
        ("canary", ("auth", "api_keys", 0), "a hidden value"),
        ("canary", ("model_providers", 0, "headers", "X-Org"), "a hidden value"),
        ("redis://u:p@ss@host/0", ("url",), "'redis://***@host/0'"),
        ("line\nbreak", (), r"'line\nbreak'"),
        ("x" * 200, (), f"'{'x' * 79}..."),
    ],
)
def test_values_are_shown_without_secrets(value: object, place: Place, text: str) -> None:
    """Short, on one line, hidden below secret-like keys and header maps."""
    assert shown(value, place) == text


def test_an_error_lists_every_issue() -> None:
    """One line each, with place and value."""
    issues = [
        Issue(path="a.0.b", message="must be a number", value="'x'"),
        Issue(path="", message="is empty"),
    ]
    error = ConfigError(issues, source="plano_config.yaml")
    assert isinstance(error, ConfigurationError)
    assert error.issues == tuple(issues)
    assert str(error) == (
        "plano_config.yaml: 2 problems\n  - a.0.b: must be a number (got 'x')\n  - is empty"
    )
    assert str(ConfigError(issues[:1])).startswith("configuration: 1 problem\n")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("acess_key", "; did you mean 'access_key'?"),
        ("models", "; did you mean 'model'?"),
        ("quite different", ""),
    ],
)
def test_near_words_are_hinted(word: str, hint: str) -> None:
    """Only where a slip is likely."""
    assert near(word, ["access_key", "model", "name"]) == hint
