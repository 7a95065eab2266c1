"""What the local span store holds: the newest traces, one of them, or what comes in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from plano_asgi._json import loads
from plano_asgi.errors import NotFound, RequestError, StoreUnavailable
from plano_asgi.telemetry.span_rows import (
    APPLICATION_ID,
    DEFAULT_STORE,
    FILTERS,
    SCHEMA_VERSION,
    SELECT,
    StoredSpan,
    TraceSummary,
    span_of,
)

T = TypeVar("T")
_MIN_PREFIX = 4
_NAMED = 5
_HEX = frozenset("0123456789abcdef")
_BY_ATTRIBUTE = """
EXISTS (SELECT 1 FROM json_each(s.attributes) AS a WHERE a.key = ? AND
    CASE a.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(a.value AS TEXT) END
    = ?)
"""
_SUMMARY = """
SELECT trace_id, start_ns, end_ns, spans, (
    SELECT json_array(name, service) FROM spans AS s
    WHERE s.trace_id = t.trace_id ORDER BY parent_id != '', start_ns, id LIMIT 1
), (
    SELECT json_array(model, http_status, error_type) FROM spans AS s
    WHERE s.trace_id = t.trace_id AND coalesce(model, http_status, error_type) IS NOT NULL
    ORDER BY start_ns, id LIMIT 1
) FROM traces AS t
"""


class SpanReader:
    """
    Reads the file that ``SpanStore`` writes; makes and changes nothing.

    Use it as a context manager, in one thread.

    Args:
        path: The file.
        busy_timeout_s: How long to wait for a file that is locked.

    Every method raises ``StoreUnavailable`` for a file that is not there, is no span store, or
    cannot be read.
    """

    def __init__(
        self, path: str | os.PathLike[str] = DEFAULT_STORE, *, busy_timeout_s: float = 2.0
    ) -> None:
        self.path = Path(path)
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> SpanReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def traces(
        self,
        limit: int = 20,
        *,
        since_ns: int | None = None,
        where: Sequence[tuple[str, str]] = (),
    ) -> list[TraceSummary]:
        """
        The newest traces, the newest first.

        Args:
            since_ns: Only those that began then or later; since the epoch.
            where: Pairs of a key (of ``FILTERS``, or an attribute's name) and its value as text.
                Each must hold for some span of the trace.
        """
        conditions: list[str] = ["start_ns >= ?"]
        values: list[object] = [since_ns or 0]
        parts = [_condition(key, value) for key, value in where]
        for sql, wanted in parts:
            conditions.append(f"trace_id IN (SELECT trace_id FROM spans AS s WHERE {sql})")
            values += wanted
        query = f"{_SUMMARY} WHERE {' AND '.join(conditions)} ORDER BY start_ns DESC LIMIT ?"
        return self._read(_summary, self._rows(query, (*values, limit)))

    def trace(self, trace_id: str) -> list[StoredSpan]:
        """
        The spans of one trace, by their start.

        Args:
            trace_id: Lower- or upper-case hex, whole or its first characters.

        Raises:
            RequestError: It is no such id, or several traces begin with it.
            NotFound: No trace does.
        """
        whole = self._whole_id(trace_id)
        rows = self._rows(f"{SELECT} WHERE trace_id = ? ORDER BY start_ns, id", (whole,))
        return self._read(span_of, rows)

    def last(self) -> list[StoredSpan]:
        """The spans of the trace that began last; none in an empty store."""
        newest = self._rows("SELECT trace_id FROM traces ORDER BY start_ns DESC LIMIT 1")
        return self.trace(newest[0][0]) if newest else []

    def follow(self, after: int = 0, *, limit: int = 1000) -> list[StoredSpan]:
        """At most *limit* spans written after the one with the id *after*, in that order."""
        rows = self._rows(f"{SELECT} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return self._read(span_of, rows)

    def newest_id(self) -> int:
        """The id of the span written last; 0 in an empty store."""
        return int(self._rows("SELECT coalesce(max(id), 0) FROM spans")[0][0])

    def has_key(self, key: str) -> bool:
        """Whether *key* can be filtered by: it is one of ``FILTERS``, or some span has it."""
        if key in FILTERS:
            return True
        query = "SELECT EXISTS (SELECT 1 FROM spans, json_each(attributes) AS a WHERE a.key = ?)"
        return bool(self._rows(query, (key,))[0][0])

    def _whole_id(self, trace_id: str) -> str:
        prefix = trace_id.lower()
        if not (_MIN_PREFIX <= len(prefix) <= 32 and _HEX.issuperset(prefix)):
            raise RequestError(
                f"'{trace_id}' is no trace id: {_MIN_PREFIX} to 32 hexadecimal digits"
            )
        found = self._rows(
            "SELECT trace_id FROM traces WHERE trace_id >= ? AND trace_id < ? LIMIT ?",
            (prefix, f"{prefix}g", _NAMED + 1),
        )
        if not found:
            raise NotFound(f"no trace begins with '{trace_id}'")
        if len(found) > 1:
            some = ", ".join(row[0] for row in found[:_NAMED])
            more = ", ..." if len(found) > _NAMED else ""
            raise RequestError(f"several traces begin with '{trace_id}': {some}{more}")
        return str(found[0][0])

    def _read(self, read: Callable[[Any], T], rows: Sequence[Any]) -> list[T]:
        try:
            return [read(row) for row in rows]
        except ValueError as exc:
            raise StoreUnavailable(f"the trace store '{self.path}' is damaged") from exc

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        with self._telling():
            if self._connection is None:
                self._connection = self._open()
            return self._connection.execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise StoreUnavailable(f"there is no trace store at '{self.path}'")
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",  # to read by its log, not to write
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if owner != APPLICATION_ID:
                raise StoreUnavailable(f"'{self.path}' is not a trace store")
            if version > SCHEMA_VERSION:
                raise StoreUnavailable(f"'{self.path}' was made by a later version of plano-asgi")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """SQLite's word on the file becomes ours."""
        try:
            yield
        except sqlite3.DatabaseError as exc:
            name = getattr(exc, "sqlite_errorname", "")
            said = _REASONS.get(name, f"cannot be read ({name or 'SQLite'})")
            raise StoreUnavailable(f"the trace store '{self.path}' {said}") from exc


_REASONS = {
    "SQLITE_BUSY": "is locked by another process",
    "SQLITE_CANTOPEN": "may not be opened by this user",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_NOTADB": "is not a SQLite file",
}


def _condition(key: str, value: str) -> tuple[str, tuple[str, ...]]:
    """SQL over ``spans AS s`` for one pair of a filter, and its values."""
    if key in FILTERS:
        return f"s.{FILTERS[key]} = ?", (value,)  # a number's column takes its digits
    return _BY_ATTRIBUTE, (key, value)


def _summary(row: Any) -> TraceSummary:
    if not isinstance(row[1], int) or not isinstance(row[2], int):
        raise ValueError("times that are none")
    name, service = loads(row[4]) if row[4] else ("", "")
    model, status, error_type = loads(row[5]) if row[5] else (None, None, None)
    return TraceSummary(
        trace_id=row[0],
        start_ns=row[1],
        end_ns=row[2],
        spans=row[3],
        name=name,
        service=service,
        model=str(model or ""),
        status=status if isinstance(status, int) else None,
        error_type=str(error_type or ""),
    )
