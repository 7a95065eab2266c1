"""
The local span store's file: its tables, and a span as a row of them.

One row for each span, and one for each trace that the list of traces and the eviction of the
oldest go by. Columns beside the attributes are those that filters name often; whatever else a
filter names is looked for in the attributes.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from plano_asgi._json import dumps, dumps_str, loads
from plano_asgi.telemetry import semconv

DEFAULT_STORE = "plano-traces.db"
"""Where spans are kept if nobody says where: a file in the working directory."""
APPLICATION_ID = 0x504C4E4F
"""Marks the file as ours, in SQLite's header."""
SCHEMA_VERSION = 1
"""Of the tables below, in SQLite's ``user_version``."""

SpanStatus: TypeAlias = Literal["unset", "ok", "error"]

SCHEMA = f"""
CREATE TABLE spans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    status TEXT NOT NULL,
    status_message TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT,
    model TEXT,
    provider TEXT,
    route TEXT,
    http_status INTEGER,
    error_type TEXT,
    conversation TEXT,
    attributes TEXT NOT NULL,
    events TEXT NOT NULL,
    UNIQUE (trace_id, span_id)
);
CREATE TABLE traces (
    trace_id TEXT PRIMARY KEY,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    spans INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE totals (spans INTEGER NOT NULL);
INSERT INTO totals VALUES (0);
CREATE INDEX traces_by_start ON traces (start_ns);
CREATE INDEX spans_by_model ON spans (model) WHERE model IS NOT NULL;
CREATE INDEX spans_by_route ON spans (route) WHERE route IS NOT NULL;
CREATE INDEX spans_by_status ON spans (http_status) WHERE http_status IS NOT NULL;
CREATE INDEX spans_by_error ON spans (error_type) WHERE error_type IS NOT NULL;
CREATE INDEX spans_by_conversation ON spans (conversation) WHERE conversation IS NOT NULL;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
"""What makes the tables of an empty file."""

FILTERS: Mapping[str, str] = {
    "conversation": "conversation",
    "error": "error_type",
    "kind": "kind",
    "model": "model",
    "name": "name",
    "operation": "operation",
    "provider": "provider",
    "route": "route",
    "service": "service",
    "status": "http_status",
}
"""Short keys of a filter, and their columns. Any other key is an attribute's full name."""

_HALF_CHARACTER = rb"\ud"
"""How JSON spells a lone surrogate; also a backslash before ``ud``, which does no harm."""
_FROM_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "operation": (semconv.OPERATION_NAME,),
    "model": (semconv.MODEL, semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL),
    "provider": (semconv.PROVIDER, semconv.PROVIDER_NAME),
    "route": (semconv.ROUTE_NAME,),
    "http_status": (semconv.HTTP_RESPONSE_STATUS_CODE, semconv.HTTP_STATUS_CODE),
    "error_type": (semconv.ERROR_TYPE,),
    "conversation": (semconv.CONVERSATION_ID, semconv.SESSION_ID),
}
"""Columns that are attributes; the first that a span has counts."""
_COLUMNS = (
    *("trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "end_ns"),
    *("status", "status_message", "service", *_FROM_ATTRIBUTES, "attributes", "events"),
)
INSERT = (
    f"INSERT OR IGNORE INTO spans ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
)
"""Takes what ``row_of`` makes; a span that is there already stays as it is."""
SELECT = (
    "SELECT id, trace_id, span_id, parent_id, name, kind, start_ns, end_ns,"
    " status, status_message, service, attributes, events FROM spans"
)
"""Gives what ``span_of`` reads."""
_TYPES = (int, str, str, str, str, str, int, int, str, str, str, str, str)
"""Of what ``SELECT`` gives: a column of SQLite's takes any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event of a span; *time_ns* since the epoch."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan:
    """
    A span as it was kept.

    Args:
        id: Rises with every span written to the file.
        trace_id, span_id, parent_id: Lower-case hex; *parent_id* is "" for a root.
        kind: ``internal``, ``server``, ``client``, ``producer`` or ``consumer``.
        start_ns, end_ns: Since the epoch.
        status_message: Of a failed span.
        service: ``service.name`` of its resource.
        attributes: JSON values.
    """

    id: int
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: SpanStatus = "unset"
    status_message: str = ""
    service: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[StoredEvent, ...] = ()

    @property
    def duration_s(self) -> float:
        """From its start to its end."""
        return max(0, self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """
    One trace in a list. *name* and *service* are those of its first span; *model*, *status* and
    *error_type* those of its first span that has one, "" or ``None`` where none has.
    """

    trace_id: str
    start_ns: int
    end_ns: int
    spans: int
    name: str = ""
    service: str = ""
    model: str = ""
    status: int | None = None
    error_type: str = ""

    @property
    def duration_s(self) -> float:
        """From the first start to the last end."""
        return max(0, self.end_ns - self.start_ns) / 1e9


def row_of(span: StoredSpan) -> tuple[object, ...]:
    """*span* as ``INSERT`` takes it."""
    attributes = span.attributes
    fixed = (span.trace_id, span.span_id, span.parent_id, clean(span.name), span.kind)
    times = (span.start_ns, span.end_ns)
    told = (span.status, clean(span.status_message), clean(span.service))
    found = (_first(attributes, names) for names in _FROM_ATTRIBUTES.values())
    events = [[event.name, event.time_ns, event.attributes] for event in span.events]
    return (*fixed, *times, *told, *found, dumps_str(attributes), dumps_str(events))


def span_of(row: sqlite3.Row | Sequence[Any]) -> StoredSpan:
    """
    A row of ``SELECT`` as a span.

    Raises:
        ValueError: Its attributes or events are not what we write.
    """
    if any(type(value) is not kind for value, kind in zip(row, _TYPES, strict=True)):
        raise ValueError("a column of another type")
    attributes, events = loads(row[11]), loads(row[12])
    if not isinstance(attributes, dict) or not isinstance(events, list):
        raise ValueError("no attributes, or no events")
    return StoredSpan(
        id=row[0],
        trace_id=row[1],
        span_id=row[2],
        parent_id=row[3],
        name=row[4],
        kind=row[5],
        start_ns=row[6],
        end_ns=row[7],
        status=row[8],
        status_message=row[9],
        service=row[10],
        attributes=attributes,
        events=tuple(map(_event_of, events)),
    )


def _event_of(value: Any) -> StoredEvent:
    match value:
        case [str() as name, int() as time_ns, dict() as attributes]:
            return StoredEvent(name=name, time_ns=time_ns, attributes=attributes)
    raise ValueError("no event")


def plain(values: Mapping[str, Any] | None, max_chars: int) -> dict[str, Any]:
    """
    Attributes as JSON values that SQLite and terminals take: a text past *max_chars* is cut and
    says so, a number that JSON lacks is ``None``.
    """
    kept = dict(values or {})
    try:
        text = dumps(kept)
    except (TypeError, ValueError):
        text = b""
    if text and len(text) <= max_chars and _HALF_CHARACTER not in text:
        return kept  # all of them are as they should be: by far the most
    return {clean(name): _plain(value, max_chars) for name, value in kept.items()}


def clean(text: str) -> str:
    """*text* without lone surrogates, which UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _plain(value: Any, max_chars: int) -> Any:
    match value:
        case bool() | None:
            return value
        case str():
            text = clean(value)
            return text if len(text) <= max_chars else f"{text[:max_chars]}\N{HORIZONTAL ELLIPSIS}"
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return plain(value, max_chars)
        case Iterable() if not isinstance(value, bytes | bytearray):
            return [_plain(item, max_chars) for item in value]
        case _:
            return _plain(str(value), max_chars)


def _first(attributes: Mapping[str, Any], names: Sequence[str]) -> str | int | None:
    """The first of *names* that is there, as a column takes it."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return value
    return None
