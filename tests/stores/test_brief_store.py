"""A store that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from plano_asgi.errors import ConfigurationError, StoreUnavailable
from plano_asgi.stores.brief_store import BriefStore, StoreResting, brief_store
from plano_asgi.stores.bulk import get_all
from plano_asgi.stores.keys import KeyUnavailable
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both: no driver is asked."""
    return str(request.param)


class Clock:
    """Seconds that only a test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of the pauses."""
    return Clock()


class GatedStore(LocalStore):
    """A store on another machine, that answers while its gate is open."""

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = anyio.Event()
        self.begun: list[str] = []
        self.ends: list[float] = []

    async def _answer(self, key: str) -> None:
        self.begun.append(key)
        await self.gate.wait()
        await anyio.lowlevel.checkpoint()
        self.ends.append(anyio.current_effective_deadline())

    async def get(self, key: str, /) -> bytes | None:
        """As a store does."""
        await self._answer(key)
        return await super().get(key)

    async def update(self, key: str, change: Any, /, *, ttl_s: float | None = None) -> Any:
        """As a store does."""
        await self._answer(key)
        return await super().update(key, change, ttl_s=ttl_s)


def _told(value: bytes | None) -> tuple[bytes | None, str]:
    return b"x", "told"


def brief(store: LocalStore, clock: Callable[[], float], timeout_s: float = 0.01) -> BriefStore:
    """With little patience."""
    return BriefStore(store, timeout_s=timeout_s, pause_s=5.0, timer=clock)


async def fails(store: BriefStore) -> bool:
    """Whether a change is not made."""
    try:
        await store.update("k", _told, ttl_s=60.0)
    except StoreUnavailable:
        return True
    return False


async def test_a_silent_store_is_left_alone(clock: Clock) -> None:
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


@pytest.mark.parametrize(("passed_s", "begun"), [(0, 1), (4.9, 1), (5, 2), (-3600, 2)])
async def test_a_clock_that_goes_back_prolongs_no_pause(
    clock: Clock, passed_s: float, begun: int
) -> None:
    """A store that failed is left alone for so long, and no longer."""
    gated = GatedStore()
    store = brief(gated, clock)
    await fails(store)
    clock.now += passed_s
    await fails(store)
    assert len(gated.begun) == begun


async def test_one_key_in_trouble_is_no_outage(clock: Clock) -> None:
    """A store that answers goes on serving the others."""

    class Contended(LocalStore):
        is_shared = True

        async def get(self, key: str, /) -> bytes | None:
            if key == "busy":
                raise KeyUnavailable("too many change the same key")
            return await super().get(key)

    store = brief(Contended(), clock)
    for _ in range(2):
        with pytest.raises(KeyUnavailable):
            await store.get("busy")
        assert await store.get("other") is None


async def test_a_pause_says_how_long_it_lasts(clock: Clock) -> None:
    """Who has to be refused is told when to come back."""
    store = brief(GatedStore(), clock)
    with pytest.raises(StoreUnavailable) as silent:
        await store.get("k")
    assert (type(silent.value), silent.value.retry_after_s) == (StoreUnavailable, 5.0)
    clock.now += 2.0
    with pytest.raises(StoreResting) as resting:
        await store.get("k")
    assert resting.value.retry_after_s == 3.0
    clock.now += 2.9
    with pytest.raises(StoreResting) as resting:
        await store.get("k")
    assert resting.value.retry_after_s == 1.0


async def test_one_change_tries_a_store_that_failed(clock: Clock) -> None:
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


async def test_whoever_waits_while_others_are_answered_goes_on_waiting(clock: Clock) -> None:
    """Many changes of one key are no outage: an answer to one gives all of them more time."""
    gated = GatedStore()
    store = brief(gated, clock, timeout_s=60.0)
    ends: list[float] = []
    slow = gated.gate

    async def late(key: str) -> None:
        await store.update(key, _told, ttl_s=60.0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(late, "slow")
        await anyio.wait_all_tasks_blocked()
        gated.gate = anyio.Event()
        gated.gate.set()
        ends.append(anyio.current_time() + 60.0)
        await late("quick")
        slow.set()
    assert gated.ends[-1] > ends[0]


async def test_a_change_is_not_left_half_known(clock: Clock) -> None:
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


async def test_a_read_ends_with_whoever_waits_for_it(clock: Clock) -> None:
    """And says nothing of the store."""
    gated = GatedStore()
    store = brief(gated, clock, timeout_s=60.0)
    with anyio.move_on_after(0.001):
        await store.get("k")
    gated.gate.set()
    assert await store.get("k") is None


async def test_it_is_a_store(clock: Clock) -> None:
    """What needs no haste is the store's own."""
    store = brief(gated := GatedStore(), clock, timeout_s=60.0)
    gated.gate.set()
    await store.put("a", b"1")
    assert await store.add("b", 2, ttl_s=60.0) == 2
    assert await get_all(store, ["b", "c", "a"]) == [b"2", None, b"1"]
    assert await store.delete("a")
    assert await store.keys("") == ["b"]
    assert (await store.purge(), await store.delete_prefix("b"), store.is_shared) == (0, 1, True)
    await store.aclose()


def test_a_store_in_this_process_is_used_as_it_is(clock: Clock) -> None:
    """It has nobody to wait for."""
    local = LocalStore()
    assert brief_store(local, timeout_s=1.0, pause_s=1.0, timer=clock) is local
    for timeout_s, pause_s in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ConfigurationError, match="timeout"):
            brief_store(local, timeout_s=timeout_s, pause_s=pause_s, timer=clock)
