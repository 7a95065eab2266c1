"""Conversations whose items are deleted: what is gone is neither kept, counted nor read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from plano_asgi._json import dumps, loads
from plano_asgi.errors import NotFound, StoreUnavailable
from plano_asgi.state import ResponsesState
from plano_asgi.state.conversations import Conversations, Extent
from plano_asgi.stores.local_store import LocalStore
from state.counted_store import KINDS, CountedStore, made
from state.talk import CHAT, reply, talk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The drivers are asyncio's."""
    return "asyncio"


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CountedStore]:
    """An empty store of each kind, and what it was asked for."""
    found = CountedStore(made(request.param, request, tmp_path))
    yield found
    await found.aclose()


@pytest.fixture
def conversations(store: CountedStore) -> Conversations:
    """Conversations in it."""
    return ResponsesState(store).conversations


def said(*texts: str) -> list[dict[str, Any]]:
    """A user's messages, each by an id that is its text."""
    return [{"role": "user", "content": text, "id": text} for text in texts]


async def begun(conversations: Conversations, *batches: str) -> str:
    """The id of a conversation of *batches*, each of one item for each letter."""
    id = str((await conversations.create(None, {}, said(*batches[0])))["id"])
    for batch in batches[1:]:
        await conversations.add(None, id, said(*batch))
    return id


async def texts(conversations: Conversations, id: str) -> str:
    """What is left of it."""
    return "".join(each.item["content"] for each in await conversations.items(None, id))


def numbers(store: CountedStore) -> list[int]:
    """The batches that were asked for since the last time."""
    found = [int(key.rpartition("/")[2]) for key in store.asked if "/b/" in key]
    store.asked.clear()
    return found


async def test_batches_of_which_nothing_is_left_go(
    store: CountedStore, conversations: Conversations
) -> None:
    """From the store, and from what is read: an emptied conversation is its head alone."""
    id = await begun(conversations, "abc", "d", "ef", "g")
    for gone in "bdfa":
        await conversations.delete_item(None, id, gone)
    assert await texts(conversations, id) == "ceg"
    assert await store.keys(f"state/-/b/{id}") == [
        f"state/-/b/{id}/{number:012d}" for number in (0, 2, 3)
    ]
    for gone in "ceg":
        await conversations.delete_item(None, id, gone)
    assert await store.keys("") == [f"state/-/c/{id}"]
    assert await conversations.extent(None, id) == Extent(4, 0, 0, [[0, 4]])
    store.asked.clear()
    assert await conversations.items(None, id) == []
    assert store.asked == [f"state/-/c/{id}"]


async def test_reading_asks_for_what_is_left_only(
    store: CountedStore, conversations: Conversations
) -> None:
    """Wherever it is, also for what a response of the conversation saw."""
    id = await begun(conversations, *"abcdef")
    for gone in "bdc":
        await conversations.delete_item(None, id, gone)
    store.asked.clear()
    assert await texts(conversations, id) == "aef"
    assert numbers(store) == [0, 4, 5]
    for before, left in ((5, [0, 4]), (3, [0]), (2, [0]), (1, [0]), (0, [])):
        pieces = await conversations.pieces(None, id, before=before)
        assert [piece.number for piece in pieces] == left
        assert numbers(store) == left


async def test_an_emptied_conversation_goes_on(
    store: CountedStore, conversations: Conversations
) -> None:
    """By numbers that were not there before; and goes without a trace."""
    id = await begun(conversations, "a", "b")
    for gone in "ab":
        await conversations.delete_item(None, id, gone)
    await conversations.add(None, id, said("c"))
    assert await texts(conversations, id) == "c"
    assert [piece.number for piece in await conversations.pieces(None, id)] == [2]
    store.asked.clear()
    await conversations.delete(None, id)
    assert numbers(store) == [2]
    assert await store.keys("") == []


async def test_items_deleted_at_once_are_each_deleted_once(
    store: CountedStore, conversations: Conversations
) -> None:
    """Whoever comes second is told so; none is counted twice, and what is added meanwhile stays."""
    id = await begun(conversations, "abc", "de")
    deleted = list[str]()

    async def delete(item: str) -> None:
        try:
            await conversations.delete_item(None, id, item)
        except NotFound:
            return
        deleted.append(item)

    async with anyio.create_task_group() as tasks:
        for item in "abcde" * 2:
            tasks.start_soon(delete, item)
        tasks.start_soon(conversations.add, None, id, said("f"))
    assert sorted(deleted) == list("abcde")
    assert await texts(conversations, id) == "f"
    assert await conversations.extent(None, id) == Extent(3, 1, len(dumps(said("f"))), [[0, 2]])
    assert len(await store.keys(f"state/-/b/{id}")) == 1


class Slow(CountedStore):
    """A store that changes nothing before *readers* have read a batch."""

    def __init__(self, readers: int) -> None:
        super().__init__(LocalStore())
        self._missing, self._all_have_read = readers, anyio.Event()

    async def get(self, key: str, /) -> bytes | None:
        found = await super().get(key)
        self._missing -= "/b/" in key
        if self._missing == 0:
            self._all_have_read.set()
        return found

    async def update(self, key: str, *rest: Any, **options: Any) -> Any:
        await self._all_have_read.wait()
        return await super().update(key, *rest, **options)


async def test_an_item_that_two_have_found_is_deleted_once() -> None:
    """Its neighbour stays, and is what counts."""
    conversations = ResponsesState(Slow(2)).conversations
    id = await begun(conversations, "ab")
    told = list[str]()

    async def delete() -> None:
        try:
            await conversations.delete_item(None, id, "a")
            told.append("deleted")
        except NotFound:
            told.append("missing")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        tasks.start_soon(delete)
    assert sorted(told) == ["deleted", "missing"]
    assert await texts(conversations, id) == "b"
    assert (await conversations.extent(None, id)).items == 1


async def test_what_an_older_version_kept_is_read_and_deleted(
    store: CountedStore, conversations: Conversations
) -> None:
    """Its heads know of no gaps, and its batches count for a little more."""
    id = "conv_old"
    head = {"id": id, "created_at": 1, "metadata": {}, "next": 2, "items": 3, "size": 300}
    now = time.time()
    await store.put(f"state/-/c/{id}", dumps({**head, "kept_at": now}))
    for number, batch in enumerate(("ab", "c")):
        value = {"items": said(*batch), "provider": "", "kept_at": now}
        await store.put(f"state/-/b/{id}/{number:012d}", dumps(value))
    await conversations.add(None, id, said("d"))
    await conversations.delete_item(None, id, "c")
    assert await texts(conversations, id) == "abd"
    assert (await conversations.extent(None, id)).gaps == [[1, 2]]


async def test_a_turn_in_an_emptied_conversation_begins_it_anew(store: CountedStore) -> None:
    """The model is told nothing of what was there."""
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(store))
    id = await begun(found.state.conversations, "a", "b")
    first = await found.said(CHAT, "One.", conversation=id)
    for item in await found.state.conversations.items(None, id):
        await found.state.conversations.delete_item(None, id, item.id)
    store.asked.clear()
    await found.said(CHAT, "Two.", conversation=id)
    assert numbers(store) == [3]
    assert [each["content"] for each in found.upstream.body()["messages"]] == ["Two."]
    await found.said(CHAT, "Three.", first["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert told == ["One.", "Hi", "Three."]


async def test_a_conversation_that_is_too_long_is_not_begun() -> None:
    """Nothing of it is left in the store, nor of one whose store fails midway."""
    store = Half()
    conversations = ResponsesState(store, max_items=2).conversations
    with pytest.raises(Exception, match="over 2 items"):
        await conversations.create(None, {}, said(*"abc"))
    assert await store.keys("") == []
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await conversations.create(None, {}, said("a"))
    assert await store.keys("") == []


class Half(LocalStore):
    """A store that fails for heads of conversations."""

    is_down = False

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        if self.is_down and "/c/" in key:
            raise StoreUnavailable("down")
        await super().put(key, value, ttl_s=ttl_s)


async def test_what_was_taken_back_is_not_asked_for() -> None:
    """Neither is an answer that a check has stopped, nor one that could not be written."""
    store = CountedStore(LocalStore())
    conversations = ResponsesState(store).conversations
    id = await begun(conversations, "a")
    added = await conversations.add(None, id, said("b"))
    await conversations.take_back(None, id, added)
    await conversations.add(None, id, said("c"))
    store.asked.clear()
    assert await texts(conversations, id) == "ac"
    assert numbers(store) == [0, 2]
    head = loads(await store.get(f"state/-/c/{id}") or b"")
    assert (head["items"], head["size"]) == (2, len(dumps(said("a"))) * 2)


async def test_ids_name_one_item_each() -> None:
    """Also where clients give several the same: pages, getting and deleting agree."""
    conversations = ResponsesState().conversations
    id = await begun(conversations, "aab", "a")
    items = await conversations.items(None, id)
    ids = [each.id for each in items]
    assert len(set(ids)) == 4
    assert (ids[0], ids[2]) == ("a", "b")
    for each in items:
        assert await conversations.item(None, id, each.id) == each
    await conversations.delete_item(None, id, ids[0])
    assert [each.id for each in await conversations.items(None, id)] == ["a", "b", ids[3]]
    assert (await conversations.item(None, id, ids[1])).place == 1
    await conversations.delete_item(None, id, ids[1])
    await conversations.delete_item(None, id, ids[3])
    assert await texts(conversations, id) == "b"
    with pytest.raises(NotFound):
        await conversations.delete_item(None, id, ids[1])
