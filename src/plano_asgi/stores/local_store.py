"""A store in this process: bounded, gone with it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

from plano_asgi.stores.keys import check_key, counter

T = TypeVar("T")

_ENTRY_BYTES = 200  # counted for each entry beside its key and value, so that empty ones count too
_FOREVER = float("inf")
_Entry = tuple[bytes, float]


class LocalStore:
    """
    The memory store. Past a bound it forgets what was not used for the longest time.

    Args:
        max_entries: Keys kept.
        max_bytes: Of keys and values together, each entry counted with 200 bytes more.
        timer: The clock, Unix seconds.

    May be used from several threads and event loops.
    """

    def __init__(
        self,
        *,
        max_entries: int = 100_000,
        max_bytes: int = 256 << 20,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._timer = timer
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def is_shared(self) -> bool:
        """Never."""
        return False

    async def get(self, key: str, /) -> bytes | None:
        """See ``Store``."""
        check_key(key)
        entries = self._entries
        with self._lock:  # what ``_living`` does, whose call would be a quarter of it
            if (entry := entries.get(key)) is None:
                return None
            if entry[1] <= self._timer():
                self._drop(key)
                return None
            entries.move_to_end(key)
            return entry[0]

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """See ``BulkStore``."""
        with self._lock:
            entries = [self._living(key) for key in keys]
        return [None if entry is None else entry[0] for entry in entries]

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        """See ``Store``."""
        check_key(key)
        until = _FOREVER if ttl_s is None else self._timer() + ttl_s
        with self._lock:
            self._set(key, value, until)

    async def delete(self, key: str, /) -> bool:
        """See ``Store``."""
        check_key(key)
        with self._lock:
            found = self._living(key) is not None
            self._drop(key)
        return found

    async def add(self, key: str, amount: int, /, *, ttl_s: float | None = None) -> int:
        """See ``Store``. Raises ``ValueError`` where the value is no counter."""
        check_key(key)
        with self._lock:
            entry = self._living(key)
            value, until = (None, self._until(ttl_s)) if entry is None else entry
            total = counter(value) + amount
            self._set(key, b"%d" % total, until)
        return total

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        """See ``Store``. *change* runs once."""
        check_key(key)
        now = self._timer()
        with self._lock:
            entry = self._entries.get(key)
            value, result = change(None if entry is None or entry[1] <= now else entry[0])
            if value is None:
                self._drop(key)
            else:
                self._set(key, value, _FOREVER if ttl_s is None else now + ttl_s)
        return result

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        """See ``Store``."""
        with self._lock:
            return sorted(self._with_prefix(prefix))[:limit]

    async def delete_prefix(self, prefix: str, /) -> int:
        """See ``Store``."""
        with self._lock:
            found = self._with_prefix(prefix)
            for key in found:
                self._drop(key)
        return len(found)

    async def purge(self) -> int:
        """See ``Store``."""
        now = self._timer()
        with self._lock:
            expired = [key for key, (_, until) in self._entries.items() if until <= now]
            for key in expired:
                self._drop(key)
        return len(expired)

    async def aclose(self) -> None:
        """Keeps what it has: nothing is open."""

    def _until(self, ttl_s: float | None) -> float:
        return _FOREVER if ttl_s is None else self._timer() + ttl_s

    def _living(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._timer():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def _set(self, key: str, value: bytes, until: float) -> None:
        entries = self._entries
        if (old := entries.get(key)) is None:
            self._bytes += _ENTRY_BYTES + len(key) + len(value)
            entries[key] = value, until
        else:
            self._bytes += len(value) - len(old[0])
            entries[key] = value, until
            entries.move_to_end(key)
        while len(entries) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(entries)))

    def _drop(self, key: str) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= _ENTRY_BYTES + len(key) + len(entry[0])

    def _with_prefix(self, prefix: str) -> list[str]:
        now = self._timer()
        entries = self._entries.items()
        return [key for key, (_, until) in entries if until > now and key.startswith(prefix)]
