"""Sessions with a routing budget: every turn is decided, and weighed against a warm cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from exchanges import exchange_of
from plano_asgi.conversation import Usage
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.decision import DECISION_KEY, decision
from plano_asgi.routing.sessions import RoutingBudget, SessionDecision
from plano_asgi.routing.sessions.binding import Binding, Visit, decode, encode
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.wire import DIALECTS
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

T = TypeVar("T")

QUARTER = RoutingBudget(max_switch_spend_pct=25)
PINCHED = RoutingBudget(max_switch_spend_pct=0)


def gated(budget: RoutingBudget = QUARTER, **options: Any) -> World:
    """Sessions with *budget*."""
    return World(budget=budget, **options)


async def bound(world: World, **fields: Any) -> None:
    """Put a session of 100k cached tokens at the anchor into the store."""
    await world.turn(ask(), fields.get("anchor_model", ANCHOR))
    key = await the_key(world)
    kept: dict[str, Any] = {"anchor_model": ANCHOR, "default_model": ANCHOR, **fields}
    binding = Binding(episode=world.clock(), last_used=world.clock(), cached_tokens=100_000, **kept)
    await world.store.put(key, encode(binding))


async def the_key(world: World) -> str:
    """The only session's."""
    [key] = await world.store.keys("session:")
    return key


async def record(world: World) -> Binding:
    """The only session's record."""
    binding = decode(await world.store.get(await the_key(world)))
    assert binding is not None
    return binding


def sums(decision: SessionDecision | Binding) -> tuple[Any, ...]:
    """Spend, baseline and switches."""
    spend, baseline = decision.switch_spend_usd, decision.baseline_usd
    return pytest.approx(spend), pytest.approx(baseline), decision.switches


async def test_switch_within_the_cap() -> None:
    """Baseline 2.00, 25 %: .47 may be spent."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    turn = await world.turn(ask(), PRICEY)
    assert (turn.model, turn.switched) == (PRICEY, True)
    assert sums(turn) == sums(await record(world)) == (0.47, 2.03, 1)


async def test_switch_over_the_cap_is_refused() -> None:
    """Baseline 1.00, 25 %: the session stays, with its own route."""
    world = gated(router=Router(name="hard"))
    await bound(world, baseline_usd=1.0, route_name="easy", fallbacks=(CHEAP,))
    exchange = ask()
    turn = await world.turn(exchange, PRICEY)
    assert (turn.model, turn.route_name, turn.switched) == (ANCHOR, "easy", False)
    assert sums(turn) == (0.0, 1.03, 0)
    assert exchange.route is not None
    assert exchange.route.candidates == (ANCHOR, CHEAP, PRICEY, UNPRICED)
    assert exchange.route.reason == "session kept: over its switch budget"
    assert turn.counterfactual is None


async def test_cheap_switch_is_free() -> None:
    """What saves money leaves the spend as it is."""
    world = gated()
    await bound(world, switch_spend_usd=0.1)
    turn = await world.turn(ask(), CHEAP)
    assert (turn.model, turn.switched) == (CHEAP, True)
    assert turn.switch_spend_usd == pytest.approx(0.1)


async def test_unpriced_models_fail_open() -> None:
    """A switch nobody can price is allowed."""
    world = gated(PINCHED)
    await bound(world)
    assert (await world.turn(ask(), UNPRICED)).model == UNPRICED


async def test_cold_session_begins_unspent() -> None:
    """Ten minutes later: the candidate, nothing spent, nothing switched."""
    world = gated(ttl_s=3600)
    await bound(world, baseline_usd=2.0, switch_spend_usd=0.4, switches=3, session_cost_usd=7.0)
    world.clock.now += 600
    turn = await world.turn(ask(), PRICEY)
    assert (turn.model, turn.pinned, turn.weighed) == (PRICEY, False, None)
    kept = await record(world)
    assert sums(turn) == sums(kept) == (0.0, 0.0, 0)
    assert kept.default_model == PRICEY
    assert kept.session_cost_usd == pytest.approx(7.0 + 0.5)


async def test_cold_session_may_keep_its_sums() -> None:
    """``replenish_on_rebind: false``: spend, baseline and default model go on."""
    world = gated(RoutingBudget(max_switch_spend_pct=25, replenish_on_rebind=False), ttl_s=3600)
    await bound(world, baseline_usd=2.0, switch_spend_usd=0.4, switches=3)
    world.clock.now += 600
    turn = await world.turn(ask(), PRICEY)
    kept = await record(world)
    assert sums(turn) == sums(kept) == (0.4, 2.0, 0)
    assert kept.default_model == ANCHOR


async def test_no_session_no_gate() -> None:
    """A client that opted out goes where the rules say."""
    world = gated(PINCHED)
    exchange = ask(None, headers={"x-plano-cache": "off"})
    assert await world.decide(exchange, PRICEY) == PRICEY


async def test_baseline_is_the_default_models() -> None:
    """The anchor is cheap, the default is not: what was saved counts."""
    world = gated()
    await bound(world, anchor_model=CHEAP)
    assert (await world.turn(ask(), CHEAP)).baseline_usd == pytest.approx(0.03)


async def test_return_to_a_warm_model() -> None:
    """Only what its cache lacks is paid for."""
    world = gated()
    seen = Visit(PRICEY, world.clock() - 30, 100_000)
    await bound(world, baseline_usd=0.4, switches=1, history=[seen])
    turn = await world.turn(ask(), PRICEY)
    assert turn.model == PRICEY
    assert sums(turn) == (0.02, 0.43, 2)


async def test_budget_fills_up_turn_by_turn() -> None:
    """25 % of 0.03 a turn: 62 refusals until the switch of 0.47 fits; then going back is free."""
    world = gated()
    await world.turn(ask(), ANCHOR)
    models = []
    for _ in range(63):
        turn = await world.turn(ask(), PRICEY)
        models.append(turn.model)
        assert turn.switch_spend_usd <= 0.25 * turn.baseline_usd
    assert models == [ANCHOR] * 62 + [PRICEY]
    stays, back = await world.turn(ask(), PRICEY), await world.turn(ask(), ANCHOR)
    assert stays.weighed is not None
    assert back.weighed is not None
    assert (stays.weighed.why, back.weighed.why) == ("same_anchor", "free")
    assert (back.model, back.switches) == (ANCHOR, 2)
    assert back.switch_spend_usd == pytest.approx(0.47)


async def test_header_alone_makes_a_budget() -> None:
    """And gates a session that had none."""
    world = World()
    await world.turn(ask(), ANCHOR)
    turn = await world.turn(ask(headers={"x-plano-max-switch-spend-pct": "0"}), PRICEY)
    assert (turn.model, turn.has_budget) == (ANCHOR, True)
    assert turn.weighed is not None
    assert turn.weighed.why == "over_cap"


async def test_refused_switch_is_told_where_asked_for() -> None:
    """The model and the route that would have been."""
    world = gated(
        RoutingBudget(max_switch_spend_pct=0, record_counterfactual=True),
        router=Router(name="hard"),
    )
    await bound(world)
    assert (await world.turn(ask(), PRICEY)).counterfactual == "p/pricey (hard)"
    world.router.name = None
    assert (await world.turn(ask(), PRICEY)).counterfactual == "p/pricey"


async def test_refused_route_is_not_told_to_the_client() -> None:
    """The decision is the session's own: its route's name, and the models in the order tried."""
    world = gated(PINCHED, router=Router(name="hard"))
    await bound(world, route_name="easy", fallbacks=(CHEAP,))
    exchange = ask()
    await world.decide(exchange, PRICEY)
    answer = decision(exchange, exchange.route, session_id="s1", pinned=True)
    assert answer["route"] == "easy"
    assert exchange.route is not None
    assert answer["models"] == [c.name for c in exchange.route.candidates]
    assert "hard" not in repr(exchange.state[DECISION_KEY])


async def test_client_that_changes_its_model_is_not_vetoed() -> None:
    """The model asked for is a lane: what the budget holds is the routing, not the client."""
    world = gated(PINCHED, router=Router(None))
    await world.turn(ask(model="a/anchor"))
    assert (await world.turn(ask(model="p/pricey"))).model == PRICEY


async def test_failed_call_gives_its_reservation_back() -> None:
    """Neither spend nor baseline, neither switch nor move."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    for candidate in (PRICEY, UNPRICED):
        await world.turn(ask(), candidate, error=UpstreamReset("gone"))
        after = await record(world)
        assert (after.anchor_model, sums(after)) == (ANCHOR, (0.0, 2.0, 0))
        assert after.history == []


async def test_switch_that_failed_over_to_where_it_came_from_is_none() -> None:
    """The turn counts, the switch does not."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    await world.turn(ask(), PRICEY, served_by=ANCHOR)
    kept = await record(world)
    assert (kept.anchor_model, sums(kept)) == (ANCHOR, (0.0, 2.03, 0))


async def test_failed_first_call_leaves_no_record() -> None:
    """There is nothing to give back."""
    world = gated()
    await world.turn(ask(), PRICEY, error=UpstreamReset("gone"))
    assert await world.store.keys("") == []


async def test_drift_is_a_new_episode() -> None:
    """Other tools, other prompt: nothing is warm, and what models had is forgotten."""
    world = gated(PINCHED)
    await world.turn(ask(), ANCHOR)
    tools = [{"type": "function", "function": {"name": "look"}}]
    turn = await world.turn(ask(tools=tools), PRICEY)
    assert (turn.model, turn.pinned) == (PRICEY, False)
    kept = await record(world)
    assert [visit.model for visit in kept.history] == [PRICEY]
    assert (await world.turn(ask(tools=tools), UNPRICED)).pinned


async def test_unknown_prefix_keeps_the_known_one() -> None:
    """A client that opts out of hashes for a turn does not lose its record's."""
    world = gated(ttl_s=3600)
    await world.turn(ask(), ANCHOR)
    before = (await record(world)).prefix_hash
    world.clock.now += 600
    await world.turn(ask(headers={"x-plano-cache": "off"}), ANCHOR)
    assert (await record(world)).prefix_hash == before is not None


async def test_anchor_that_is_gone_cannot_veto() -> None:
    """A session at a model that is configured no more begins anew."""
    world = gated(PINCHED)
    await world.turn(ask(), ANCHOR)
    world.served.remove(ANCHOR)
    assert (await world.turn(ask(), PRICEY)).model == PRICEY
    assert (await record(world)).anchor_model == PRICEY


async def test_store_that_is_down_allows() -> None:
    """A budget that cannot be read refuses nothing."""
    world = World(store=BrokenStore, budget=PINCHED)
    turn = await world.turn(ask(), PRICEY)
    assert (turn.model, turn.store, turn.overhead_pct) == (PRICEY, "error", 0.0)


class Breaker(Router):
    """Routes, and meanwhile the store goes down, or comes back."""

    store: BrokenStore
    breaks = True

    async def __call__(self, exchange: Exchange) -> Route | None:
        self.store.is_down = self.breaks
        return await super().__call__(exchange)


@pytest.mark.parametrize(
    ("asked", "breaks", "model", "store"),
    [
        pytest.param(ask, True, PRICEY, "error", id="goes down"),
        pytest.param(tool_step, False, ANCHOR, "hit", id="comes back"),
    ],
)
async def test_budget_is_read_after_routing(
    asked: Callable[[], Exchange], breaks: bool, model: Candidate, store: str
) -> None:
    """That takes its time: what the store says then counts, if it says anything."""
    router = Breaker()
    options: dict[str, Any] = {"route_on_user_only": True, "store_pause_s": 0.0}
    world = World(store=BrokenStore, router=router, budget=PINCHED, **options)
    assert isinstance(world.store, BrokenStore)
    router.store, router.breaks, world.store.is_down = world.store, False, False
    await bound(world)
    router.breaks, world.store.is_down = breaks, not breaks
    exchange = asked()
    assert await world.decide(exchange, PRICEY) == model
    assert told(exchange).store == store


async def test_anthropic_usage_counts_what_was_cached() -> None:
    """A well-cached Messages turn is a large context, not the few tokens that were new."""
    world = gated()
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 90_000,
        "cache_creation_input_tokens": 9_900,
        "output_tokens": 5,
    }
    answer = {"content": [], "usage": usage, "model": "m", "id": "msg"}
    exchange = ask()
    await world.decide(exchange, ANCHOR)
    exchange.served_by = ANCHOR
    exchange.usage = DIALECTS["anthropic.messages"].read_response(answer).usage
    await world.sessions.refresh(exchange)
    assert (await record(world)).cached_tokens == 100_000


@pytest.mark.parametrize("usage", [None, Usage()], ids=["no usage", "empty usage"])
async def test_context_is_estimated_where_nobody_counted(usage: Usage | None) -> None:
    """A quarter of the prompt's bytes."""
    world = gated()
    exchange = ask(text="x" * 4000)
    await world.decide(exchange, ANCHOR)
    exchange.served_by, exchange.usage = ANCHOR, usage
    await world.sessions.refresh(exchange)
    assert (await record(world)).cached_tokens == 1000


async def test_overhead_is_told_in_percent() -> None:
    """Of the baseline."""
    world = gated(RoutingBudget(max_switch_spend_pct=100))
    await bound(world, baseline_usd=1.97)
    assert (await world.turn(ask(), PRICEY)).overhead_pct == pytest.approx(23.5)


async def test_context_of_an_uncounted_record_is_estimated() -> None:
    """A record without tokens: the request's own are weighed."""
    world = gated(PINCHED)
    await world.turn(ask(), ANCHOR)
    binding = await record(world)
    binding.cached_tokens = 0
    await world.store.put(await the_key(world), encode(binding))
    turn = await world.turn(ask(text="x" * 4_000_000), PRICEY)
    assert turn.weighed is not None
    assert turn.weighed.cost_usd == pytest.approx(4.7)


async def turns_at_once(world: World, *candidates: Candidate) -> list[SessionDecision]:
    """Requests of one session that are all decided before any is answered."""
    exchanges = [ask() for _ in candidates]
    for exchange, candidate in zip(exchanges, candidates, strict=True):
        await world.decide(exchange, candidate)
    for exchange in exchanges:
        assert exchange.route is not None
        await world.end(exchange, exchange.route.candidates[0])
    return [told(exchange) for exchange in exchanges]


async def test_requests_at_once_share_the_budget() -> None:
    """What one reserved the others cannot spend; nothing of it is lost."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    decisions = await turns_at_once(world, *[PRICEY] * 5)
    assert [d.model for d in decisions] == [PRICEY, *[ANCHOR] * 4]
    kept = await record(world)
    assert sums(kept) == (0.47, 2.15, 1)
    assert kept.anchor_model == PRICEY
    assert kept.session_cost_usd == pytest.approx(0.5 + 4 * 0.3)


async def test_same_switch_at_once_is_one() -> None:
    """Two requests that leave for one model."""
    world = gated()
    await bound(world)
    await turns_at_once(world, CHEAP, CHEAP)
    kept = await record(world)
    assert (kept.anchor_model, kept.switches) == (CHEAP, 1)


async def test_slow_turn_that_stayed_does_not_move_back() -> None:
    """A switch is undone by a switch only, however late the others end."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    slow, fast = ask(), ask()
    await world.decide(slow, ANCHOR)
    await world.decide(fast, PRICEY)
    await world.end(fast, PRICEY)
    await world.end(slow, ANCHOR)
    assert (await record(world)).anchor_model == PRICEY


async def test_first_answer_of_a_new_session_decides() -> None:
    """Of several first turns at once."""
    for world in (gated(), World()):
        decisions = await turns_at_once(world, PRICEY, CHEAP, ANCHOR)
        assert not any(decision.pinned for decision in decisions)
        kept = await record(world)
        assert (kept.anchor_model, kept.switches) == (PRICEY, 0)
        assert {visit.model for visit in kept.history} == {PRICEY, CHEAP, ANCHOR}


async def test_first_answer_after_a_cold_spell_decides() -> None:
    """The same where an old record is there."""
    world = gated(ttl_s=3600)
    await bound(world, baseline_usd=2.0)
    world.clock.now += 600
    await turns_at_once(world, PRICEY, CHEAP)
    kept = await record(world)
    assert (kept.anchor_model, sums(kept)) == (PRICEY, (0.0, 0.0, 0))


async def test_late_failure_takes_nothing_from_a_new_episode() -> None:
    """What is given back belongs to the episode it was taken from."""
    world = gated(ttl_s=3600)
    await bound(world, baseline_usd=2.0)
    late = ask()
    await world.decide(late, PRICEY)
    world.clock.now += 600
    await world.turn(ask(), ANCHOR)
    await world.turn(ask(), ANCHOR)
    await world.end(late, PRICEY, error=UpstreamReset("gone"))
    assert sums(await record(world)) == (0.0, 0.03, 0)


async def test_record_that_expired_meanwhile_is_kept() -> None:
    """The turn knows what it had found: no spend is lost."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    exchange = ask()
    await world.decide(exchange, PRICEY)
    await world.store.delete(await the_key(world))
    await world.end(exchange, PRICEY)
    kept = await record(world)
    assert (kept.anchor_model, sums(kept)) == (PRICEY, (0.47, 2.03, 1))


async def test_release_of_a_lost_record_makes_none() -> None:
    """There is nothing left to give back to."""
    world = gated()
    await bound(world, baseline_usd=2.0)
    exchange = ask()
    await world.decide(exchange, PRICEY)
    await world.store.delete(await the_key(world))
    await world.end(exchange, PRICEY, error=UpstreamReset("gone"))
    assert await world.store.keys("") == []


async def test_unreadable_prompt_is_gated_by_its_record() -> None:
    """What our reader refuses is weighed by what the record has."""
    world = gated(PINCHED)
    exchanges = [exchange_of("openai.chat", {"model": "a/anchor", "messages": 7}) for _ in "12"]
    for exchange in exchanges:
        exchange.headers = {"x-model-affinity": "s1"}
    await world.turn(exchanges[0], ANCHOR, tokens=0)
    assert (await world.turn(exchanges[1], PRICEY)).weighed is not None


class CountedStore(LocalStore):
    """Counts what is written."""

    written = 0

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        self.written += 1
        return await super().update(key, change, ttl_s=ttl_s)


@pytest.mark.parametrize(
    ("candidate", "budget", "written"),
    [
        pytest.param(ANCHOR, QUARTER, 1, id="stays"),
        pytest.param(PRICEY, PINCHED, 1, id="refused"),
        pytest.param(PRICEY, RoutingBudget(max_switch_spend_pct=100), 2, id="reserves"),
    ],
)
async def test_turn_that_spends_nothing_writes_at_its_end_only(
    candidate: Candidate, budget: RoutingBudget, written: int
) -> None:
    """Only money has to be reserved."""
    world = World(store=lambda timer: CountedStore(timer=timer), budget=budget)
    await bound(world, baseline_usd=2.0)
    store = world.store
    assert isinstance(store, CountedStore)
    store.written = 0
    await world.turn(ask(), candidate)
    assert store.written == written


async def test_failed_turn_that_stays_writes_nothing() -> None:
    """There is nothing of it to take back."""
    world = World(store=lambda timer: CountedStore(timer=timer), budget=QUARTER)
    await bound(world, baseline_usd=2.0)
    store = world.store
    assert isinstance(store, CountedStore)
    store.written = 0
    await world.turn(ask(), ANCHOR, error=UpstreamReset("gone"))
    assert store.written == 0
    assert sums(await record(world)) == (0.0, 2.0, 0)
