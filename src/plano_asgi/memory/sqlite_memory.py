"""Memory in a SQLite file: the default, with full-text search and nothing to install or run."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from plano_asgi.errors import ConfigurationError
from plano_asgi.memory import sqlite_items
from plano_asgi.memory.base import MemoryItem, Namespace
from plano_asgi.memory.item_codec import item_key, namespace_key
from plano_asgi.memory.outage import unavailable
from plano_asgi.memory.ranking import plain_filters
from plano_asgi.stores.sqlite_file import SQLiteFile


class SQLiteMemory:
    """
    A ``MemoryStore`` in the file *path*, for any number of processes on one machine.

    Args:
        path: The file; made, for its owner only, where it is missing. Its directory is not. With
            ``":memory:"`` it lives until ``aclose``.
        scan_limit: Items that one search weighs at most; ``ranking.ways_to`` says which.
        max_vectors: Newest items whose vectors one search compares at most.
        index_chars: How much of a text is indexed, from its start. The text is kept whole.
        timer: The clock, Unix seconds.
        purge_interval_s: ``add`` purges first when this process's last purge is longer ago.
        busy_timeout_s: How long a write waits for other processes' writes.

    Deleting also cleans the full-text index and the write-ahead log, so that nothing of a deleted
    text stays in the files; with 100,000 items that takes a good part of a second.

    Raises:
        ConfigurationError: A bound is under 1, or this Python's SQLite has no FTS5.
    """

    def __init__(
        self,
        path: str,
        *,
        scan_limit: int = 256,
        max_vectors: int = 2_048,
        index_chars: int = 20_000,
        timer: Callable[[], float] = time.time,
        purge_interval_s: float = 60.0,
        busy_timeout_s: float = 5.0,
    ) -> None:
        if min(scan_limit, max_vectors, index_chars) < 1:
            raise ConfigurationError("SQLiteMemory: every bound is at least 1")
        self._scan_limit = scan_limit
        self._max_vectors = max_vectors
        self._index_chars = index_chars
        self._timer = timer
        self._purge_interval_s = purge_interval_s
        self._purged_at = timer()
        self._file = SQLiteFile(
            path,
            room="memory",
            steps=[sqlite_items.make_tables],
            unavailable=partial(unavailable, "SQLite"),
            busy_timeout_s=busy_timeout_s,
        )

    def __repr__(self) -> str:
        return f"SQLiteMemory({self._file.path!r})"

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*, all or none; one with a known id replaces it."""
        key = namespace_key(namespace)
        if self._timer() - self._purged_at >= self._purge_interval_s:
            await self.purge()
        if items:
            await self._file.write(lambda db: sqlite_items.add(db, key, items, self._index_chars))

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
        search = sqlite_items.Search(
            namespace=namespace_key(namespace),
            query=query,
            limit=limit,
            threshold=threshold,
            filters=plain_filters(filters),
            vector=vector,
            embedder=embedder,
            now=self._timer(),
            scan_limit=self._scan_limit,
            max_vectors=self._max_vectors,
        )
        return await self._file.read(search.run) if limit > 0 else []

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        name, key, now = namespace_key(namespace), item_key(id), self._timer()
        return await self._file.read(lambda db: sqlite_items.get(db, name, key, now))

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
        name, now, wanted = namespace_key(namespace), self._timer(), plain_filters(filters)

        def page(db: sqlite3.Connection) -> list[MemoryItem]:
            found = sqlite_items.newest(db, name, now, wanted)
            return [*islice(found, offset, offset + limit)]

        return await self._file.read(page)

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        return bool(await self._forget(namespace_key(namespace), item_key(id)))

    async def delete_all(self, namespace: Namespace, /) -> int:
        """Forget everything under exactly *namespace*; how many items that were."""
        return await self._forget(namespace_key(namespace), None)

    async def _forget(self, name: str, key: str | None) -> int:
        return await self._file.write(lambda db: sqlite_items.forget(db, name, key), scrub=True)

    async def purge(self) -> int:
        """Delete what has expired, in every namespace; how many items that were."""
        now = self._purged_at = self._timer()
        return await self._file.write(lambda db: sqlite_items.purge(db, now), scrub=True)

    async def aclose(self) -> None:
        """Close the file; a later call opens it again."""
        await self._file.aclose()
