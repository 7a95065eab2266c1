"""``route_on_user_only``: one decision for each word of the user's, replayed for what follows."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.exchange import Exchange
from plano_asgi.routing.decision import decision
from plano_asgi.routing.sessions import RoutingBudget
from session_fakes import ANCHOR, CHEAP, PRICEY, UNPRICED, Router, World, ask, tool_step

pytestmark = pytest.mark.anyio

FREE = RoutingBudget(max_switch_spend_pct=100)


def user_only(**options: Any) -> World:
    """Sessions that route when the user speaks."""
    return World(router=Router(name="code"), **{"route_on_user_only": True, **options})


async def test_tool_step_replays_anchor_and_route() -> None:
    """Warm, and the same model asked for."""
    world = user_only()
    await world.turn(ask(None), PRICEY)
    step = await world.turn(tool_step(None), CHEAP)
    assert (step.model, step.route_name) == (PRICEY, "code")
    assert (step.pinned, step.skipped) == (True, "not_user_turn")
    assert world.router.asked == 1


async def test_no_route_is_replayed_as_none() -> None:
    """The requested model, and no route's name."""
    world = user_only()
    world.router.name, world.router.candidate = None, None
    await world.turn(ask(None))
    step = await world.turn(tool_step(None))
    assert (step.model, step.route_name, step.skipped) == (ANCHOR, None, "not_user_turn")


async def test_models_of_a_held_decision_are_those_that_are_tried() -> None:
    """Also where no route was chosen: what it failed over to is a part of it."""
    world = user_only()
    world.router.name = None
    await world.turn(ask(None), PRICEY)
    step = tool_step(None)
    await world.decide(step, CHEAP)
    answer = decision(step, step.route, session_id="s", pinned=True)
    assert step.route is not None
    assert (answer["route"], len(step.route.candidates)) == (None, 4)
    assert answer["models"] == [c.name for c in step.route.candidates]


async def test_user_turn_is_routed_and_may_move() -> None:
    """The next word of the user's is another decision."""
    world = user_only()
    await world.turn(ask(None), PRICEY)
    again = await world.turn(ask(None), CHEAP)
    assert (again.model, again.switched, again.switches) == (CHEAP, True, 1)
    assert (await world.turn(tool_step(None), ANCHOR)).model == CHEAP


async def test_side_call_leaves_a_shared_id_alone() -> None:
    """Another model under the same header has a lane of its own; the main loop's stays."""
    world = user_only()
    await world.turn(ask(), PRICEY)
    await world.turn(ask(model="c/cheap"), CHEAP)
    assert (await world.turn(tool_step(), ANCHOR)).model == PRICEY


NOT_REPLAYED = {
    "different lane": tool_step("s1", model="c/cheap"),
    "drifted prefix": tool_step("s1", tools=[{"type": "function", "function": {"name": "new"}}]),
    "no session id": tool_step(None, headers={"x-plano-cache": "off"}),
    "unknown session": tool_step("s2"),
    "the user": ask("s1"),
}


@pytest.mark.parametrize("exchange", NOT_REPLAYED.values(), ids=NOT_REPLAYED.keys())
async def test_not_replayed(exchange: Exchange) -> None:
    """It is routed."""
    world = user_only()
    await world.turn(ask("s1"), PRICEY)
    assert await world.decide(exchange, CHEAP) == CHEAP
    assert world.router.asked == 2


@pytest.mark.parametrize("idle_s", [301, 24 * 3600])
async def test_cold_session_is_not_replayed(idle_s: float) -> None:
    """Neither one that is kept but cold, nor one whose time is over."""
    world = user_only(ttl_s=3600)
    await world.turn(ask(), PRICEY)
    world.clock.now += idle_s
    step = await world.turn(tool_step(), CHEAP)
    assert (step.model, step.pinned, step.skipped) == (CHEAP, False, None)


async def test_option_off_never_replays() -> None:
    """With a budget alone every turn is decided."""
    world = user_only(route_on_user_only=False, budget=FREE)
    await world.turn(ask(), ANCHOR)
    assert (await world.turn(tool_step(), UNPRICED)).model == UNPRICED
    assert world.router.asked == 2


async def test_replay_refreshes_the_session() -> None:
    """A replayed turn is no switch, and keeps the session warm."""
    world = user_only()
    await world.turn(ask(), PRICEY)
    for _ in range(3):
        world.clock.now += 200
        step = await world.turn(tool_step(), CHEAP)
        assert (step.model, step.pinned, step.switched, step.idle_s) == (PRICEY, True, False, 200)


async def test_replayed_turn_is_weighed_as_staying() -> None:
    """With a budget a replay adds to the baseline and costs nothing."""
    world = user_only(budget=FREE)
    await world.turn(ask(), ANCHOR)
    step = await world.turn(tool_step(), PRICEY)
    assert step.skipped == "not_user_turn"
    assert step.weighed is not None
    assert step.weighed.why == "same_anchor"
    assert step.baseline_usd == pytest.approx(0.03)


async def test_opted_out_client_has_no_drift() -> None:
    """With ``x-plano-cache: off`` a named session is held by its name alone."""
    world = user_only()
    off = {"x-plano-cache": "off"}
    await world.turn(ask(headers=off), PRICEY)
    tools = [{"type": "function", "function": {"name": "new"}}]
    assert (await world.turn(tool_step(headers=off, tools=tools), CHEAP)).model == PRICEY
