"""A store that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from plano_asgi.errors import ConfigurationError, StoreUnavailable
from plano_asgi.limits.brief_store import BriefStore, brief_store
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio


class GatedStore(LocalStore):
    """A store on another machine, that answers while its gate is open."""

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = self.slow = anyio.Event()
        self.begun: list[str] = []
        self.ends: list[float] = []

    async def update(self, key: str, change: Any, /, *, ttl_s: float | None = None) -> Any:
        """As a store does."""
        self.begun.append(key)
        await self.gate.wait()
        await anyio.lowlevel.checkpoint()
        self.ends.append(anyio.current_effective_deadline())
        return await super().update(key, change, ttl_s=ttl_s)


def _told(value: bytes | None) -> tuple[bytes | None, str]:
    return b"x", "told"


def brief(store: GatedStore, clock: Callable[[], float], timeout_s: float = 0.01) -> BriefStore:
    """With little patience."""
    return BriefStore(store, timeout_s=timeout_s, pause_s=5.0, timer=clock)


async def fails(store: BriefStore) -> bool:
    """Whether a change is not made."""
    try:
        await store.update("k", _told, ttl_s=60.0)
    except StoreUnavailable:
        return True
    return False


async def test_a_silent_store_is_left_alone(clock: Any) -> None:
    """One change finds out; the next ones go without, until the pause is over."""
    gated = GatedStore()
    store = brief(gated, clock)
    assert [await fails(store) for _ in range(4)] == [True] * 4
    assert len(gated.begun) == 1
    clock.now += 5.0
    assert await fails(store)
    assert len(gated.begun) == 2
    gated.gate.set()
    assert await fails(store)
    clock.now += 5.0
    assert not await fails(store)
    assert not await fails(store)


async def test_one_change_tries_a_store_that_failed(clock: Any) -> None:
    """The others do not wait for what comes of it."""
    gated = GatedStore()
    store = brief(gated, clock)
    await fails(store)
    clock.now += 5.0
    found: list[bool] = []

    async def change() -> None:
        found.append(await fails(store))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(change)
    assert len(gated.begun) == 2
    assert found == [True] * 20


async def test_whoever_waits_while_others_are_answered_goes_on_waiting(clock: Any) -> None:
    """Many changes of one key are no outage: an answer to one gives all of them more time."""
    gated = GatedStore()
    store = brief(gated, clock, timeout_s=60.0)
    ends: list[float] = []

    async def late(key: str) -> None:
        await store.update(key, _told, ttl_s=60.0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(late, "slow")
        await anyio.wait_all_tasks_blocked()
        gated.slow, gated.gate = gated.gate, anyio.Event()
        gated.gate.set()
        ends.append(anyio.current_time() + 60.0)
        await late("quick")
        gated.slow.set()
    assert gated.ends[-1] > ends[0]


async def test_a_change_is_not_left_half_known(clock: Any) -> None:
    """Whoever is cancelled learns what came of it first."""
    gated = GatedStore()
    gated.gate.set()
    store = brief(gated, clock, timeout_s=60.0)
    told: list[str] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        told.append(await store.update("k", _told, ttl_s=60.0))
    assert told == ["told"]
    assert await gated.get("k") == b"x"


def test_a_store_in_this_process_is_used_as_it_is(clock: Any) -> None:
    """It has nobody to wait for."""
    local = LocalStore()
    assert brief_store(local, timeout_s=1.0, pause_s=1.0, timer=clock) is local
    for timeout_s, pause_s in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ConfigurationError, match="timeout"):
            brief_store(local, timeout_s=timeout_s, pause_s=pause_s, timer=clock)
