"""Records as they are held beside the store: nobody sees what the store does not say."""

from __future__ import annotations

import pytest

from plano_asgi.exchange import Candidate
from plano_asgi.routing.sessions import open_session
from plano_asgi.routing.sessions.binding import Binding, Visit, decode, encode
from plano_asgi.routing.sessions.identity import Session
from plano_asgi.routing.sessions.records import Records
from plano_asgi.routing.sessions.turn import TURN_KEY, Turn
from plano_asgi.stores.local_store import LocalStore
from session_fakes import ANCHOR, CHEAP, PRICEY, World, ask, prices

pytestmark = pytest.mark.anyio


def turn_of(records: Records, key: str) -> Turn:
    """A turn of the session *key*."""
    return Turn(Session(key, key, "", True), "pin", 60.0, 0.0, records.open)


def test_a_copy_goes_its_own_way() -> None:
    """It says the same until either of both is changed."""
    binding = Binding(
        anchor_model=ANCHOR,
        default_model=CHEAP,
        requested_model="a/anchor",
        episode=1.0,
        last_used=2.0,
        route_name="code",
        prefix_hash=3,
        cached_tokens=4,
        baseline_usd=5.0,
        switch_spend_usd=6.0,
        switches=7,
        session_cost_usd=8.0,
        fallbacks=(PRICEY,),
        history=[Visit(ANCHOR, 9.0, 10)],
        opened_by="mark",
    )
    before = encode(binding)
    copy = binding.copy()
    assert copy == binding
    copy.record(CHEAP, 11.0, 12)
    copy.switches += 1
    assert encode(binding) == before


async def test_what_another_process_wrote_is_read() -> None:
    """Though this one has just held another record of that session."""
    world = World()
    await world.turn(ask(), ANCHOR)
    [key] = await world.store.keys("session:")
    binding = decode(await world.store.get(key))
    assert binding is not None
    binding.anchor_model = CHEAP
    await world.store.put(key, encode(binding))
    assert await world.decide(ask(), ANCHOR) == CHEAP


async def test_a_deleted_record_is_none() -> None:
    """The next turn decides anew."""
    world = World()
    await world.turn(ask(), ANCHOR)
    [key] = await world.store.keys("session:")
    await world.store.delete(key)
    assert await world.decide(ask(), CHEAP) == CHEAP


async def test_a_turn_under_way_keeps_what_it_found() -> None:
    """Other turns that end meanwhile change the record, not what this one has seen."""
    world = World()
    await world.turn(ask(), ANCHOR, tokens=1_000)
    exchange = ask()
    await world.decide(exchange)
    seen = exchange.state[TURN_KEY].seen
    before = encode(seen)
    world.clock.now += 1
    await world.turn(ask(), tokens=2_000)
    assert encode(seen) == before
    [key] = await world.store.keys("session:")
    kept = decode(await world.store.get(key))
    assert kept is not None
    assert kept.cached_tokens == 2_000


async def test_what_is_opened_and_taken_back_is_as_before() -> None:
    """A turn that moves its session and fails leaves the record that it found."""
    world = World()
    await world.turn(ask(), ANCHOR)
    [key] = await world.store.keys("session:")
    before = await world.store.get(key)
    world.served.discard(ANCHOR)  # the session has to go somewhere else
    failing = ask()
    failing.served_by = await world.decide(failing, CHEAP)
    await open_session(failing)
    assert await world.store.get(key) != before
    await world.end(failing, CHEAP, error=RuntimeError("failed"))
    assert decode(await world.store.get(key)) == decode(before)


async def test_few_records_are_held() -> None:
    """What was held longest ago is read from the store again, and is the same."""
    store, keys = LocalStore(), [f"session:{n}" for n in range(3)]
    records = Records(store, prices=prices, timer=lambda: 0.0, max_read=1)
    models = [Candidate(provider="a", model=key) for key in keys]
    for key, model in zip(keys, models, strict=True):
        await store.put(key, encode(Binding(anchor_model=model, default_model=model)))
    for _ in range(2):
        for key, model in zip(keys, models, strict=True):
            turn = turn_of(records, key)
            await records.find(ask(), turn)
            assert turn.seen == Binding(anchor_model=model, default_model=model)
