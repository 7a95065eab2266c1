"""The arithmetic of scores."""

from __future__ import annotations

import math
from array import array

import pytest

from plano_asgi.memory import ranking
from plano_asgi.memory.ranking import Candidate, Question, Way, cosines, rank, top, ways_to


def test_rare_words_weigh_more() -> None:
    """And an unknown one most: nothing here is about it."""
    asked = Question.of("the tea of zanzibar")
    weights = asked.weights({"tea": 900, "zanzibar": 1}, 1000)
    assert weights["zanzibar"] > weights["tea"] > 0
    assert weights["the"] == weights["of"] == 0.25
    assert asked.weights({}, 1000)["tea"] > weights["zanzibar"]


def test_a_question_is_bounded() -> None:
    """Telling words first, then others, 24 in all; of function words alone all tell."""
    long = Question.of(" ".join(f"the word{n}" for n in range(100)))
    assert len(long.words) == len(long.telling) == 24
    assert "the" not in long.words
    assert Question.of("what is it").telling == ("what", "is", "it")
    assert Question.of("...") == Question((), ())


def test_rare_words_find_first() -> None:
    """All they find, within the limit; then common words together; then each alone."""
    counts = {"c": 900, "rare": 2, "none": 0, "some": 8, "a": 11, "b": 12}
    assert ways_to(counts, 10) == [
        Way("any", ("rare", "some")),
        Way("all", ("a", "b", "c")),
        Way("all", ("a", "b")),
        Way("all", ("a", "c")),
        Way("all", ("b", "c")),
        Way("any", ("a",)),
        Way("any", ("b",)),
        Way("any", ("c",)),
    ]
    assert ways_to({"a": 11}, 10) == [Way("any", ("a",))]
    assert ways_to({"a": 11}, 11) == [Way("any", ("a",))]
    assert ways_to({"none": 0}, 10) == ways_to({}, 10) == []


def test_scores_run_from_none_to_one() -> None:
    """Shares of the weight; zero is no hit; equals by time, newest first."""
    weights = {"tea": 3.0, "milk": 1.0}
    found = [
        Candidate("none", 9.0, [], 5),
        Candidate("milk", 9.0, ["milk"], 5),
        Candidate("old", 1.0, ["tea", "milk"], 5),
        Candidate("new", 2.0, ["milk", "tea"], 5),
        Candidate("long", 9.0, ["tea", "milk"], 128),
    ]
    best = rank(found, weights, limit=9, threshold=0.0, hybrid=False)
    assert best == [("new", 1.0), ("old", 1.0), ("long", pytest.approx(1 / 1.1)), ("milk", 0.25)]
    assert rank(found, weights, limit=1, threshold=0.0, hybrid=False) == [("new", 1.0)]
    assert rank(found, weights, limit=9, threshold=0.95, hybrid=False) == best[:2]
    assert rank(found[:1], {}, limit=9, threshold=0.0, hybrid=False) == []


def test_hybrid_scores_join_both() -> None:
    """Seven parts of meaning, three of words; what points away counts nothing."""
    found = [
        Candidate("both", 0.0, ["tea"], 1, 1.0),
        Candidate("away", 0.0, ["tea"], 1, -1.0),
        Candidate("dense", 0.0, [], 1, 0.5),
    ]
    best = dict(rank(found, {"tea": 1.0}, limit=9, threshold=0.0, hybrid=True))
    assert best == {"both": 1.0, "away": pytest.approx(0.3), "dense": 0.35}


@pytest.mark.parametrize("dots", [ranking._numpy_dots, ranking._plain_dots])
def test_dot_products_need_no_numpy(dots: object) -> None:
    """With it and without the same comes out."""
    rows = [array("f", row).tobytes() for row in ([1.0, 0.0], [0.6, 0.8], [-1.0, 0.0])]
    assert callable(dots)
    assert dots([0.5, 0.5], rows) == pytest.approx([0.5, 0.7, -0.5])
    assert dots([0.5, 0.5], []) == []


def test_vectors_of_another_length_are_not_near() -> None:
    """They score zero, whatever they hold."""
    rows = [array("f", [1.0]).tobytes(), array("f", [1.0, 0.0]).tobytes(), b""]
    assert cosines([1.0, 0.0], rows) == [0.0, 1.0, 0.0]


def test_top_takes_a_multiple_of_the_limit() -> None:
    """At least 64."""
    dense = {n: math.cos(n / 100) for n in range(300)}
    assert top(dense, 1) == [*range(64)]
    assert top(dense, 50) == [*range(200)]
