"""A mem0 ``AsyncMemory`` as a memory store."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from plano_asgi import _json
from plano_asgi.memory.base import MemoryItem, Namespace, Provenance
from plano_asgi.memory.foreign import Foreign, ForeignMemory
from plano_asgi.memory.item_codec import document_of, item_key, item_of, namespace_key

_KEY, _ITEM = "plano_key", "plano_item"
_ROLES = {"user", "assistant"}


class Mem0Memory(ForeignMemory):
    """
    A ``MemoryStore`` in mem0 (1.x and later: entity ids in ``filters``). Texts are kept as they are
    (``infer=False``); what mem0 itself has remembered of the same user is found as well, as facts.

    Args:
        memory: A ``mem0.AsyncMemory``.
        user_id: mem0's name for a namespace, never one for two.
        most, errors, timer: See ``ForeignMemory``.

    mem0 writes deleted texts to its history database; to forget truly, give it none that lasts.
    """

    name = "mem0"

    def __init__(
        self,
        memory: Any,
        *,
        user_id: Callable[[Namespace], str] = namespace_key,
        most: int = 1_000,
        errors: tuple[type[Exception], ...] = (OSError,),
        timer: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(most=most, errors=errors, timer=timer)
        self._memory = memory
        self._user_id = user_id

    async def _find(self, namespace: Namespace, query: str | None, most: int) -> list[Foreign]:
        options = {"filters": {"user_id": self._user_id(namespace)}, "top_k": most}
        if query is None:
            answer = await self._memory.get_all(**options)
        else:
            answer = await self._memory.search(query, threshold=0.0, **options)
        return [_read(row) for row in answer["results"]]

    async def _get(self, namespace: Namespace, id: str) -> list[Foreign]:
        filters = {"user_id": self._user_id(namespace), _KEY: item_key(id)}
        answer = await self._memory.get_all(filters=filters, top_k=self._most)
        return [_read(row) for row in answer["results"]]

    async def _put(self, namespace: Namespace, item: MemoryItem) -> None:
        former = await self._get(namespace, item.id)
        document = document_of(item)
        role = item.provenance.role if item.provenance.role in _ROLES else "user"
        await self._memory.add(
            [{"role": role, "content": document.pop("text")}],
            user_id=self._user_id(namespace),
            metadata={_KEY: item_key(item.id), _ITEM: _json.dumps_str(document)},
            infer=False,
        )
        for hit in former:  # after the add: what fails in between is double, not lost
            await self._drop(namespace, hit.handle)

    async def _drop(self, namespace: Namespace, handle: str) -> None:
        await self._memory.delete(handle)


def _read(row: dict[str, Any]) -> Foreign:
    score = row.get("score")
    near = None if score is None else min(max(float(score), 0.0), 1.0)
    if written := (row.get("metadata") or {}).get(_ITEM):
        document = {**_json.loads(written), "text": row["memory"]}
        return Foreign(row["id"], item_of(document, score=near))
    return Foreign(row["id"], _own(row, near))


def _own(row: dict[str, Any], score: float | None) -> MemoryItem:
    """A memory of mem0's own."""
    since = row.get("created_at")
    return MemoryItem(
        id=row["id"],
        text=row["memory"],
        kind="fact",
        created_at=datetime.fromisoformat(since).timestamp() if since else 0.0,
        provenance=Provenance(by="mem0"),
        score=score,
    )
