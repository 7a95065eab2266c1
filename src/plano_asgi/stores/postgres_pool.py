"""PostgreSQL: a bounded pool per event loop, transactions that end in time, versioned tables."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from plano_asgi.errors import ConfigurationError, MissingExtra, PlanoError
from plano_asgi.stores.per_loop import PerLoop
from plano_asgi.stores.server_url import shown

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow

    Connection: TypeAlias = AsyncConnection[TupleRow]

_LOCK = 0x706C616E6F  # "plano": held while tables are made


class PostgresPool:
    """
    Transactions on one PostgreSQL server, 12 or later. Opened by the first, also after
    ``aclose``; asyncio only (on Windows with its selector event loop).

    Args:
        url: ``postgresql://`` as libpq reads it, ``sslmode`` and the like included.
        room: Whose tables these are.
        steps: What makes the room's tables: the statements of step *n* lead from schema version
            *n* to the next.
        unavailable: Makes the error to raise when the server cannot be used, from a reason.
        max_connections: Per event loop; a transaction past it waits.
        connect_timeout_s: For a connection.
        command_timeout_s: For a transaction as a whole; past it its connection is cut.

    Raises:
        MissingExtra: psycopg is not installed.
        ConfigurationError: *url* is none.
    """

    def __init__(
        self,
        url: str,
        *,
        room: str,
        steps: Sequence[Sequence[str]],
        unavailable: Callable[[str], PlanoError],
        max_connections: int = 8,
        connect_timeout_s: float = 2.0,
        command_timeout_s: float = 5.0,
    ) -> None:
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("a postgresql:// store", "postgres") from None
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise ConfigurationError("the store's postgresql:// URL cannot be read") from None
        self.shown = shown(url)
        self._url = url
        self._room = room
        self._steps = steps
        self._unavailable = unavailable
        self._connect_timeout_s = connect_timeout_s
        self._command_timeout_s = command_timeout_s
        self._clients = PerLoop(lambda: _Client(max_connections), _Client.aclose)

    def __repr__(self) -> str:
        return f"PostgresPool({self.shown!r})"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """
        A connection inside a transaction, committed when the block ends.

        Raises:
            PlanoError: As *unavailable* makes it. Where the commit itself was cut off, the server
                may have done it.
        """
        client = self._clients.get()
        with self._telling():
            async with client.place(self._command_timeout_s):
                connection = await self._begin(client)
                try:
                    with _cut_after(self._command_timeout_s, connection):
                        yield connection
                        await connection.execute("COMMIT")
                except BaseException:
                    await connection.close()  # which rolls back, and takes no round trip
                    raise
                client.idle.append(connection)

    async def aclose(self) -> None:
        """Close the running loop's connections; those in use close when they are done."""
        await self._clients.aclose()

    async def _begin(self, client: _Client) -> Connection:
        """A connection that has just proved alive by beginning a transaction."""
        from psycopg import OperationalError

        while client.idle:
            connection = client.idle.pop()
            try:
                return await self._begun(connection)
            except OperationalError:  # it has gone stale: the server was restarted, say
                continue
        async with client.opening:
            connection = await self._connect()
            if not client.has_tables:
                await self._migrate(await self._begun(connection))
                client.has_tables = True
        return await self._begun(connection)

    async def _begun(self, connection: Connection) -> Connection:
        try:
            with _cut_after(self._command_timeout_s, connection):
                await connection.execute("BEGIN")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _connect(self) -> Connection:
        with anyio.fail_after(self._connect_timeout_s):
            return await _connection_class().connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,  # poolers between us may not know prepared statements
            )

    async def _migrate(self, connection: Connection) -> None:
        """Bring the room's tables to the last version; several processes may try at once."""
        try:
            with _cut_after(self._command_timeout_s, connection):
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                await connection.execute(
                    "CREATE TABLE IF NOT EXISTS plano_rooms (room text PRIMARY KEY, version int)"
                )
                found = await connection.execute(
                    "SELECT version FROM plano_rooms WHERE room = %s", (self._room,)
                )
                row = await found.fetchone()
                version = row[0] if row else 0
                if version > len(self._steps):
                    raise self._unavailable("its tables were made by a later version of plano-asgi")
                for statement in chain.from_iterable(self._steps[version:]):
                    await connection.execute(statement)
                await connection.execute(
                    "INSERT INTO plano_rooms VALUES (%s, %s) "
                    "ON CONFLICT (room) DO UPDATE SET version = excluded.version",
                    (self._room, len(self._steps)),
                )
                await connection.execute("COMMIT")
        except BaseException:
            await connection.close()
            raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Misuse by our own code is a bug and stays one; the rest is the server's state."""
        from psycopg import InterfaceError, InternalError, OperationalError
        from psycopg.errors import InsufficientPrivilege

        try:
            yield
        except TimeoutError as exc:
            raise self._unavailable("no connection in time") from exc
        except (InsufficientPrivilege, InternalError) as exc:
            raise self._unavailable(exc.sqlstate or "it refused the statement") from exc
        except (OperationalError, InterfaceError, OSError) as exc:
            raise self._unavailable("no connection") from exc


class _Client:
    """What belongs to one event loop."""

    def __init__(self, max_connections: int) -> None:
        self.idle: list[Connection] = []
        self.opening = anyio.Lock()
        self.has_tables = False
        self._free = anyio.Semaphore(max_connections)

    @asynccontextmanager
    async def place(self, timeout_s: float) -> AsyncIterator[None]:
        with anyio.fail_after(timeout_s):
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def aclose(self) -> None:
        while self.idle:
            await self.idle.pop().close()


@cache
def _connection_class() -> type[Connection]:
    from psycopg import AsyncConnection
    from psycopg.rows import TupleRow
    from psycopg.waiting import wait_async

    class CutConnection(AsyncConnection[TupleRow]):
        """One whose user, when cancelled, does not wait until the server has stopped."""

        async def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            """As psycopg's, but for what an interruption does: the connection is over."""
            try:
                return await wait_async(gen, self.pgconn.socket, *arguments, **options)
            except (asyncio.CancelledError, KeyboardInterrupt):
                self.pgconn.finish()
                raise

    return CutConnection


@contextmanager
def _cut_after(timeout_s: float, connection: Connection) -> Iterator[None]:
    """
    Cut the connection unless the block ends in time. Cancelling it instead would ask the server,
    which is silent, to stop.
    """
    timer = asyncio.get_running_loop().call_later(timeout_s, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: Connection) -> None:
    if connection.closed:
        return
    with (
        suppress(OSError),
        socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as s,
    ):
        s.shutdown(socket.SHUT_RDWR)
