"""A store that requests do not wait for: it answers soon, or is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import RunVar

from plano_asgi.errors import ConfigurationError, StoreUnavailable
from plano_asgi.stores.base import Store

T = TypeVar("T")

TIMEOUT_S = 0.5
PAUSE_S = 5.0


def brief_store(
    store: Store, *, timeout_s: float, pause_s: float, timer: Callable[[], float]
) -> Store | BriefStore:
    """*store* as it is where it is in this process, and waits for nobody; else a ``BriefStore``."""
    brief = BriefStore(store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)
    return brief if store.is_shared else store


class BriefStore:
    """
    The changes of *store*, none of which is cancelled: who makes one knows what came of it.

    What counts is silence: a change that waits for its turn among many of the same key is not cut
    off while others are answered. It is *store* that bounds how long that may take.

    Args:
        timeout_s: For how long *store* may answer nobody.
        pause_s: After a failure, how long it is left alone. Then one change tries it, and the
            others go without until that has ended.
        timer: Seconds.

    Raises:
        ConfigurationError: A time that is none.
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
        self._waiting: RunVar[set[anyio.CancelScope]] = RunVar("plano_limits_waiting")

    async def update(
        self, key: str, change: Callable[[bytes | None], tuple[bytes | None, T]], /, *, ttl_s: float
    ) -> T:
        """
        See ``Store``.

        Raises:
            StoreUnavailable: It is down or silent, or was a moment ago. Whether the change was made
                is not known.
        """
        is_trial = self._failed_at is not None
        if is_trial and not self._may_be_tried():
            raise StoreUnavailable("The store of the limits failed a moment ago.")
        self._is_tried = self._is_tried or is_trial
        try:
            found = await self._briefly(self._store.update(key, change, ttl_s=ttl_s))
        except StoreUnavailable:
            self._failed_at = self._timer()
            raise
        finally:
            if is_trial:
                self._is_tried = False
        self._failed_at = None
        return found

    def _may_be_tried(self) -> bool:
        assert self._failed_at is not None
        is_resting = 0 <= self._timer() - self._failed_at < self._pause_s
        return not (is_resting or self._is_tried)

    async def _briefly(self, operation: Coroutine[Any, Any, T]) -> T:
        waiting = self._waiting_here()
        end = anyio.current_time() + self._timeout_s
        with anyio.CancelScope(deadline=end, shield=True) as scope:
            waiting.add(scope)
            try:
                found = await operation
            finally:
                waiting.discard(scope)
            end = anyio.current_time() + self._timeout_s
            for other in waiting:
                other.deadline = end
            return found
        raise StoreUnavailable("The store of the limits does not answer.")

    def _waiting_here(self) -> set[anyio.CancelScope]:
        """The changes under way in the running event loop: a scope is its loop's."""
        try:
            return self._waiting.get()
        except LookupError:
            self._waiting.set(waiting := set[anyio.CancelScope]())
            return waiting
