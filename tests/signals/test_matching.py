"""What is said, and what only looks as if it were."""

# ruff: noqa: RUF001  (people write with other quotes and letters than ours)

from __future__ import annotations

import pytest

from interaction_rows import reader
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.matching import MISSPELT, Reader

LEAF = "interaction.disengagement.quit"


def _reader(scope: str = "near", **more: object) -> Reader:
    document = {
        "interaction": {
            "disengagement": {
                "quit": {
                    "phrases": ["give up", "really stop it"],
                    "guards": ["g"],
                    "exceptions": ["give up sugar"],
                }
            }
        },
        "guards": {"g": {"scope": scope, "phrases": ["never", "<asked>"]}},
        "spelling": {"i'm": "i am"},
        "reading": {"fillers": ["really"], "stopwords": ["i"]},
    }
    return Reader(Lexicon.from_document(document), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "text", "is_hit"),
    [
        ("near", "give up", True),
        ("near", "never ever give up", False),
        ("near", "never one two three four give up", True),
        ("near", "never, give up", True),
        ("clause", "never one two three four give up", False),
        ("clause", "never, give up", True),
        ("sentence", "never, one, give up", False),
        ("sentence", "never. give up", True),
        ("rest", "never. give up", False),
        ("rest", "give up. never", True),
        ("before", "should i give up?", False),
        ("before", "give up, or?", True),
        ("near", "i give up sugar", True),
    ],
)
def test_guards_have_a_scope(scope: str, text: str, is_hit: bool) -> None:
    """Near, clause, sentence, rest, before: what is in it does not count."""
    expected = is_hit and "sugar" not in text
    assert bool(_reader(scope).read(text).hits) is expected


def test_a_hit_has_the_persons_own_words() -> None:
    """The snippet is the text as written, the phrase is the lexicon's."""
    hit = _reader().read("Well, I REALLY  give really UP now").hits[f"{LEAF}.quit"]
    assert hit.snippet == "Well, I REALLY give really UP now"
    assert (hit.phrase, hit.confidence, hit.length) == ("give up", 1.0, 2)


@pytest.mark.parametrize("text", ["ummm sooo yeahhh, i give up now", "ummm, i give up now"])
def test_drawn_out_words_do_not_shift_the_snippet(text: str) -> None:
    """Words read over are counted as such wherever positions are."""
    padded = "x" * 90 + " " + text + " " + "y" * 90
    assert "give up" in reader().read(padded).hits[f"{LEAF}.quit"].snippet


def test_the_longest_exact_hit_is_the_best() -> None:
    """An exact phrase before a misspelt one, a long one before a short one."""
    hits = reader().read("i give up. forget it, i giv up on this bot").hits
    assert hits[f"{LEAF}.quit"].confidence == 1.0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("no i ment the other file", "misalignment.correction.contradiction"),
        ("i dont undestand what you mean", "misalignment.clarification.clarification"),
        ("thnaks a lot", "satisfaction.gratitude.gratitude"),
        ("thankssss sooo much", "satisfaction.gratitude.gratitude"),
        ("let me talk to a mangaer", "disengagement.escalation.escalation"),
        ("this is usless", "disengagement.negative_stance.complaint"),
        ("THAT’S NOT WHAT I ASKED", "misalignment.correction.correction"),
        ("I’m done with this", "disengagement.quit.quit"),
    ],
)
def test_typing_errors_are_read_over(text: str, key: str) -> None:
    """Slips, missing apostrophes, curly quotes, capitals and drawn out letters."""
    assert f"interaction.{key}" in reader().read(text).hits


def test_a_misspelt_phrase_is_less_certain() -> None:
    """Its confidence says so."""
    hit = reader().read("thnaks a lot").hits["interaction.satisfaction.gratitude.gratitude"]
    assert (hit.confidence, hit.snippet) == (MISSPELT, "thnaks a lot")


@pytest.mark.parametrize("text", ["she thinks a lot", "pictured here", "I wander what to cook"])
def test_real_words_are_no_typing_errors(text: str) -> None:
    """A word that exists is that word."""
    assert reader().read(text).hits == {}


def test_only_head_and_tail_of_a_long_text_are_read() -> None:
    """Twenty thousand characters cost what two thousand do."""
    text = "I give up. " + "word " * 4000 + "thanks so much"
    reading = reader().read(text)
    assert len(reading.raw) == 2000
    assert len(reading.hits) == 2
    assert _reader(max_chars=10).read("word " * 9 + "give up").raw == "wo give up"


def test_readings_are_kept_up_to_a_bound() -> None:
    """The same text is read once; with no memory, every time anew."""
    remembering, forgetful = _reader(), _reader(memo_texts=0)
    assert remembering.read("i give up") is remembering.read("i give up")
    assert forgetful.read("i give up") is not forgetful.read("i give up")


def test_reading_has_words_and_content() -> None:
    """Spoken words without marks; content without stopwords."""
    reading = _reader().read("I'm out, really!")
    assert reading.words == (".", "i", "am", "out", ",", ".", ".")
    assert reading.spoken() == ["i", "am", "out"]
    assert reading.content == {"am", "out"}


@pytest.mark.parametrize(
    "text", ["no " * 700, "thanks, " * 250, "?" * 2000, "if i give up " * 150, "'" * 999]
)
def test_a_text_that_says_one_thing_forever_is_read(text: str) -> None:
    """Only so many finds are looked at."""
    reading = Reader(reader().lexicon).read(text)
    assert all(hit.snippet for hit in reading.hits.values())
