"""How texts spell words."""

from __future__ import annotations

import pytest

from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.spelling import Slip, Spelling, misspellings


@pytest.mark.parametrize("wrong", ["thnaks", "thaks", "thankks", "thenks"])
def test_slips_of_the_hand(wrong: str) -> None:
    """A letter swapped, left out, doubled, or a vowel for a vowel."""
    assert wrong in misspellings("thanks")


def test_misspellings_are_few() -> None:
    """They keep the first letter and at least four, and a short word has no vowel swapped."""
    assert "hanks" not in misspellings("thanks")
    assert min(map(len, misspellings("that"))) >= 4
    assert "thet" not in misspellings("that")


def _spelling(max_pieces: int = 10) -> Spelling:
    document = {"spelling": {"i'm": "i am"}, "reading": {"fillers": ["really"]}}
    spelling = Spelling(Lexicon.from_document(document), max_pieces=max_pieces)
    spelling.teach({"helpful", "broken", "planned", "planner"}, {"brokers"})
    return spelling


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        ("i'm", ("i", "am")),
        ("really", ()),
        ("really!", (".",)),
        ("", ()),
        ("(done).", (",", "done", ",", ".")),
        ("hellpful,", ("helpful", ",")),
        ("helpfuuul", ("helpful",)),
        ("soooo", ("soo",)),
        ("brokers", ("brokers",)),
        ("planne", ("planne",)),
        ("dinner", ("dinner",)),
    ],
)
def test_pieces_are_read(piece: str, words: tuple[str, ...]) -> None:
    """Short forms and marks, fillers left out; a slip only where it is of one word and no word."""
    assert _spelling()[piece] == words


def test_slips_are_told() -> None:
    """Words of their own are none; drawn out ones are only spelt another way."""
    spelling = _spelling()
    pieces = ("hepful", "(hepful)", "helpful", "helpfuuul", "dinner")
    assert [type(spelling[piece]) is Slip for piece in pieces] == [True, True, False, False, False]


def test_pieces_are_kept_up_to_a_bound() -> None:
    """Then all are forgotten; one that is too long is never kept."""
    spelling = _spelling(max_pieces=3)
    for piece in ("a", "b", "c", "d", "x" * 33):
        assert spelling[piece] == (piece,)
    assert list(spelling) == ["d"]
