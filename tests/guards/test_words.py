"""Lists of words and regexes of one's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_law5, assert_law5_json, cuts_of, texts
from guards.streams import answer_events, exchange_of, stream_through
from plano_asgi.errors import ConfigurationError, ContentBlocked
from plano_asgi.guards.chain import GuardChain
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.text_guard import TextGuard
from plano_asgi.guards.words import Regex, Words


def clean(guard: TextGuard, text: str) -> str:
    """*text*, redacted."""
    matcher = guard.matcher(exchange_of("openai.chat"), "answer")
    assert matcher is not None
    return redact_text(text, matcher)[0]


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({}, "a Foo, foolish FOO", "a [removed], foolish [removed]"),
        ({"ignore_case": False}, "Foo foo", "Foo [removed]"),
        ({"whole_words": False}, "foolish", "[removed]lish"),
        ({"replacement": "***"}, "foo", "***"),
        ({"allow": ["foo fighters"]}, "foo, Foo Fighters foo", "[removed], Foo Fighters [removed]"),
        ({"allow": ["kung foo"]}, "kung foo is foo", "kung foo is [removed]"),
        ({"allow": ["kung foo"]}, "kung foods", "kung foods"),
        ({"allow": ["a foo b"]}, "a foo bar, a foo b", "a [removed] bar, a foo b"),
        ({}, "bar room brawl", "[removed] brawl"),
    ],
)
def test_words(options: dict[str, Any], text: str, expected: str) -> None:
    """Whole words in any case, phrases, and phrases in which they do not count."""
    assert clean(Words(["foo", "bar room"], mode="redact", **options), text) == expected


@pytest.mark.parametrize("name", ["deny", "allow"])
def test_a_word_is_no_list_of_words(name: str) -> None:
    """A single text is refused: it would be read as letters."""
    with pytest.raises(ConfigurationError, match=name):
        Words(**{"deny": ["x"], name: "word"})  # type: ignore[arg-type]


def test_no_words() -> None:
    """A guard that looks for nothing is refused."""
    with pytest.raises(ConfigurationError, match="no words"):
        Words([""])


@pytest.mark.anyio
async def test_blocks_by_default() -> None:
    """A denied word ends the exchange; the audit does not say which."""
    body = {"model": "m", "messages": [{"role": "user", "content": "some foo"}]}
    exchange = exchange_of("openai.chat", body=body)
    with pytest.raises(ContentBlocked):
        await GuardChain([Words(["foo"])])(exchange)
    assert exchange.audits[-1].rule == "words.denied"


@given(texts("foo", "kung foo", "foo fighters", "bar room", "bar"), cuts_of())
def test_law5_words(text: str, cuts: Sequence[int]) -> None:
    """Streamed redaction is exact, allowed phrases included."""
    guard = Words(["foo", "bar room"], allow=["kung foo", "foo fighters"], mode="redact")
    matcher = guard.matcher(exchange_of("openai.chat"), "answer")
    assert_law5(matcher, text, cuts)
    assert_law5_json(matcher, text, cuts)


def test_regexes() -> None:
    """By name, with a replacement of one's own, and over-long matches as told."""
    assert clean(Regex({"ticket": r"T-\d{4}\b"}), "see T-1234") == "see [TICKET]"
    assert clean(Regex({"t": re.compile("t-1", re.I)}, replacement=""), "a T-1") == "a "
    assert clean(Regex({"x": "x+"}, max_match=4), "a xxxxxxxx b") == "a [X] b"
    assert clean(Regex({"x": "x+"}, max_match=4, on_overflow="release"), "xxxxxxxx") == "x" * 8


def test_a_regex_without_patterns_is_refused() -> None:
    """A guard that looks for nothing is refused, and so is what is no regex."""
    with pytest.raises(ConfigurationError):
        Regex({})
    with pytest.raises(ConfigurationError, match="bad"):
        Regex({"bad": "("})


@pytest.mark.anyio
async def test_regexes_on_a_stream() -> None:
    """A match over a cut is replaced."""
    exchange = exchange_of("openai.chat", body={"model": "m", "messages": []})
    await GuardChain([Regex({"ticket": r"T-\d{4}\b"})])(exchange)
    events = answer_events("openai.chat", ["see T-", "1234."])
    client = await stream_through(exchange.response_filters, events, exchange)
    assert client.content == "see [TICKET]."


@given(st.lists(st.sampled_from(["AB-12", "ab-12", "CD-34", " ", "x", "-"])), cuts_of())
def test_matches_that_are_allowed_stay(parts: list[str], cuts: list[int]) -> None:
    """In streams as in whole texts."""
    guard = Regex({"id": r"[A-Za-z]{2}-\d{2}"}, allow=["AB-12"])
    assert_law5(guard.matcher(exchange_of("openai.chat"), "answer"), "".join(parts), cuts)
    assert clean(guard, "AB-12 CD-34") == "AB-12 [ID]"


def test_whole_texts_cannot_be_allowed_where_passages_are_looked_for() -> None:
    """A stream has none; ``allow`` is for passages."""
    with pytest.raises(ConfigurationError, match="allow"):
        Words(["x"], allow_texts=["x y"])
    with pytest.raises(ConfigurationError, match="list"):
        Regex({"x": "x"}, allow="x")
