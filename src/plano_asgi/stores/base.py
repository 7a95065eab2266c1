"""
The contract of a store: bytes under a key, for a time, changed atomically.

Sessions, limits, budgets and conversation state keep what outlives a request in one. Several
processes that share a store behave as one: every change is atomic, and none is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Store(Protocol):
    """
    Keys are texts of at most 512 characters; values are bytes. Instances are shared; they open on
    first use, one pool per event loop, and again after ``aclose``.

    Every method raises ``StoreUnavailable`` within seconds when the store cannot be reached.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes see what this one writes."""
        ...

    async def get(self, key: str, /) -> bytes | None:
        """The value, or ``None`` if there is none or its time is over."""
        ...

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """Keep *value* for *ttl_s* seconds, for ever if ``None``. Durable when it returns."""
        ...

    async def delete(self, key: str, /) -> bool:
        """Forget *key*; whether it was there."""
        ...

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """
        Add to a counter and return its new value; one that is not there starts at 0, and only
        then is *ttl_s* set.
        """
        ...

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """
        Read, change and write as one: *change* gets the value and returns the new one (``None``
        deletes) and a result. It may run more than once, so it must not do anything else.
        """
        ...

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """At most *limit* keys that begin with *prefix*, sorted."""
        ...

    async def delete_prefix(self, prefix: str, /) -> int:
        """Forget every key that begins with *prefix*; how many there were."""
        ...

    async def purge(self) -> int:
        """Delete what has expired; how many that were."""
        ...

    async def aclose(self) -> None:
        """Close files and connections of the running event loop."""
        ...
