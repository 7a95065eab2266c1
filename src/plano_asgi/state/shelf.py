"""JSON in a store, for a time, sealed where there is a key."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import structlog

from plano_asgi._json import dumps, loads
from plano_asgi.state.sealing import Sealer
from plano_asgi.state.undo import Step, take_back
from plano_asgi.stores.base import Store
from plano_asgi.stores.bulk import delete_all, get_all

T = TypeVar("T")

UNDO_S = 0.5
"""How long a store that has just failed may be asked to take something back."""

_log = structlog.get_logger("plano_asgi")


class Shelf:
    """
    Keeps JSON values.

    Args:
        store: Where.
        direct: The store beneath *store*, for what does not wait until a pause is over. ``None``:
            *store* itself.
        undo_s: How long taking something back may take, in seconds.
        sealer: ``None``: values lie there as plain JSON.
        ttl_s: How long a value is kept after it was written or last needed.
        timer: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        direct: Store | None = None,
        undo_s: float = UNDO_S,
        sealer: Sealer | None = None,
        ttl_s: float,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self.store, self._direct = store, direct or store
        self._undo_s = undo_s
        self.ttl_s = ttl_s
        self.timer = timer
        self._sealer = sealer

    async def get(self, key: str) -> Any:
        """The value; ``None`` where there is none that can be read."""
        return self._read(key, await self.store.get(key))

    async def get_all(self, keys: Sequence[str]) -> list[Any]:
        """As ``get``, of many: in as few round trips as the store can do with."""
        found = await get_all(self.store, keys)
        return [self._read(key, stored) for key, stored in zip(keys, found, strict=True)]

    async def delete_all(self, keys: Sequence[str]) -> None:
        """Forget many."""
        await delete_all(self.store, keys)

    def put(self, key: str, plain: bytes) -> Awaitable[None]:
        """Keep *plain*, one encoded value."""
        return self.store.put(key, self._written(key, plain), ttl_s=self.ttl_s)

    async def update(self, key: str, change: Callable[[Any], tuple[Any, T]]) -> T:
        """As ``Store.update``, on values: ``None`` is none."""
        return await self._update(self.store, key, change)

    def direct_update(self, key: str, change: Callable[[Any], tuple[Any, T]]) -> Awaitable[T]:
        """As ``update``, also of a store that is being left alone."""
        return self._update(self._direct, key, change)

    def direct_delete(self, key: str) -> Awaitable[bool]:
        """As ``Store.delete``, also of a store that is being left alone."""
        return self._direct.delete(key)

    def take_back(self, steps: Iterable[Step], *, response: str | None = None) -> Awaitable[None]:
        """See ``undo.take_back``."""
        return take_back(steps, timeout_s=self._undo_s, response=response)

    async def _update(self, store: Store, key: str, change: Callable[[Any], tuple[Any, T]]) -> T:
        def change_bytes(stored: bytes | None) -> tuple[bytes | None, T]:
            value, result = change(self._read(key, stored))
            return (None if value is None else self._written(key, dumps(value))), result

        return await store.update(key, change_bytes, ttl_s=self.ttl_s)

    def is_ageing(self, value: Any) -> bool:
        """Whether half of the time of *value*, an object with a field ``kept_at``, is over."""
        return bool(self.timer() - value["kept_at"] > self.ttl_s / 2)

    async def refresh(self, key: str) -> None:
        """
        Keep a value for the whole time again. Done to what is in use and ageing, so that a
        conversation does not expire piece by piece.
        """
        now = self.timer()

        def change(value: Any) -> tuple[Any, None]:
            return (None if value is None else {**value, "kept_at": now}), None

        await self.update(key, change)

    def _written(self, key: str, plain: bytes) -> bytes:
        return plain if self._sealer is None else self._sealer.seal(key, plain)

    def _read(self, key: str, stored: bytes | None) -> Any:
        if stored is None:
            return None
        plain = stored if self._sealer is None else self._sealer.open(key, stored)
        try:
            return loads(plain) if plain is not None else self._unreadable()
        except ValueError:
            return self._unreadable()

    def _unreadable(self) -> None:
        _log.warning("state_unreadable", hint="sealed with another key, or not by this program")
