"""A turn that takes its session somewhere says so before its answer goes out."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.routing.sessions import RoutingBudget, open_session
from plano_asgi.routing.sessions.binding import Binding, decode
from session_fakes import (
    ANCHOR,
    CHEAP,
    PRICEY,
    BrokenStore,
    Router,
    World,
    ask,
    told,
    tool_step,
)

pytestmark = pytest.mark.anyio

GONE = UpstreamReset("gone")
RICH = RoutingBudget(max_switch_spend_pct=100)


async def begun(world: World, exchange: Exchange, candidate: Candidate) -> Exchange:
    """*exchange*, routed to *candidate*, whose answer has just begun."""
    exchange.served_by = await world.decide(exchange, candidate)
    await open_session(exchange)
    return exchange


async def record(world: World) -> Binding | None:
    """The only session's record, if there is one."""
    keys = await world.store.keys("session:")
    return decode(await world.store.get(keys[0])) if keys else None


async def kept(world: World) -> Binding:
    """The only session's record."""
    found = await record(world)
    assert found is not None
    return found


async def test_next_turn_need_not_wait_for_the_end() -> None:
    """Another process finds the first turn's model while that still speaks."""
    world = World(router=Router(name="code"))
    first = await begun(world, ask(), PRICEY)
    world.sessions, sessions = world.another(), world.sessions
    second = await world.turn(ask(), CHEAP)
    assert (second.model, second.pinned, second.route_name) == (PRICEY, True, "code")
    world.sessions = sessions
    await world.end(first, PRICEY)
    assert (await world.turn(ask(), CHEAP)).model == PRICEY


async def test_end_settles_what_was_opened() -> None:
    """What the turn has cost is counted once; the mark is gone."""
    world = World()
    first = await begun(world, ask(), PRICEY)
    opened = await kept(world)
    assert (opened.anchor_model, opened.session_cost_usd, opened.history) == (PRICEY, 0.0, [])
    assert opened.opened_by
    await world.end(first, PRICEY)
    assert (await kept(world)).opened_by == ""
    assert (await kept(world)).session_cost_usd == pytest.approx(0.5)


async def test_pinned_turn_writes_nothing_before_its_end() -> None:
    """It takes the session nowhere: the ordinary turn costs one write, as before."""
    world = World()
    await world.turn(ask(), PRICEY)
    before = await kept(world)
    world.clock.now += 10
    await begun(world, ask(), CHEAP)
    assert await kept(world) == before


async def test_failed_first_turn_leaves_nothing() -> None:
    """Its stream broke off, and nobody had followed."""
    world = World()
    await world.end(await begun(world, ask(), PRICEY), PRICEY, error=GONE)
    assert await record(world) is None


async def test_failed_first_turn_leaves_a_session_that_went_on() -> None:
    """A later turn was answered there: the session is that turn's now."""
    world = World()
    first = await begun(world, ask(), PRICEY)
    await world.turn(ask(), CHEAP)
    await world.end(first, PRICEY, error=GONE)
    assert (await world.turn(ask(), CHEAP)).model == PRICEY


async def test_turn_that_has_joined_outlives_the_one_that_opened() -> None:
    """It is answered after the first has failed: it goes on with what it found."""
    world = World()
    first = await begun(world, ask(), PRICEY)
    second = await begun(world, ask(), CHEAP)
    await world.end(first, PRICEY, error=GONE)
    await world.end(second, PRICEY)
    assert (await kept(world)).anchor_model == PRICEY
    assert (await kept(world)).session_cost_usd == pytest.approx(0.5)


async def test_first_of_two_first_turns_decides() -> None:
    """Both were routed before anything was kept; the one that is answered later changes nothing."""
    world = World()
    late = ask()
    late.served_by = await world.decide(late, CHEAP)
    early = await begun(world, ask(), PRICEY)
    await open_session(late)
    await world.end(late, CHEAP, error=GONE)
    assert (await kept(world)).anchor_model == PRICEY
    await world.end(early, PRICEY)
    assert (await world.turn(ask(), CHEAP)).model == PRICEY


async def test_fail_over_opens_where_the_answer_comes_from() -> None:
    """Not where the turn was routed."""
    world = World()
    exchange = ask()
    await world.decide(exchange, PRICEY)
    exchange.served_by = CHEAP
    await open_session(exchange)
    assert (await world.turn(ask(), ANCHOR)).model == CHEAP


async def test_tool_step_follows_the_users_turn_at_once() -> None:
    """A later turn of the user that goes elsewhere takes its tool steps along, too."""
    world = World(route_on_user_only=True)
    await world.turn(ask(), PRICEY)
    moving = await begun(world, ask(), CHEAP)
    step = await world.turn(tool_step(), ANCHOR)
    assert (step.model, step.skipped) == (CHEAP, "not_user_turn")
    await world.end(moving, CHEAP)
    assert (await kept(world)).switches == 1


async def test_failed_move_is_taken_back() -> None:
    """The session is where it was, with all that it was."""
    world = World(route_on_user_only=True)
    await world.turn(ask(), PRICEY)
    before = await kept(world)
    world.clock.now += 10
    await world.end(await begun(world, ask(), CHEAP), CHEAP, error=GONE)
    assert await kept(world) == before


async def test_tool_step_follows_a_cold_sessions_turn_at_once() -> None:
    """The session begins anew, and its next step need not wait for the end of that."""
    world = World(route_on_user_only=True, ttl_s=3_600)
    await world.turn(ask(), PRICEY)
    before = await kept(world)
    world.clock.now += 1_000
    again = await begun(world, ask(), CHEAP)
    assert (await begun(world, tool_step(), ANCHOR)).served_by == CHEAP
    await world.end(again, CHEAP, error=GONE)
    assert await kept(world) == before


async def test_step_of_a_turn_that_was_taken_back_is_kept() -> None:
    """It was answered by the new model: the cold record does not come back as warm."""
    world = World(route_on_user_only=True, ttl_s=3_600)
    await world.turn(ask(), PRICEY)
    world.clock.now += 1_000
    again = await begun(world, ask(), CHEAP)
    step = await begun(world, tool_step(), ANCHOR)
    await world.end(again, CHEAP, error=GONE)
    await world.end(step, CHEAP)
    assert (await kept(world)).anchor_model == CHEAP


async def test_new_episode_is_later_than_the_old_one() -> None:
    """Also where the clock of the process that begins it is behind."""
    world = World(route_on_user_only=True, ttl_s=3_600)
    await world.turn(ask(), PRICEY)
    episode = (await kept(world)).episode
    world.clock.now -= 50
    messages = [{"role": "system", "content": "Be kind"}, *ask().body["messages"]]
    await begun(world, ask(messages=messages), CHEAP)
    assert (await kept(world)).anchor_model == CHEAP
    assert (await kept(world)).episode > episode


@pytest.mark.parametrize(("fails", "spent", "switches"), [(False, 0.47, 1), (True, 0.0, 0)])
async def test_budget_counts_a_switch_once(fails: bool, spent: float, switches: int) -> None:
    """Reserved when it was decided, kept at the end or given back; never both."""
    world = World(budget=RICH)
    for _ in range(20):
        await world.turn(ask(), ANCHOR)
    baseline = (await kept(world)).baseline_usd
    turn = await begun(world, ask(), PRICEY)
    assert told(turn).switched
    await world.end(turn, PRICEY, error=GONE if fails else None)
    found = await kept(world)
    assert found.switches == switches
    assert found.switch_spend_usd == pytest.approx(spent)
    assert found.baseline_usd == pytest.approx(baseline + (0.0 if fails else 0.03))
    assert found.anchor_model == (ANCHOR if fails else PRICEY)


async def test_failed_switch_gives_back_its_own_money_only() -> None:
    """Another turn went on meanwhile: what that adds to the baseline stays."""
    world = World(budget=RICH)
    for _ in range(20):
        await world.turn(ask(), ANCHOR)
    baseline = (await kept(world)).baseline_usd
    first = await begun(world, ask(), PRICEY)
    second = await begun(world, ask(), PRICEY)
    await world.end(first, PRICEY, error=GONE)
    assert (await kept(world)).switch_spend_usd == 0.0
    assert (await kept(world)).baseline_usd == pytest.approx(baseline)
    await world.end(second, PRICEY)
    assert (await kept(world)).switch_spend_usd == 0.0
    assert (await kept(world)).baseline_usd == pytest.approx(baseline + 0.03)


async def test_budgeted_first_turn_is_found_at_once() -> None:
    """The next one is weighed against it, by what its prompt looks like."""
    world = World(budget=RoutingBudget(max_switch_spend_pct=0))
    first = await begun(world, ask(), ANCHOR)
    second = await world.turn(ask(), PRICEY)
    assert (second.model, second.pinned) == (ANCHOR, True)
    await world.end(first, ANCHOR)


async def test_store_that_is_down_delays_no_answer_twice() -> None:
    """It failed when the session was looked up: it is not asked again."""
    world = World(store=BrokenStore, store_pause_s=5.0)
    store = world.store
    assert isinstance(store, BrokenStore)
    with capture_logs() as logs:
        exchange = await begun(world, ask(), PRICEY)
        await world.end(exchange, PRICEY)
    assert (told(exchange).store, store.tried, len(logs)) == ("error", 1, 1)


async def test_store_that_fails_in_between_costs_the_pin_only() -> None:
    """Found empty, then down: the answer goes out, and is kept when it ends."""
    world = World(store=BrokenStore, store_pause_s=0.0)
    store = world.store
    assert isinstance(store, BrokenStore)
    store.is_down = False
    exchange = ask()
    exchange.served_by = await world.decide(exchange, PRICEY)
    store.is_down = True
    with capture_logs() as logs:
        await open_session(exchange)
    assert [log["event"] for log in logs] == ["session_store_unavailable"]
    store.is_down = False
    await world.end(exchange, PRICEY)
    assert (await world.turn(ask(), CHEAP)).model == PRICEY


async def test_without_a_session_there_is_nothing_to_open() -> None:
    """Nor without an answer."""
    world = World()
    await begun(world, ask(None), PRICEY)
    unanswered = ask()
    await world.decide(unanswered, PRICEY)
    await open_session(unanswered)
    assert await world.store.keys("") == []
