"""Memory in PostgreSQL: durable, for many processes on many machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from plano_asgi import _json
from plano_asgi.errors import ConfigurationError
from plano_asgi.memory import postgres_items as sql
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
    ways_to,
)
from plano_asgi.memory.words import words_of
from plano_asgi.stores.postgres_pool import PostgresPool

if TYPE_CHECKING:
    from plano_asgi.stores.postgres_pool import Connection

_COUNTED = 10_000


class PostgresMemory:
    """
    A ``MemoryStore`` in one PostgreSQL database, 12 or later. asyncio only.

    Makes the tables ``plano_memory_items`` and ``plano_rooms`` in the first schema of the
    connection's search path. A word or a namespace is counted up to 10,000 items: a word
    that is in more weighs as if it were in all.

    Args:
        url: ``postgresql://``, as libpq reads it (``?sslmode=verify-full`` for TLS).
        scan_limit: Items that one search weighs at most; ``ranking.ways_to`` says which.
        max_vectors: Newest items whose vectors one search compares at most.
        index_chars: How much of a text is indexed, from its start. The text is kept whole.
        timer: The clock, Unix seconds.
        purge_interval_s: ``add`` purges first when this process's last purge is longer ago.
        max_connections: Per event loop.
        connect_timeout_s: For a connection.
        command_timeout_s: For a transaction; past it its connection is cut.

    Raises:
        MissingExtra: psycopg is not installed (extra ``postgres``).
        ConfigurationError: *url* cannot be read, or a bound is under 1.
    """

    def __init__(
        self,
        url: str,
        *,
        scan_limit: int = 256,
        max_vectors: int = 2_048,
        index_chars: int = 20_000,
        timer: Callable[[], float] = time.time,
        purge_interval_s: float = 60.0,
        max_connections: int = 8,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> None:
        if min(scan_limit, max_vectors, index_chars, max_connections) < 1:
            raise ConfigurationError("PostgresMemory: every bound is at least 1")
        self._scan_limit = scan_limit
        self._max_vectors = max_vectors
        self._index_chars = index_chars
        self._timer = timer
        self._purge_interval_s = purge_interval_s
        self._purged_at = timer()
        self._pool = PostgresPool(
            url,
            room="memory",
            steps=sql.STEPS,
            unavailable=partial(unavailable, "PostgreSQL"),
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
            command_timeout_s=command_timeout_s,
        )

    def __repr__(self) -> str:
        return f"PostgresMemory({self._pool.shown!r})"

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*, all or none; one with a known id replaces it."""
        ns = namespace_key(namespace)
        if self._timer() - self._purged_at >= self._purge_interval_s:
            await self.purge()
        rows = [self._row(ns, item) for item in items]
        if not rows:
            return
        rows.sort(key=lambda row: str(row["key"]))  # writers that overlap wait, not deadlock
        async with self._pool.transaction() as db, db.cursor() as cursor:
            await cursor.executemany(sql.ADD, rows)

    def _row(self, ns: str, item: MemoryItem) -> dict[str, object]:
        words = words_of(item.text, max_chars=self._index_chars)
        return {
            "ns": ns,
            "key": item_key(item.id),
            "created_at": item.created_at,
            "expires_at": item.expires_at,
            "words": sql.lexemes(ns, words),
            **write_item(item)._asdict(),
        }

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
        search = _Search(namespace_key(namespace), query, plain_filters(filters), self._timer())
        if limit < 1:
            return []
        async with self._pool.transaction() as db:
            total, counts = await search.counts(db)
            rows = await search.holding(db, counts, self._scan_limit)
            dense = dict[str, float]()
            if vector is not None:
                dense = await search.cosines(db, vector, embedder, self._max_vectors)
                more = set(top(dense, limit)).difference(row[0] for row in rows)
                rows += await search.fetch(db, sql.ROWS, keys=[*more])
            best = rank(
                search.candidates(rows, dense),
                search.asked.weights(counts, total),
                limit=limit,
                threshold=threshold,
                hybrid=vector is not None,
            )
            scores = dict(best)
            kept = await search.fetch(db, sql.ITEMS, keys=[*scores]) if scores else []
        found = {row[0]: _item(row, scores[row[0]]) for row in kept}
        return [found[key] for key in scores if key in found]

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        asked = {"ns": namespace_key(namespace), "keys": [item_key(id)], "now": self._timer()}
        async with self._pool.transaction() as db:
            row = await (await db.execute(sql.ITEMS, asked)).fetchone()
        return _item(row) if row else None

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
        asked, wanted = (
            {"ns": namespace_key(namespace), "now": self._timer()},
            plain_filters(filters),
        )
        found = list[MemoryItem]()
        async with self._pool.transaction() as db, db.cursor("newest") as cursor:
            await cursor.execute(sql.NEWEST, asked)
            while len(found) < offset + limit and (row := await cursor.fetchone()):
                if not wanted or fits(_json.loads(row[2]), wanted):
                    found.append(_item(row))
        return found[offset:]

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        return bool(await self._delete(sql.DELETE, ns=namespace_key(namespace), key=item_key(id)))

    async def delete_all(self, namespace: Namespace, /) -> int:
        """Forget everything under exactly *namespace*; how many items that were."""
        return await self._delete(sql.DELETE_ALL, ns=namespace_key(namespace))

    async def purge(self) -> int:
        """Delete what has expired, in every namespace; how many items that were."""
        self._purged_at = self._timer()
        return await self._delete(sql.PURGE, now=self._purged_at)

    async def aclose(self) -> None:
        """Close the running loop's connections; a later call opens new ones."""
        await self._pool.aclose()

    async def _delete(self, statement: str, **values: object) -> int:
        async with self._pool.transaction() as db:
            return (await db.execute(statement, values)).rowcount


class _Search:
    """The questions of one search."""

    def __init__(self, ns: str, query: str, filters: Mapping[str, Any] | None, now: float) -> None:
        self.asked = Question.of(query)
        self._ns = ns
        self._filters = filters
        self._now = now
        self._words = dict(zip(sql.lexemes(ns, self.asked.words), self.asked.words, strict=True))

    async def fetch(self, db: Connection, statement: str, **values: object) -> list[Any]:
        """The rows of *statement*."""
        asked = {"ns": self._ns, "now": self._now, "asked": [*self._words]}
        return await (await db.execute(statement, asked | values)).fetchall()

    async def counts(self, db: Connection) -> tuple[int, dict[str, int]]:
        """Items in the namespace, and those that hold each telling word."""
        telling = self.asked.telling
        queries = [sql.query_of("all", [lexeme]) for lexeme in sql.lexemes(self._ns, telling)]
        ((total, counts),) = await self.fetch(db, sql.COUNTS, queries=queries, most=_COUNTED)
        return total, dict(zip(telling, counts, strict=True))

    async def holding(self, db: Connection, counts: Mapping[str, int], most: int) -> list[Any]:
        """Rows found by their words, of equal ways the newest."""
        found = dict[str, Any]()
        for way in ways_to(counts, most):
            if (room := most - len(found)) <= 0:
                break
            query = sql.query_of(way.of, sql.lexemes(self._ns, way.words))
            rows = await self.fetch(db, sql.HOLDING, query=query, room=room)
            found |= {row[0]: row for row in rows}
        return [*found.values()]

    async def cosines(
        self, db: Connection, vector: Sequence[float], embedder: str, most: int
    ) -> dict[str, float]:
        """How near the newest items with a vector are."""
        rows = await self.fetch(db, sql.VECTORS, embedder=embedder, most=most)
        rows = [row for row in rows if self._fits(row)]
        blobs = [row[1] for row in rows]
        found = await anyio.to_thread.run_sync(cosines, vector, blobs)
        return dict(zip((row[0] for row in rows), found, strict=True))

    def candidates(self, rows: Sequence[Any], dense: Mapping[str, float]) -> list[Candidate[str]]:
        """*rows* that meet the filters, once each."""
        return [
            Candidate(key, created, [self._words[w] for w in held], size, dense.get(key, 0.0))
            for key, created, size, held, _ in {
                row[0]: row for row in rows if self._fits(row)
            }.values()
        ]

    def _fits(self, row: Sequence[Any]) -> bool:
        return not self._filters or fits(_json.loads(row[-1]), self._filters)


def _item(row: Sequence[Any], score: float | None = None) -> MemoryItem:
    return read_item(Record(*row[1:]), score)
