"""Many keys at once, of stores that can do that and of others."""

from __future__ import annotations

import anyio
import pytest

from plano_asgi.errors import StoreUnavailable
from plano_asgi.stores.base import Store
from plano_asgi.stores.bulk import delete_all, get_all
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

KEYS = [f"k{number}" for number in range(300)]


async def test_many_values_come_in_the_order_of_their_keys(store: Store) -> None:
    """From every store; gaps are gaps, and what was deleted is one."""
    assert await get_all(store, []) == []
    for key in ("k1", "k7", "k299", "other"):
        await store.put(key, key.encode())
    found = await get_all(store, KEYS)
    assert [value for value in found if value] == [b"k1", b"k7", b"k299"]
    assert [found[1], found[7], found[299]] == [b"k1", b"k7", b"k299"]
    assert await get_all(store, ["k7"]) == [b"k7"]
    await delete_all(store, ["k1", "k2", "k7"])
    assert await store.keys("") == ["k299", "other"]


class PlainStore(LocalStore):
    """One that reads a key at a time, and is down for some."""

    get_many = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def get(self, key: str, /) -> bytes | None:
        """As a store does."""
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            self.now -= 1
        if key == "down":
            raise StoreUnavailable("down")
        return await super().get(key)


async def test_a_plain_store_is_read_side_by_side_within_bounds(anyio_backend: str) -> None:
    """A few at a time; its error is its own."""
    plain = PlainStore()
    await plain.put("k5", b"5")
    assert (await get_all(plain, KEYS))[4:7] == [None, b"5", None]
    assert plain.most == 8
    with pytest.raises(StoreUnavailable, match="down"):
        await get_all(plain, [*KEYS[:20], "down"])
