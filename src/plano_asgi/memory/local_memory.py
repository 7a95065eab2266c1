"""Memory in this process: for tests, and for hosts of one process that may forget."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import islice
from typing import Any

from plano_asgi import _json
from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.base import MemoryItem, Namespace
from plano_asgi.memory.item_codec import Record, item_key, namespace_key, read_item, write_item
from plano_asgi.memory.ranking import (
    Candidate,
    Question,
    cosines,
    fits,
    plain_filters,
    rank,
    ways_to,
)
from plano_asgi.memory.words import words_of


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    labels: Mapping[str, Any]
    words: frozenset[str]
    created_at: float
    expires_at: float | None

    def is_alive(self, now: float) -> bool:
        return self.expires_at is None or self.expires_at > now


@dataclass(slots=True)
class _Shelf:
    """One namespace: items by key, least recently used first; keys by word; keys by time."""

    items: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    holders: dict[str, set[str]] = field(default_factory=dict)
    oldest: list[tuple[float, str]] = field(default_factory=list)

    def put(self, key: str, kept: _Kept) -> None:
        self.drop(key)
        self.items[key] = kept
        insort(self.oldest, (kept.created_at, key))
        for word in kept.words:
            self.holders.setdefault(word, set()).add(key)

    def drop(self, key: str) -> bool:
        if (kept := self.items.pop(key, None)) is None:
            return False
        del self.oldest[bisect_left(self.oldest, (kept.created_at, key))]
        for word in kept.words:
            self.holders[word].discard(key)
            if not self.holders[word]:
                del self.holders[word]
        return True

    def alive(
        self, keys: Iterable[str], now: float, filters: Mapping[str, Any] | None
    ) -> list[str]:
        """Those of *keys* that may be returned."""
        items = self.items
        return [k for k in keys if items[k].is_alive(now) and fits(items[k].labels, filters)]

    def newest(self) -> Iterable[str]:
        return (key for _, key in reversed(self.oldest))

    def holding(self, counts: Mapping[str, int], limit: int) -> set[str]:
        """Keys of items found by their words, of equal ways the newest."""
        found = set[str]()
        for way in ways_to(counts, limit):
            if (room := limit - len(found)) <= 0:
                break
            holders = [self.holders[word] for word in way.words]
            more = (set.union if way.of == "any" else set.intersection)(*holders) - found
            found.update(nlargest(room, more, key=lambda k: (self.items[k].created_at, k)))
        return found


class LocalMemory:
    """
    A ``MemoryStore`` in this process, lost with it and not shared with other workers.

    Args:
        max_items: Items per namespace; past it the least recently used is dropped.
        max_namespaces: Past it the least recently used namespace is dropped whole.
        scan_limit: Items that one search weighs at most; ``ranking.ways_to`` says which.
        max_vectors: Newest items whose vectors one search compares at most.
        timer: The clock, Unix seconds.
        purge_interval_s: ``add`` purges first when the last purge is longer ago.

    ``dropped`` counts the items that went because of a bound.

    Raises:
        ConfigurationError: A bound is under 1.
    """

    def __init__(
        self,
        *,
        max_items: int = 10_000,
        max_namespaces: int = 10_000,
        scan_limit: int = 256,
        max_vectors: int = 2_048,
        timer: Callable[[], float] = time.time,
        purge_interval_s: float = 60.0,
    ) -> None:
        if min(max_items, max_namespaces, scan_limit, max_vectors) < 1:
            raise ConfigurationError("LocalMemory: every bound is at least 1")
        self.dropped = 0
        self._max_items = max_items
        self._max_namespaces = max_namespaces
        self._scan_limit = scan_limit
        self._max_vectors = max_vectors
        self._timer = timer
        self._purge_interval_s = purge_interval_s
        self._purged_at = timer()
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()

    def __repr__(self) -> str:
        return f"LocalMemory(namespaces={len(self._shelves)})"

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*; one with a known id replaces it. All or, where one is not JSON, none."""
        key = namespace_key(namespace)
        if self._timer() - self._purged_at >= self._purge_interval_s:
            await self.purge()
        written = [(item_key(item.id), _keep(item)) for item in items]
        if not written:
            return
        shelf = self._shelves.setdefault(key, _Shelf())
        for id_key, kept in written:
            shelf.put(id_key, kept)
        self._shelves.move_to_end(key)
        self._evict(shelf)

    def _evict(self, shelf: _Shelf) -> None:
        while len(shelf.items) > self._max_items:
            shelf.drop(next(iter(shelf.items)))
            self.dropped += 1
        while len(self._shelves) > self._max_namespaces:
            _, lost = self._shelves.popitem(last=False)
            self.dropped += len(lost.items)

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
        """See ``MemoryStore``; ``plano_asgi.memory.ranking`` says what a score is."""
        if (shelf := self._shelf(namespace)) is None or limit < 1:
            return []
        asked, now, wanted = Question.of(query), self._timer(), plain_filters(filters)
        counts = {word: len(shelf.holders.get(word, ())) for word in asked.telling}
        keys = set(shelf.alive(shelf.holding(counts, self._scan_limit), now, wanted))
        dense = dict[str, float]()
        if vector is not None:
            same = (k for k in shelf.newest() if shelf.items[k].record.embedder == embedder)
            near = shelf.alive(islice(same, self._max_vectors), now, wanted)
            blobs = [shelf.items[k].record.vector or b"" for k in near]
            dense = dict(zip(near, cosines(vector, blobs), strict=True))
            keys.update(near)
        found = [_candidate(k, shelf.items[k], asked, dense.get(k, 0.0)) for k in keys]
        weights = asked.weights(counts, len(shelf.items))
        best = rank(found, weights, limit=limit, threshold=threshold, hybrid=vector is not None)
        for key, _ in best:
            shelf.items.move_to_end(key)
        return [read_item(shelf.items[key].record, score) for key, score in best]

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        shelf, key = self._shelf(namespace), item_key(id)
        if shelf is None or not shelf.alive(
            [key] if key in shelf.items else [], self._timer(), None
        ):
            return None
        shelf.items.move_to_end(key)
        return read_item(shelf.items[key].record)

    async def list(
        self,
        namespace: Namespace,
        /,
        *,
        limit: int = 100,
        offset: int = 0,
        filters: Mapping[str, Any] | None = None,
    ) -> Sequence[MemoryItem]:
        """Items, newest first; of the same time, by id backwards."""
        if (shelf := self._shelf(namespace)) is None:
            return []
        keys = shelf.alive(shelf.newest(), self._timer(), plain_filters(filters))
        return [read_item(shelf.items[k].record) for k in keys[offset : offset + limit]]

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        shelf = self._shelf(namespace)
        return shelf is not None and shelf.drop(item_key(id))

    async def delete_all(self, namespace: Namespace, /) -> int:
        """Forget everything under exactly *namespace*; how many items that were."""
        shelf = self._shelves.pop(namespace_key(namespace), None)
        return len(shelf.items) if shelf else 0

    async def purge(self) -> int:
        """Delete what has expired, in every namespace; how many items that were."""
        now = self._purged_at = self._timer()
        purged = 0
        for name, shelf in [*self._shelves.items()]:
            gone = [key for key, kept in shelf.items.items() if not kept.is_alive(now)]
            purged += sum(map(shelf.drop, gone))
            if not shelf.items:
                del self._shelves[name]
        return purged

    async def aclose(self) -> None:
        """Nothing to close; what is remembered stays."""

    def _shelf(self, namespace: Namespace) -> _Shelf | None:
        key = namespace_key(namespace)
        if (shelf := self._shelves.get(key)) is not None:
            self._shelves.move_to_end(key)
        return shelf


def _keep(item: MemoryItem) -> _Kept:
    record = write_item(item)
    return _Kept(
        record=record,
        labels=_json.loads(record.labels),
        words=frozenset(words_of(item.text)),
        created_at=item.created_at,
        expires_at=item.expires_at,
    )


def _candidate(key: str, kept: _Kept, asked: Question, dense: float) -> Candidate[str]:
    held = kept.words.intersection(asked.words)
    return Candidate(key, kept.created_at, held, len(kept.words), dense)
