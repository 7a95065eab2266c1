"""A store that requests can do without."""

from __future__ import annotations

import anyio
import pytest

from plano_asgi.errors import StoreUnavailable
from plano_asgi.routing.sessions.fail_open import BriefStore, brief_store
from plano_asgi.stores.local_store import LocalStore
from session_fakes import BrokenStore, Clock

pytestmark = pytest.mark.anyio


class HangingStore(LocalStore):
    """A store of several processes that never answers."""

    @property
    def is_shared(self) -> bool:
        return True

    async def get(self, key: str, /) -> bytes | None:
        await anyio.sleep_forever()
        raise AssertionError  # pragma: no cover - it never wakes


def brief(store: LocalStore, clock: Clock) -> BriefStore:
    """*store*, with hardly any patience."""
    return BriefStore(store, timeout_s=0.001, pause_s=5, timer=clock)


def test_store_in_this_process_is_asked_as_it_is() -> None:
    """It does not wait for anybody."""
    store = LocalStore()
    assert brief_store(store, timeout_s=1, pause_s=5, timer=Clock()) is store


async def test_slow_store_is_given_up() -> None:
    """A request waits for so long at most."""
    store = brief(HangingStore(), Clock())
    with anyio.fail_after(5), pytest.raises(StoreUnavailable):
        await store.get("k")


@pytest.mark.parametrize(("passed_s", "tried"), [(0, 1), (4.9, 1), (5, 2), (-3600, 2)])
async def test_failed_store_is_left_alone(passed_s: float, tried: int) -> None:
    """For a while; a clock that goes back does not prolong it."""
    clock = Clock()
    broken = BrokenStore(clock)
    store = brief(broken, clock)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.get("k")
        clock.now += passed_s
    assert broken.tried == tried


async def test_answer_ends_the_pause() -> None:
    """One success, and it is as good as ever."""
    clock = Clock()
    broken = BrokenStore(clock)
    store = brief(broken, clock)
    with pytest.raises(StoreUnavailable):
        await store.get("k")
    clock.now += 5
    broken.is_down = False
    assert await store.update("k", _put_one, ttl_s=60) == "was None"
    assert await store.get("k") == b"1"


def _put_one(found: bytes | None) -> tuple[bytes | None, str]:
    return b"1", f"was {found!r}"
