"""What of a text can be searched for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_asgi.memory.words import FUNCTION_WORDS, MAX_WORD_CHARS, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("Tea, tea & TEA!", "tea", id="once-each"),
        pytest.param("snake_case v2.1 x-y", "snake case v2 1 x y", id="joined"),
        pytest.param("it's don't", "it s don t", id="apostrophes"),
        pytest.param(
            "berries buses horses glass virus is gas", "berry buse horse glass virus is gas"
        ),
        pytest.param("Straße ÉTÉ naïve İstanbul", "strasse ete naive istanbul", id="folded"),
        pytest.param("東京都", "東 京 東京 都 京都", id="han"),
        pytest.param("カフェ", "カフ フェ", id="kana"),
        pytest.param("カ・フェ ฿ ។", "カ フェ", id="unspaced-signs"),
        pytest.param("が か", "が か", id="voiced-kana"),
        pytest.param("차", "차", id="single"),
        pytest.param("abc東京xyz", "abc 東 京 東京 xyz", id="mixed"),
        pytest.param("x" * 70, "x" * MAX_WORD_CHARS, id="long"),
        pytest.param("\0\ud83d🫖\u200d", "", id="no-letters"),
    ],
)
def test_words(text: str, words: str) -> None:
    """Folded, distinct, in order."""
    assert words_of(text) == tuple(words.split())


@given(st.text())
def test_words_are_letters_and_digits(text: str) -> None:
    """Whatever comes in: stores put them into queries unescaped."""
    for word in words_of(text):
        assert 0 < len(word) <= MAX_WORD_CHARS
        assert re.fullmatch(r"[\w\u3099\u309a]+", word)
        assert "_" not in word


@given(st.text())
def test_words_do_not_depend_on_their_case(text: str) -> None:
    """A query in capitals finds what a text has in small letters."""
    assert words_of(text.upper().lower()) == words_of(text.upper().lower().upper())


def test_reading_is_bounded() -> None:
    """In characters read and in words given."""
    text = " ".join(f"w{n}" for n in range(10_000))
    assert words_of(text, max_chars=7) == ("w0", "w1", "w")
    assert len(words_of(text, max_chars=10**6)) == 2_000
    assert len(words_of(text, max_words=7)) == 7


def test_function_words_are_as_texts_have_them() -> None:
    """Folded and stemmed like any other, so that they are recognised."""
    assert set(words_of("this is what the für más mein does")) <= FUNCTION_WORDS
    assert not {"tea", "dog", "name"} & FUNCTION_WORDS
