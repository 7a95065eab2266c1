"""A store in PostgreSQL: durable, and shared by every process that reaches the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from plano_asgi.stores.keys import counter, key_bytes, key_text, prefix_range, unavailable
from plano_asgi.stores.postgres_pool import PostgresPool

if TYPE_CHECKING:
    from plano_asgi.stores.postgres_pool import Connection

T = TypeVar("T")

_SWEEP_EVERY = 256  # writes
_SWEEP_ROWS = 1_000

_TABLES = (
    (
        "CREATE TABLE plano_store "
        "(key bytea PRIMARY KEY, value bytea NOT NULL, expires double precision)",
        "CREATE INDEX plano_store_expires ON plano_store (expires) WHERE expires IS NOT NULL",
    ),
)
_GET = "SELECT value FROM plano_store WHERE key = %s AND (expires IS NULL OR expires > %s)"
_GET_MANY = (
    "SELECT key, value FROM plano_store WHERE key = ANY(%s) AND (expires IS NULL OR expires > %s)"
)
_PUT = (
    "INSERT INTO plano_store VALUES (%s, %s, %s) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_SET = "UPDATE plano_store SET value = %s, expires = %s WHERE key = %s"
_DELETE = "DELETE FROM plano_store WHERE key = %s RETURNING expires IS NULL OR expires > %s"
_LOCK = "SELECT value, expires FROM plano_store WHERE key = %s FOR UPDATE"
_LOCK_NEW = (  # whoever comes second waits for the first, and gets what it has written
    "INSERT INTO plano_store VALUES (%s, '', 0) "
    "ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING value, expires"
)
_KEYS = (
    "SELECT key FROM plano_store WHERE key >= %s AND key < %s "
    "AND (expires IS NULL OR expires > %s) ORDER BY key LIMIT %s"
)
_DELETE_PREFIX = (  # locked in order, so that two of them never wait for each other
    "WITH found AS (SELECT key FROM plano_store WHERE key >= %s AND key < %s "
    "ORDER BY key FOR UPDATE), gone AS (DELETE FROM plano_store WHERE key IN "
    "(SELECT key FROM found) RETURNING expires) "
    "SELECT count(*) FROM gone WHERE expires IS NULL OR expires > %s"
)
_SWEEP = (
    "DELETE FROM plano_store WHERE key IN (SELECT key FROM plano_store WHERE expires <= %s "
    "ORDER BY key LIMIT %s FOR UPDATE SKIP LOCKED)"
)


class PostgresStore:
    """
    The store on the server at *url*, in a table that it makes there. asyncio only.

    Args:
        url: ``postgresql://`` as libpq reads it, ``sslmode`` and the like included.
        max_connections: Per event loop.
        connect_timeout_s: For a connection.
        command_timeout_s: For a call; then ``StoreUnavailable``.
        timer: The clock, Unix seconds.

    What has expired is deleted a little at a time by later writes. A change whose commit was cut
    off raises ``StoreUnavailable``, though the server may have done it.

    Raises:
        MissingExtra: psycopg is not installed.
        ConfigurationError: *url* is none.
    """

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 8,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._pool = PostgresPool(
            url,
            room="store",
            steps=_TABLES,
            unavailable=lambda reason: unavailable("PostgreSQL", reason),
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
            command_timeout_s=command_timeout_s,
        )
        self._timer = timer
        self._writes = 0

    @property
    def is_shared(self) -> bool:
        """Always."""
        return True

    async def get(self, key: str, /) -> bytes | None:
        """See ``Store``."""
        name = key_bytes(key)
        async with self._pool.transaction() as connection:
            found = await connection.execute(_GET, (name, self._timer()))
            row = await found.fetchone()
        return row[0] if row else None

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """See ``BulkStore``."""
        names = [key_bytes(key) for key in keys]
        async with self._pool.transaction() as connection:
            found = await connection.execute(_GET_MANY, (names, self._timer()))
            values = dict(await found.fetchall())
        return [values.get(name) for name in names]

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """See ``Store``."""
        name = key_bytes(key)
        async with self._pool.transaction() as connection:
            await connection.execute(_PUT, (name, value, self._until(ttl_s)))
            await self._sweep(connection)

    async def delete(self, key: str, /) -> bool:
        """See ``Store``."""
        name = key_bytes(key)
        async with self._pool.transaction() as connection:
            found = await connection.execute(_DELETE, (name, self._timer()))
            row = await found.fetchone()
        return bool(row and row[0])

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """See ``Store``. Raises ``ValueError`` where the value is no counter."""
        name = key_bytes(key)
        async with self._pool.transaction() as connection:
            value, until = await self._locked(connection, name)
            total = counter(value) + amount
            until = self._until(ttl_s) if value is None else until
            await connection.execute(_SET, (b"%d" % total, until, name))
            await self._sweep(connection)
        return total

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """See ``Store``. *change* runs once, while others wait that change the same key."""
        name = key_bytes(key)
        async with self._pool.transaction() as connection:
            value, result = change((await self._locked(connection, name))[0])
            if value is None:
                await connection.execute(_DELETE, (name, 0))
            else:
                await connection.execute(_SET, (value, self._until(ttl_s), name))
            await self._sweep(connection)
        return result

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """See ``Store``."""
        arguments = (*prefix_range(prefix), self._timer(), limit)
        async with self._pool.transaction() as connection:
            found = await connection.execute(_KEYS, arguments)
            rows = await found.fetchall()
        return [key_text(row[0]) for row in rows]

    async def delete_prefix(self, prefix: str, /) -> int:
        """See ``Store``."""
        arguments = (*prefix_range(prefix), self._timer())
        async with self._pool.transaction() as connection:
            found = await connection.execute(_DELETE_PREFIX, arguments)
            row = await found.fetchone()
        return int(row[0]) if row else 0

    async def purge(self) -> int:
        """See ``Store``."""
        count, now = 0, self._timer()
        while True:
            async with self._pool.transaction() as connection:
                found = await connection.execute(_SWEEP, (now, _SWEEP_ROWS))
            count += found.rowcount
            if found.rowcount < _SWEEP_ROWS:
                return count

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._pool.aclose()

    def _until(self, ttl_s: float | None) -> float | None:
        return None if ttl_s is None else self._timer() + ttl_s

    async def _locked(
        self, connection: Connection, name: bytes
    ) -> tuple[bytes | None, float | None]:
        """What is at *name* and until when; nobody else changes it before the transaction ends."""
        found = await connection.execute(_LOCK, (name,))
        row = await found.fetchone()
        if row is None:
            found = await connection.execute(_LOCK_NEW, (name,))
            row = await found.fetchone()
        if row is None or (row[1] is not None and row[1] <= self._timer()):
            return None, None
        return row[0], row[1]

    async def _sweep(self, connection: Connection) -> None:
        self._writes += 1
        if self._writes % _SWEEP_EVERY == 0:
            await connection.execute(_SWEEP, (self._timer(), _SWEEP_ROWS))
