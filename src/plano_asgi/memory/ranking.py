"""
How near an item is to a query: one arithmetic for every store.

A text score is the share of the query's weight that the item holds. A word weighs what it tells
apart, BM25's inverse document frequency within the namespace:

    weight(w) = ln(1 + (N - n(w) + 0.5) / (n(w) + 0.5)),  N = items + 100,  n = items that hold w

The 100 keep a namespace of three items from calling every word common. Function words weigh 0.25.
Each item's share is divided by ``1 + 0.1 * log2(words / 64)`` when it has more than 64 distinct
words: a long text holds any word by chance. 1 is an item that holds every word of the query.

With a vector the score is hybrid, ``0.7 * dense + 0.3 * text``; dense is the cosine, 0 where it
is negative and for an item without a vector of the same embedder.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest, nsmallest
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, combinations
from operator import itemgetter, mul
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from plano_asgi import _json
from plano_asgi.memory.base import MemoryItem
from plano_asgi.memory.words import FUNCTION_WORDS, words_of

MAX_QUERY_CHARS = 4_000
MAX_QUERY_WORDS = 24

_PRIOR_ITEMS = 100
_FUNCTION_WORD_WEIGHT = 0.25
_USUAL_WORDS = 64
_DENSE_SHARE = 0.7
_LEAST_NEAR = 64

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Question:
    """The words asked for; ``telling`` are those whose frequency matters."""

    words: tuple[str, ...]
    telling: tuple[str, ...]

    @classmethod
    def of(cls, query: str) -> Question:
        """Read *query*: its first ``MAX_QUERY_WORDS`` words, telling ones before others."""
        found = words_of(query, max_chars=MAX_QUERY_CHARS)
        telling = tuple(w for w in found if w not in FUNCTION_WORDS)[:MAX_QUERY_WORDS]
        others = [w for w in found if w in FUNCTION_WORDS]
        words = (*telling, *others)[:MAX_QUERY_WORDS]
        return cls(words, telling or words)

    def weights(self, counts: Mapping[str, int], total: int) -> dict[str, float]:
        """
        What each word weighs.

        Args:
            counts: How many of the namespace's items hold each telling word.
            total: How many items it has.
        """
        weights = dict.fromkeys(self.words, _FUNCTION_WORD_WEIGHT)
        for word in self.telling:
            held = min(counts.get(word, 0), total)
            rest = total + _PRIOR_ITEMS - held
            weights[word] = math.log1p((rest + 0.5) / (held + 0.5))
        return weights


class Way(NamedTuple):
    """One way to find candidates: items that hold any, or all, of *words*."""

    of: Literal["any", "all"]
    words: tuple[str, ...]


def ways_to(counts: Mapping[str, int], limit: int) -> list[Way]:
    """
    How a store finds at most *limit* candidates: the best ways first, each taking the newest items
    that it finds until there are enough.

    First every item with one of the rarest words, as long as they are together at most *limit*;
    then items with several of the next three words; then with one. Where a query has no rare
    word, an item that holds its words together is thus found behind any number of newer ones.
    """
    ordered = [word for _, word in sorted((n, word) for word, n in counts.items() if n)]
    found = [*accumulate(counts[word] for word in ordered)]
    rare, others = ordered[: bisect_right(found, limit)], ordered[bisect_right(found, limit) :]
    ways = [Way("any", tuple(rare))] if rare else []
    for size in (3, 2):
        ways += [Way("all", words) for words in combinations(others[:3], size)]
    return ways + [Way("any", (word,)) for word in others[:3]]


class Candidate(NamedTuple, Generic[K]):
    """An item that a store has found."""

    key: K
    created_at: float
    held: Iterable[str]
    """The words of the question that it holds."""
    size: int
    """How many distinct words it has."""
    dense: float = 0.0
    """Cosine to the question's vector."""


def rank(
    candidates: Iterable[Candidate[K]],
    weights: Mapping[str, float],
    *,
    limit: int,
    threshold: float,
    hybrid: bool,
) -> list[tuple[K, float]]:
    """
    The keys of the *limit* best candidates with their scores, best first; of equals the newest.
    """
    whole = sum(weights.values()) or 1.0
    scored = list[tuple[float, float, K]]()
    for key, created_at, held, size, dense in candidates:
        score = sum([weights[word] for word in held]) / whole
        if size > _USUAL_WORDS:
            score /= 1 + 0.1 * math.log2(size / _USUAL_WORDS)
        if hybrid:
            score = _DENSE_SHARE * max(dense, 0.0) + (1 - _DENSE_SHARE) * score
        if score > 0 and score >= threshold:
            scored.append((-min(score, 1.0), -created_at, key))
    return [(key, -score) for score, _, key in nsmallest(limit, scored, key=itemgetter(0, 1))]


def fits(labels: Mapping[str, Any], filters: Mapping[str, Any] | None) -> bool:
    """Whether *labels* (``labels_of``) have every value that *filters* ask for."""
    if not filters:
        return True
    missing = object()
    metadata = labels["metadata"]
    return all(
        (labels["kind"] if name == "kind" else metadata.get(name, missing)) == value
        for name, value in filters.items()
    )


def plain_filters(filters: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """*filters* as they would have been stored: a tuple has become a list."""
    return {name: _json.loads(_json.dumps(v)) for name, v in filters.items()} if filters else None


def labels_of(item: MemoryItem) -> dict[str, Any]:
    """What of *item* can be filtered on."""
    return {"kind": item.kind, "metadata": dict(item.metadata)}


def cosines(vector: Sequence[float], others: Sequence[bytes]) -> list[float]:
    """
    Dot products of *vector* with *others*, 32-bit floats each; 0 where the lengths differ.

    With numpy where it is installed: without it a vector of 384 takes about 15 microseconds.
    """
    size = 4 * len(vector)
    same = [place for place, other in enumerate(others) if len(other) == size]
    dots = _numpy_dots if find_spec("numpy") else _plain_dots
    found = [0.0] * len(others)
    for place, dot in zip(same, dots(vector, [others[i] for i in same]), strict=True):
        found[place] = dot
    return found


def _numpy_dots(vector: Sequence[float], others: Sequence[bytes]) -> list[float]:
    numpy = import_module("numpy")
    rows = numpy.frombuffer(b"".join(others), dtype="f4").reshape(len(others), len(vector))
    # Not "@": BLAS would use threads, which on a busy machine wait for each other.
    dots: list[float] = numpy.einsum("ij,j->i", rows, numpy.asarray(vector, dtype="f4")).tolist()
    return dots


def _plain_dots(vector: Sequence[float], others: Sequence[bytes]) -> list[float]:
    by = partial(map, mul, vector)
    return [sum(by(array("f", other))) for other in others]


def top(dense: Mapping[K, float], limit: int) -> list[K]:
    """
    Which items a hybrid search weighs because of their vectors alone: several times *limit*, as a
    nearer text may overtake a nearer vector.
    """
    return nlargest(max(_LEAST_NEAR, 4 * limit), dense, key=dense.__getitem__)
