"""The memory store's bounds."""

from __future__ import annotations

import pytest

from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio


async def test_entries_are_bounded() -> None:
    """What was used last stays."""
    store = LocalStore(max_entries=3)
    for key in "abc":
        await store.put(key, b"1")
    await store.get("a")
    await store.add("d", 1)
    assert await store.keys("") == ["a", "c", "d"]


async def test_bytes_are_bounded() -> None:
    """Counted with the keys, and freed again; what is too large for the store is not kept."""
    store = LocalStore(max_bytes=1000)
    await store.put("a", b"1" * 500)
    await store.put("b", b"1" * 500)
    assert await store.keys("") == ["b"]
    for _ in range(10):
        await store.put("b", b"1" * 500)
    await store.put("c", b"1")
    assert await store.keys("") == ["b", "c"]
    await store.put("d", b"1" * 5000)
    assert await store.keys("") == []
    await store.put("b", b"1" * 500)
    assert await store.get("b") == b"1" * 500


async def test_it_is_of_one_process() -> None:
    """And says so."""
    assert LocalStore().is_shared is False
