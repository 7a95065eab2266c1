"""
The SQL of ``PostgresMemory``.

Lexemes carry a hash of their namespace (``1f0c2ab49d3e:word``), so that the full-text index is read
for one namespace only, however many others there are. They are made by ``words``, which does what
the text search configuration *simple* does, and scripts without spaces besides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

STEPS = (
    (
        """CREATE TABLE plano_memory_items (
            ns text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
            created_at float8 NOT NULL, expires_at float8, size int NOT NULL,
            words tsvector NOT NULL, labels text NOT NULL, embedder text NOT NULL, vector bytea,
            body text NOT NULL, PRIMARY KEY (ns, key))""",
        "CREATE INDEX plano_memory_newest ON plano_memory_items (ns, created_at, key)",
        """CREATE INDEX plano_memory_due ON plano_memory_items (expires_at)
            WHERE expires_at IS NOT NULL""",
        """CREATE INDEX plano_memory_vectors ON plano_memory_items (ns, embedder, created_at)
            WHERE vector IS NOT NULL""",
        "CREATE INDEX plano_memory_words ON plano_memory_items USING gin (words)",
    ),
)
"""The statements that lead from each schema version to the next."""

_ALIVE = "(expires_at IS NULL OR expires_at > %(now)s)"
_HERE = f"ns = %(ns)s AND {_ALIVE}"
_ROW = """key, created_at, size, ARRAY(
    SELECT lexeme FROM unnest(words) WHERE lexeme = ANY (%(asked)s)), labels"""
_RECORD = "key, body, labels, vector, embedder"

ADD = """INSERT INTO plano_memory_items VALUES (%(ns)s, %(key)s, %(created_at)s, %(expires_at)s,
    cardinality(%(words)s::text[]), array_to_tsvector(%(words)s::text[]), %(labels)s, %(embedder)s,
    %(vector)s, %(body)s)
    ON CONFLICT (ns, key) DO UPDATE SET created_at = excluded.created_at,
    expires_at = excluded.expires_at, size = excluded.size, words = excluded.words,
    labels = excluded.labels, embedder = excluded.embedder, vector = excluded.vector,
    body = excluded.body"""

COUNTS = """SELECT
    (SELECT count(*) FROM (
        SELECT FROM plano_memory_items WHERE ns = %(ns)s LIMIT %(most)s) AS held),
    ARRAY(SELECT (SELECT count(*) FROM (
        SELECT FROM plano_memory_items
        WHERE ns = %(ns)s AND words @@ word::tsquery LIMIT %(most)s) AS held)
        FROM unnest(%(queries)s::text[]) WITH ORDINALITY AS asked (word, place) ORDER BY place)"""
"""How many items there are, and how many hold each of the words; none counted past *most*."""

HOLDING = f"""SELECT {_ROW} FROM plano_memory_items
    WHERE {_HERE} AND words @@ %(query)s::tsquery ORDER BY created_at DESC LIMIT %(room)s"""

VECTORS = f"""SELECT key, vector, labels FROM plano_memory_items
    WHERE {_HERE} AND embedder = %(embedder)s AND vector IS NOT NULL
    ORDER BY created_at DESC LIMIT %(most)s"""

ROWS = f"SELECT {_ROW} FROM plano_memory_items WHERE {_HERE} AND key = ANY (%(keys)s)"

ITEMS = f"SELECT {_RECORD} FROM plano_memory_items WHERE {_HERE} AND key = ANY (%(keys)s)"

NEWEST = f"""SELECT {_RECORD} FROM plano_memory_items WHERE {_HERE}
    ORDER BY created_at DESC, key DESC"""

DELETE = "DELETE FROM plano_memory_items WHERE ns = %(ns)s AND key = %(key)s"

DELETE_ALL = "DELETE FROM plano_memory_items WHERE ns = %(ns)s"

PURGE = "DELETE FROM plano_memory_items WHERE expires_at <= %(now)s"


def lexemes(namespace: str, words: Iterable[str]) -> list[str]:
    """*words* as the index of *namespace* has them. Two namespaces with one hash do no harm."""
    tag = hashlib.blake2s(namespace.encode(), digest_size=6).hexdigest()
    return [f"{tag}:{word}" for word in words]


def query_of(of: Literal["any", "all"], lexemes: Iterable[str]) -> str:
    """A text search query. Words are letters and digits: nothing in them needs escaping."""
    return (" | " if of == "any" else " & ").join(f"'{lexeme}'" for lexeme in lexemes)
