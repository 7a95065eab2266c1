"""
A selector without a model server: compares what is asked with the routes, as vectors.

A route is one point, the middle of its name, its description, the description's clauses and its
examples: that beats the best single match. Nothing fits if the text is not like even the best
route; how like it must be was measured (``bench/accuracy/routing.py``), and differs between routes
with and without examples, whose middles lie closer to what users say.
"""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

from plano_asgi.embeddings.base import Embedder
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.exchange import Exchange
from plano_asgi.routing.selectors.base import RoutePreference, Selection, Unreadable
from plano_asgi.routing.selectors.turns import asked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Row = NDArray[np.float32]

DEFAULT_THRESHOLD = 0.35
"""Of routes with a description: lets 88 % of what belongs to a route pass, and 10 % of the rest."""
DEFAULT_EXAMPLE_THRESHOLD = 0.40
"""Of routes with two examples or more: 91 % and 9 %. Both as measured on CLINC150."""

_CLAUSES = re.compile(r"[.;:\n,!?]+\s*|\s+(?:and|or)\s+")
_MIN_CLAUSE_CHARS = 4
_MAX_CLAUSES = 32
_MIN_EXAMPLES = 2
_DESCRIPTION_WEIGHT = 2.0
"""In examples: what the operator says about a route counts like two things users say."""


class _Index(NamedTuple):
    """One row per route, each of length 1, and the cosine from which it is a match."""

    names: tuple[str, ...]
    centroids: Matrix
    thresholds: tuple[float, ...]


class EmbeddingSelector:
    """
    Chooses the route whose texts are most like what the user asks, in this process. Routes are
    embedded when they are first offered, and kept.

    Good at telling subjects apart. Kinds of task ("reasoning" or "coding") need examples: five
    each, in users' words.

    Args:
        embedder: Compares texts: ``embeddings.MiniLM``, say.
        threshold: Cosine that the best route must reach, else none fits. ``None``: as measured
            for MiniLM, by whether the route has examples. Other embedders need their own.
        min_words: A user turn with fewer words is read together with the one before it.
        max_chars: Of a longer turn the head and the tail count, where it says what it wants. More
            is slower, and less often right: what was pasted in between drowns the question.
        max_route_sets: Sets of routes that are kept embedded (requests may bring their own).
        max_texts: Turns whose vectors are kept, by digest: about 2 KB each. 0 keeps none.

    Raises:
        MissingExtra: numpy is not installed.
        ConfigurationError: A bound that is none.
    """

    name = "embedding"
    is_cacheable = True

    def __init__(
        self,
        embedder: Embedder,
        *,
        threshold: float | None = None,
        min_words: int = 4,
        max_chars: int = 320,
        max_route_sets: int = 64,
        max_texts: int = 1024,
    ) -> None:
        if find_spec("numpy") is None:
            raise MissingExtra("EmbeddingSelector", "embed")
        has_bounds = max_chars >= 2 and max_route_sets >= 1 and max_texts >= 0
        if not has_bounds or not -1 <= (threshold or 0) <= 1:
            raise ConfigurationError(
                "EmbeddingSelector: threshold is -1 to 1, max_chars at least 2, "
                "max_route_sets at least 1, max_texts at least 0"
            )
        self._embedder = embedder
        self._threshold = threshold
        self._min_words, self._max_chars = min_words, max_chars
        self._indexes: LRUCache[tuple[RoutePreference, ...], _Index] = LRUCache(max_route_sets)
        self._vectors: LRUCache[bytes, Row] = LRUCache(max_texts)

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """Any routes will do."""

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """
        The route most like the last user turn; its score is the cosine.

        Raises:
            Unreadable: The turn has no text.
        """
        text = asked(exchange.request, min_words=self._min_words, max_chars=self._max_chars)
        if not text:
            raise Unreadable("the last user turn has no text")
        index = await self._index(preferences)
        scores = await self._scores(text, index)
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] < index.thresholds[best]:
            return Selection(score=scores[best], note="below the threshold")
        return Selection(route=index.names[best], score=scores[best])

    async def scores(
        self, text: str, preferences: tuple[RoutePreference, ...], /
    ) -> dict[str, float]:
        """How like *text* is to each route, by name: the cosine."""
        index = await self._index(preferences)
        return dict(zip(index.names, await self._scores(text, index), strict=True))

    async def _scores(self, text: str, index: _Index) -> list[float]:
        found: list[float] = (index.centroids @ await self._vector(text)).tolist()
        return found

    async def _vector(self, text: str) -> Row:
        import numpy as np

        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        if (kept := self._vectors.get(key)) is not None:
            return kept
        (embedded,) = await self._embedder.embed([text])
        vector = np.asarray(embedded, dtype=np.float32)
        if self._vectors.maxsize:
            self._vectors[key] = vector
        return vector

    async def _index(self, preferences: tuple[RoutePreference, ...]) -> _Index:
        if (index := self._indexes.get(preferences)) is None:
            # Two first callers at once both do the work; the results are equal.
            index = await self._embedded(preferences)
            self._indexes[preferences] = index
        return index

    async def _embedded(self, preferences: tuple[RoutePreference, ...]) -> _Index:
        import numpy as np

        told = [_told(preference) for preference in preferences]
        texts = [text for n, own in enumerate(told) for text in (*own, *preferences[n].examples)]
        vectors = np.asarray(await self._embedder.embed(texts), dtype=np.float32)
        centroids, start = [], 0
        for preference, own in zip(preferences, told, strict=True):
            middle, end = start + len(own), start + len(own) + len(preference.examples)
            about = _scaled(vectors[start:middle].sum(axis=0)) * _DESCRIPTION_WEIGHT
            centroids.append(_scaled(about + vectors[middle:end].sum(axis=0)))
            start = end
        return _Index(
            names=tuple(preference.name for preference in preferences),
            centroids=np.stack(centroids),
            thresholds=tuple(map(self._needed, preferences)),
        )

    def _needed(self, preference: RoutePreference) -> float:
        if self._threshold is not None:
            return self._threshold
        has_examples = len(preference.examples) >= _MIN_EXAMPLES
        return DEFAULT_EXAMPLE_THRESHOLD if has_examples else DEFAULT_THRESHOLD


def _told(preference: RoutePreference) -> list[str]:
    """What the operator says about a route: its name, its description, and that in clauses."""
    spoken = re.sub(r"[_\W]+", " ", preference.name).strip() or preference.name
    description = preference.description.strip()
    clauses = [clause.strip() for clause in _CLAUSES.split(description)]
    clauses = [clause for clause in clauses if len(clause) >= _MIN_CLAUSE_CHARS]
    return [spoken, *([description] if description else []), *clauses[:_MAX_CLAUSES]]


def _scaled(vector: Row) -> Row:
    import numpy as np

    scaled: Row = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return scaled
