"""The store of one process: its bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.memory.local_memory import LocalMemory
from remembering import ME, found, item, listed

pytestmark = pytest.mark.anyio


async def test_the_least_recently_used_item_goes() -> None:
    """Reading one and finding one are uses; what went is counted and no longer found."""
    store = LocalMemory(max_items=3)
    await store.add(ME, [item(id, f"{id} word", created_at=n) for n, id in enumerate("abc")])
    await store.get(ME, "a")
    assert await found(store, "b") == ["b"]
    await store.add(ME, [item("d", "d word"), item("e", "e word")])
    assert sorted(await listed(store)) == ["b", "d", "e"]
    assert await found(store, "c") == []
    assert store.dropped == 2


async def test_the_least_recently_used_namespace_goes() -> None:
    """Whole."""
    store = LocalMemory(max_namespaces=2)
    for name in "ab":
        await store.add((name,), [item("1", "tea"), item("2", "tea")])
    await store.search(("a",), "tea")
    await store.add(("c",), [item("1", "tea")])
    assert await store.list(("b",)) == []
    assert len(await store.list(("a",))) == 2
    assert store.dropped == 2
    assert repr(store) == "LocalMemory(namespaces=2)"


async def test_scans_are_bounded() -> None:
    """Where a word is in more items, the newest are weighed."""
    store = LocalMemory(scan_limit=10, max_vectors=5)
    near = {"embedding": (1.0, 0.0), "embedder": "m"}
    many = [item(f"{n:02}", "tea", created_at=float(n), **near) for n in range(30)]
    await store.add(ME, many)
    assert await found(store, "tea", limit=50) == [f"{n:02}" for n in range(29, 19, -1)]
    assert await found(store, "", limit=50, vector=(1.0, 0.0), embedder="m") == [
        f"{n:02}" for n in range(29, 24, -1)
    ]


async def test_what_is_kept_is_a_copy() -> None:
    """Changing a dictionary afterwards changes nothing here."""
    store, metadata = LocalMemory(), {"tags": ["a"]}
    await store.add(ME, [item("1", "tea", metadata=metadata)])
    metadata["tags"].append("b")
    (kept,) = await store.list(ME)
    assert kept.metadata == {"tags": ["a"]}


def test_bounds_are_checked_when_built() -> None:
    """None is under 1."""
    builds: list[Callable[[], LocalMemory]] = [
        lambda: LocalMemory(max_items=0),
        lambda: LocalMemory(max_namespaces=0),
        lambda: LocalMemory(scan_limit=0),
        lambda: LocalMemory(max_vectors=0),
    ]
    for build in builds:
        with pytest.raises(ConfigurationError, match="at least 1"):
            build()
