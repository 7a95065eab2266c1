"""Turns on which whoever decides has failed: nothing to hold on to."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.decision import DECISION_KEY, Decision
from plano_asgi.routing.sessions import RoutingBudget, open_session
from session_fakes import ANCHOR, CHEAP, PRICEY, Router, World, ask, tool_step

pytestmark = pytest.mark.anyio

MODES: dict[str, dict[str, Any]] = {
    "pin": {},
    "replay": {"route_on_user_only": True},
    "gate": {"budget": RoutingBudget(max_switch_spend_pct=25)},
}


class Failing(Router):
    """A router that may fail, and lets the request go to *fallback* then."""

    is_down = True

    def __init__(self, candidate: Candidate, fallback: Candidate) -> None:
        super().__init__(candidate, "code")
        self.fallback = fallback

    async def __call__(self, exchange: Exchange) -> Route | None:
        if not self.is_down:
            return await super().__call__(exchange)
        exchange.state[DECISION_KEY] = Decision(outcome="failed", reason="routing failed: timeout")
        return Route(candidates=(self.fallback,))


def world(mode: str) -> tuple[World, Failing]:
    """Sessions around a router that is down."""
    router = Failing(PRICEY, CHEAP)
    return World(router=router, **MODES[mode]), router


@pytest.mark.parametrize("mode", MODES)
async def test_a_failed_decision_begins_no_session(mode: str) -> None:
    """The request is served; the next turn is decided, and that holds."""
    found, router = world(mode)
    exchange = ask()
    assert await found.decide(exchange) == CHEAP
    exchange.served_by = CHEAP
    await open_session(exchange)
    await found.end(exchange, CHEAP)
    assert await found.store.keys("") == []
    router.is_down = False
    first = await found.turn(ask())
    assert (first.model, first.store, first.pinned) == (PRICEY, "miss", False)
    later = await found.turn(tool_step())
    assert (later.model, later.pinned) == (PRICEY, True)


@pytest.mark.parametrize("mode", ["replay", "gate"])
async def test_a_warm_session_stays_where_it_is(mode: str) -> None:
    """Its turns are decided, but nobody could; the decision still says that it failed."""
    found, router = world(mode)
    router.is_down = False
    await found.turn(ask())
    router.is_down = True
    exchange = ask()
    second = await found.turn(exchange)
    assert (second.model, second.switched, second.switch_spend_usd) == (PRICEY, False, 0.0)
    assert exchange.route is not None
    assert exchange.route.reason == "session kept: no decision"
    assert CHEAP in exchange.route.candidates
    made = exchange.state[DECISION_KEY]
    assert (made.outcome, made.reason, made.route) == ("failed", "routing failed: timeout", "code")


async def test_the_decision_endpoint_keeps_no_failed_decision() -> None:
    """What a client asks the model for by itself is no different."""
    found, router = world("pin")
    exchange = ask()
    await found.decide(exchange)
    await found.sessions.keep(exchange)
    assert await found.store.keys("") == []
    router.is_down, router.candidate = False, ANCHOR
    assert (await found.turn(ask())).model == ANCHOR
