"""
The SQL of ``SQLiteMemory``: functions over a connection, each inside somebody's transaction.

The full-text index holds words with the number of their namespace before them (``12xword``), so
that a search reads entries of one namespace only, however many others there are. It stores
nothing but row numbers: scores are computed by ``ranking``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi import _json
from plano_asgi.memory.base import MemoryItem
from plano_asgi.memory.item_codec import Record, item_key, read_item, write_item
from plano_asgi.memory.ranking import (
    Candidate,
    Question,
    cosines,
    fits,
    rank,
    top,
    ways_to,
)
from plano_asgi.memory.words import words_of

_RECORD = "body, labels, vector, embedder"
_ALIVE = "(expires_at IS NULL OR expires_at > :now)"
_TABLES = (
    """CREATE TABLE memory_namespaces (
        ns INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, items INTEGER NOT NULL)""",
    """CREATE TABLE memory_items (
        row INTEGER PRIMARY KEY, ns INTEGER NOT NULL, key TEXT NOT NULL, created_at REAL NOT NULL,
        expires_at REAL, size INTEGER NOT NULL, words TEXT NOT NULL, labels TEXT NOT NULL,
        embedder TEXT NOT NULL, vector BLOB, body TEXT NOT NULL, UNIQUE (ns, key))""",
    "CREATE INDEX memory_items_newest ON memory_items (ns, created_at, key)",
    "CREATE INDEX memory_items_due ON memory_items (expires_at) WHERE expires_at IS NOT NULL",
    """CREATE INDEX memory_items_vectors ON memory_items (ns, embedder, created_at)
        WHERE vector IS NOT NULL""",
    """CREATE VIRTUAL TABLE memory_words USING fts5(
        words, content = '', columnsize = 0, detail = none, tokenize = 'ascii')""",
    "CREATE VIRTUAL TABLE memory_counts USING fts5vocab(memory_words, row)",
)


def make_tables(connection: sqlite3.Connection) -> None:
    """Schema version 1."""
    for statement in _TABLES:
        connection.execute(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; see ``MemoryStore.search``."""

    namespace: str
    query: str
    limit: int
    threshold: float
    filters: Mapping[str, Any] | None
    vector: Sequence[float] | None
    embedder: str
    now: float
    scan_limit: int
    max_vectors: int

    def run(self, connection: sqlite3.Connection) -> list[MemoryItem]:
        """The items found, best first."""
        row = connection.execute(
            "SELECT ns, items FROM memory_namespaces WHERE name = ?", (self.namespace,)
        ).fetchone()
        if row is None:
            return []
        ns, total = row
        asked = Question.of(self.query)
        counts = _counts(connection, ns, asked.telling)
        rows = self._holding(connection, ns, counts)
        dense = dict[int, float]()
        if self.vector is not None:
            dense = self._cosines(connection, ns, self.vector)
            near = set(top(dense, self.limit)).difference(row[0] for row in rows)
            rows += self._rows(
                connection,
                "SELECT value AS found FROM json_each(:near)",
                near=_json.dumps_str([*near]),
                ns=ns,
            )
        best = rank(
            self._candidates(rows, asked.words, dense),
            asked.weights(counts, total),
            limit=self.limit,
            threshold=self.threshold,
            hybrid=self.vector is not None,
        )
        return [_item(connection, row, score) for row, score in best]

    def _holding(
        self, connection: sqlite3.Connection, ns: int, counts: Mapping[str, int]
    ) -> list[Any]:
        """Rows found by their words, of equal ways those added last."""
        found = dict[int, Any]()
        for way in ways_to(counts, self.scan_limit):
            if (room := self.scan_limit - len(found)) <= 0:
                break
            joint = " OR " if way.of == "any" else " AND "
            rows = self._rows(
                connection,
                """SELECT rowid AS found FROM memory_words WHERE memory_words MATCH :words
                   ORDER BY rowid DESC LIMIT :room""",
                words=joint.join(f'"{_token(ns, word)}"' for word in way.words),
                room=room,
                ns=ns,
            )
            found |= {row[0]: row for row in rows}
        return [*found.values()]

    def _rows(self, connection: sqlite3.Connection, select: str, **values: object) -> list[Any]:
        """What ranking needs of the rows that *select* finds and that may be returned."""
        labels = "labels" if self.filters else "NULL"
        rows = connection.execute(
            f"""SELECT row, created_at, size, words, {labels} FROM ({select})
                CROSS JOIN memory_items ON row = found  -- CROSS: in this order
                WHERE ns = :ns AND {_ALIVE}""",
            {**values, "now": self.now},
        ).fetchall()
        return self._fitting(rows)

    def _fitting(self, rows: list[Any]) -> list[Any]:
        """Those of *rows* whose last column, their labels, meets the filters."""
        if not self.filters:
            return rows
        return [row for row in rows if fits(_json.loads(row[-1]), self.filters)]

    def _cosines(
        self, connection: sqlite3.Connection, ns: int, vector: Sequence[float]
    ) -> dict[int, float]:
        labels = "labels" if self.filters else "NULL"
        rows = connection.execute(
            f"""SELECT row, vector, {labels} FROM memory_items
                WHERE ns = :ns AND embedder = :embedder AND vector IS NOT NULL AND {_ALIVE}
                ORDER BY created_at DESC LIMIT :most""",
            {"ns": ns, "embedder": self.embedder, "now": self.now, "most": self.max_vectors},
        ).fetchall()
        rows = self._fitting(rows)
        return dict(
            zip((row[0] for row in rows), cosines(vector, [row[1] for row in rows]), strict=True)
        )

    def _candidates(
        self, rows: Iterable[Any], asked: Iterable[str], dense: Mapping[int, float]
    ) -> Iterator[Candidate[int]]:
        padded = [(word, f" {word} ") for word in asked]
        for row, created_at, size, words, _ in rows:
            held = [word for word, within in padded if within in words]
            yield Candidate(row, created_at, held, size, dense.get(row, 0.0))


def add(
    connection: sqlite3.Connection, namespace: str, items: Sequence[MemoryItem], index_chars: int
) -> None:
    """Keep *items*; one with a known id replaces it."""
    connection.execute(
        "INSERT OR IGNORE INTO memory_namespaces (name, items) VALUES (?, 0)", (namespace,)
    )
    (ns,) = connection.execute(
        "SELECT ns FROM memory_namespaces WHERE name = ?", (namespace,)
    ).fetchone()
    added = 0
    for item in items:
        added += 1 - _drop(connection, "ns = ? AND key = ?", (ns, item_key(item.id)))
        _insert(connection, ns, item, words_of(item.text, max_chars=index_chars))
    connection.execute("UPDATE memory_namespaces SET items = items + ? WHERE ns = ?", (added, ns))


def _insert(
    connection: sqlite3.Connection, ns: int, item: MemoryItem, words: Sequence[str]
) -> None:
    record = write_item(item)
    row = connection.execute(
        "INSERT INTO memory_items VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ns,
            item_key(item.id),
            item.created_at,
            item.expires_at,
            len(words),
            f" {' '.join(words)} ",
            record.labels,
            record.embedder,
            record.vector,
            record.body,
        ),
    ).lastrowid
    connection.execute(
        "INSERT INTO memory_words (rowid, words) VALUES (?, ?)", (row, _tokens(ns, words))
    )


def get(connection: sqlite3.Connection, namespace: str, key: str, now: float) -> MemoryItem | None:
    """One item that has not expired."""
    row = connection.execute(
        f"""SELECT {_RECORD} FROM memory_items WHERE {_ALIVE} AND key = :key
            AND ns = (SELECT ns FROM memory_namespaces WHERE name = :name)""",
        {"key": key, "name": namespace, "now": now},
    ).fetchone()
    return row and read_item(Record(*row))


def newest(
    connection: sqlite3.Connection, namespace: str, now: float, filters: Mapping[str, Any] | None
) -> Iterator[MemoryItem]:
    """Items, newest first; of the same time, by id backwards."""
    rows = connection.execute(
        f"""SELECT {_RECORD} FROM memory_items WHERE {_ALIVE}
            AND ns = (SELECT ns FROM memory_namespaces WHERE name = :name)
            ORDER BY created_at DESC, key DESC""",
        {"name": namespace, "now": now},
    )
    for row in rows:
        record = Record(*row)
        if not filters or fits(_json.loads(record.labels), filters):
            yield read_item(record)


def forget(connection: sqlite3.Connection, namespace: str, key: str | None) -> int:
    """Delete one item, or all of them, and what the index knows of them; how many."""
    row = connection.execute(
        "SELECT ns FROM memory_namespaces WHERE name = ?", (namespace,)
    ).fetchone()
    if row is None:
        return 0
    by_key = ("ns = ?", row) if key is None else ("ns = ? AND key = ?", (*row, key))
    dropped = _drop(connection, *by_key)
    connection.execute(
        "UPDATE memory_namespaces SET items = items - ? WHERE ns = ?", (dropped, *row)
    )
    _scrub(connection, dropped)
    return dropped


def purge(connection: sqlite3.Connection, now: float) -> int:
    """Delete what has expired; how many items."""
    due = connection.execute(
        "SELECT ns, count(*) FROM memory_items WHERE expires_at <= ? GROUP BY ns", (now,)
    ).fetchall()
    for ns, count in due:
        connection.execute(
            "UPDATE memory_namespaces SET items = items - ? WHERE ns = ?", (count, ns)
        )
    dropped = _drop(connection, "expires_at <= ?", (now,))
    _scrub(connection, dropped)
    return dropped


def _drop(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> int:
    rows = connection.execute(
        f"DELETE FROM memory_items WHERE {where} RETURNING row, ns, words", values
    ).fetchall()
    connection.executemany(
        "INSERT INTO memory_words (memory_words, rowid, words) VALUES ('delete', ?, ?)",
        [(row, _tokens(ns, words.split())) for row, ns, words in rows],
    )
    return len(rows)


def _scrub(connection: sqlite3.Connection, dropped: int) -> None:
    """FTS5 only marks words as deleted until segments merge; a merge of all makes it true."""
    if dropped:
        connection.execute("INSERT INTO memory_words (memory_words) VALUES ('optimize')")
        connection.execute("DELETE FROM memory_namespaces WHERE items = 0")


def _counts(connection: sqlite3.Connection, ns: int, words: Iterable[str]) -> dict[str, int]:
    counts = dict[str, int]()
    for word in words:
        row = connection.execute(
            "SELECT doc FROM memory_counts WHERE term = ?", (_token(ns, word),)
        ).fetchone()
        counts[word] = row[0] if row else 0
    return counts


def _item(connection: sqlite3.Connection, row: int, score: float) -> MemoryItem:
    found = connection.execute(
        f"SELECT {_RECORD} FROM memory_items WHERE row = ?", (row,)
    ).fetchone()
    return read_item(Record(*found), score)


def _token(ns: int, word: str) -> str:
    return f"{ns}x{word}"


def _tokens(ns: int, words: Iterable[str]) -> str:
    return " ".join(_token(ns, word) for word in words)
