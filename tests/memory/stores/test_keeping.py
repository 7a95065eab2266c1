"""What every memory store does alike: adding, getting, listing, namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plano_asgi.memory.base import MemoryItem, MemoryStore, Provenance
from remembering import ME, found, item, listed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Ann drinks green tea.", id="plain"),
        pytest.param("Größe 東京 🫖 \u202e ﷽", id="unicode"),
        pytest.param("a\0b\0", id="nul"),
        pytest.param("cut \ud83d emoji", id="lone-surrogate"),
        pytest.param("", id="empty"),
        pytest.param("tea " * 25_000, id="100-kB"),
    ],
)
async def test_every_field_comes_back(store: MemoryStore, text: str) -> None:
    """What was added is what get and list return."""
    kept = MemoryItem(
        id=f"id {text[:8]}",
        text=text,
        kind="fact",
        created_at=1234567890.123456,
        expires_at=9999999999.5,
        provenance=Provenance(request_id="req-1", role="user", by="extract"),
        metadata={"topic": "tea\0", "nested": {"list": [1, 2.5, None, {"x": True}]}, "": ""},
        embedding=(0.5, -0.25, 0.0),
        embedder="minilm@1",
    )
    await store.add(ME, [kept])
    assert await store.get(ME, kept.id) == kept
    assert await store.list(ME) == [kept]


async def test_what_is_not_there_is_not_found(store: MemoryStore) -> None:
    """An empty store answers every question."""
    assert await store.get(ME, "x") is None
    assert await store.list(ME) == []
    assert await store.search(ME, "tea") == []
    assert await store.delete(ME, "x") is False
    assert await store.delete_all(ME) == 0
    assert await store.purge() == 0
    await store.add(ME, [])
    assert await store.list(ME) == []


async def test_namespaces_do_not_see_each_other(store: MemoryStore) -> None:
    """Names that look alike when joined, prefixes and wildcards are namespaces of their own."""
    spaces = [
        ("a", "b"),
        ("a/b",),
        ("a", "b", "c"),
        ("a%2Fb",),
        ("a",),
        ("a", "*"),
        ("a", "%"),
        ("a:b",),
        ("a b",),
        ("A", "b"),
        ("a", "b" * 2000),
        ("a", "b" * 2000 + "c"),
        ("\0", "\ud83d"),
    ]
    for number, space in enumerate(spaces):
        await store.add(space, [item("same", f"tea number{number}")])
    for number, space in enumerate(spaces):
        assert [hit.text for hit in await store.list(space)] == [f"tea number{number}"]
        assert [hit.text for hit in await store.search(space, "tea")] == [f"tea number{number}"]
    assert await store.delete_all(("a",)) == 1
    assert await store.delete_all(("a", "*")) == 1
    for space in [("a", "b"), ("a/b",), ("a", "b", "c")]:
        assert await store.get(space, "same")


@pytest.mark.parametrize("namespace", [(), ("",), ("a", ""), "ann"])
async def test_a_namespace_needs_names(store: MemoryStore, namespace: Any) -> None:
    """No names, an empty one or a bare text are the caller's mistake, everywhere."""
    calls: list[Callable[[], Any]] = [
        lambda: store.add(namespace, [item("1", "tea")]),
        lambda: store.search(namespace, "tea"),
        lambda: store.get(namespace, "1"),
        lambda: store.list(namespace),
        lambda: store.delete(namespace, "1"),
        lambda: store.delete_all(namespace),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="namespace"):
            await call()


async def test_ids_are_any_text_but_none(store: MemoryStore) -> None:
    """Ids with spaces, NULs or of great length are kept apart; an empty one is refused."""
    ids = ["a", "a b", "a\0", "a:b", "a/b", "é", "x" * 3000, "x" * 3001, "\ud83d", "%"]
    await store.add(ME, [item(id, f"tea {n}") for n, id in enumerate(ids)])
    for number, id in enumerate(ids):
        kept = await store.get(ME, id)
        assert kept is not None
        assert (kept.id, kept.text) == (id, f"tea {number}")
    assert len(await store.list(ME)) == len(ids)
    with pytest.raises(ValueError, match="id"):
        await store.add(ME, [item("", "tea")])


async def test_the_newest_come_first(store: MemoryStore) -> None:
    """Lists are by time, pages of them do not overlap, and equals are in a fixed order."""
    await store.add(ME, [item(f"i{n}", "tea", created_at=float(n)) for n in (3, 1, 4, 2)])
    await store.add(ME, [item("i3b", "tea", created_at=3.0)])
    assert await listed(store) == ["i4", "i3b", "i3", "i2", "i1"]
    assert await listed(store, limit=2) == ["i4", "i3b"]
    assert await listed(store, limit=2, offset=2) == ["i3", "i2"]
    assert await listed(store, offset=9) == []
    assert await listed(store, limit=0) == []


async def test_long_lists_are_whole(store: MemoryStore) -> None:
    """Nothing is lost or doubled where a store reads in pages."""
    await store.add(ME, [item(f"{n:04}", "tea", created_at=float(n // 7)) for n in range(650)])
    assert sorted(await listed(store, limit=1000)) == [f"{n:04}" for n in range(650)]
    assert await listed(store, limit=3, offset=400) == (await listed(store, limit=1000))[400:403]


async def test_adding_again_replaces(store: MemoryStore) -> None:
    """A known id is the same item, with nothing left of its former text."""
    await store.add(ME, [item("1", "likes green tea"), item("1", "likes oolong")])
    await store.add(ME, [item("1", "likes black coffee", kind="fact", created_at=2000.0)])
    assert [(kept.text, kept.kind) for kept in await store.list(ME)] == [
        ("likes black coffee", "fact")
    ]
    assert await found(store, "tea oolong green") == []
    assert await found(store, "coffee") == ["1"]
    assert await store.delete_all(ME) == 1


async def test_metadata_that_is_not_json_is_refused(store: MemoryStore) -> None:
    """Nothing of such a call is kept."""
    with pytest.raises(TypeError):
        await store.add(ME, [item("1", "tea"), item("2", "tea", metadata={"x": object()})])
    assert await store.list(ME) == []
