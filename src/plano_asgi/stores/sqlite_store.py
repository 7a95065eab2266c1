"""A store in a SQLite file: durable, shared by the processes of one machine."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from plano_asgi.stores.keys import counter, key_bytes, key_text, prefix_range, unavailable
from plano_asgi.stores.sqlite_file import IN_MEMORY, SQLiteFile

T = TypeVar("T")

_SWEEP_EVERY = 256  # writes
_SWEEP_ROWS = 1_000


class SQLiteStore:
    """
    The store in *path*, made with mode 0600 on first use, in WAL mode.

    Args:
        path: The file, or ``":memory:"`` for one that ``aclose`` empties.
        busy_timeout_s: How long a write waits for other processes' writes; then
            ``StoreUnavailable``.
        timer: The clock, Unix seconds.

    What has expired is deleted a little at a time by later writes.
    """

    def __init__(
        self,
        path: str,
        *,
        busy_timeout_s: float = 5.0,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._file = SQLiteFile(
            path,
            room="store",
            steps=(_make_tables,),
            unavailable=lambda reason: unavailable("a SQLite file", reason),
            busy_timeout_s=busy_timeout_s,
        )
        self._timer = timer
        self._writes = 0

    @property
    def is_shared(self) -> bool:
        """Whether there is a file."""
        return self._file.path != IN_MEMORY

    async def get(self, key: str, /) -> bytes | None:
        """See ``Store``."""
        name, now = key_bytes(key), self._timer()
        row = await self._file.read(lambda connection: _living(connection, name, now))
        return row[0] if row else None

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """See ``BulkStore``. They are read as they were at one time."""
        names, now = [key_bytes(key) for key in keys], self._timer()

        def work(connection: sqlite3.Connection) -> list[bytes | None]:
            rows = [_living(connection, name, now) for name in names]
            return [row[0] if row else None for row in rows]

        return await self._file.read(work)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """See ``Store``."""
        name, until = key_bytes(key), self._until(ttl_s)
        await self._write(lambda connection: _set(connection, name, value, until))

    async def delete(self, key: str, /) -> bool:
        """See ``Store``."""
        name, now = key_bytes(key), self._timer()

        def work(connection: sqlite3.Connection) -> bool:
            found = _living(connection, name, now) is not None
            connection.execute("DELETE FROM plano_store WHERE key = ?", (name,))
            return found

        return await self._write(work)

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """See ``Store``. Raises ``ValueError`` where the value is no counter."""
        name, now, until = key_bytes(key), self._timer(), self._until(ttl_s)

        def work(connection: sqlite3.Connection) -> int:
            row = _living(connection, name, now)
            total = counter(row[0] if row else None) + amount
            _set(connection, name, b"%d" % total, row[1] if row else until)
            return total

        return await self._write(work)

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """See ``Store``. *change* runs once, in a worker thread."""
        name, now, until = key_bytes(key), self._timer(), self._until(ttl_s)

        def work(connection: sqlite3.Connection) -> T:
            row = _living(connection, name, now)
            value, result = change(row[0] if row else None)
            if value is None:
                connection.execute("DELETE FROM plano_store WHERE key = ?", (name,))
            else:
                _set(connection, name, value, until)
            return result

        return await self._write(work)

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """See ``Store``."""
        arguments = (*prefix_range(prefix), self._timer(), limit)

        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT key FROM plano_store WHERE key >= ? AND key < ? "
                "AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?",
                arguments,
            )
            return [key_text(key) for (key,) in rows]

        return await self._file.read(work)

    async def delete_prefix(self, prefix: str, /) -> int:
        """See ``Store``."""
        first, end = prefix_range(prefix)
        now = self._timer()

        def work(connection: sqlite3.Connection) -> int:
            within = "FROM plano_store WHERE key >= ? AND key < ?"
            (count,) = connection.execute(
                f"SELECT count(*) {within} AND (expires IS NULL OR expires > ?)", (first, end, now)
            ).fetchone()
            connection.execute(f"DELETE {within}", (first, end))
            return int(count)

        return await self._write(work)

    async def purge(self) -> int:
        """See ``Store``."""
        now = self._timer()
        return await self._file.write(
            lambda connection: (
                connection.execute("DELETE FROM plano_store WHERE expires <= ?", (now,)).rowcount
            )
        )

    async def aclose(self) -> None:
        """Close the file's connections; the next use opens them again."""
        await self._file.aclose()

    def _until(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None else self._timer() + ttl_s

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._writes += 1
        if self._writes % _SWEEP_EVERY:
            return await self._file.write(work)
        now = self._timer()

        def work_and_sweep(connection: sqlite3.Connection) -> T:
            result = work(connection)
            connection.execute(
                "DELETE FROM plano_store WHERE key IN "
                "(SELECT key FROM plano_store WHERE expires <= ? LIMIT ?)",
                (now, _SWEEP_ROWS),
            )
            return result

        return await self._file.write(work_and_sweep)


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE plano_store (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires REAL)"
    )
    connection.execute(
        "CREATE INDEX plano_store_expires ON plano_store (expires) WHERE expires IS NOT NULL"
    )


def _living(
    connection: sqlite3.Connection, name: bytes, now: float
) -> tuple[bytes, float | None] | None:
    row: tuple[bytes, float | None] | None = connection.execute(
        "SELECT value, expires FROM plano_store WHERE key = ? AND (expires IS NULL OR expires > ?)",
        (name, now),
    ).fetchone()
    return row


def _set(connection: sqlite3.Connection, name: bytes, value: bytes, until: float | None) -> None:
    connection.execute(
        "INSERT INTO plano_store VALUES (?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
        (name, value, until),
    )
