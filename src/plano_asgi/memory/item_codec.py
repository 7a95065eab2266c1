"""Items as stores keep them: JSON texts and bytes that any database can hold."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from plano_asgi import _json
from plano_asgi.memory.base import MemoryItem, Namespace, Provenance
from plano_asgi.memory.ranking import labels_of

_MAX_KEY_CHARS = 400


class Record(NamedTuple):
    """
    One item, written. JSON escapes NUL characters and lone surrogates, which PostgreSQL and UTF-8
    refuse: ``body`` and ``labels`` are plain ASCII or valid UTF-8.
    """

    body: str
    """All but what follows."""
    labels: str
    """What can be filtered on: kind and metadata."""
    vector: bytes | None
    """32-bit floats."""
    embedder: str


def document_of(item: MemoryItem) -> dict[str, Any]:
    """*item* as JSON, without its vector and score."""
    source = item.provenance
    return {
        "id": item.id,
        "text": item.text,
        "created_at": item.created_at,
        "expires_at": item.expires_at,
        "provenance": {"request_id": source.request_id, "role": source.role, "by": source.by},
        **labels_of(item),
    }


def item_of(document: Mapping[str, Any], **fields: Any) -> MemoryItem:
    """The item that *document* is of; *fields* are what it does not have."""
    provenance = Provenance(**document["provenance"])
    return MemoryItem(**{**document, "provenance": provenance, **fields})


def write_item(item: MemoryItem) -> Record:
    """
    Write *item*; its score is left out, its vector is kept in 32-bit precision.

    Raises:
        TypeError: Its metadata is not JSON.
    """
    document = document_of(item)
    labels = {name: document.pop(name) for name in ("kind", "metadata")}
    vector = None if item.embedding is None else array("f", item.embedding).tobytes()
    return Record(_json.dumps_str(document), _json.dumps_str(labels), vector, item.embedder)


def read_item(record: Record, score: float | None = None) -> MemoryItem:
    """The item that was written."""
    return item_of(
        {**_json.loads(record.body), **_json.loads(record.labels)},
        embedding=None if record.vector is None else tuple(array("f", record.vector)),
        embedder=record.embedder,
        score=score,
    )


def namespace_key(namespace: Namespace) -> str:
    """
    One text for *namespace*, never the same for two: names are percent-encoded and joined by "/".

    Raises:
        ValueError: No names, or an empty one.
    """
    if isinstance(namespace, str) or not namespace or not all(namespace):
        raise ValueError("a namespace is a tuple of one or more names, none of them empty")
    return _bounded("/".join(map(_safe, namespace)))


def item_key(id: str) -> str:
    """
    One text for an item's id, never the same for two.

    Raises:
        ValueError: *id* is empty.
    """
    if not id:
        raise ValueError("an item's id is not empty")
    return _bounded(_safe(id))


def _safe(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")


def _bounded(key: str) -> str:
    """Long keys by their hash; "/" at the start is what no other key has."""
    if len(key) <= _MAX_KEY_CHARS:
        return key
    return f"/{hashlib.sha256(key.encode()).hexdigest()}"
