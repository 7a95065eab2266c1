"""
"Forget this namespace", told to every process that shares a store.

What was said before the mark and is still on its way to the store, in whichever process, is not
written any more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

from plano_asgi.memory.base import MemoryItem, MemoryStore, Namespace

_NAMESPACE = ("plano:forgotten",)
_KEPT_S = 3600.0


class Tombstones:
    """Marks in *store*, kept for an hour: longer than anything waits to be written."""

    def __init__(self, store: MemoryStore, *, timer: Callable[[], float] = time.time) -> None:
        self._store, self._timer = store, timer

    async def mark(self, namespace: Namespace) -> None:
        """Everything said in *namespace* until now is to be forgotten."""
        now = self._timer()
        item = MemoryItem(id=_digest(namespace), text="", created_at=now, expires_at=now + _KEPT_S)
        await self._store.add(_NAMESPACE, [item])

    async def cover(self, namespace: Namespace, said_at: float) -> bool:
        """Whether what was said at *said_at* (Unix seconds) is to be forgotten."""
        found = await self._store.get(_NAMESPACE, _digest(namespace))
        return found is not None and found.created_at >= said_at

    async def keep(
        self, namespace: Namespace, items: Sequence[MemoryItem], *, said_at: float
    ) -> None:
        """Add *items*, said at *said_at*, unless they are to be forgotten."""
        if not items or await self.cover(namespace, said_at):
            return
        await self._store.add(namespace, items)
        # The mark may have come in between, and the store been emptied before this was added.
        if await self.cover(namespace, said_at):
            for item in items:
                await self._store.delete(namespace, item.id)


def _digest(namespace: Namespace) -> str:
    # Lengths tell ("a", "b") from ("a\x00b",).
    spelled = "".join(f"{len(name)}:{name}" for name in namespace)
    return hashlib.sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()
