"""Many keys at once: in few round trips where a store can do that, else some side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, cast

import anyio

from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.base import Store

T = TypeVar("T")

_KEYS_AT_ONCE = 256
_CALLS_AT_ONCE = 8


class BulkStore(Protocol):
    """What a ``Store`` may be besides."""

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        """What ``get`` returns for each of *keys*, in their order."""
        ...


async def get_all(store: Store, keys: Sequence[str]) -> list[bytes | None]:
    """
    The values at *keys*, in their order; ``None`` where there is none. By ``get_many`` of a store
    that has it.

    Raises:
        StoreUnavailable: As *store* does.
    """
    if len(keys) == 1:
        return [await store.get(keys[0])]
    if getattr(store, "get_many", None) is None:
        return await _side_by_side(keys, store.get)
    bulk, found = cast("BulkStore", store), list[bytes | None]()
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        found += await bulk.get_many(keys[start : start + _KEYS_AT_ONCE])
    return found


async def delete_all(store: Store, keys: Sequence[str]) -> None:
    """
    Forget every one of *keys*.

    Raises:
        StoreUnavailable: As *store* does; some may be gone then.
    """
    await _side_by_side(keys, store.delete)


async def _side_by_side(keys: Sequence[str], call: Callable[[str], Awaitable[T]]) -> list[T]:
    """What *call* makes of each key, in their order; what fails first is raised."""
    found: dict[int, T] = {}
    errors: list[StoreUnavailable] = []
    waiting = iter(enumerate(keys))

    async def work() -> None:
        for number, key in waiting:
            try:
                found[number] = await call(key)
            except StoreUnavailable as exc:  # raised below: a task group would wrap it
                errors.append(exc)
                tasks.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(min(_CALLS_AT_ONCE, len(keys))):
            tasks.start_soon(work)
    if errors:
        raise errors[0]
    return [found[number] for number in range(len(keys))]
