"""Sessions that hold the first decision, and how requests come to have one."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from exchanges import exchange_of
from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, ModelNotFound, UpstreamReset
from plano_asgi.exchange import Exchange
from plano_asgi.routing.decision import decision
from plano_asgi.routing.sessions import SESSION_KEY, RoutingBudget, SessionOptions
from plano_asgi.routing.sessions.binding import decode
from plano_asgi.stores.local_store import LocalStore
from session_fakes import (
    ANCHOR,
    CHEAP,
    PRICEY,
    UNPRICED,
    BrokenStore,
    Router,
    World,
    ask,
    told,
    tool_step,
)

pytestmark = pytest.mark.anyio


async def test_header_pins_the_first_decision() -> None:
    """Later calls go where the first one went, and are not routed."""
    world = World(router=Router(name="code"))
    first = await world.turn(ask(), PRICEY)
    later = await world.turn(ask(text="Now something else"), CHEAP)
    assert (first.pinned, first.skipped, first.store) == (False, None, "miss")
    assert (later.pinned, later.skipped, later.store) == (True, "pinned", "hit")
    assert later.model == PRICEY
    assert later.route_name == "code"
    assert world.router.asked == 1


async def test_pinned_route_keeps_its_fallbacks() -> None:
    """The session's model first, then the others of the decision: a pin is no single point."""
    world = World()
    await world.turn(ask(), PRICEY)
    route = await world.sessions(ask())
    assert route is not None
    assert route.candidates == (PRICEY, ANCHOR, CHEAP, UNPRICED)
    assert route.reason == "session pinned"


async def test_without_a_session_the_rules_decide() -> None:
    """No header and no option: nothing is kept, and a rule that passes still passes."""
    world = World(router=Router(None))
    exchange = ask(None)
    assert await world.sessions(exchange) is None
    await world.sessions.refresh(exchange)
    assert SESSION_KEY not in exchange.state
    assert await world.store.keys("") == []


async def test_names_decide_where_the_rules_pass() -> None:
    """The session of a request that nobody routes is bound to the model it asks for."""
    world = World(router=Router(None))
    assert (await world.turn(ask(model="p/pricey"))).model == PRICEY
    assert (await world.turn(ask(model="p/pricey"))).pinned


async def test_unknown_model_is_no_anchor() -> None:
    """A request that cannot be routed leaves nothing behind."""
    world = World(router=Router(None))
    exchange = ask(model="q/none")
    with pytest.raises(ModelNotFound):
        await world.sessions(exchange)
    await world.sessions.refresh(exchange)
    assert await world.store.keys("") == []


async def test_other_operations_have_no_session() -> None:
    """Embeddings are routed as they are."""
    world = World(router=Router(None))
    exchange = ask()
    exchange.operation = "embeddings"
    assert await world.sessions(exchange) is None


@pytest.mark.parametrize(("wait_s", "pinned"), [(89, True), (90, False)])
async def test_session_ends_its_time_after_the_last_turn(wait_s: float, pinned: bool) -> None:
    """``ttl_s`` is what it says, shorter or longer than a cache's window."""
    world = World(ttl_s=90)
    await world.turn(ask())
    world.clock.now += wait_s
    assert (await world.turn(ask())).pinned is pinned


async def test_every_answered_turn_prolongs() -> None:
    """And a session outlives the window in which its cache is warm."""
    world = World(ttl_s=600)
    await world.turn(ask(), PRICEY)
    for _ in range(3):
        world.clock.now += 500
        assert (await world.turn(ask(), CHEAP)).model == PRICEY


@pytest.mark.parametrize(("implicit", "pinned"), [(None, True), (60.0, False)])
async def test_implicit_sessions_may_end_sooner(implicit: float | None, pinned: bool) -> None:
    """They have a time of their own if one is given; the header's are not touched."""
    world = World(ttl_s=600, implicit_ttl_s=implicit, session_affinity=True)
    await world.turn(ask(None))
    await world.turn(ask("s1"))
    world.clock.now += 61
    assert (await world.turn(ask(None))).pinned is pinned
    assert (await world.turn(ask("s1"))).pinned


@pytest.mark.parametrize(
    ("options", "headers", "has_session"),
    [
        ({}, {}, False),
        ({"session_affinity": True}, {}, True),
        ({"route_on_user_only": True}, {}, True),
        ({"budget": RoutingBudget(max_switch_spend_pct=5)}, {}, True),
        ({}, {"x-plano-max-switch-spend-pct": "5"}, True),
        ({}, {"x-plano-max-switch-spend-pct": "500"}, False),
        ({"session_affinity": True}, {"x-plano-cache": "off"}, False),
        ({"route_on_user_only": True}, {"x-plano-cache": "OFF"}, False),
        ({}, {"x-plano-cache": "off", "x-model-affinity": "s"}, True),
        ({}, {"x-model-affinity": " "}, False),
    ],
)
async def test_who_has_a_session(
    options: dict[str, Any], headers: dict[str, str], has_session: bool
) -> None:
    """A header always; otherwise where something needs one and the client does not opt out."""
    world = World(**options)
    exchange = ask(None, headers=headers)
    await world.sessions(exchange)
    assert (SESSION_KEY in exchange.state) is has_session


async def test_conversation_without_a_header_stays() -> None:
    """Its beginning is its name."""
    world = World(session_affinity=True)
    await world.turn(ask(None), PRICEY)
    later = await world.turn(tool_step(None), CHEAP)
    other = await world.turn(ask(None, "Something else"), CHEAP)
    assert (later.model, later.pinned, later.is_explicit) == (PRICEY, True, False)
    assert later.session_id.startswith("implicit:")
    assert (other.model, other.pinned) == (CHEAP, False)


async def test_prompt_nobody_can_read_has_no_session() -> None:
    """What our reader refuses, its upstream may know: it is routed all the same."""
    world = World(session_affinity=True)
    exchange = ask(None, messages=[{"role": "oracle", "content": "?"}])
    assert await world.decide(exchange) == ANCHOR
    assert SESSION_KEY not in exchange.state


async def test_picture_alone_has_no_implicit_session() -> None:
    """There is no text to know the conversation by."""
    world = World(session_affinity=True)
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    exchange = ask(None, messages=[{"role": "user", "content": [picture]}])
    await world.sessions(exchange)
    assert SESSION_KEY not in exchange.state


async def test_tenants_have_sessions_of_their_own() -> None:
    """By whom they authenticated as, else by the configured header."""
    world = World(tenant_header="x-tenant")
    await world.turn(ask(identity="alice"), PRICEY)
    await world.turn(ask(headers={"x-tenant": "acme"}), CHEAP)
    others = [
        ask(identity="bob"),
        ask(headers={"x-tenant": "alice"}),
        ask("alice:s1"),
        ask(),
        ask(identity="bob", headers={"x-tenant": "alice"}),
    ]
    for other in others:
        await world.decide(other, ANCHOR)
        assert not told(other).pinned
    assert await world.decide(ask(identity="alice", headers={"x-tenant": "x"})) == PRICEY
    assert await world.decide(ask(headers={"x-tenant": "acme"})) == CHEAP


async def test_models_asked_for_are_lanes() -> None:
    """A side call with another model under the same id neither moves nor follows the pin."""
    world = World()
    await world.turn(ask(), PRICEY)
    side = await world.turn(ask(model="c/cheap"), CHEAP)
    main = await world.turn(ask(), ANCHOR)
    assert (side.pinned, side.model) == (False, CHEAP)
    assert (main.pinned, main.model) == (True, PRICEY)


@pytest.mark.parametrize(
    "failed", [{"error": UpstreamReset("gone")}, {"served_by": None}], ids=["broke off", "no call"]
)
async def test_failed_call_is_not_pinned(failed: dict[str, Any]) -> None:
    """Only an answered turn binds the session."""
    world = World()
    exchange = ask()
    await world.decide(exchange, PRICEY)
    exchange.error = failed.get("error")
    exchange.served_by = PRICEY if exchange.error else None
    await world.sessions.refresh(exchange)
    assert not (await world.turn(ask(), CHEAP)).pinned


async def test_client_that_leaves_is_pinned() -> None:
    """The model had answered: its cache is warm."""
    world = World()
    exchange = ask()
    exchange.disconnected = True
    await world.turn(exchange, PRICEY)
    assert await world.decide(ask(), CHEAP) == PRICEY


async def test_session_follows_fail_over() -> None:
    """It is bound to who answered, and keeps the others behind."""
    world = World()
    await world.turn(ask(), PRICEY, served_by=CHEAP)
    assert await world.decide(ask()) == CHEAP
    await world.turn(ask(), served_by=ANCHOR)
    route = await world.sessions(ask())
    assert route is not None
    assert route.candidates == (ANCHOR, CHEAP, PRICEY, UNPRICED)


async def test_model_that_is_configured_no_more_is_no_pin() -> None:
    """An old record cannot bring back what was taken out."""
    world = World()
    await world.turn(ask(), PRICEY)
    world.served.remove(PRICEY)
    assert not (await world.turn(ask(), CHEAP)).pinned
    world.served.remove(ANCHOR)
    route = await world.sessions(ask())
    assert route is not None
    assert route.candidates == (CHEAP, UNPRICED)


async def test_sessions_are_bounded() -> None:
    """With the store: the one used longest ago makes room."""
    world = World(store=lambda timer: LocalStore(max_entries=2, timer=timer))
    for id in ("s1", "s2", "s1", "s3"):
        await world.turn(ask(id))
    pinned = [(await world.turn(ask(id))).pinned for id in ("s1", "s3")]
    assert pinned == [True, True]
    assert not (await world.turn(ask("s2"))).pinned


async def test_two_processes_are_one() -> None:
    """They share the store, so they share sessions."""
    world = World()
    await world.turn(ask(), PRICEY)
    world.sessions = world.another()
    assert await world.decide(ask(), CHEAP) == PRICEY


async def test_store_that_is_down_costs_the_session_only() -> None:
    """Requests go on as if there were none; the store is left alone for a while, then tried."""
    world = World(store=BrokenStore, store_pause_s=5.0)
    store = world.store
    assert isinstance(store, BrokenStore)
    with capture_logs() as logs:
        first = await world.turn(ask(), PRICEY)
        second = await world.turn(ask(), CHEAP)
    assert (first.model, second.model) == (PRICEY, CHEAP)
    assert (first.store, second.store) == ("error", "error")
    assert store.tried == 1
    assert [log["event"] for log in logs] == ["session_store_unavailable"] * 2
    assert all(log["request_id"] == "req_1" for log in logs)
    store.is_down = False
    world.clock.now += 5
    await world.turn(ask(), PRICEY)
    assert await world.decide(ask(), CHEAP) == PRICEY


async def test_unreadable_record_is_begun_anew() -> None:
    """Whatever is in the store."""
    world = World()
    await world.turn(ask(), PRICEY)
    [key] = await world.store.keys("session:")
    await world.store.put(key, b"{")
    assert not (await world.turn(ask(), CHEAP)).pinned
    assert (await world.turn(ask())).model == CHEAP


async def test_record_tells_what_was_used() -> None:
    """Reported tokens, cached ones included, and what they cost."""
    world = World()
    exchange = ask()
    await world.decide(exchange, ANCHOR)
    exchange.served_by = ANCHOR
    exchange.usage = Usage(input_tokens=1000, cache_read_input_tokens=400, output_tokens=200)
    await world.sessions.refresh(exchange)
    [key] = await world.store.keys("session:")
    binding = decode(await world.store.get(key))
    assert binding is not None
    assert binding.cached_tokens == 1000
    assert binding.requested_model == "a/anchor"
    assert binding.session_cost_usd == pytest.approx(4920e-6)
    assert (await world.turn(ask())).total_cost_usd == pytest.approx(4920e-6)


async def test_decision_endpoint_keeps_what_it_decides() -> None:
    """Nothing is called, so the decision itself binds; the JSON tells of the session."""
    world = World(router=Router(name="code"))
    answers = []
    for candidate in (PRICEY, CHEAP):
        exchange = ask(headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        await world.decide(exchange, candidate)
        made = told(exchange)
        await world.sessions.keep(exchange)
        await world.sessions.refresh(exchange)
        answers.append(
            decision(
                exchange,
                exchange.route,
                session_id=made.session_id,
                pinned=made.pinned,
                switched=made.switched,
            )
        )
    first, second = answers
    assert (first["pinned"], second["pinned"]) == (False, True)
    assert second == {
        "models": [c.name for c in (PRICEY, ANCHOR, CHEAP, UNPRICED)],
        "route": "code",
        "trace_id": "a" * 32,
        "session_id": "s1",
        "pinned": True,
        "switched": False,
    }


@pytest.mark.parametrize("dialect", ["anthropic.messages", "openai.responses"])
async def test_every_api_is_pinned(dialect: str) -> None:
    """Sessions are of conversations, whatever they are spelled in."""
    world = World()
    said = [{"role": "user", "content": "Hi"}]
    bodies: dict[str, dict[str, Any]] = {
        "anthropic.messages": {"messages": said, "max_tokens": 9},
        "openai.responses": {"input": said},
    }

    def exchange() -> Exchange:
        made = exchange_of(dialect, {"model": "a/anchor", **bodies[dialect]})
        made.headers = {"x-model-affinity": "s1"}
        return made

    await world.turn(exchange(), PRICEY)
    assert await world.decide(exchange(), CHEAP) == PRICEY


@pytest.mark.parametrize(
    "options", [{"ttl_s": 0}, {"implicit_ttl_s": 0}, {"store_timeout_s": 0}, {"store_pause_s": -1}]
)
def test_times_are_above_zero(options: dict[str, float]) -> None:
    """A session that has no time cannot be meant."""
    with pytest.raises(ConfigurationError, match="above 0"):
        SessionOptions(**options)  # type: ignore[arg-type]  # all of them are numbers


async def test_refresh_without_a_turn_does_nothing() -> None:
    """Requests that failed before they were routed end there."""
    world = World()
    await world.sessions.refresh(ask())
    await world.sessions.keep(ask())
    assert await world.store.keys("") == []
