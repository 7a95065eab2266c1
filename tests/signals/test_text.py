"""Text for signals: bounded, folded, without quotations, in words."""

# ruff: noqa: RUF001  (people write with other quotes and letters than ours)

from __future__ import annotations

import pytest

from plano_asgi.signals import text as texts


def _said(text: str) -> list[str]:
    return texts.tokens(texts.without_quoted(text, texts.fold(text)).replace(texts.QUOTED, " "))


def test_long_text_keeps_head_and_tail() -> None:
    """A fifth from the beginning, the rest from the end, at most the limit."""
    cut = texts.truncate("a" * 3000 + "b" * 3000, 2000)
    assert len(cut) == 2000
    assert cut.index(" ") == 400
    assert cut.endswith("b" * 1599)
    assert texts.truncate("short") == "short"


def test_folding_keeps_every_position() -> None:
    """Curly marks become plain ones, and no character changes its place."""
    text = "İ DON’T “know” — yet…"
    folded = texts.fold(text)
    assert len(folded) == len(text)
    assert folded[1:] == ' don\'t "know" - yet.'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param('He said "this is useless" to me', ["he", "said", "to", "me"], id="double"),
        pytest.param("reply 'it doesn't work' now", ["reply", "now"], id="single"),
        pytest.param("don't say it's so", ["don't", "say", "it's", "so"], id="apostrophes"),
        pytest.param("see ```x = 'thanks'``` there", ["see", "there"], id="fence"),
        pytest.param("see ```x = 1", ["see"], id="open fence"),
        pytest.param("use `give up` here", ["use", "here"], id="inline code"),
        pytest.param("> I give up\nwhat now", ["\n", "what", "now"], id="quoted mail"),
        pytest.param("ok\nERROR: shut up\nhm", ["ok", "\n", "\n", "hm"], id="log"),
        pytest.param("read https://a.io/give?up now", ["read", "now"], id="link"),
        pytest.param("this is **useless**", ["this", "is", "useless"], id="emphasis"),
    ],
)
def test_what_others_said_is_blanked(text: str, kept: list[str]) -> None:
    """Quotations, code, links and pasted lines have no words; emphasis has."""
    assert _said(text) == kept


def test_a_quotation_as_a_whole_speaks() -> None:
    """Somebody who puts the message in quotes means it."""
    assert _said('"I give up"') == ["i", "give", "up"]


def test_blanking_keeps_every_position() -> None:
    """What is left stands where it stood."""
    text = 'a "b c" d'
    kept = texts.without_quoted(text, texts.fold(text))
    assert len(kept) == len(text)
    assert kept.index("d") == text.index("d")


def test_a_run_of_marks_is_a_question_if_one_is() -> None:
    """What stands before a question mark in a run is no end of its own."""
    assert texts.tokens("why?! no.. so") == ["why", "?", "!", "no", ".", ".", "so"]
    assert texts.tokens("why!? well-known - yes") == ["why", "?", "well", "known", "-", "yes"]


def test_drawn_out_words_are_shortened() -> None:
    """Three of a letter are one, or two where that is asked for."""
    assert texts.has_elongated("soooo good")
    assert not texts.has_elongated("soon good")
    assert texts.shortened("soooo") == "so"
    assert texts.shortened("goood", 2) == "good"


def test_snippet_is_one_short_line_around_the_words() -> None:
    """Cut at words, with ellipses where something is missing."""
    text = "word " * 30 + "this is\nuseless" + " word" * 30
    start = text.index("this")
    snippet = texts.snippet_around(text, start, start + 15)
    assert "this is useless" in snippet
    assert len(snippet) <= 80
    assert snippet.startswith("…word")
    assert snippet.endswith("word…")
    assert texts.snippet_around("all of it", 0, 3) == "all of it"


def test_snippet_of_a_long_find_is_cut() -> None:
    """What was found may itself be longer than a snippet."""
    assert len(texts.snippet_around("x" * 500, 100, 400)) <= 80
