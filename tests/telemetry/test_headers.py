"""Span attributes from headers."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.headers import SpanHeaders


def test_headers_by_prefix() -> None:
    """The rest of the name, with dots; the first prefix that fits counts."""
    found = SpanHeaders(["X-Katanemo-", "x-"]).attributes(
        {
            "x-katanemo-tenant-id": " ten_456 ",
            "x-region": "eu",
            "x-katanemo-": "nothing",
            "accept": "*/*",
        }
    )
    assert found == {"tenant.id": "ten_456", "region": "eu"}


def test_a_header_wins_over_a_fixed_attribute() -> None:
    """As in Plano."""
    headers = SpanHeaders(["x-"], {"team": "none", "replicas": 3})
    assert headers.attributes({"x-team": "blue"}) == {"team": "blue", "replicas": 3}
    assert headers.attributes({}) == {"team": "none", "replicas": 3}


def test_without_prefixes_only_fixed_ones() -> None:
    """No header is taken by accident."""
    assert SpanHeaders(static={"a": "b"}).attributes({"x-a": "c"}) == {"a": "b"}


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-amz-security-token",
        "x-forwarded-access-token",
        "x-client-secret",
        "x-my-clientsecret",
        "x-password",
        "x-auth-request-user",
        "x-jwt-assertion",
        "x-session",
        "x-sess",
        "x-phpsessid",
        "x-asp.net_sessionid",
        "x-connect.sid",
        "x-pass",
        "x-passcode",
        "x-pwd",
        "x-cred",
        "x-creds",
        "x-login",
        "x-2fa-code",
        "x-verification-code",
        "x-ticket",
        "x-saml",
        "x-samlresponse",
        "x-assertion",
        "x-ssl-client-cert",
        "x-forwarded-client-cert",
        "x-private",
        "x-connection-string",
        "x-honeycomb-team",
    ],
)
def test_credentials_are_left_out(name: str) -> None:
    """Whatever the prefixes say."""
    prefixes = [name[0], "x-", name]
    assert SpanHeaders(prefixes).attributes({name: "s3cret"}) == {}


def test_what_looks_like_a_credential_and_is_none_is_kept() -> None:
    """Only whole words count."""
    kept = {"max-tokens": "5", "author": "Ann", "compass": "N", "certified": "yes", "code": "7"}
    found = SpanHeaders(["x-"]).attributes({f"x-{name}": value for name, value in kept.items()})
    assert found == {name.replace("-", "."): value for name, value in kept.items()}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("user:pass@host", "***@host"),
        ("via redis://:s,e@cret@cache:6379/0 now", "via redis://***@cache:6379/0 now"),
        ("postgres://u:p@one/db,postgres://u:p@two", "postgres://***@one/db,postgres://***@two"),
        ("Bearer sk-0123456789", "***"),
        ("ann@example.org", "ann@example.org"),
        ("10:30 @ the office", "10:30 @ the office"),
    ],
)
def test_credentials_in_a_value_are_put_out(value: str, shown: str) -> None:
    """Whatever the header is called; an address of somebody is none."""
    assert SpanHeaders(["x-"]).attributes({"x-origin": value}) == {"origin": shown}


@pytest.mark.parametrize("name", ["x-gen_ai.usage.input_tokens", "x-plano-route-name", "x-llm-x"])
def test_a_header_does_not_pass_for_ours(name: str) -> None:
    """A client cannot write attributes that dashboards trust."""
    assert SpanHeaders(["x-"]).attributes({name: "1"}) == {}


def test_values_and_number_are_bounded() -> None:
    """The rest of a value is cut, the rest of the headers left out."""
    headers = {f"x-h{i}": "v" * 1000 for i in range(10)}
    found = SpanHeaders(["x-"], max_value_chars=5, max_headers=3).attributes(headers)
    assert found == {"h0": "vvvvv", "h1": "vvvvv", "h2": "vvvvv"}


@pytest.mark.parametrize(
    "wrong",
    [{"prefixes": [""]}, {"prefixes": "x-"}, {"max_value_chars": 0}, {"max_headers": 0}],
    ids=str,
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    """At construction."""
    with pytest.raises(ConfigurationError):
        SpanHeaders(**wrong)
