"""
The labelled conversations, and how well the signals of an analyzer agree with them.

A line of ``conversations/*.jsonl``: ``id``; ``format``, of ``FORMATS``; ``messages``, in that
format's own shape; ``labels``, each the ``type`` of a leaf and the ``message_index`` where it is;
``note``, where the case is a hard one. Files named ``heldout*`` are only ever scored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from plano_asgi._json import loads
from plano_asgi.signals.analyzer import Analyzer
from plano_asgi.signals.base import LEAVES
from plano_asgi.signals.recordings import read_messages

FOLDER = Path(__file__).parent / "conversations"
FORMATS = ("openai.chat", "anthropic.messages", "openai.responses", "sharegpt")

Found: TypeAlias = frozenset[tuple[str, int]]
"""Pairs of a leaf and a message's index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One line; *labels* is what a person finds in it."""

    id: str
    format: str
    messages: Sequence[Any]
    labels: Found
    note: str = ""
    held_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of one leaf: how many were found rightly, how many not found, how many found wrongly."""

    hits: int = 0
    misses: int = 0
    extras: int = 0

    @property
    def labelled(self) -> int:
        """How many there are to find."""
        return self.hits + self.misses

    @property
    def precision(self) -> float:
        """The share of what was found that is right; 1 where nothing was found."""
        found = self.hits + self.extras
        return self.hits / found if found else 1.0

    @property
    def recall(self) -> float:
        """The share of what is there that was found; 1 where there is nothing."""
        return self.hits / self.labelled if self.labelled else 1.0


Scores: TypeAlias = Mapping[str, Score]
"""Of each leaf, in their order."""


@cache
def conversations() -> tuple[Conversation, ...]:
    """All of them, file by file."""
    return tuple(
        _conversation(loads(line), held_out=path.name.startswith("heldout"))
        for path in sorted(FOLDER.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    )


def _conversation(line: Any, *, held_out: bool) -> Conversation:
    labels = frozenset((label["type"], label["message_index"]) for label in line.pop("labels"))
    return Conversation(**line, labels=labels, held_out=held_out)


@cache
def findings() -> Mapping[str, Found]:
    """What the analyzer, as it comes, finds in each conversation; by id."""
    analyzer = Analyzer()
    found = {}
    for each in conversations():
        report = analyzer.analyze_rows(read_messages(each.messages))
        found[each.id] = frozenset((s.type, s.message_index) for s in report.signals)
    return found


def scores(chosen: Iterable[Conversation], found: Mapping[str, Found]) -> Scores:
    """By conversation: a leaf is found in it or is not, wherever and however often."""
    pairs = [(_leaves(each.labels), _leaves(found[each.id])) for each in chosen]
    return {leaf: _score((leaf in real, leaf in told) for real, told in pairs) for leaf in LEAVES}


def placed_scores(chosen: Iterable[Conversation], found: Mapping[str, Found]) -> Scores:
    """The stricter one, by instance: a leaf is found only with the index of its message."""
    pairs = [(each.labels, found[each.id]) for each in chosen]
    return {leaf: _score(_instances(leaf, pairs)) for leaf in LEAVES}


def _leaves(found: Found) -> Collection[str]:
    return {leaf for leaf, _ in found}


def _instances(leaf: str, pairs: Iterable[tuple[Found, Found]]) -> Iterable[tuple[bool, bool]]:
    for real, told in pairs:
        for place in real | told:
            if place[0] == leaf:
                yield place in real, place in told


def _score(outcomes: Iterable[tuple[bool, bool]]) -> Score:
    """Of pairs: is it there, was it found."""
    seen = list(outcomes)
    return Score(
        hits=seen.count((True, True)),
        misses=seen.count((True, False)),
        extras=seen.count((False, True)),
    )


def macro(scored: Scores) -> tuple[float, float]:
    """Precision and recall as means over the leaves."""
    several = scored.values()
    return (
        sum(score.precision for score in several) / len(several),
        sum(score.recall for score in several) / len(several),
    )


def split() -> Mapping[str, Sequence[Conversation]]:
    """The conversations under the names that the tables have for them."""
    every = conversations()
    return {
        "all": every,
        "open": [each for each in every if not each.held_out],
        "held out": [each for each in every if each.held_out],
    }


def macro_rows() -> Iterable[Sequence[str]]:
    """The means over the leaves, for all conversations, the open and the held-out ones."""
    for name, chosen in split().items():
        clean = sum(not each.labels for each in chosen)
        by_conversation = macro(scores(chosen, findings()))
        by_place = macro(placed_scores(chosen, findings()))
        shares = (f"{share:.3f}" for share in (*by_conversation, *by_place))
        yield name, str(len(chosen)), str(clean), *shares


def leaf_rows() -> Iterable[Sequence[str]]:
    """Each leaf: all conversations, then those held out."""
    every, held_out = split()["all"], split()["held out"]
    columns = (
        scores(every, findings()),
        placed_scores(every, findings()),
        scores(held_out, findings()),
    )
    for leaf in LEAVES:
        whole, placed, held = (column[leaf] for column in columns)
        yield f"`{leaf}`", *_cells(whole), *_cells(placed)[1:], *_cells(held)


def _cells(score: Score) -> Sequence[str]:
    return str(score.labelled), f"{score.precision:.2f}", f"{score.recall:.2f}"


HEADS: Mapping[str, tuple[Sequence[str], Callable[[], Iterable[Sequence[str]]]]] = {
    "signals_macro": (
        (
            "conversations",
            "how many",
            "with no signal",
            "precision",
            "recall",
            "precision, placed",
            "recall, placed",
        ),
        macro_rows,
    ),
    "signals_leaves": (
        (
            "signal",
            "labelled",
            "precision",
            "recall",
            "precision, placed",
            "recall, placed",
            "held out",
            "precision",
            "recall",
        ),
        leaf_rows,
    ),
}
"""Table of the documentation -> its heads, and what makes its rows."""
