"""
A selector without any model: full text search (BM25) over example utterances.

Words are all it sees, so it needs examples that use users' words; a description alone says too
little, and routes that have no more are refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cachetools import LRUCache

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange
from plano_asgi.routing.selectors.base import RoutePreference, Selection, Unreadable
from plano_asgi.routing.selectors.turns import asked

DEFAULT_MIN_SCORE = 0.35
"""Share of what was asked, weighted by how telling each word is, that the route must cover."""

_K1, _B = 1.2, 0.75  # the usual constants of BM25
_RUN = re.compile(r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+)|[^\W_]+")
_MAX_WORD_CHARS = 64
_LISTED = """
a about am an and any are at be can could d did do does for from get give has have he her how i if
in into is it its just ll let m me my need of on or our out please re s she so some t tell than
that the their them there these they this to up us ve want was we what when where which who why
will with would you your
"""
_FUNCTION_WORDS = frozenset(_LISTED.split())
"""English words that say little about what is asked; other languages' weigh as any word."""


class _Index(NamedTuple):
    """The words of each route's examples, and how telling a word is between routes."""

    counts: Mapping[str, Counter[str]]
    idf: Mapping[str, float]
    unseen: float
    mean_length: float


class TextSelector:
    """
    Chooses the route whose examples share the most telling words with what the user asks.

    Args:
        min_score: Share of the question (0 to 1) that the best route must cover, else none fits.
        min_examples: What every route must have.
        min_words: A user turn with fewer words is read together with the one before it.
        max_chars: Of a longer turn the head and the tail count.
        max_route_sets: Sets of routes that are kept indexed (requests may bring their own).
    """

    name = "text"
    is_cacheable = True

    def __init__(
        self,
        *,
        min_score: float = DEFAULT_MIN_SCORE,
        min_examples: int = 1,
        min_words: int = 4,
        max_chars: int = 4000,
        max_route_sets: int = 64,
    ) -> None:
        if not 0 <= min_score <= 1 or min(min_examples, max_route_sets) < 1 or max_chars < 2:
            raise ConfigurationError(
                "TextSelector: min_score is 0 to 1, max_chars at least 2, the others at least 1"
            )
        self._min_score, self._min_examples = min_score, min_examples
        self._min_words, self._max_chars = min_words, max_chars
        self._indexes: LRUCache[tuple[RoutePreference, ...], _Index] = LRUCache(max_route_sets)

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """
        Raises:
            ConfigurationError: A route has a description only; names it and the ways out.
        """
        bare = [p.name for p in preferences if len(p.examples) < self._min_examples]
        if bare:
            raise ConfigurationError(
                f"Routing preferences without examples ({', '.join(bare)}) need a selector that "
                "understands descriptions: add examples, set a routing model, or install "
                "'plano-asgi[embed]'"
            )

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """
        The route that covers most of the last user turn; its score is the share.

        Raises:
            Unreadable: The turn has no words.
        """
        text = asked(exchange.request, min_words=self._min_words, max_chars=self._max_chars)
        scores = self.scores(text, preferences)
        if not scores:
            raise Unreadable("the last user turn has no words")
        best = max(scores, key=scores.__getitem__)
        if scores[best] < self._min_score:
            return Selection(score=scores[best], note="below the threshold")
        return Selection(route=best, score=scores[best])

    def scores(self, text: str, preferences: tuple[RoutePreference, ...], /) -> dict[str, float]:
        """What each route covers of *text*, 0 to 1; empty if it has no words."""
        if (index := self._indexes.get(preferences)) is None:
            index = self._indexes[preferences] = _indexed(preferences)
        words = dict.fromkeys(_words(text))
        whole = math.fsum(index.idf.get(word, index.unseen) for word in words)
        if whole <= 0:
            return {}
        return {
            name: math.fsum(_weight(word, counts, index) for word in words) / whole
            for name, counts in index.counts.items()
        }


def _indexed(preferences: tuple[RoutePreference, ...]) -> _Index:
    counts = {
        p.name: Counter(word for text in (*p.examples, p.description) for word in _words(text))
        for p in preferences
    }
    total = len(counts)
    seen = Counter(word for words in counts.values() for word in words)
    idf = {word: _idf(n, total) for word, n in seen.items()}
    mean_length = max(1.0, sum(c.total() for c in counts.values()) / max(1, total))
    # A word that no route knows says as much as one that a single route knows.
    return _Index(counts, idf, _idf(1, total), mean_length)


def _idf(routes: int, total: int) -> float:
    return math.log((total + 1) / (routes + 0.5)) ** 2


def _weight(word: str, counts: Counter[str], index: _Index) -> float:
    """BM25 of one word, scaled so that a word counted without end weighs its idf."""
    if not (count := counts[word]):
        return 0.0
    length = 1 - _B + _B * counts.total() / index.mean_length
    return index.idf[word] * count / (count + _K1 * length) * _SATURATED


_SATURATED = (1 + _K1) / 1.0  # so that a word met once in a route of mean length weighs its idf


def _words(text: str) -> Iterator[str]:
    """Folded words; scripts without spaces as pairs of characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    for match in _RUN.finditer(folded):
        run = match[0]
        if match[1]:
            yield from (run[n : n + 2] for n in range(max(1, len(run) - 1)))
        elif run not in _FUNCTION_WORDS:
            yield _stem(run[:_MAX_WORD_CHARS])


def _stem(word: str) -> str:
    """Without the s of English plurals (Harman 1991)."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("us", "ss")):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
