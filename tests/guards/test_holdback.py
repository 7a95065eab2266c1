"""Holdback: law 5 for patterns of every kind, over random texts and all cuts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from guards.law5 import assert_every_cut, assert_law5, cuts_of, pieces, texts
from plano_asgi.guards.holdback import Holdback, MatchFound
from plano_asgi.guards.matching import Match, Matcher
from plano_asgi.guards.patterns import OnOverflow, Pattern, PatternMatcher, keyword_pattern


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


EMAIL = Pattern(
    "email",
    r"(?<![\w.+-])[A-Za-z0-9._%+-]{1,40}@[A-Za-z0-9-]{1,30}(?:\.[A-Za-z0-9-]{2,20}){1,3}(?!\w)",
    "[EMAIL]",
    trigger="@",
)
CARD = Pattern(
    "card", r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)", "[CARD]", validate=_luhn, trigger=r"\d"
)
KEY = Pattern("key", r"(?<!\w)sk-[A-Za-z0-9]{8,}(?!\w)", "[KEY]", max_match=24)
LONG = "sk-" + "a1" * 30
WORDS = keyword_pattern("words", ["secret", "secret plan", "Bob", "évasion"], "***")


def _key(on_overflow: OnOverflow) -> Pattern:
    return Pattern("key", r"sk-[A-Za-z0-9]{8,}", "[KEY]", max_match=24, on_overflow=on_overflow)


def _mask(text: str) -> str:
    return f"<{len(text)}:{text[:1]}>"


MATCHERS = {
    "email": PatternMatcher([EMAIL]),
    "card": PatternMatcher([CARD]),
    "key": PatternMatcher([KEY]),
    "redact over-long": PatternMatcher([_key("redact"), EMAIL]),
    "release over-long": PatternMatcher([_key("release"), EMAIL]),
    "own": PatternMatcher(
        [Pattern("own", r"pass(?:word)?:\s*(\S+)", _mask, max_match=20, group=1)]
    ),
    "any": PatternMatcher([Pattern("any", r"(?i)begin.*end", _mask, max_match=30)]),
    "look": PatternMatcher([Pattern("look", r"(?<=id )\d{2,5}(?= ok$|,)", "#")]),
    "words": PatternMatcher([WORDS]),
    "parts": PatternMatcher(
        [keyword_pattern("parts", ["ab", "abc", "b-7"], "_", whole_words=False)]
    ),
    "no prefix": PatternMatcher(
        [Pattern("np", r"[a-z]{2}-[a-z0-9]{8,}(?!\w)", "[NP]", max_match=24, on_overflow="release")]
    ),
    "opening": PatternMatcher(
        [Pattern("block", r"<<[\w ]+>>", "[]", max_match=16, opening=r"<<\w")]
    ),
    "all": PatternMatcher([EMAIL, CARD, KEY, WORDS]),
}
TEXTS = texts(
    "joe.doe@example.com",
    "a@b@c.de",
    "4111 1111 1111 1111",
    "4111-1111-1111-1112",
    "5500000000000004",
    "sk-abcdefgh12",
    "sk-short",
    LONG,
    "password: hunter2",
    "pass:x",
    "BEGIN the end",
    "begin" + "x" * 40 + "end",
    "id 123 ok",
    "id 4567,",
    "secret plan",
    "secret plans",
    "bob",
    "Évasion",
    "abc",
    "<<some words>>",
    "<<" + "no end " * 5,
)


@pytest.mark.parametrize("matcher", MATCHERS.values(), ids=MATCHERS.keys())
@given(text=TEXTS, cuts=cuts_of())
def test_streamed_is_exact(matcher: Matcher, text: str, cuts: list[int]) -> None:
    """However it is cut, what is out is always a beginning of the redacted whole."""
    assert_law5(matcher, text, cuts)


class _Bare:
    """A matcher of the protocol's two methods, no more."""

    def __init__(self, matcher: Matcher) -> None:
        self.find, self.settled = matcher.find, matcher.settled


@pytest.mark.parametrize("name", ["email", "card", "look", "words", "parts", "all"])
@given(text=TEXTS, cuts=cuts_of())
def test_find_and_settled_are_enough(name: str, text: str, cuts: list[int]) -> None:
    """A matcher without a scan of its own is streamed by its two methods."""
    if "sk-" in text and name == "all":
        return
    assert_law5(_Bare(MATCHERS[name]), text, cuts)


@pytest.mark.parametrize("matcher", MATCHERS.values(), ids=MATCHERS.keys())
@given(text=TEXTS, more=TEXTS)
def test_settled_is_final(matcher: Matcher, text: str, more: str) -> None:
    """No continuation changes what is found before ``settled``."""
    settled = matcher.settled(text)
    alone = [match for match in matcher.find(text) if match.start < settled]
    assert [match for match in matcher.find(text + more) if match.start < settled] == alone
    assert all(match.end <= settled for match in alone)


def test_every_cut_of_a_card_and_a_mail() -> None:
    """Every single place to cut, plain and as JSON."""
    for text in ("pay 4111 1111 1111 1111, joe@example.com!", f"x {LONG} y sk-abcdefghij z"):
        assert_every_cut(MATCHERS["all"], text)


def test_over_long_is_decided_by_the_window() -> None:
    """Also where the regex would see, much later, that it does not match at all."""
    unknown = Pattern("u", r"[a-z]{2}-[a-z0-9]{8,}(?!\w)", "[U]", max_match=24)
    for matcher in (MATCHERS["key"], PatternMatcher([unknown])):
        assert_every_cut(matcher, f"x {LONG}é sk-abcdefgh1é")
        assert matcher.find(f"{LONG}é")[0].end == len(LONG)


def test_text_that_cannot_match_is_not_delayed() -> None:
    """What no match can hold or begin with goes out at once."""
    held = Holdback(MATCHERS["all"])
    assert held.feed("Hello there, ") == "Hello there, "
    assert held.feed("it is (") == "it is ("
    assert held.feed("what") == ""
    assert held.feed("?") == "what?"


def test_an_endless_run_is_not_held() -> None:
    """Megabytes without a boundary take no memory, swallowed or let go."""
    for on_overflow, out in (("redact", "[KEY] ok"), ("release", "sk-" + "a" * 2_000_000 + " ok")):
        held = Holdback(PatternMatcher([_key(on_overflow)]))  # type: ignore[arg-type]
        pieces = [held.feed("sk-")]
        for _ in range(200):
            pieces.append(held.feed("a" * 10_000))
            assert len(held._held) < 64
        assert "".join([*pieces, held.feed(" ok"), held.flush()]) == out


def test_block_raises_at_the_first_match() -> None:
    """Mode "block" says what matched, and hands over what stood before it."""
    held = Holdback(MATCHERS["all"], mode="block")
    assert held.feed("mail jo") == "mail "
    with pytest.raises(MatchFound) as caught:
        held.feed("e: joe@example.com ")
    assert (caught.value.match.rule, caught.value.before) == ("email", "joe: ")


@pytest.mark.parametrize("step", [1, 7, 24, 100])
def test_an_over_long_match_of_a_blocking_rule_blocks(step: int) -> None:
    """``on_overflow="block"`` blocks in mode "redact" too."""
    held = Holdback(PatternMatcher([_key("block")]))
    parts = pieces(f"ok {LONG}", range(0, 100, step))
    with pytest.raises(MatchFound, match="key"):
        _run(held, parts)


def _run(held: Holdback, parts: list[str]) -> str:
    return "".join([*(held.feed(part) for part in parts), held.flush()])


def test_rules_are_known_with_their_scores() -> None:
    """What matched is there to be audited."""
    held = Holdback(MATCHERS["all"])
    held.feed("a@bc.de and 4111111111111111")
    held.flush()
    assert held.rules == {"email": 1.0, "card": 1.0}


def test_hostile_text_is_fast() -> None:
    """Long runs of near misses are read in linear time: quadratic would not end here."""
    matcher = PatternMatcher([EMAIL, CARD, KEY, Pattern("own", r"x\w+y", "", max_match=64)])
    for hostile in ("x" * 300_000, "1 " * 10_000, "sk-" * 100_000, "@" * 300_000):
        matches = matcher.find(hostile)
        assert all(isinstance(match, Match) for match in matches)


def test_replacement_sees_the_text_found() -> None:
    """A function writes what stands there instead."""
    found = PatternMatcher([Pattern("n", re.compile(r"\d{3}"), _mask)]).find("a123")
    assert found == [Match(1, 4, "n", "<3:1>")]
