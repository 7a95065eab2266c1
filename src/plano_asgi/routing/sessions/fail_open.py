"""A store that requests can do without: bounded waits, and rest after a failure."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from plano_asgi.asgi.deadline import time_limit
from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.base import Store

T = TypeVar("T")


def brief_store(
    store: Store, *, timeout_s: float, pause_s: float, timer: Callable[[], float]
) -> Store | BriefStore:
    """*store* as it is where it is in this process, and waits for nobody; else a ``BriefStore``."""
    if not store.is_shared:
        return store
    return BriefStore(store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)


class BriefStore:
    """
    *store* for the few operations of a session.

    Args:
        timeout_s: What one operation may take.
        pause_s: After a failure, how long the store is left alone.
        timer: Seconds.
    """

    def __init__(
        self, store: Store, *, timeout_s: float, pause_s: float, timer: Callable[[], float]
    ) -> None:
        self._store, self._timer = store, timer
        self._timeout_s, self._pause_s = timeout_s, pause_s
        self._failed_at: float | None = None

    async def get(self, key: str, /) -> bytes | None:
        """
        Raises:
            StoreUnavailable: It is down or slow, or was a moment ago.
        """
        return await self._run(self._store.get(key))

    async def update(
        self, key: str, change: Callable[[bytes | None], tuple[bytes | None, T]], /, *, ttl_s: float
    ) -> T:
        """
        Raises:
            StoreUnavailable: It is down or slow, or was a moment ago.
        """
        return await self._run(self._store.update(key, change, ttl_s=ttl_s))

    async def _run(self, operation: Coroutine[Any, Any, T]) -> T:
        failed_at = self._failed_at
        if failed_at is not None and 0 <= self._timer() - failed_at < self._pause_s:
            operation.close()
            raise StoreUnavailable("the session store failed a moment ago")
        try:
            with time_limit(self._timeout_s):
                found = await operation
        except (StoreUnavailable, TimeoutError) as exc:
            self._failed_at = self._timer()
            raise StoreUnavailable("the session store does not answer") from exc
        self._failed_at = None
        return found
