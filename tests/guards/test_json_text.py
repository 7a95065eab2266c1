"""Raw JSON redacted: spellings kept, escapes read, numbers, keys, and what is no JSON at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.law5 import assert_every_cut, assert_law5_json, cuts_of, texts
from plano_asgi._json import dumps_str, loads
from plano_asgi.guards.holdback import MatchFound
from plano_asgi.guards.json_text import JSONHoldback, find_json, redact_json
from plano_asgi.guards.patterns import Pattern, PatternMatcher

FOUND = PatternMatcher(
    [
        Pattern("mail", r"[a-zé.]{1,20}@[a-z]{1,10}\.[a-z]{2,3}(?![a-z])", '"M"\n', trigger="@"),
        Pattern("card", r"(?<!\d)\d{16}(?!\d)", "[CARD]"),
        Pattern("face", "😀", ":)"),
        Pattern("key", r"sk-[a-z0-9]{8,}", "[KEY]", max_match=32),
    ]
)


@pytest.mark.parametrize(
    ("raw", "redacted"),
    [
        (r'{"a": "x@y.de", "b":1}', r'{"a": "\"M\"\n", "b":1}'),
        (r'{"a": "x\u0040y.de"}', r'{"a": "\"M\"\n"}'),
        (r'{"a": "caf\u00e9 \/ é \ud83d\udE00 x"}', r'{"a": "caf\u00e9 \/ é :) x"}'),
        (r'{"a": "\ud83d lone \ud83d\n"}', r'{"a": "\ud83d lone \ud83d\n"}'),
        (r'{"x@y.de": null}', r'{"\"M\"\n": null}'),
        ("[4111111111111111,-4111111111111111]", '["[CARD]","-[CARD]"]'),
        ("[4111111111111111.5]", '["[CARD].5"]'),
        ("[12, 1e5, true]", "[12, 1e5, true]"),
        ('  {"n" : 4111111111111111}  ', '  {"n" : "[CARD]"}  '),
        ("write to x@y.de", 'write to "M"\n'),
        ("{to: x@y.de, 'k': 1}", '{to: "\\"M\\"\\n", \'k\': 1}'),
        (r'{"a": "x@y.de', r'{"a": "\"M\"\n'),
        (r'{"a": "b\x@y.de\u12', r'{"a": "b\\"M\"\n\u12'.replace("\\\\", "\\\\")),
        ('{"a": "he said "x@y.de" ok"}', '{"a": "he said ""\\"M\\"\\n"" ok"}'),
        ("", ""),
        (f"[{'1' * 80}]", f"[{'1' * 80}]"),
    ],
)
def test_redacted_as_its_reader_sees_it(raw: str, redacted: str) -> None:
    """Whole, and for every place to cut."""
    assert redact_json(raw, FOUND) == redacted
    assert_every_cut(FOUND, raw)


_VALUES = st.recursive(
    st.one_of(texts("a@b.de", "4111111111111111", "😀", "sk-abcdefgh1"), st.integers(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(value=_VALUES, cuts=cuts_of())
def test_json_stays_json(value: Any, cuts: list[int]) -> None:
    """What was an object or a list is one after, and law 5 holds."""
    for raw in (dumps_str([value]), dumps_str({"a": value}).replace("@", "\\u0040")):
        assert type(loads(redact_json(raw, FOUND))) is type(loads(raw))
        assert_law5_json(FOUND, raw, cuts)


@given(
    raw=texts('{"', '": "', '"}', "\\", '\\"', "\\u00", "e9", "\\ud83d", "\\ude00", "a@b.de", "["),
    cuts=cuts_of(),
)
def test_law_5_holds_for_what_is_no_json(raw: str, cuts: list[int]) -> None:
    """Broken, cut short or plain text: nothing raises, nothing leaks."""
    assert_law5_json(FOUND, raw, cuts)


def test_the_end_of_a_string_lets_it_go() -> None:
    """Held is what may still match, and never past a quote."""
    held = JSONHoldback(FOUND)
    assert held.feed('{"a": "mail to bo') == '{"a": "mail to '
    assert held.feed('b", ') == 'bob", '


def test_block_raises_with_what_went_before() -> None:
    """As for plain text."""
    held = JSONHoldback(FOUND, mode="block")
    assert held.feed('{"a": "b", ') == '{"a": "b", '
    with pytest.raises(MatchFound) as caught:
        held.feed('"c": "so: a@b.de"}')
    assert (caught.value.match.rule, caught.value.before) == ("mail", '"c": "so: ')


def test_matches_are_told() -> None:
    """For whoever has to know the rules."""
    text, matches = find_json('{"a": "a@b.de", "b": 4111111111111111}', FOUND)
    assert [match.rule for match in matches] == ["mail", "card"]
    assert loads(text) == {"a": '"M"\n', "b": "[CARD]"}


def test_a_long_string_is_read_in_linear_time() -> None:
    """Half a megabyte with escapes, in small pieces."""
    held = JSONHoldback(FOUND)
    size = len(held.feed('["')) + sum(len(held.feed("ab \\u00e9 c")) for _ in range(20_000))
    assert size + len(held.flush()) == 2 + 20_000 * len("ab \\u00e9 c")
