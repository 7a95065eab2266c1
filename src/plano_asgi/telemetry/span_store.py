"""
Spans in a SQLite file on this machine: for a developer's eyes, with no collector to run.

``SpanStore`` writes, behind a batching processor; ``SpanReader`` (``span_reader.py``) reads, also
while any number of processes write.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from opentelemetry.sdk.resources import SERVICE_NAME
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.span_rows import (
    APPLICATION_ID,
    DEFAULT_STORE,
    INSERT,
    SCHEMA,
    SCHEMA_VERSION,
    SpanStatus,
    StoredEvent,
    StoredSpan,
    plain,
    row_of,
)

_BUSY_TRIES = 50
_BUSY_PAUSE_S = 0.1
_EVICTED_AT_ONCE = 64
_UPSERT_TRACE = """
INSERT INTO traces VALUES (?, ?, ?, 1) ON CONFLICT (trace_id) DO UPDATE SET
    start_ns = min(start_ns, excluded.start_ns), end_ns = max(end_ns, excluded.end_ns),
    spans = spans + 1
"""
_STATUSES: Sequence[SpanStatus] = ("unset", "ok", "error")

_log = structlog.get_logger("plano_asgi")


class SpanStore(SpanExporter):
    """
    An exporter that keeps spans in the SQLite file *path*.

    Made for one process's exporting thread; other processes may write to the same file. The file
    is made by the first export, for its owner's eyes only, in WAL mode. Once it holds more than
    *max_spans* or *max_bytes*, whole traces go, those that began first.

    An export that fails (a full disk, a file that is no span store, one locked for too long) is
    told of once for each reason, answers ``FAILURE``, and the next one tries again.

    Args:
        path: The file; its directory must be there.
        max_spans: Kept at most.
        max_bytes: Of the file in use, its log aside.
        max_value_chars: Of one attribute's text.
        busy_timeout_s: How long a batch waits for other processes' writes.
        pause: Waits so many seconds.

    Raises:
        ConfigurationError: There is no such directory, or a bound is not above 0.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = DEFAULT_STORE,
        *,
        max_spans: int = 100_000,
        max_bytes: int = 256 << 20,
        max_value_chars: int = 32_768,
        busy_timeout_s: float = 5.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = Path(path)
        if min(max_spans, max_bytes, max_value_chars) <= 0 or busy_timeout_s <= 0:
            raise ConfigurationError("the bounds of a span store must be above 0")
        if self.path.is_dir() or not self.path.absolute().parent.is_dir():
            raise ConfigurationError(f"no span store can be at '{path}': no such directory")
        self._max_spans = max_spans
        self._max_bytes = max_bytes
        self._max_value_chars = max_value_chars
        self._busy_timeout_s = busy_timeout_s
        self._pause = pause
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = os.getpid()
        self._told: set[str] = set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write *spans*, all or none of them."""
        rows = [stored(span, self._max_value_chars) for span in spans if span.context]
        try:
            with self._lock:
                self._write(rows)
        except (sqlite3.Error, OSError) as exc:
            self._tell(exc)
            return SpanExportResult.FAILURE
        self._told.clear()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file. An export after it opens it again."""
        with self._lock:
            self._close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True

    def _write(self, spans: Sequence[StoredSpan]) -> None:
        if self._pid != os.getpid():  # a connection must not be used across a fork
            self._connection, self._pid = None, os.getpid()
        if self._connection is None:
            self._connection = self._open()
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._insert(connection, spans)
            self._evict(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._close()  # which rolls back
            raise

    def _insert(self, connection: sqlite3.Connection, spans: Sequence[StoredSpan]) -> None:
        added = 0
        for span in spans:
            if connection.execute(INSERT, row_of(span)).rowcount:
                connection.execute(_UPSERT_TRACE, (span.trace_id, span.start_ns, span.end_ns))
                added += 1
        connection.execute("UPDATE totals SET spans = spans + ?", (added,))

    def _evict(self, connection: sqlite3.Connection) -> None:
        """Let the oldest traces go, until the file is within its bounds."""
        while surplus := self._surplus(connection):
            oldest = connection.execute(
                "SELECT trace_id, spans FROM traces ORDER BY start_ns LIMIT ?", (_EVICTED_AT_ONCE,)
            ).fetchall()
            gone = 0
            for trace_id, count in oldest:
                if gone >= surplus:
                    break
                connection.execute("DELETE FROM spans WHERE trace_id = ?", (trace_id,))
                connection.execute("DELETE FROM traces WHERE trace_id = ?", (trace_id,))
                gone += count
            connection.execute("UPDATE totals SET spans = spans - ?", (gone,))

    def _surplus(self, connection: sqlite3.Connection) -> int:
        """About how many spans are too many."""
        (spans,) = connection.execute("SELECT spans FROM totals").fetchone()
        if spans > self._max_spans:
            return int(spans) - self._max_spans
        (pages,), (free,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        if not spans or used <= self._max_bytes:
            return 0
        return max(1, int(spans * (used - self._max_bytes) / used))

    def _open(self) -> sqlite3.Connection:
        with suppress(FileExistsError):
            # Where a link leads: SQLite would make that file for everybody's eyes.
            path = os.path.realpath(self.path)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,  # `shutdown` may come from another
        )
        try:
            is_new = _is_empty(connection)  # before a byte of somebody else's file is changed
            self._use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
            if is_new:
                _make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switch modes; the busy timeout does not cover processes that open the file at once."""
        for _ in range(_BUSY_TRIES):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                self._pause(_BUSY_PAUSE_S)
        raise sqlite3.OperationalError("the file stays busy")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell(self, error: sqlite3.Error | OSError) -> None:
        reason = getattr(error, "sqlite_errorname", "") or type(error).__name__
        if reason not in self._told:
            self._told.add(reason)
            _log.warning("spans_not_stored", path=str(self.path), reason=reason)


def stored(span: ReadableSpan, max_value_chars: int = 32_768) -> StoredSpan:
    """
    An ended span of the SDK as the store keeps it; ``id`` is 0.

    Raises:
        ValueError: It has no context.
    """
    if span.context is None:
        raise ValueError("a span without a context")
    return StoredSpan(
        id=0,
        trace_id=f"{span.context.trace_id:032x}",
        span_id=f"{span.context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else "",
        name=span.name,
        kind=span.kind.name.lower(),
        start_ns=span.start_time or 0,
        end_ns=span.end_time or span.start_time or 0,
        status=_STATUSES[span.status.status_code.value],
        status_message=span.status.description or "",
        service=str(span.resource.attributes.get(SERVICE_NAME, "")),
        attributes=plain(span.attributes, max_value_chars),
        events=tuple(_event(event, max_value_chars) for event in span.events),
    )


def _event(event: Event, max_value_chars: int) -> StoredEvent:
    attributes = plain(event.attributes, max_value_chars)
    return StoredEvent(name=event.name, time_ns=event.timestamp, attributes=attributes)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """
    Whether the file has no tables yet; else they are ours.

    Raises:
        NotASpanStore: They are not.
    """
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and owner != APPLICATION_ID:
        raise NotASpanStore("another program's database")
    if version > SCHEMA_VERSION:
        raise NotASpanStore("made by a later version of plano-asgi")
    return not tables


def _make_tables(connection: sqlite3.Connection) -> None:
    """Make them, unless another process was faster."""
    connection.execute("BEGIN IMMEDIATE")
    if _is_empty(connection):
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
    connection.execute("COMMIT")


class NotASpanStore(sqlite3.DatabaseError):
    """The file is a database, but not one that this version of the store may write to."""
