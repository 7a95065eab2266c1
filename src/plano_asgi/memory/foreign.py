"""What adapters of other people's memory stores have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.base import MemoryItem, Namespace
from plano_asgi.memory.item_codec import document_of, item_key, namespace_key
from plano_asgi.memory.outage import unavailable
from plano_asgi.memory.ranking import Candidate, Question, fits, labels_of, plain_filters, rank
from plano_asgi.memory.words import words_of

_MAX_SEEN = 10_000


class Foreign(NamedTuple):
    """An item, and what the other store calls it."""

    handle: str
    item: MemoryItem


class ForeignMemory(ABC):
    """
    A ``MemoryStore`` over a store that knows neither our filters nor our expiry. Subclasses write
    ``_find``, ``_put`` and ``_drop``; vectors are not handed on, as the other store has its own
    embedder.

    Args:
        most: Items of one namespace that one call reads at most.
        errors: What the other store raises when it cannot be reached.
        timer: The clock, Unix seconds.

    ``purge`` covers the namespaces that this object was used for, the last 10,000 of them.

    Raises:
        ConfigurationError: *most* is under 1.
    """

    name = "another store"

    def __init__(
        self,
        *,
        most: int = 1_000,
        errors: tuple[type[Exception], ...] = (OSError,),
        timer: Callable[[], float] = time.time,
    ) -> None:
        if most < 1:
            raise ConfigurationError(f"{type(self).__name__}: most is at least 1")
        self._most = most
        self._errors = errors
        self._timer = timer
        self._seen: OrderedDict[str, Namespace] = OrderedDict()

    @abstractmethod
    async def _find(self, namespace: Namespace, query: str | None, most: int) -> Sequence[Foreign]:
        """
        At most *most* items, of any time: with a *query* those that the store finds near to it,
        with their scores, if it can; ``None`` for all.
        """

    @abstractmethod
    async def _get(self, namespace: Namespace, id: str) -> Sequence[Foreign]:
        """The item with *id*; more than one if the store has kept it more than once."""

    @abstractmethod
    async def _put(self, namespace: Namespace, item: MemoryItem) -> None:
        """Keep *item*."""

    @abstractmethod
    async def _drop(self, namespace: Namespace, handle: str) -> None:
        """Delete what the store calls *handle*."""

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*, one after the other; one with a known id replaces it."""
        for item in items:
            item_key(item.id), document_of(item)
            with self._use(namespace):
                await self._put(namespace, item)

    async def search(
        self,
        namespace: Namespace,
        query: str,
        /,
        *,
        limit: int = 8,
        threshold: float = 0.0,
        filters: Mapping[str, Any] | None = None,
        vector: Sequence[float] | None = None,
        embedder: str = "",
    ) -> list[MemoryItem]:
        """See ``MemoryStore``. Scores are the other store's; without any, ``ranking``'s."""
        with self._use(namespace):
            if not query.strip() or limit < 1:
                return []
            found = await self._find(namespace, query, self._most if filters else limit)
            if any(hit.item.score is not None for hit in found):
                near = self._fitting(found, filters)
                return [item for item in near if (item.score or 0.0) >= threshold][:limit]
            every = await self._find(namespace, None, self._most)
        return _ranked(self._fitting(every, filters), query, limit, threshold)

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        with self._use(namespace):
            found = self._fitting(await self._get(namespace, id), None)
        return found[0] if found else None

    async def list(
        self,
        namespace: Namespace,
        /,
        *,
        limit: int = 100,
        offset: int = 0,
        filters: Mapping[str, Any] | None = None,
    ) -> Sequence[MemoryItem]:
        """Items, newest first."""
        with self._use(namespace):
            found = self._fitting(await self._find(namespace, None, self._most), filters)
        newest = sorted(found, key=lambda it: (it.created_at, item_key(it.id)), reverse=True)
        return newest[offset : offset + limit]

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        with self._use(namespace):
            found = await self._get(namespace, id)
            for hit in found:
                await self._drop(namespace, hit.handle)
        return bool(found)

    async def delete_all(self, namespace: Namespace, /) -> int:
        """Forget everything under exactly *namespace*; how many items that were."""
        deleted = 0
        with self._use(namespace):
            while found := await self._find(namespace, None, self._most):
                for hit in found:
                    await self._drop(namespace, hit.handle)
                deleted += len(found)
        self._seen.pop(namespace_key(namespace), None)
        return deleted

    async def purge(self) -> int:
        """Delete what has expired in the namespaces that were used; how many items that were."""
        now, purged = self._timer(), 0
        for namespace in [*self._seen.values()]:
            with self._use(namespace):
                for hit in await self._find(namespace, None, self._most):
                    if hit.item.expires_at is not None and hit.item.expires_at <= now:
                        await self._drop(namespace, hit.handle)
                        purged += 1
        return purged

    async def aclose(self) -> None:  # noqa: B027 - nothing to close is not nothing to write
        """Nothing: whoever made the other store closes it."""

    @contextmanager
    def _use(self, namespace: Namespace) -> Iterator[None]:
        key = namespace_key(namespace)
        self._seen[key] = namespace
        self._seen.move_to_end(key)
        if len(self._seen) > _MAX_SEEN:
            self._seen.popitem(last=False)
        try:
            yield
        except self._errors as exc:
            raise unavailable(self.name, type(exc).__name__) from exc

    def _fitting(
        self, found: Sequence[Foreign], filters: Mapping[str, Any] | None
    ) -> Sequence[MemoryItem]:
        now, wanted = self._timer(), plain_filters(filters)
        items = (hit.item for hit in found)
        alive = (item for item in items if item.expires_at is None or item.expires_at > now)
        return [item for item in alive if not wanted or fits(labels_of(item), wanted)]


def _ranked(
    items: Sequence[MemoryItem], query: str, limit: int, threshold: float
) -> list[MemoryItem]:
    """The nearest of *items* by their words, for a store that has no scores."""
    asked, kept = Question.of(query), {item.id: item for item in items}
    words = {item.id: frozenset(words_of(item.text)) for item in items}
    counts = {word: sum(word in own for own in words.values()) for word in asked.telling}
    found = [
        Candidate(id, kept[id].created_at, own.intersection(asked.words), len(own))
        for id, own in words.items()
    ]
    weights = asked.weights(counts, len(kept))
    best = rank(found, weights, limit=limit, threshold=threshold, hybrid=False)
    return [replace(kept[id], score=score) for id, score in best]
