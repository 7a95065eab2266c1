"""Short ways to say what the tests of memory stores say often."""

from __future__ import annotations

from typing import Any

from plano_asgi.memory.base import MemoryItem, MemoryStore

ME = ("acme", "ann")


def item(id: str, text: str, **fields: Any) -> MemoryItem:
    """An item of no special time."""
    return MemoryItem(id=id, text=text, **{"created_at": 1000.0, **fields})


async def found(store: MemoryStore, query: str, **options: Any) -> list[str]:
    """The ids that a search gives, best first."""
    return [hit.id for hit in await store.search(ME, query, **options)]


async def listed(store: MemoryStore, **options: Any) -> list[str]:
    """The ids of a list."""
    return [kept.id for kept in await store.list(ME, **options)]
