"""Other people's stores as memory stores: LangGraph's own, and mem0 by its signatures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

import plano_asgi.memory
from fake_mem0 import FakeAsyncMemory
from plano_asgi.errors import ConfigurationError, MemoryUnavailable
from plano_asgi.memory.base import MemoryItem, MemoryStore, Provenance
from plano_asgi.memory.foreign import ForeignMemory
from plano_asgi.memory.langgraph import LangGraphMemory
from plano_asgi.memory.mem0 import Mem0Memory
from remembering import ME, found, item, listed

pytestmark = pytest.mark.anyio


class Clock:
    """Unix seconds that only a test moves on."""

    now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The stores' clock."""
    return Clock()


BUILDS: dict[str, Callable[[Clock], ForeignMemory]] = {
    "langgraph": lambda clock: LangGraphMemory(InMemoryStore(), timer=clock),
    "mem0": lambda clock: Mem0Memory(FakeAsyncMemory(), timer=clock),
}


@pytest.fixture(params=BUILDS)
def store(request: pytest.FixtureRequest, clock: Clock) -> MemoryStore:
    """Each of them, empty."""
    return BUILDS[request.param](clock)


async def test_every_field_but_the_vector_comes_back(store: MemoryStore) -> None:
    """Whatever its characters."""
    kept = MemoryItem(
        id="id 1/a.b",
        text="Größe 東京 tea\0",
        kind="fact",
        created_at=1234.5,
        expires_at=9999.0,
        provenance=Provenance(request_id="req-1", role="assistant", by="extract"),
        metadata={"nested": {"list": [1, 2.5, None, {"x": True}]}},
    )
    await store.add(ME, [kept])
    assert await store.get(ME, kept.id) == kept
    assert await store.list(ME) == [kept]
    assert await store.get(ME, "other") is None


async def test_namespaces_do_not_see_each_other(store: MemoryStore) -> None:
    """Nor one that begins with another, though LangGraph searches by prefix."""
    spaces = [("a",), ("a", "b"), ("a/b",), ("a.b",), ("a", "="), ("a", "b", "c"), ("a b",)]
    for number, space in enumerate(spaces):
        await store.add(space, [item("same", f"tea {number}")])
    for number, space in enumerate(spaces):
        assert [hit.text for hit in await store.list(space)] == [f"tea {number}"]
        assert [hit.text for hit in await store.search(space, "tea")] == [f"tea {number}"]
    assert await store.delete_all(("a",)) == 1
    assert await store.get(("a", "b"), "same")
    with pytest.raises(ValueError, match="namespace"):
        await store.list(("a", ""))


async def test_lists_searches_and_filters(store: MemoryStore) -> None:
    """As our own stores do them."""
    await store.add(
        ME,
        [
            item("a", "green tea", created_at=1.0, kind="fact", metadata={"lang": "en"}),
            item("b", "green grass", created_at=2.0, metadata={"lang": "en"}),
            item("c", "a bicycle", created_at=3.0, kind="fact"),
        ],
    )
    await store.add(ME, [item("c", "a red bicycle", created_at=3.0, kind="fact")])
    assert await listed(store) == ["c", "b", "a"]
    assert await listed(store, limit=1, offset=1) == ["b"]
    assert await listed(store, filters={"kind": "fact"}) == ["c", "a"]
    assert (await found(store, "green tea"))[0] == "a"
    assert await found(store, "green tea", threshold=0.9) == ["a"]
    assert await found(store, "green", filters={"lang": "en", "kind": "turn"}) == ["b"]
    assert await found(store, "zanzibar") == await found(store, " ") == []
    scores = [hit.score or 0 for hit in await store.search(ME, "green tea")]
    assert all(0 < score <= 1 for score in scores)


async def test_expired_items_are_hidden_then_purged(store: MemoryStore, clock: Clock) -> None:
    """In every namespace that was used."""
    await store.add(ME, [item("short", "tea", expires_at=5010.0), item("kept", "tea")])
    await store.add(("acme", "bob"), [item("1", "tea", expires_at=5010.0)])
    assert await store.purge() == 0
    clock.now += 10
    assert await listed(store) == await found(store, "tea") == ["kept"]
    assert await store.get(ME, "short") is None
    assert await store.purge() == 2
    assert await store.delete_all(ME) == 1


async def test_deleting_counts(store: MemoryStore) -> None:
    """Also where there are more than one page of items."""
    await store.add(ME, [item(str(n), f"tea {n}") for n in range(250)])
    assert await store.delete(ME, "7") is True
    assert await store.delete(ME, "7") is False
    assert await store.delete_all(ME) == 249
    assert await listed(store) == []
    await store.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # LangGraph embeds in asyncio's threads
async def test_an_index_ranks_langgraph_searches() -> None:
    """By its own scores, kept within 0 to 1."""

    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] if "drink" in text or "tea" in text else [-1.0, 0.0] for text in texts]

    index: Any = {"dims": 2, "embed": embed, "fields": ["text"]}
    store = LangGraphMemory(InMemoryStore(index=index))
    await store.add(ME, [item("tea", "green tea"), item("bike", "a bicycle")])
    hits = await store.search(ME, "something to drink", threshold=0.5)
    assert [(hit.id, round(hit.score or 0, 3)) for hit in hits] == [("tea", 1.0)]


async def test_langgraph_expiry_is_used_where_there_is_one(clock: Clock) -> None:
    """In minutes from now, and never none at all."""
    put: list[dict[str, Any]] = []

    class Expiring(InMemoryStore):
        supports_ttl = True

        async def aput(self, *_: Any, **options: Any) -> None:
            put.append(options)

    store = LangGraphMemory(Expiring(), timer=clock)
    ends = [None, 5090.0, 4000.0]
    await store.add(ME, [item(str(n), "tea", expires_at=end) for n, end in enumerate(ends)])
    assert put == [{}, {"ttl": 1.5}, {"ttl": 1 / 60}]


async def test_mem0s_own_memories_are_found() -> None:
    """Of the same user, as facts."""
    memory = FakeAsyncMemory()
    await memory.add("Ann drinks tea", user_id="ann", infer=False)
    store = Mem0Memory(memory, user_id=lambda namespace: namespace[-1])
    (hit,) = await store.search(ME, "tea")
    assert (hit.text, hit.kind, hit.provenance.by) == ("Ann drinks tea", "fact", "mem0")
    assert hit.created_at > 0
    assert await store.delete_all(ME) == 1


async def test_an_outage_is_told_as_one() -> None:
    """Of the kinds that the other store's errors are said to be; others are bugs."""

    class Down:
        supports_ttl = False
        error: Exception = ConnectionRefusedError("secret host")

        async def aget(self, *_: Any, **__: Any) -> None:
            raise self.error

    down = Down()
    store = LangGraphMemory(down, errors=(OSError, KeyError))
    with pytest.raises(MemoryUnavailable, match=r"LangGraph.*ConnectionRefusedError") as caught:
        await store.get(ME, "1")
    assert "secret" not in str(caught.value)
    down.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        await store.get(ME, "1")


def test_bounds_are_checked_when_built() -> None:
    """Not at the first call."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        Mem0Memory(FakeAsyncMemory(), most=0)


@pytest.mark.parametrize("name", ["langgraph.py", "mem0.py"])
def test_adapters_are_short(name: str) -> None:
    """Writing another one is an hour's work."""
    source = Path(str(plano_asgi.memory.__file__)).with_name(name)
    assert len(source.read_text("utf-8").splitlines()) < 100
