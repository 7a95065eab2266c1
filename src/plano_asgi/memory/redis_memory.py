"""Memory in Redis, for many processes on many machines. Needs no search module."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio

from plano_asgi import _json
from plano_asgi.errors import ConfigurationError
from plano_asgi.memory import redis_scripts as lua
from plano_asgi.memory.base import MemoryItem, Namespace
from plano_asgi.memory.item_codec import Record, item_key, namespace_key, read_item, write_item
from plano_asgi.memory.outage import unavailable
from plano_asgi.memory.ranking import (
    Candidate,
    Question,
    cosines,
    fits,
    plain_filters,
    rank,
    top,
)
from plano_asgi.memory.words import words_of
from plano_asgi.stores.redis_client import RedisClient

_INDEXES_OUTLIVE_S = 3600
_LATEST_MS = 8_640_000_000_000_000
_BATCH = 200


class RedisMemory:
    """
    A ``MemoryStore`` in one Redis server, 6.2 or later; not in a cluster. asyncio only.

    An item that expires is deleted by Redis itself at that second of the server's clock, its
    words in the indexes by ``purge``, or by Redis an hour later. Whether what ``add`` has kept
    survives a crash of the server is its persistence's matter (``appendfsync always``: all of it;
    ``everysec``: but for a second; no AOF: back to the last snapshot).

    Args:
        url: ``redis://`` or ``rediss://``, as redis-py reads it.
        root: What every key begins with.
        scan_limit: Items that one search weighs at most; ``ranking.ways_to`` says which.
        max_vectors: Newest items whose vectors one search compares at most.
        index_chars: How much of a text is indexed, from its start. The text is kept whole.
        timer: The clock, Unix seconds.
        purge_interval_s: ``add`` purges first when this process's last purge is longer ago.
        max_connections: Per event loop.
        connect_timeout_s: For a connection.
        command_timeout_s: For a command, waiting for a connection included.

    Raises:
        MissingExtra: redis-py is not installed (extra ``redis``).
        ConfigurationError: *url* cannot be read, or a bound is under 1.
    """

    def __init__(
        self,
        url: str,
        *,
        root: str = "plano:memory",
        scan_limit: int = 256,
        max_vectors: int = 2_048,
        index_chars: int = 20_000,
        timer: Callable[[], float] = time.time,
        purge_interval_s: float = 60.0,
        max_connections: int = 16,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> None:
        if min(scan_limit, max_vectors, index_chars, max_connections) < 1:
            raise ConfigurationError("RedisMemory: every bound is at least 1")
        self._root = root
        self._scan_limit = scan_limit
        self._max_vectors = max_vectors
        self._index_chars = index_chars
        self._timer = timer
        self._purge_interval_s = purge_interval_s
        self._purged_at = timer()
        self._client = RedisClient(
            url,
            unavailable=partial(unavailable, "Redis"),
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
            command_timeout_s=command_timeout_s,
        )

    def __repr__(self) -> str:
        return f"RedisMemory({self._client.shown!r})"

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*; one with a known id replaces it."""
        key = namespace_key(namespace)
        if self._timer() - self._purged_at >= self._purge_interval_s:
            await self.purge()
        for start in range(0, len(items), _BATCH):
            written = [self._written(item) for item in items[start : start + _BATCH]]
            await self._client.script(lua.ADD, self._root, key, *sum(written, ()))

    def _written(self, item: MemoryItem) -> tuple[str | bytes | float, ...]:
        record, ends = write_item(item), item.expires_at
        return (
            item_key(item.id),
            item.created_at,
            "" if ends is None else ends,
            "" if ends is None else _ms(ends),
            "" if ends is None else _ms(ends + _INDEXES_OUTLIVE_S),
            " ".join(words_of(item.text, max_chars=self._index_chars)),
            record.body,
            record.labels,
            record.embedder,
            record.vector or b"",
        )

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
        key, asked, wanted = namespace_key(namespace), Question.of(query), plain_filters(filters)
        if limit < 1:
            return []
        ask = partial(self._ask, key)
        total, counts, rows = await ask(lua.FIND, self._scan_limit, *asked.telling)
        dense = dict[bytes, float]()
        if vector is not None:
            near = _fitting(await ask(lua.VECTORS, embedder, self._max_vectors), wanted)
            blobs = [row[1] for row in near]
            found = await anyio.to_thread.run_sync(cosines, vector, blobs)
            dense = dict(zip((row[0] for row in near), found, strict=True))
            more = set(top(dense, limit)).difference(row[0] for row in rows)
            rows += await ask(lua.ROWS, *more)
        best = rank(
            [_candidate(row, asked.words, dense) for row in _fitting(rows, wanted)],
            asked.weights(dict(zip(asked.telling, counts, strict=True)), total),
            limit=limit,
            threshold=threshold,
            hybrid=vector is not None,
        )
        scores = dict(best)
        kept = await ask(lua.ITEMS, *scores) if scores else []
        return [_item(row, scores[row[0]]) for row in kept]

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        rows = await self._ask(namespace_key(namespace), lua.ITEMS, item_key(id))
        return _item(rows[0]) if rows else None

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
        found = list[MemoryItem]()
        async for row in self._newest(namespace_key(namespace), plain_filters(filters)):
            if len(found) >= offset + limit:
                break
            found.append(_item(row))
        return found[offset : offset + limit]

    async def _newest(
        self, key: str, filters: Mapping[str, Any] | None
    ) -> AsyncIterator[Sequence[bytes]]:
        first, count = 0, _BATCH
        while count == _BATCH:
            count, rows = await self._ask(key, lua.NEWEST, first, first + _BATCH - 1)
            for row in _fitting(rows, filters, at=2):
                yield row
            first += _BATCH

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        key = namespace_key(namespace)
        return bool(await self._client.script(lua.FORGET, self._root, key, item_key(id)))

    async def delete_all(self, namespace: Namespace, /) -> int:
        """
        Forget everything under exactly *namespace*; how many items that were. In steps of 200,
        so that the server serves others between them.
        """
        return await self._in_steps(lua.FORGET_SOME, namespace_key(namespace))

    async def purge(self) -> int:
        """Delete what has expired, in every namespace; how many items that were."""
        self._purged_at = self._timer()
        return await self._in_steps(lua.PURGE, "", self._purged_at)

    async def aclose(self) -> None:
        """Close the running loop's connections; a later call opens new ones."""
        await self._client.aclose()

    async def _ask(self, key: str, script: str, *arguments: str | bytes | float) -> Any:
        return await self._client.script(script, self._root, key, self._timer(), *arguments)

    async def _in_steps(self, script: str, *arguments: str | float) -> int:
        total, count = 0, _BATCH
        while count == _BATCH:
            count = await self._client.script(script, self._root, *arguments, _BATCH)
            total += count
        return total


def _ms(seconds: float) -> int:
    return int(max(1, min(seconds * 1000, _LATEST_MS)))


def _fitting(
    rows: Sequence[Sequence[bytes]], filters: Mapping[str, Any] | None, at: int = -1
) -> list[Any]:
    """Those of *rows* whose labels, at *at*, meet *filters*."""
    return [row for row in rows if not filters or fits(_json.loads(row[at]), filters)]


def _candidate(
    row: Sequence[bytes], asked: Sequence[str], dense: Mapping[bytes, float]
) -> Candidate[bytes]:
    id, created, words, _ = row
    own = set(words.decode().split())
    return Candidate(id, float(created), own.intersection(asked), len(own), dense.get(id, 0.0))


def _item(row: Sequence[bytes], score: float | None = None) -> MemoryItem:
    _, body, labels, vector, embedder = row
    return read_item(
        Record(body.decode(), labels.decode(), vector or None, embedder.decode()), score
    )
