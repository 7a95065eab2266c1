"""
A SQLite file used from an event loop: worker threads, one writer, several readers, any processes.

The file is made readable by its owner only, in WAL mode, so that readers and the writer of all
processes do not wait for each other. A commit is on disk when ``write`` returns.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from plano_asgi.errors import PlanoError

T = TypeVar("T")
Step = Callable[[sqlite3.Connection], None]

IN_MEMORY = ":memory:"

_CACHE_KIB = 8_192
_WAL_TRIES = 50
_WAL_PAUSE_S = 0.1


class SQLiteFile:
    """
    Runs functions over a connection to *path*, each in a transaction of its own.

    Args:
        path: The file, or ``":memory:"`` for one connection that ``aclose`` empties.
        room: Whose tables these are.
        steps: What makes the room's tables: step *n* leads from schema version *n* to the next.
        unavailable: Makes the error to raise when the file cannot be used, from a reason.
        busy_timeout_s: How long a write waits for other processes' writes.
        max_readers: Reads at once, per event loop.

    Opened by the first use, also after ``aclose``. May be used from several event loops.
    """

    def __init__(
        self,
        path: str,
        *,
        room: str,
        steps: Sequence[Step],
        unavailable: Callable[[str], PlanoError],
        busy_timeout_s: float = 5.0,
        max_readers: int = 4,
    ) -> None:
        self.path = path
        self._room = room
        self._steps = steps
        self._unavailable = unavailable
        self._busy_timeout_s = busy_timeout_s
        self._max_readers = max_readers
        self._writer: sqlite3.Connection | None = None
        self._writing = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._era = 0  # connections of an earlier one are not kept
        self._places: RunVar[tuple[anyio.CapacityLimiter, anyio.CapacityLimiter]] = RunVar(path)

    async def read(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """
        What *work* returns, from one snapshot. A caller that is cancelled does not wait for it.

        Raises:
            PlanoError: As *unavailable* makes it.
        """
        call = partial(self._write if self.path == IN_MEMORY else self._read, work)
        return await anyio.to_thread.run_sync(
            call, abandon_on_cancel=True, limiter=self._limiters()[0]
        )

    async def write(self, work: Callable[[sqlite3.Connection], T], /, *, scrub: bool = False) -> T:
        """
        What *work* returns, once it is committed; nothing of it is when it raises.

        Args:
            scrub: Empty the write-ahead log too, which has older states of what was deleted.

        Raises:
            PlanoError: As *unavailable* makes it.
        """
        return await anyio.to_thread.run_sync(
            partial(self._write, work, scrub), limiter=self._limiters()[1]
        )

    async def aclose(self) -> None:
        """Close every connection; those in use close when they are done."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close, limiter=self._limiters()[1])

    def _limiters(self) -> tuple[anyio.CapacityLimiter, anyio.CapacityLimiter]:
        """For the running loop: places for readers, and the place of its writer."""
        try:
            return self._places.get()
        except LookupError:
            made = anyio.CapacityLimiter(self._max_readers), anyio.CapacityLimiter(1)
            self._places.set(made)
            return made

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        era = self._era
        with self._telling():
            connection = self._reader()
            try:
                return _transact(connection, "DEFERRED", work)
            finally:
                if era == self._era and len(self._idle) < self._max_readers:
                    self._idle.append(connection)
                else:
                    connection.close()

    def _write(self, work: Callable[[sqlite3.Connection], T], scrub: bool = False) -> T:
        with self._writing, self._telling():
            if self._writer is None:
                self._writer = self._open()
            result = _transact(self._writer, "IMMEDIATE", work)
            if scrub:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return result

    def _reader(self) -> sqlite3.Connection:
        """A connection to read by; the writer sees to the file and its tables first."""
        with suppress(IndexError):
            return self._idle.pop()
        with self._writing:
            if self._writer is None:
                self._writer = self._open()
        return self._connect()

    def _open(self) -> sqlite3.Connection:
        if self.path != IN_MEMORY:
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = self._connect()
        try:
            _use_wal(connection)
            _transact(connection, "IMMEDIATE", self._migrate)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except BaseException:  # no database, say
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the room's tables to the last version; several processes may try at once."""
        connection.execute(
            "CREATE TABLE IF NOT EXISTS plano_rooms (room TEXT PRIMARY KEY, version INTEGER)"
        )
        row = connection.execute(
            "SELECT version FROM plano_rooms WHERE room = ?", (self._room,)
        ).fetchone()
        version = row[0] if row else 0
        if version > len(self._steps):
            raise self._unavailable("its tables were made by a later version of plano-asgi")
        for step in self._steps[version:]:
            step(connection)
        connection.execute(
            "INSERT OR REPLACE INTO plano_rooms VALUES (?, ?)", (self._room, len(self._steps))
        )

    def _close(self) -> None:
        with self._writing:
            self._era += 1
            while self._idle:
                self._idle.pop().close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Misuse by our own code is a bug and stays one; the rest is the file's state."""
        try:
            yield
        except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
            raise
        except sqlite3.DatabaseError as exc:
            raise self._unavailable(getattr(exc, "sqlite_errorname", "not usable")) from exc
        except OSError as exc:
            raise self._unavailable(exc.strerror or "not usable") from exc


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch modes; the busy timeout does not cover processes that open the file at once."""
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as exc:
            if getattr(exc, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_WAL_PAUSE_S)
    raise sqlite3.OperationalError("the file stays busy")


def _transact(
    connection: sqlite3.Connection, mode: str, work: Callable[[sqlite3.Connection], T]
) -> T:
    connection.execute(f"BEGIN {mode}")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
