"""Two gateways on one Redis: their sessions are the same, and so is what they spend."""

from __future__ import annotations

import anyio
import pytest

from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.routing.sessions import RoutingBudget
from plano_asgi.routing.sessions.binding import Binding, decode, encode
from plano_asgi.stores.redis_store import RedisStore
from servers import RedisServer, redis_server
from session_fakes import ANCHOR, PRICEY, World, ask, told

__all__ = ["redis_server"]

pytestmark = pytest.mark.anyio

REQUESTS = 12
TURN_USD, SWITCH_USD = 0.03, 0.47


@pytest.fixture
def anyio_backend() -> str:
    """redis-py knows no other."""
    return "asyncio"


def worlds(server: RedisServer) -> list[World]:
    """Two gateways with a budget of 25 %; nothing in memory is common to them."""
    budget = RoutingBudget(max_switch_spend_pct=25)
    return [
        World(store=lambda timer: RedisStore(server.url), budget=budget, store_timeout_s=20)
        for _ in range(2)
    ]


async def test_concurrent_requests_of_two_gateways_lose_nothing(
    redis_server: RedisServer,
) -> None:
    """One switch fits: one is made. Every turn's baseline counts, failed ones' does not."""
    pair = worlds(redis_server)
    first = pair[0]
    await first.turn(ask("race"))
    [key] = [key for key in await first.store.keys("session:") if "race" in key]
    binding = Binding(
        anchor_model=ANCHOR,
        default_model=ANCHOR,
        episode=first.clock(),
        last_used=first.clock(),
        cached_tokens=100_000,
        baseline_usd=2.0,
    )
    await first.store.put(key, encode(binding))
    decided: list[tuple[World, Exchange, Candidate]] = []

    async def decide(world: World) -> None:
        exchange = ask("race")
        decided.append((world, exchange, await world.decide(exchange, PRICEY)))

    async def end(world: World, exchange: Exchange, model: Candidate, fails: bool) -> None:
        await world.end(exchange, model, error=UpstreamReset("gone") if fails else None)

    async with anyio.create_task_group() as tasks:
        for n in range(REQUESTS):
            tasks.start_soon(decide, pair[n % 2])
    assert all(told(exchange).store == "hit" for _, exchange, _ in decided)
    assert sum(model == PRICEY for _, _, model in decided) == 1
    stayed = [n for n, (_, _, model) in enumerate(decided) if model == ANCHOR]
    failing = set(stayed[:4])
    async with anyio.create_task_group() as tasks:
        for n, (world, exchange, model) in enumerate(decided):
            tasks.start_soon(end, world, exchange, model, n in failing)
    kept = decode(await first.store.get(key))
    assert kept is not None
    answered = REQUESTS - len(failing)
    assert (kept.anchor_model, kept.switches) == (PRICEY, 1)
    assert kept.switch_spend_usd == pytest.approx(SWITCH_USD)
    assert kept.baseline_usd == pytest.approx(2.0 + TURN_USD * answered)
    assert kept.session_cost_usd == pytest.approx(0.5 + 0.3 * (answered - 1))
    for world in pair:
        await world.store.aclose()
