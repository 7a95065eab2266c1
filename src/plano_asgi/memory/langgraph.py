"""A LangGraph store as a memory store: a graph and an app remember in one place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from plano_asgi.memory.base import MemoryItem, Namespace
from plano_asgi.memory.foreign import Foreign, ForeignMemory
from plano_asgi.memory.item_codec import document_of, item_key, item_of, namespace_key

_END = "="  # LangGraph searches by prefix: this closes a namespace, and no encoded name is it
_PAGE = 100


class LangGraphMemory(ForeignMemory):
    """
    A ``MemoryStore`` in any ``langgraph.store.base.BaseStore``. An item is a value with ``text``,
    ``kind``, ``created_at``, ``expires_at``, ``provenance`` and ``metadata``; index ``text`` to
    search by meaning. Without an index the items' words rank them.

    Args:
        store: The LangGraph store. Where it has an expiry of its own, that is set besides.
        root: First labels of every namespace.
        most, errors, timer: See ``ForeignMemory``.
    """

    name = "LangGraph"

    def __init__(
        self,
        store: Any,
        *,
        root: tuple[str, ...] = ("plano",),
        most: int = 1_000,
        errors: tuple[type[Exception], ...] = (OSError,),
        timer: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(most=most, errors=errors, timer=timer)
        self._store = store
        self._root = root

    async def _find(self, namespace: Namespace, query: str | None, most: int) -> list[Foreign]:
        found = list[Foreign]()
        while len(found) < most:
            rows = await self._store.asearch(
                self._labels(namespace),
                query=query,
                limit=min(_PAGE, most - len(found)),
                offset=len(found),
                refresh_ttl=False,
            )
            found += [_read(row, row.score) for row in rows]
            if len(rows) < _PAGE:
                break
        return found

    async def _get(self, namespace: Namespace, id: str) -> Sequence[Foreign]:
        row = await self._store.aget(self._labels(namespace), item_key(id), refresh_ttl=False)
        return [] if row is None else [_read(row)]

    async def _put(self, namespace: Namespace, item: MemoryItem) -> None:
        options = {}
        if item.expires_at is not None and self._store.supports_ttl:
            options["ttl"] = max(item.expires_at - self._timer(), 1.0) / 60
        key, value = item_key(item.id), document_of(item)
        await self._store.aput(self._labels(namespace), key, value, **options)

    async def _drop(self, namespace: Namespace, handle: str) -> None:
        await self._store.adelete(self._labels(namespace), handle)

    def _labels(self, namespace: Namespace) -> tuple[str, ...]:
        """LangGraph refuses dots in labels."""
        return (*self._root, namespace_key(namespace).replace(".", "%2E"), _END)


def _read(row: Any, score: float | None = None) -> Foreign:
    near = None if score is None else min(max(score, 0.0), 1.0)
    return Foreign(row.key, item_of(row.value, score=near))
