"""Patterns: what is read off a regex, which match wins, over-long candidates, keywords."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.patterns import Overflow, Pattern, PatternMatcher, keyword_pattern
from plano_asgi.guards.redaction import redact_text
from plano_asgi.guards.regex_shape import shape_of


def _redacted(text: str, *patterns: Pattern) -> str:
    return redact_text(text, PatternMatcher(patterns))[0]


@pytest.mark.parametrize(
    ("regex", "prefixes"),
    [
        (r"sk-\d", ["sk-"]),
        (r"(?<!x)(?:ab|cd)ef\d", ["abef", "cdef"]),
        (r"(?i)(?:api[_-]?key|secret)\b", ["api", "secret"]),
        (r"(?:a(?:b|c)d|ae)\d", ["a"]),
        (r"((sk|pk)-)\d", ["pk", "sk"]),
        (r"(?:x|)ab", []),
        (r"(?:a|b)?c", []),
        (r"[ab]c", []),
        (r"(ab)*c", []),
    ],
)
def test_literal_beginnings_are_read_off(regex: str, prefixes: list[str]) -> None:
    """Those with one of which every match begins; none if there may be another."""
    assert list(shape_of(re.compile(regex)).prefixes) == prefixes


@pytest.mark.parametrize(
    ("regex", "width", "before", "after"),
    [
        (r"\d{3}", 3, 1, 1),
        (r"(?<=ab)\d{2,4}(?!xyz)", 4, 2, 3),
        (r"a+", None, 1, 1),
        (r"ab$", 2, 1, 2),
        (r"(?:(?=abc)a|b{2})c", 3, 1, 3),
        (r"(a)\1", 2, 1, 1),
    ],
)
def test_reaches_are_read_off(regex: str, width: int | None, before: int, after: int) -> None:
    """How long a match gets, and how far it looks to either side."""
    shape = shape_of(re.compile(regex))
    assert (shape.width, shape.before, shape.after) == (width, before, after)


@pytest.mark.parametrize(
    "regex",
    [
        r"\d[a-f]{2}",
        r"[^x]y",
        r"(?s:.)z",
        r".z",
        r"(?i)straße",
        r"\W\S\D😀",
        r"(?:a|[^b])+?c",
        r"(?>a+)b",
        r"a++b",
        r"(a)?(?(1)b|c)",
    ],
)
def test_the_alphabet_holds_all_that_is_consumed(regex: str) -> None:
    """Every character of a match, and the head its first."""
    compiled = re.compile(regex)
    shape = shape_of(compiled)
    for text in ("1ab", "ay", "\nz", "qz", "STRASSE STRAßE", "!aa😀", "aac", "aab", "ab", "c"):
        for match in compiled.finditer(text):
            wrapped = f"(?{shape.flags}:{{}})"
            assert re.fullmatch(wrapped.format(f"{shape.alphabet}*"), match[0])
            assert re.match(wrapped.format(shape.head), match[0])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Pattern("p", "(", ""), id="no regex"),
        pytest.param(lambda: Pattern("p", "a+", ""), id="endless without max_match"),
        pytest.param(lambda: Pattern("p", "a(?=.*b)", "", max_match=9), id="endless look-ahead"),
        pytest.param(lambda: Pattern("p", r"\b", ""), id="empty"),
        pytest.param(lambda: Pattern("p", "a", "", max_match=-1), id="negative"),
        pytest.param(lambda: Pattern("p", "a", "", on_overflow="x"), id="unknown"),  # type: ignore[arg-type]
        pytest.param(lambda: PatternMatcher([]), id="no patterns"),
        pytest.param(lambda: keyword_pattern("p", [""], ""), id="no words"),
    ],
)
def test_what_cannot_be_streamed_is_refused(make: Callable[[], Any]) -> None:
    """While it is built, not while it serves."""
    with pytest.raises(ConfigurationError):
        make()


def test_earliest_then_longest_then_first_wins() -> None:
    """Overlaps of patterns are settled by place, length and order."""
    short, long = Pattern("s", "ab", "S"), Pattern("l", "abc", "L")
    other, late = Pattern("o", "abc", "O"), Pattern("b", "bcde", "B")
    assert _redacted("abc", short, long) == "L"
    assert _redacted("abc", other, long) == "O"
    assert _redacted("abcde", late, short) == "Scde"
    assert _redacted("xbcde", late, short) == "xB"


def test_only_the_group_is_replaced() -> None:
    """What stands around it stays."""
    pattern = Pattern("p", r"pin: (?P<n>\d{4});", "****", group="n")
    assert _redacted("my pin: 1234; ok", pattern) == "my pin: ****; ok"


def test_a_failed_check_does_not_end_the_search() -> None:
    """The next place is tried, also inside of what was refused."""
    pattern = Pattern("p", r"\d{3}", "#", validate=lambda text: text == "234")
    assert _redacted("1234", pattern) == "1#"


@pytest.mark.parametrize(
    ("on_overflow", "out"),
    [
        ("redact", "x K y K joe@ex.com"),
        ("release", "x sk-abcdefghijklmnop y K joe@ex.com"),
    ],
)
def test_over_long_runs(on_overflow: Any, out: str) -> None:
    """As a whole: gone, or left alone; a match of just ``max_match`` is none."""
    pattern = Pattern("k", r"sk-[a-z]+", "K", max_match=9, on_overflow=on_overflow)
    assert _redacted("x sk-abcdefghijklmnop y sk-abcdef joe@ex.com", pattern) == out


def test_others_look_at_a_run_that_is_released() -> None:
    """One pattern leaves it alone, not all."""
    pattern = Pattern("k", r"sk-[a-z.@]+", "K", max_match=9, on_overflow="release")
    mail = Pattern("m", r"[a-z]{3}@[a-z]{2}\.de", "M")
    assert _redacted("sk-abcdefghi.joe@ex.de", pattern, mail) == "sk-abcdefghi.M"


def test_over_long_may_block() -> None:
    """The match says so."""
    found = PatternMatcher([Pattern("k", r"sk-[a-z]+", "K", max_match=9, on_overflow="block")])
    assert [type(match) for match in found.find("sk-abcdefghijkl")] == [Overflow]


def test_an_opening_without_an_end_in_sight_is_over_long() -> None:
    """What begins like a key block and fills the window is one."""
    pattern = Pattern("b", r"<key>[a-z ]+</key>", "B", max_match=24, opening="<key>")
    assert _redacted("a <key>abc</key> b", pattern) == "a B b"
    assert _redacted(f"a <key>{'abc ' * 20}. b", pattern) == "a B. b"
    assert _redacted("a <key>abc. b", pattern) == "a <key>abc. b"


def test_overlapping_classes_are_no_danger() -> None:
    """A run of characters that several classes hold is read once, not in every way."""
    pattern = Pattern("p", r"a[^b]\S[^c]{1,60}z", "P")
    matcher = PatternMatcher([pattern])
    assert matcher.find("ad" * 5_000) == []
    assert matcher.settled("d" * 5_000) == 5_000


def test_keywords() -> None:
    """Whole words, the longest first, in any case."""
    pattern = keyword_pattern("w", ["cat", "cat food", "catalogue", "a+b"], "_")
    assert _redacted("Cat, CAT FOOD; concat catalogues a+b", pattern) == "_, _; concat catalogues _"
    exact = keyword_pattern("w", ["cat"], "_", whole_words=False, ignore_case=False)
    assert _redacted("Cat concat", exact) == "Cat con_"


def test_many_keywords_stay_cheap() -> None:
    """Thousands of words are one regex that tries what they share once."""
    words = [f"word{number}x" for number in range(5_000)]
    matcher = PatternMatcher([keyword_pattern("w", words, "_")])
    assert len(matcher.find(" ".join(words))) == 5_000
