"""The headers of a request, read once for all who look at it."""

from __future__ import annotations

from typing import Any

from plano_asgi.asgi.known_paths import KNOWN_PATHS
from plano_asgi.asgi.new_exchange import headers_of, new_exchange

SCOPE: dict[str, Any] = {"path": "/v1/chat/completions", "headers": [(b"a", b"1"), (b"b", b"2")]}


def test_unchanged_headers_are_not_read_again() -> None:
    """Also where the scope, or its list, was copied on the way."""
    exchange = new_exchange(KNOWN_PATHS["/chat/completions"], SCOPE)
    inner = {**SCOPE, "headers": list(SCOPE["headers"])}
    assert headers_of(SCOPE, exchange) is headers_of(inner, exchange) is exchange.headers


def test_headers_that_a_middleware_changed_count() -> None:
    """Also in place: an identity put in front of the gateway must reach it."""
    scope = {**SCOPE, "headers": list(SCOPE["headers"])}
    exchange = new_exchange(KNOWN_PATHS["/chat/completions"], scope)
    scope["headers"].append((b"x-user", b"ann"))
    assert headers_of(scope, exchange) == {"a": "1", "b": "2", "x-user": "ann"}
    assert "x-user" not in exchange.headers
    scope["headers"][0] = (b"a", b"3")
    assert headers_of(scope, exchange)["a"] == "3"


def test_headers_changed_inside_of_a_pair_count() -> None:
    """There are servers whose pairs are lists."""
    scope = {**SCOPE, "headers": [[b"authorization", b"Bearer mine"]]}
    exchange = new_exchange(KNOWN_PATHS["/chat/completions"], scope)
    scope["headers"][0][1] = b"Bearer other"
    assert headers_of(scope, exchange) == {"authorization": "Bearer other"}


def test_without_an_exchange_they_are_read() -> None:
    """Repeated ones are joined."""
    assert headers_of({"headers": [(b"a", b"1"), (b"a", b"2")]}, None) == {"a": "1, 2"}
