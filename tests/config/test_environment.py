"""Variables in values, and providers found by their keys."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from plano_asgi.config.environment import expand, providers_from_environment
from plano_asgi.providers.profiles import PROFILES

ENVIRON = {"KEY": "sk-1", "HOST": "db", "EMPTY": "", "NESTED": "$KEY", "YAML": "a: 1\nb: [x]"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$KEY", "sk-1"),
        ("${KEY}", "sk-1"),
        ("postgres://$HOST:5432/${HOST}x", "postgres://db:5432/dbx"),
        ("$EMPTY", ""),
        ("$NESTED", "$KEY"),
        ("$YAML", "a: 1\nb: [x]"),
        ("$$KEY", "$KEY"),
        ("$$$KEY", "$sk-1"),
        ("$${KEY}", "${KEY}"),
        ("costs 5$", "costs 5$"),
        ("$5 and $ and $-", "$5 and $ and $-"),
        ("no variable", "no variable"),
    ],
)
def test_variables_are_filled_in(text: str, value: str) -> None:
    """Both spellings, once, as text; ``$$`` is a dollar sign."""
    assert expand({"a": [text]}, ENVIRON).document == {"a": [value]}


def test_only_string_values_are_expanded() -> None:
    """Keys and other types stay."""
    document = {"$KEY": 1, "b": {"c": [True, None, 2.5]}}
    assert expand(document, ENVIRON).document == document


def test_undefined_variables_are_named_with_their_place() -> None:
    """Each name once for each place, near misses hinted; the value stays as written."""
    expanded = expand({"a": {"b": "$HOSTS $NOPE $NOPE"}, "c": ["${NOPE}"]}, ENVIRON)
    assert [(finding.place, finding.message) for finding in expanded.findings] == [
        (
            ("a", "b"),
            "the environment variable HOSTS is not set; did you mean 'HOST'? "
            "(write $$ for a literal $)",
        ),
        (("a", "b"), "the environment variable NOPE is not set (write $$ for a literal $)"),
        (("c", 0), "the environment variable NOPE is not set (write $$ for a literal $)"),
    ]
    assert expanded.document["c"] == ["${NOPE}"]


@pytest.mark.parametrize("text", ["${KEY:-x}", "${}", "${KEY", "${a b}"])
def test_other_shell_syntax_is_refused(text: str) -> None:
    """It would be taken literally otherwise, which nobody means."""
    (finding,) = expand({"a": text}, ENVIRON).findings
    assert "names no variable" in finding.message


@dataclass(frozen=True)
class Facts:
    """A profile, as far as this module cares."""

    base_url: str | None
    env_key: str | None


FACTS = {
    "one": Facts("https://one.example", "ONE_KEY"),
    "two": Facts("https://two.example", "TWO_KEY"),
    "keyless": Facts("https://three.example", None),
    "homeless": Facts(None, "HOMELESS_KEY"),
    "amazon_bedrock": Facts(None, "AWS_KEY"),
}


@pytest.mark.parametrize(
    ("environ", "models"),
    [
        ({}, []),
        ({"TWO_KEY": "k", "ONE_KEY": "k"}, ["one/*", "two/*"]),
        ({"ONE_KEY": "  ", "TWO_KEY": "k"}, ["two/*"]),
        ({"HOMELESS_KEY": "k", "": "k"}, []),
        ({"AWS_KEY": "k"}, []),
        ({"AWS_KEY": "k", "AWS_REGION": "eu-west-1"}, ["amazon_bedrock/*"]),
    ],
)
def test_providers_are_found_by_their_keys(environ: dict[str, str], models: list[str]) -> None:
    """Those with a key and an address, in the order of the profiles."""
    assert [entry.model for entry in providers_from_environment(environ, FACTS)] == models


def test_found_providers_carry_key_and_region() -> None:
    """The entries are complete, and the key stays hidden."""
    environ = {"OPENAI_API_KEY": " canary ", "AWS_BEARER_TOKEN_BEDROCK": "b", "AWS_REGION": "r"}
    openai, bedrock = providers_from_environment(environ, PROFILES)
    assert openai.access_key is not None
    assert openai.access_key.get_secret_value() == "canary"
    assert (openai.is_wildcard, openai.default, bedrock.region) == (True, False, "r")
    assert "canary" not in repr(openai)
