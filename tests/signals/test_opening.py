"""What a person can mean before there is an answer that it could be about."""

from __future__ import annotations

import pytest

from interaction_rows import reader, reply, talk
from plano_asgi.signals.base import Row
from plano_asgi.signals.interaction import interaction

DETECT = interaction(reader().lexicon)

OF_THEIRS = (
    "I don't understand this error message: NullPointerException",
    "I don't understand quantum physics, can you explain it?",
    "What do you mean by 'idempotent' in HTTP?",
    "Say it again in French",
    "In other words, the cat is dead. Translate that to French.",
    "That's not right for my skin type: which creams should I avoid?",
    "My code is still not working, here is the traceback",
    "I already tried rebooting, what else?",
    "useless use of cat - what is it?",
    "Great, another error.",
    "Please do it",
    "You're right, I was wrong",
)
TELLING = {
    "huh?": "clarification",
    "Sorry, I'm not following you.": "clarification",
    "I already told you my order number": "correction",
    "Let me put it differently: how many days are left?": "rephrase",
    "This is useless": "negative_stance",
    "This is great": "confirmation",
}


def _found(rows: list[Row]) -> list[str]:
    return [s.type.rpartition(".")[2] for s in DETECT(rows)]


@pytest.mark.parametrize("text", OF_THEIRS)
def test_a_first_turn_about_a_thing_of_theirs_shows_nothing(text: str) -> None:
    """There is no answer yet that they could mean."""
    assert _found(talk(text)) == []


@pytest.mark.parametrize(("text", "leaf"), TELLING.items())
def test_a_first_turn_about_nothing_else_counts(text: str, leaf: str) -> None:
    """A conversation may come without its beginning."""
    assert _found(talk(text)) == [leaf]


@pytest.mark.parametrize(
    ("text", "leaf"),
    [
        ("I don't understand the second entry, what is it for?", "clarification"),
        ("In other words, which of the two is it?", "rephrase"),
        ("No, the other panel", "correction"),
        ("My report is still not working", "negative_stance"),
        ("Great, another error.", "negative_stance"),
        ("go ahead", "confirmation"),
    ],
)
def test_after_an_answer_the_same_is_about_it(text: str, leaf: str) -> None:
    """Also where it names other things."""
    assert _found(reply(text)) == [leaf]


def test_a_call_is_an_answer_too() -> None:
    """A model that only called a tool has done something that can be wrong."""
    rows = [*talk("Book Rome"), Row(kind="function_call", text="{}", name="book", index=1)]
    assert _found([*rows, Row(kind="human", text="No, the other one", index=2)]) == ["correction"]
