"""What every memory store does alike: expiry, deletion, many users at once, closing."""

from __future__ import annotations

from typing import Protocol

import anyio
import pytest

from plano_asgi.memory.base import MemoryStore
from remembering import ME, found, item, listed


class Clock(Protocol):
    """The stores' clock."""

    now: float


pytestmark = pytest.mark.anyio


async def test_what_expired_is_gone(store: MemoryStore, clock: Clock) -> None:
    """Never returned from that second on, and deleted by a purge, which counts."""
    other = ("acme", "bob")
    await store.add(ME, [item("short", "tea", expires_at=clock.now + 10), item("kept", "tea")])
    await store.add(other, [item("bobs", "tea", expires_at=clock.now + 20)])
    assert await store.purge() == 0
    clock.now += 10
    assert await store.get(ME, "short") is None
    assert await listed(store) == ["kept"]
    assert await found(store, "tea") == ["kept"]
    assert await store.purge() == 1
    assert await store.purge() == 0
    clock.now += 10
    assert await store.purge() == 1
    assert await store.delete_all(other) == 0
    assert await store.delete_all(ME) == 1


async def test_an_expired_vector_is_not_compared(store: MemoryStore, clock: Clock) -> None:
    """Nor is one whose item was deleted."""
    near = {"embedding": (1.0, 0.0), "embedder": "m"}
    await store.add(
        ME, [item("old", "x", expires_at=clock.now + 5, **near), item("gone", "y", **near)]
    )
    clock.now += 5
    await store.delete(ME, "gone")
    assert await found(store, "x y", vector=(1.0, 0.0), embedder="m") == []


async def test_adding_purges_now_and_then(store: MemoryStore, clock: Clock) -> None:
    """A store that is only added to does not keep what has expired."""
    await store.add(ME, [item("short", "tea", expires_at=clock.now + 10)])
    clock.now += 61
    await store.add(("acme", "bob"), [item("1", "tea")])
    assert await store.purge() == 0
    assert await store.delete_all(ME) == 0


async def test_a_replaced_expiry_counts(store: MemoryStore, clock: Clock) -> None:
    """The last word on an item's end is the last add's."""
    await store.add(ME, [item("a", "tea", expires_at=clock.now + 10), item("b", "tea")])
    await store.add(ME, [item("a", "tea"), item("b", "tea", expires_at=clock.now + 10)])
    clock.now += 20
    assert await listed(store) == ["a"]
    assert await store.purge() == 1


async def test_deleting_counts_and_leaves_nothing(store: MemoryStore) -> None:
    """Items, words and vectors; what is added afterwards stands alone."""
    near = {"embedding": (1.0, 0.0), "embedder": "m"}
    await store.add(ME, [item(f"i{n}", f"tea cup{n}", **near) for n in range(450)])
    assert await store.delete(ME, "i0") is True
    assert await store.delete(ME, "i0") is False
    assert await store.delete_all(ME) == 449
    assert await store.delete_all(ME) == 0
    assert await found(store, "tea cup7", vector=(1.0, 0.0), embedder="m") == []
    await store.add(ME, [item("new", "tea")])
    hits = await store.search(ME, "tea")
    assert [(hit.id, hit.score) for hit in hits] == [("new", 1.0)]


async def test_writers_lose_nothing(store: MemoryStore) -> None:
    """Eight at once, on items of their own and on one they all write."""
    ready, go = 0, anyio.Event()

    async def write(writer: int) -> None:
        nonlocal ready
        ready += 1
        if ready == 8:
            go.set()
        await go.wait()
        for n in range(10):
            own = item(f"w{writer}-{n}", f"tea of writer{writer}")
            await store.add(ME, [own, item("shared", f"by writer{writer}")])

    async with anyio.create_task_group() as tasks:
        for writer in range(8):
            tasks.start_soon(write, writer)
    assert len(await listed(store, limit=200)) == 81
    assert len(await found(store, "writer3", limit=50)) in (10, 11)
    assert await store.delete_all(ME) == 81


async def test_readers_and_a_forgetter_do_not_fail(store: MemoryStore) -> None:
    """Searching, listing and deleting at once gives answers, not errors."""

    async def search() -> None:
        for _ in range(10):
            await store.search(ME, "tea cup", vector=(1.0, 0.0), embedder="m")
            await store.list(ME)

    async def churn(writer: int) -> None:
        for n in range(10):
            await store.add(ME, [item(f"{writer}-{n}", "tea cup", embedding=(1, 0), embedder="m")])
            if n % 4 == 3:
                await store.delete_all(ME)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(search)
                tasks.start_soon(churn, number)
    left = len(await listed(store))
    assert await store.delete_all(ME) == left


async def test_a_closed_store_opens_again(store: MemoryStore, kind: str) -> None:
    """With all it had, unless it lives in memory only."""
    await store.add(ME, [item("1", "tea")])
    await store.aclose()
    await store.aclose()
    expected = [] if kind == "sqlite-memory" else ["1"]
    assert await listed(store) == expected
    await store.add(ME, [item("1", "tea")])
    assert await found(store, "tea") == ["1"]
