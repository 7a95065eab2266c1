"""What every store does alike."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from plano_asgi.stores.base import Store

pytestmark = pytest.mark.anyio

WRITERS = 8


def grown(value: bytes | None) -> tuple[bytes, int]:
    """A change that appends a byte, and tells how many there are."""
    new = (value or b"") + b"x"
    return new, len(new)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(256)), id="every-byte"),
        pytest.param(b"\xff\x00" * 500_000, id="1-MB"),
    ],
)
async def test_a_value_comes_back(store: Store, value: bytes) -> None:
    """As it was, by ``get`` and in ``update``."""
    await store.put("key", value)
    assert await store.get("key") == value
    assert await store.update("key", lambda found: (found, found)) == value
    assert await store.get("key") == value


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    """An empty store answers every question."""
    assert await store.get("key") is None
    assert await store.delete("key") is False
    assert await store.keys("") == []
    assert await store.delete_prefix("") == 0
    assert await store.purge() == 0
    assert await store.update("key", lambda found: (None, found)) is None
    assert await store.keys("") == []


async def test_the_last_value_counts(store: Store) -> None:
    """Also for how long it is kept; what is deleted is gone, once."""
    await store.put("key", b"1", ttl_s=10)
    await store.put("key", b"2")
    assert await store.get("key") == b"2"
    assert await store.delete("key") is True
    assert await store.delete("key") is False
    assert await store.get("key") is None


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("k" * 512, id="512-letters"),
        pytest.param("\U0001f600" * 512, id="512-emoji"),
        pytest.param("a\0b", id="nul"),
        pytest.param("\ud83d", id="lone-surrogate"),
        pytest.param(" \n'\"%_*?[]\\", id="quotes-and-wildcards"),
    ],
)
async def test_any_text_is_a_key(store: Store, key: str) -> None:
    """Of up to 512 characters."""
    await store.put(key, b"1")
    assert await store.get(key) == b"1"
    assert await store.keys(key[:1]) == [key]
    assert await store.add(key, 1) == 2
    assert await store.delete_prefix(key) == 1


@pytest.mark.parametrize("key", ["", "k" * 513])
async def test_other_texts_are_refused(store: Store, key: str) -> None:
    """By every method, and the message does not show them."""
    calls: list[Any] = [
        lambda: store.get(key),
        lambda: store.put(key, b""),
        lambda: store.delete(key),
        lambda: store.add(key, 1),
        lambda: store.update(key, grown),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="512 characters") as caught:
            await call()
        assert "kkk" not in str(caught.value)


async def test_prefixes_are_taken_literally(store: Store) -> None:
    """Wildcards of SQL and of Redis are characters; keys come sorted by code point, bounded."""
    wild = ["a%", "a%b", "a*", "a*b", "a?", "a[b]", "a^", "a-b", "a\\", "a\\*", "a_", "a_b"]
    keys = sorted([*wild, "a", "ab", "b", "a\uffff", "a\U0001f600", "A", "a:", "a;"])
    for key in reversed(keys):
        await store.put(key, b"")
    prefixes = ["", "a", "a%", "a*", "a?", "a[", "a[b]", "a^", "a\\", "a_", "a:", "a\uffff", "x"]
    for prefix in prefixes:
        assert await store.keys(prefix) == [key for key in keys if key.startswith(prefix)]
    assert await store.keys("a", limit=3) == [key for key in keys if key.startswith("a")][:3]
    assert await store.delete_prefix("a*") == 2
    assert await store.delete_prefix("a_") == 2
    assert await store.keys("") == [k for k in keys if not k.startswith(("a*", "a_"))]


async def test_a_value_lives_for_its_time(store: Store, clock: Any) -> None:
    """And is not seen by any method afterwards; ``purge`` deletes it."""
    await store.put("short", b"1", ttl_s=10)
    await store.put("long", b"1", ttl_s=100)
    await store.put("ever", b"1")
    await store.update("changed", grown, ttl_s=10)
    clock.advance(9)
    assert await store.keys("") == ["changed", "ever", "long", "short"]
    clock.advance(2)
    assert await store.get("short") is None
    assert await store.keys("") == ["ever", "long"]
    assert await store.delete("short") is False
    assert await store.update("changed", grown) == 1
    assert await store.add("short", 5, ttl_s=50) == 5
    clock.advance(1000)
    await store.purge()
    assert await store.keys("") == ["changed", "ever"]
    assert await store.purge() == 0
    assert await store.delete_prefix("") == 2


async def test_a_change_sets_the_time_anew(store: Store, clock: Any) -> None:
    """``update`` starts the time over; ``add`` sets it only for a counter that is not there."""
    await store.update("value", grown, ttl_s=10)
    await store.add("count", 1, ttl_s=10)
    clock.advance(6)
    await store.update("value", grown, ttl_s=10)
    assert await store.add("count", 1, ttl_s=10) == 2
    clock.advance(6)
    assert await store.get("value") == b"xx"
    assert await store.get("count") is None
    await store.update("value", grown)
    clock.advance(1_000_000)
    assert await store.get("value") == b"xxx"


async def test_counters_are_numbers(store: Store) -> None:
    """In the digits that ``get`` shows; up, down and large ones."""
    assert await store.add("count", 3) == 3
    assert await store.add("count", -5) == -2
    assert await store.add("count", 2**62) == 2**62 - 2
    assert await store.get("count") == b"%d" % (2**62 - 2)
    await store.put("count", b"41")
    assert await store.add("count", 1) == 42


async def test_what_is_no_counter_cannot_be_added_to(store: Store) -> None:
    """And stays as it is."""
    await store.put("text", b"tea")
    with pytest.raises(ValueError, match="no counter"):
        await store.add("text", 1)
    assert await store.get("text") == b"tea"


async def test_concurrent_additions_are_all_counted(store: Store) -> None:
    """And every writer sees a total of its own."""
    seen: list[int] = []

    async def write() -> None:
        seen.extend([await store.add("count", 1) for _ in range(20)])

    async with anyio.create_task_group() as tasks:
        for _ in range(WRITERS):
            tasks.start_soon(write)
    assert sorted(seen) == list(range(1, WRITERS * 20 + 1))


async def test_concurrent_changes_are_all_kept(store: Store) -> None:
    """From the first one on, when there is nothing yet, and mixed with additions."""
    lengths: list[int] = []

    async def change() -> None:
        lengths.extend([await store.update("text", grown) for _ in range(20)])

    async def count() -> None:
        for _ in range(10):
            await store.add("count", 1)
            await store.update("count", lambda value: (b"%d" % (int(value or 0) + 1), None))

    async with anyio.create_task_group() as tasks:
        for _ in range(WRITERS):
            tasks.start_soon(change)
            tasks.start_soon(count)
    assert sorted(lengths) == list(range(1, WRITERS * 20 + 1))
    assert await store.get("count") == b"%d" % (WRITERS * 20)


async def test_one_of_many_takes_what_is_there_once(store: Store) -> None:
    """A change that deletes is a change as well."""
    await store.put("token", b"1")
    taken: list[bytes | None] = []

    async def take() -> None:
        taken.append(await store.update("token", lambda value: (None, value)))

    async with anyio.create_task_group() as tasks:
        for _ in range(WRITERS):
            tasks.start_soon(take)
    assert sorted(taken, key=str) == sorted([b"1"] + [None] * (WRITERS - 1), key=str)


async def test_a_change_that_fails_changes_nothing(store: Store) -> None:
    """And its own error is what the caller gets."""
    await store.put("key", b"1")

    def fail(_: bytes | None) -> tuple[bytes, None]:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await store.update("key", fail)
    with pytest.raises(LookupError, match="mine"):
        await store.update("other", fail)
    assert await store.keys("") == ["key"]
    assert await store.get("key") == b"1"


async def test_later_writes_sweep_what_has_expired(store: Store, kind: str, clock: Any) -> None:
    """Nobody has to call ``purge`` for a store to stay small; the local one is bounded instead."""
    for number in range(20):
        await store.put(f"old{number}", b"1", ttl_s=1)
    clock.advance(2)
    for _ in range(256):
        await store.add("count", 1)
    assert await store.purge() == (20 if kind.startswith("local") else 0)


async def test_a_closed_store_opens_again(store: Store, kind: str) -> None:
    """With what it held, unless that was only in memory."""
    await store.put("key", b"1")
    await store.aclose()
    await store.aclose()
    assert await store.get("key") == (None if kind == "sqlite-memory" else b"1")
