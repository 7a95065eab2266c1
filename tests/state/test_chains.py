"""Chains of responses: read in few round trips, whatever has become of their records."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from plano_asgi._json import dumps, loads
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.state import ResponsesState
from plano_asgi.state.names import response_key
from plano_asgi.state.records import TRAIL, Head
from plano_asgi.stores.base import Store
from plano_asgi.stores.local_store import LocalStore
from state.counted_store import KINDS, CountedStore, made
from state.talk import CHAT, NATIVE, Talk, is_native, kept_reply, reply, talk

pytestmark = pytest.mark.anyio

ALICE = {"authorization": "Bearer key-of-alice"}
BOB = {"authorization": "Bearer key-of-bob"}
KEYS = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})
TRAIL_AT = Head._fields.index("trail")


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


def chatting(store: Store, **options: Any) -> Talk:
    """A client whose upstream keeps nothing."""
    return talk(reply(CHAT, "Hi"), state=ResponsesState(store, **options))


async def chain(found: Talk, texts: Sequence[str], previous: str | None = None) -> list[str]:
    """A turn for each of *texts*, each going on from the one before; the ids of the answers."""
    ids: list[str] = []
    for text in texts:
        previous = str((await found.said(CHAT, text, previous))["id"])
        ids.append(previous)
    return ids


def asked(found: Talk) -> str:
    """What the upstream was told last that users had said, and so often an answer between."""
    messages = found.upstream.body()["messages"]
    assert [each["role"] for each in messages[1::2]] == ["assistant"] * (len(messages) // 2)
    return "".join(each["content"] for each in messages[::2])


async def change(store: Store, id: str, head: Callable[[list[Any]], list[Any]]) -> None:
    """Put another *head* on a kept response."""
    key = response_key(None, id)
    value = loads(await store.get(key) or b"")
    await store.put(key, dumps({**value, "head": head(value["head"])}))


def without_trail(head: list[Any]) -> list[Any]:
    """As earlier versions wrote it."""
    return head[:TRAIL_AT]


def test_a_trail_is_bounded_and_read_to_its_end() -> None:
    """Wherever one is full, the head that it ends at has the next full one."""
    heads = [Head(id="r0")]
    for number in range(1, 3 * TRAIL + 2):
        last = heads[-1]
        heads.append(Head(id=f"r{number}", previous=last.id, trail=last.next_trail))
    for number, head in enumerate(heads):
        trails, place = list[int](), number
        while place:
            ids = heads[place].trail.split()
            assert ids == [f"r{place - 1 - each}" for each in range(len(ids))]
            trails.append(len(ids))
            place -= len(ids)
        assert len(trails) == math.ceil(number / TRAIL)
        assert head.trail.count(" ") < TRAIL


async def test_a_chain_is_read_in_few_round_trips(store: CountedStore) -> None:
    """One for the turn that is named, and one for each trail of those before it."""
    found, texts = chatting(store), [chr(0x100 + number) for number in range(2 * TRAIL + 4)]
    previous: str | None = None
    for earlier, text in enumerate(texts):
        store.reads.clear()
        (previous,) = await chain(found, [text], previous)
        trips = 1 + math.ceil((earlier - 1) / TRAIL) if earlier else 0
        assert (len(store.reads), sum(store.reads)) == (trips, earlier)
        assert max(store.reads, default=0) <= TRAIL
        assert asked(found) == "".join(texts[: earlier + 1])


async def test_records_of_earlier_versions_are_read_one_by_one(store: CountedStore) -> None:
    """By the id of the one before, as ever; the trails of new turns grow."""
    found = chatting(store)
    ids = await chain(found, "abc")
    for id in ids:
        await change(store, id, without_trail)
    for text, reads in (("d", [1, 1, 1]), ("e", [1, 1, 1, 1]), ("f", [1, 2, 1, 1])):
        store.reads.clear()
        ids += await chain(found, text, ids[-1])
        assert store.reads == reads
    assert asked(found) == "abcdef"


@pytest.mark.parametrize("trail", ["resp_x resp_y", "own own", "a/b ../c", " "])
async def test_a_trail_is_only_a_hint(trail: str) -> None:
    """What is followed is what each record says of the one before."""
    store = CountedStore(LocalStore())
    found = chatting(store)
    ids = await chain(found, "abcd")
    strange = trail.replace("own", ids[-1])
    await change(store, ids[-1], lambda head: [*head[:TRAIL_AT], strange])
    await chain(found, "e", ids[-1])
    assert asked(found) == "abcde"


@pytest.mark.parametrize("gone", [0, 3, TRAIL, TRAIL + 4])
async def test_a_record_that_is_gone_is_told(store: CountedStore, gone: int) -> None:
    """Nobody goes on with half a history, and nothing is read twice to find out."""
    found = chatting(store)
    ids = await chain(found, ["x"] * (TRAIL + 6))
    await found.state.records.delete(None, ids[gone])
    store.asked.clear()
    body = {"model": CHAT, "input": "?", "previous_response_id": ids[-1]}
    response = await found.ask(body)
    assert (response.status, "expired" in response.json()["error"]["message"]) == (404, True)
    assert len(set(store.asked)) == len(store.asked)


async def test_what_another_program_kept_is_asked_of_it_alone() -> None:
    """A record that is not there is looked up by its own id, once."""
    calls: list[tuple[str | None, str]] = []

    async def earlier(owner: str | None, id: str) -> list[dict[str, Any]]:
        calls.append((owner, id))
        return [
            {"type": "message", "role": "user", "content": "0"},
            {"type": "message", "role": "assistant", "content": "Hi"},
        ]

    store = CountedStore(LocalStore())
    found = chatting(store, earlier=earlier)
    ids = await chain(found, "abcd")
    await found.state.records.delete(None, ids[1])
    calls.clear()
    await chain(found, "e", ids[-1])
    assert asked(found) == "0cde"
    assert calls == [(None, ids[1])]


async def test_tenants_read_their_own_only(store: CountedStore) -> None:
    """Also by a trail, and where one knows all ids of the other."""
    state = ResponsesState(store)
    alice, bob = (
        talk(reply(CHAT, "Hi"), state=state, auth=KEYS, headers=who) for who in (ALICE, BOB)
    )
    hers, his = await chain(alice, "abcd"), await chain(bob, "stuv")
    for found, ids, texts, owner in ((alice, hers, "abcde", "alice"), (bob, his, "stuve", "bob")):
        store.asked.clear()
        await chain(found, "e", ids[-1])
        assert asked(found) == texts
        prefix = response_key(owner, "").removesuffix("r/")
        assert all(key.startswith(prefix) for key in store.asked)
    stranger = {"model": CHAT, "input": "?", "previous_response_id": hers[-1]}
    assert (await bob.ask(stranger)).status == 404
    assert set(await state.records.get_all("bob", hers)) == {*hers}
    assert not any((await state.records.get_all("bob", hers)).values())


async def test_branches_of_one_turn_do_not_mix(store: CountedStore) -> None:
    """Each goes on by itself from what they share, at once with the others."""
    found = chatting(store)
    *_, shared = await chain(found, "abc")
    ends: dict[str, str] = {}

    async def branch(texts: str) -> None:
        ends[texts] = (await chain(chatting(store), texts, shared))[-1]

    async with anyio.create_task_group() as tasks:
        for texts in ("def", "ghi", "jkl", "mno"):
            tasks.start_soon(branch, texts)
    for texts, end in ends.items():
        store.reads.clear()
        await chain(found, "z", end)
        assert asked(found) == f"abc{texts}z"
        assert store.reads == [1, 5]


async def test_a_chain_that_an_upstream_kept_goes_on_elsewhere(store: CountedStore) -> None:
    """By the upstream's ids, and read at once like any other."""
    state = ResponsesState(store, native=is_native)
    kept = [kept_reply(f"resp_up{number}", "Hi") for number in range(5)]
    found = talk(*kept, reply(CHAT, "Hi"), state=state)
    previous: str | None = None
    for text in "abcde":
        store.reads.clear()
        previous = str((await found.said(NATIVE, text, previous))["id"])
        assert len(store.reads) == (text != "a")
    store.reads.clear()
    ids = await chain(found, "f", previous)
    assert store.reads == [1, 4]
    await chain(found, "g", ids[-1])
    assert asked(found) == "abcdefg"


async def test_an_id_that_an_upstream_gave_twice_ends() -> None:
    """A record that follows itself is no chain."""
    state = ResponsesState(native=is_native)
    found = talk(*[kept_reply("resp_up")] * 2, reply(CHAT, "Hi"), state=state)
    await found.said(NATIVE, "a")
    await found.said(NATIVE, "b", "resp_up")
    body = {"model": CHAT, "input": "c", "previous_response_id": "resp_up"}
    assert (await found.ask(body)).status == 404


async def test_a_chain_in_use_is_kept_whole() -> None:
    """All that was read of it and ages is kept for the whole time again."""
    now, store = [1000.0], CountedStore(LocalStore())
    found = chatting(store, ttl_s=100.0, timer=lambda: now[0])
    ids = await chain(found, "abcd")
    now[0] += 60.0
    await chain(found, "e", ids[-1])
    kept = [loads(await store.get(response_key(None, id)) or b"")["kept_at"] for id in ids]
    assert kept == [1060.0] * 4


async def test_a_chain_over_its_bounds_is_not_read() -> None:
    """Its last record says how much it is."""
    store = CountedStore(LocalStore())
    found = chatting(store, max_items=7)
    ids = await chain(found, "abcd")
    store.reads.clear()
    refused = await found.ask({"model": CHAT, "input": "?", "previous_response_id": ids[-1]})
    assert (refused.status, store.reads) == (400, [1])


async def test_the_items_of_a_response_are_read_at_once(store: CountedStore) -> None:
    """For whoever asks what it was given; sealed, too."""
    found = chatting(store, key=bytes(32))
    ids = await chain(found, "abcd")
    store.reads.clear()
    assert len(await found.state.input_of(None, ids[-1])) == 7
    assert store.reads == [1, 3]
