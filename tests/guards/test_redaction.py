"""Whole texts: verdicts of a matcher, and the spans of several guards in one text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.guards.base import ALLOW, Span
from plano_asgi.guards.patterns import Pattern, PatternMatcher
from plano_asgi.guards.redaction import apply_spans, judge_passages, redact_text, spanned
from plano_asgi.passages import Passage

FOUND = PatternMatcher(
    [
        Pattern("pin", r"\d{4}", "****", score=0.5),
        Pattern("name", "Bob", "[N]", score=0.7),
        Pattern("key", "sk-[a-z]+", "K", max_match=8, on_overflow="block"),
    ]
)


def _passage(text: str, *, is_json: bool = False) -> Passage:
    return Passage(text, "content", "p", {"t": text}, "t", is_json=is_json)


def test_redacted_text_comes_with_its_matches() -> None:
    """Text and matches; the text itself if there are none."""
    text, matches = redact_text("Bob: 1234", FOUND)
    assert text == "[N]: ****"
    assert [(m.rule, m.start, m.end) for m in matches] == [("name", 0, 3), ("pin", 5, 9)]
    assert redact_text("none", FOUND) == ("none", [])


def test_a_verdict_redacts_every_passage() -> None:
    """One span a match; of JSON, one for the whole raw text."""
    plain, raw = _passage("Bob 1234"), _passage('{"a": 1234, "b": "\\u0042ob"}', is_json=True)
    verdict = judge_passages([plain, raw], FOUND, mode="redact")
    assert (verdict.action, verdict.rule, verdict.score) == ("redact", "name,pin", 0.7)
    apply_spans(verdict.spans)
    assert plain.holder == {"t": "[N] ****"}
    assert raw.holder == {"t": '{"a": "****", "b": "[N]"}'}


def test_a_verdict_blocks_at_the_first_match() -> None:
    """In mode "block", and in both where a candidate is over-long and its rule blocks."""
    verdict = judge_passages([_passage("ok"), _passage("1234 Bob")], FOUND, mode="block")
    assert (verdict.action, verdict.rule, verdict.score) == ("block", "pin", 0.5)
    assert judge_passages([_passage("sk-abcdefghi")], FOUND, mode="redact").action == "block"
    assert judge_passages([_passage("fine")], FOUND, mode="redact") == ALLOW


def _span(passage: Passage, start: int, end: int, replacement: str) -> Span:
    return Span(passage=passage, start=start, end=end, replacement=replacement)


def test_overlapping_spans_become_one() -> None:
    """What any covers is gone; the first one's replacement stands for all."""
    passage = _passage("abcdefgh")
    spans = [_span(passage, 4, 6, "Y"), _span(passage, 1, 3, "X"), _span(passage, 2, 5, "Z")]
    apply_spans(spans)
    assert passage.text == "aXgh"


def test_spans_side_by_side_stay_apart() -> None:
    """Also an insertion, and offsets past the end."""
    passage = _passage("abcd")
    spans = [_span(passage, 2, 9, "Y"), _span(passage, 0, 2, "X"), _span(passage, 0, 0, "<")]
    assert spanned(passage.text, spans) == "<XY"


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 25), st.integers(0, 8))))
def test_nothing_that_is_covered_is_left(text: str, places: list[tuple[int, int]]) -> None:
    """Every character outside of all spans stays, every one inside goes."""
    passage = _passage(text)
    spans = [_span(passage, start, start + size, "") for start, size in places]
    covered = {at for start, size in places for at in range(start, start + size)}
    assert spanned(text, spans) == "".join(c for at, c in enumerate(text) if at not in covered)
