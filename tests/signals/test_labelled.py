"""How well the signals agree with conversations that were labelled without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from plano_asgi.signals.base import LEAVES
from signals.labelled import (
    FORMATS,
    Conversation,
    Score,
    Scores,
    conversations,
    findings,
    macro,
    placed_scores,
    scores,
    split,
)

EXCLUSIVE = ("misalignment", "satisfaction", "failure", "exhaustion")
"""Categories of which a message shows one leaf at most."""


def test_ids_are_unique() -> None:
    """A conversation is known by its id."""
    ids = Counter(each.id for each in conversations())
    assert [name for name, count in ids.items() if count > 1] == []


def test_there_are_enough() -> None:
    """At least 300, of which 100 show nothing, and each leaf ten times."""
    every = conversations()
    shown = Counter(leaf for each in every for leaf in {leaf for leaf, _ in each.labels})
    assert len(every) >= 300
    assert sum(not each.labels for each in every) >= 100
    assert [leaf for leaf in LEAVES if shown[leaf] < 10] == []
    assert set(shown) == set(LEAVES)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_calls_of_tools(format: str) -> None:
    """Each shape on the wire is there, with and without tools."""
    uses = Counter(_calls(each) for each in conversations() if each.format == format)
    assert min(uses[True], uses[False]) >= 30


def test_only_known_formats_are_used() -> None:
    """``FORMATS`` is the whole list."""
    assert {each.format for each in conversations()} == set(FORMATS)


def _calls(each: Conversation) -> bool:
    marks = ("'tool_calls'", "'tool_use'", "'function_call'")
    return any(mark in str(each.messages) for mark in marks)


def test_labels_point_at_messages() -> None:
    """Every index is one of the client's own list."""
    for each in conversations():
        assert all(0 <= index < len(each.messages) for _, index in each.labels), each.id


def test_a_message_has_one_leaf_of_an_exclusive_category() -> None:
    """As the detectors count: a result fails in one way, a person thanks or confirms."""
    for each in conversations():
        seen = Counter((leaf.split(".")[1], index) for leaf, index in each.labels)
        assert all(seen[key] == 1 for key in seen if key[0] in EXCLUSIVE), each.id


def test_a_third_is_held_out_and_has_every_leaf() -> None:
    """What nobody tuned on says something about each leaf."""
    parts = split()
    held = {leaf for each in parts["held out"] for leaf, _ in each.labels}
    assert 0.25 <= len(parts["held out"]) / len(parts["all"]) <= 0.4
    assert held == set(LEAVES)


FLOORS = {"all": (0.97, 0.96), "open": (0.98, 0.98), "held out": (0.96, 0.92)}
"""Precision and recall that were reached; the least to aim at is 0.95 and 0.85."""


@pytest.mark.parametrize("count", [scores, placed_scores])
@pytest.mark.parametrize("part", FLOORS)
def test_macro_precision_and_recall(part: str, count: Callable[..., Scores]) -> None:
    """The means over the leaves, also where nobody could tune, and where the place must be told."""
    precision, recall = macro(count(split()[part], findings()))
    assert (precision >= FLOORS[part][0], recall >= FLOORS[part][1]) == (True, True)


@pytest.mark.parametrize("leaf", LEAVES)
def test_no_leaf_is_bad(leaf: str) -> None:
    """The mean hides none."""
    score = scores(conversations(), findings())[leaf]
    assert score.precision >= 0.85
    assert score.recall >= 0.80


def test_scores_count_conversations_and_placed_scores_instances() -> None:
    """Two labels of a leaf in one conversation, of which one was found at its place."""
    leaf, other = LEAVES[0], LEAVES[1]
    each = Conversation(
        id="a", format=FORMATS[0], messages=[], labels=frozenset({(leaf, 1), (leaf, 3)})
    )
    found = {"a": frozenset({(leaf, 3), (leaf, 5), (other, 1)})}
    assert scores([each], found)[leaf] == Score(hits=1)
    assert scores([each], found)[other] == Score(extras=1)
    assert placed_scores([each], found)[leaf] == Score(hits=1, misses=1, extras=1)
    assert placed_scores([each], found)[other] == Score(extras=1)


def test_shares_of_a_score() -> None:
    """Precision is of what was found, recall of what is there; nothing done wrong is 1."""
    assert Score(hits=3, extras=1).precision == 0.75
    assert Score(hits=3, misses=2).recall == 0.6
    assert (Score().precision, Score().recall) == (1.0, 1.0)
    assert macro({"a": Score(hits=1, extras=1), "b": Score(misses=1)}) == (0.75, 0.5)
