"""A store that requests do not wait for: it answers soon, or is left alone for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio
from anyio.lowlevel import RunVar

from plano_asgi.errors import ConfigurationError, StoreUnavailable
from plano_asgi.stores.base import Store
from plano_asgi.stores.bulk import get_all
from plano_asgi.stores.keys import KeyUnavailable

T = TypeVar("T")

TIMEOUT_S = 0.5
PAUSE_S = 5.0
_LEAST_RETRY_S = 1.0


class StoreResting(StoreUnavailable):
    """The store failed a moment ago and was not asked; ``retry_after_s``: until it may be."""


def brief_store(
    store: Store, *, timeout_s: float, pause_s: float, timer: Callable[[], float]
) -> Store:
    """*store* as it is where it is in this process, and waits for nobody; else a ``BriefStore``."""
    brief = BriefStore(store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)
    return brief if store.is_shared else store


class BriefStore:
    """
    *store*, asked with little patience.

    What counts is silence: an operation that waits for its turn among many is not cut off while
    others are answered. It is *store* that bounds how long that may take. A change is not
    cancelled with whoever makes it, who knows then what came of it. ``keys``, ``delete_prefix`` and
    ``purge`` take the time that *store* gives them.

    Args:
        timeout_s: For how long *store* may answer nobody.
        pause_s: After a failure, how long it is left alone. Then one operation tries it, and the
            others go without until that has ended.
        timer: Seconds.

    Raises:
        ConfigurationError: A time that is none.

    Every method raises ``StoreUnavailable`` where *store* is down or silent, and ``StoreResting``,
    at once, where it was a moment ago. ``KeyUnavailable`` is no failure of the store. Whether a
    change that failed was made is not known.
    """

    def __init__(
        self, store: Store, *, timeout_s: float, pause_s: float, timer: Callable[[], float]
    ) -> None:
        if timeout_s <= 0 or pause_s < 0:
            raise ConfigurationError(
                "a store's timeout is more than 0 seconds, its pause 0 or more"
            )
        self._store, self._timer = store, timer
        self._timeout_s, self._pause_s = timeout_s, pause_s
        self._failed_at: float | None = None
        self._is_tried = False
        self._waiting: RunVar[set[anyio.CancelScope]] = RunVar("plano_brief_store")

    @property
    def is_shared(self) -> bool:
        """As the store's."""
        return self._store.is_shared

    async def get(self, key: str, /) -> bytes | None:
        """See ``Store``."""
        return await self._run(partial(self._store.get, key), is_change=False)

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """See ``BulkStore``."""
        return await self._run(partial(get_all, self._store, keys), is_change=False)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """See ``Store``."""
        await self._run(partial(self._store.put, key, value, ttl_s=ttl_s))

    async def delete(self, key: str, /) -> bool:
        """See ``Store``."""
        return await self._run(partial(self._store.delete, key))

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """See ``Store``."""
        return await self._run(partial(self._store.add, key, amount, ttl_s=ttl_s))

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """See ``Store``."""
        return await self._run(lambda: self._store.update(key, change, ttl_s=ttl_s))

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """See ``Store``."""
        return await self._store.keys(prefix, limit=limit)

    async def delete_prefix(self, prefix: str, /) -> int:
        """See ``Store``."""
        return await self._store.delete_prefix(prefix)

    async def purge(self) -> int:
        """See ``Store``."""
        return await self._store.purge()

    async def aclose(self) -> None:
        """See ``Store``."""
        await self._store.aclose()

    async def _run(self, work: Callable[[], Awaitable[T]], *, is_change: bool = True) -> T:
        is_trial = self._failed_at is not None
        if is_trial:
            self._begin_trial()
        try:
            found = await self._briefly(work, is_change=is_change)
        except KeyUnavailable:
            raise
        except StoreUnavailable:
            self._failed_at = self._timer()
            raise
        finally:
            if is_trial:
                self._is_tried = False
        self._failed_at = None
        return found

    def _begin_trial(self) -> None:
        """
        Raises:
            StoreResting: It is too early, or somebody else has begun.
        """
        assert self._failed_at is not None
        passed_s = self._timer() - self._failed_at
        if 0 <= passed_s < self._pause_s or self._is_tried:
            error = StoreResting("the store failed a moment ago")
            error.retry_after_s = max(_LEAST_RETRY_S, self._pause_s - max(0.0, passed_s))
            raise error
        self._is_tried = True

    async def _briefly(self, work: Callable[[], Awaitable[T]], *, is_change: bool) -> T:
        waiting = self._waiting_here()
        end = anyio.current_time() + self._timeout_s
        with anyio.CancelScope(deadline=end, shield=is_change) as scope:
            waiting.add(scope)
            try:
                found = await work()
            finally:
                waiting.discard(scope)
            if waiting:
                end = anyio.current_time() + self._timeout_s
                for other in waiting:
                    other.deadline = end
            return found
        error = StoreUnavailable("the store does not answer")
        error.retry_after_s = max(_LEAST_RETRY_S, self._pause_s)
        raise error

    def _waiting_here(self) -> set[anyio.CancelScope]:
        """The operations under way in the running event loop: a scope is its loop's."""
        try:
            return self._waiting.get()
        except LookupError:
            self._waiting.set(waiting := set[anyio.CancelScope]())
            return waiting
