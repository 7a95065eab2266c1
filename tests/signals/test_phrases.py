"""The phrase language, and the automaton that reads it."""

from __future__ import annotations

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.signals.automaton import Automaton

WORDS = {"person": ["a human", "(a|the) manager"], "empty": ["so"]}


def _spell(word: str) -> list[str]:
    return [] if word == "so" else word.replace("don't", "do not").split()


def _found(phrase: str, text: str, *more: str) -> list[str]:
    phrases = [(p, p) for p in (phrase, *more)]
    automaton = Automaton(phrases, spell=_spell, words=WORDS)
    words = [".", *text.split(), "."]
    return [" ".join(words[start:end]) for _, start, end in automaton.find([words])[0]]


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("give up", "i give up now", ["give up"]),
        ("give up", "up give", []),
        ("give (up|in)", "we give in", ["give in"]),
        ("that (still)? helps", "that helps", ["that helps"]),
        ("that still? helps", "that still helps", ["that still helps"]),
        ("get me <person>", "get me the manager", ["get me the manager"]),
        ("i asked ... not", "i asked for a red one not blue", ["i asked for a red one not"]),
        ("i asked ... not", "i asked not", ["i asked not"]),
        ("i asked ... not", "i asked a b c d e not", []),
        ("i asked ... not", "i asked . not", []),
        ("option * works", "option two works", ["option two works"]),
        ("option * works", "option works", []),
        ("* works", "that works", ["that works"]),
        ("* works", "the works work", ["the works"]),
        ("i asked ... not", "i asked , for red : not blue", ["i asked , for red : not"]),
        ("^ wrong", "wrong", [". wrong"]),
        ("^ wrong", "is wrong", []),
        ("got it $", "got it ?", ["got it ?"]),
        ("got it $", "got it now", []),
        ("no i meant", "no , i meant", ["no , i meant"]),
        ("no , i", "no i", []),
        ("this : <line>", "this : ¶ x", ["this : ¶"]),
        ("<asked>", "well ? yes", ["?"]),
        ("don't go", "do not go", ["do not go"]),
        ("(so|very) good", "very good", ["very good"]),
        ("(so|very) good", "good", []),
        ("(so) good", "good", ["good"]),
        ("is <empty> good", "is good", ["is good"]),
    ],
)
def test_phrase_language(phrase: str, text: str, found: list[str]) -> None:
    """Each construct finds what it says, and not more."""
    assert _found(phrase, text) == found


def test_one_phrase_may_ask_for_a_mark_another_reads_over() -> None:
    """Both are found in the same words."""
    assert len(_found("no , the", "no , the red", "no the red")) == 2


def test_every_phrase_is_reported() -> None:
    """Also those that begin together, or stand in each other."""
    assert sorted(_found("give up", "i give up now", "give up now", "up")) == [
        "give up",
        "give up now",
        "up",
    ]


def test_forgotten_states_are_worked_out_again() -> None:
    """A bound on the states changes no result."""
    text = ". i asked for one not two and i asked for three not four ."
    automaton = Automaton([("i asked ... not", "")], spell=_spell, words=WORDS, max_states=1)
    found = automaton.find([text.split()] * 3)
    assert len(found[0]) == 2
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("phrase", ["so", "(a|b", "a)", "a | b", "? a", "<nobody> a", "(so)?", ""])
def test_bad_phrases_are_refused(phrase: str) -> None:
    """Unbalanced brackets, unknown lists, and phrases that everything would match."""
    with pytest.raises(ConfigurationError):
        _found(phrase, "a")


def test_a_list_that_stands_in_itself_is_refused() -> None:
    """Its name is in the error."""
    with pytest.raises(ConfigurationError, match="<loop>"):
        Automaton([("a <loop>", "")], spell=_spell, words={"loop": ["b", "c <loop>"]})
