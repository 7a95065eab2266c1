"""Conversations that drag on, and things said again."""

from __future__ import annotations

import pytest

from interaction_rows import ANSWER, leaves, reader, talk
from plano_asgi.signals.base import Row
from plano_asgi.signals.stagnation import stagnation, turn_metrics

DETECT = stagnation(reader())
LONG = "Where is my order number seven, I need it before the weekend"
SORRY = "I'm sorry, I could not find anything about that topic in our help center. Try again later."


def _turns(count: int) -> list[Row]:
    texts = (f"Question {i} is about {'abcdefghijklmnopqrst'[i] * 5}" for i in range(count))
    return talk(
        *(text for question in texts for text in (question, f"Answer to: {question[::-1]}"))
    )


@pytest.mark.parametrize(
    ("turns", "efficiency", "is_dragging"),
    [(0, 1.0, False), (5, 1.0, False), (6, 0.8, False), (9, 0.5, False), (10, 1 / 2.25, True)],
)
def test_efficiency_falls_after_the_baseline(
    turns: int, efficiency: float, is_dragging: bool
) -> None:
    """1 up to five turns, a half at nine, dragging from ten on."""
    metrics = turn_metrics(_turns(turns))
    assert (metrics.user_turns, metrics.assistant_turns) == (turns, turns)
    assert metrics.efficiency_score == pytest.approx(efficiency)
    assert metrics.is_dragging is is_dragging


def test_the_baseline_is_an_argument() -> None:
    """For metrics and detector alike."""
    rows = _turns(10)
    assert not turn_metrics(rows, baseline_turns=8).is_dragging
    assert list(stagnation(reader(), baseline_turns=8)(rows)) == []


def test_dragging_is_told_once_at_the_end() -> None:
    """With how long it took; without words of the conversation."""
    (signal,) = DETECT(_turns(15))
    assert (signal.type, signal.message_index) == ("interaction.stagnation.dragging", 29)
    assert signal.confidence == pytest.approx(1 - 1 / 3.5)
    assert signal.metadata == {
        "total_turns": 15,
        "efficiency_score": pytest.approx(1 / 3.5),
        "baseline_turns": 5,
    }
    assert signal.snippet == ""


@pytest.mark.parametrize(
    "again",
    [LONG, LONG.upper(), f"{LONG}!!", f"Please, {LONG}", LONG.replace("I need", "I really need")],
)
def test_a_person_who_says_it_again(again: str) -> None:
    """Word for word, but for capitals, marks and fillers."""
    (signal,) = DETECT(talk(LONG, ANSWER, again, first=4))
    assert (signal.type, signal.message_index) == ("interaction.stagnation.repetition", 6)
    assert signal.confidence == 1.0
    assert signal.metadata == {
        "repetition_type": "exact",
        "compared_to": 4,
        "similarity": 1.0,
        "role": "user",
    }
    assert len(signal.snippet) <= 80


def test_nearly_the_same_is_a_near_duplicate() -> None:
    """With the share of words as its confidence."""
    (signal,) = DETECT(talk("a?", SORRY, "b?", SORRY.replace(" that topic", " that")))
    assert signal.metadata["repetition_type"] == "near_duplicate"
    assert signal.metadata["role"] == "assistant"
    assert 0.85 <= signal.confidence < 1
    assert signal.confidence == pytest.approx(signal.metadata["similarity"], abs=1e-4)


def test_two_messages_back_are_looked_at() -> None:
    """The same role's last two, of which the most alike counts; not three."""
    assert leaves(DETECT, talk(LONG, "x", "and?", "y", LONG)) == [("repetition", 4)]
    assert leaves(DETECT, talk(LONG, "x", "and?", "y", "so?", "z", LONG)) == []
    (_, third) = DETECT(talk(LONG, "x", LONG.upper(), "y", LONG))
    assert third.metadata["compared_to"] in (0, 2)


@pytest.mark.parametrize(
    "text",
    [
        "yes please go ahead with it",
        "continue",
        "next question please",
        "Give me another joke about cats",
        "tell me more about this",
        "thanks that is all I need",
        "is it so for you?",
        "?!",
    ],
)
def test_some_things_may_be_said_twice(text: str) -> None:
    """Agreement, thanks, asking for more, and words that say nothing."""
    assert leaves(DETECT, talk("Hello there you", ANSWER, text, "Something else.", text)) == []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("What's the weather in Paris tomorrow?", "What's the weather in London tomorrow?"),
        (
            "Convert 15 USD to EUR with the rate of today",
            "Convert 20 USD to EUR with the rate of today",
        ),
        ("Delete the blue file in my folder now", "Delete the green file in my folder now"),
        (LONG, f"{LONG}. " * 3),
    ],
)
def test_another_thing_in_the_same_frame_is_no_repetition(one: str, two: str) -> None:
    """Another name, number, colour or length."""
    assert leaves(DETECT, talk(one, ANSWER, two)) == []


def test_answers_that_differ_in_a_number_are_two_answers() -> None:
    """However much they share."""
    text = (
        "Your order {} has been shipped and will arrive with our partner tomorrow in the morning."
    )
    assert leaves(DETECT, talk("1?", text.format(1234), "2?", text.format(5678))) == []


def test_an_answer_that_was_asked_for_again() -> None:
    """A person who says "repeat that" wants the same words."""
    assert leaves(DETECT, talk("How?", SORRY, "Can you repeat that?", SORRY)) == []
    assert leaves(DETECT, talk("How?", SORRY, "And the other way?", SORRY)) == [("repetition", 3)]


def test_roles_are_not_mixed() -> None:
    """A model that says the person's words is not repeating itself; nor is a tool's result."""
    assert leaves(DETECT, talk(LONG, LONG)) == []
    result = Row(kind="observation", text=LONG, index=1)
    assert leaves(DETECT, [result, result]) == []
