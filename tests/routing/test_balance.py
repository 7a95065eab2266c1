"""Balancing over several upstreams of one model."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from exchanges import chat_exchange
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.balance import Balancer, Replica, ReplicaGroup, prompt_prefix

A, B, C = (Candidate(provider=name, model="m") for name in "abc")
OTHER = Candidate(provider="other", model="x")
ROUTE = Route(candidates=(A, B, C), reason="name")


def balancer(*weights: float, policy: Any = "weighted", **options: Any) -> Balancer:
    """Over as many of A, B and C as there are weights."""
    replicas = tuple(
        Replica(candidate=c, weight=w) for c, w in zip((A, B, C), weights, strict=False)
    )
    bounds = {k: options.pop(k) for k in ("max_load_factor", "min_load") if k in options}
    group = ReplicaGroup(replicas=replicas, policy=policy, **bounds)
    return Balancer([group], **{"rng": random.Random(7).random, **options})


def first(found: Route) -> str:
    """Who is tried first."""
    return found.candidates[0].provider


@pytest.mark.anyio
async def test_weights_are_shares_of_the_traffic() -> None:
    """Three to one, and every replica stays as fail-over."""
    balance = balancer(3, 1, 0)
    counts: Counter[str] = Counter()
    for _ in range(4000):
        exchange = chat_exchange()
        found = balance.order(exchange, ROUTE)
        assert set(found.candidates) == {A, B, C}
        assert found.candidates[-1] == C
        assert found.reason == "name"
        counts[first(found)] += 1
        await balance(exchange)
    assert counts["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert counts["c"] == 0


@pytest.mark.anyio
async def test_least_busy_goes_first() -> None:
    """Requests under way count until their end, for the weight of a replica."""
    balance = balancer(2, 1, 1, policy="least_busy")
    running = [chat_exchange() for _ in range(8)]
    for exchange in running:
        balance.order(exchange, ROUTE)
    assert [balance.in_flight(c) for c in (A, B, C)] == [4, 2, 2]
    for exchange in running:
        await balance(exchange)
        await balance(exchange)
    assert [balance.in_flight(c) for c in (A, B, C)] == [0, 0, 0]


def test_idle_replicas_share_the_load() -> None:
    """With nothing under way the first is drawn, not always the same."""
    balance = balancer(1, 1, 0, policy="least_busy", max_in_flight=1)
    seen = set()
    for _ in range(50):
        exchange = chat_exchange()
        seen.add(first(balance.order(exchange, ROUTE)))
    assert seen == {"a", "b"}


def said(text: str, *later: str) -> Exchange:
    """A conversation that opens with *text*."""
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": text}]
    messages += [{"role": "user", "content": more} for more in later]
    return chat_exchange(messages=messages)


def test_conversations_stay_at_their_replica() -> None:
    """The same beginning, the same replica, in every process; shares follow the weights."""
    one, two = balancer(1, 1, 2, policy="prefix_affinity"), balancer(1, 1, 2)
    two = balancer(1, 1, 2, policy="prefix_affinity", rng=random.Random(8).random)
    counts: Counter[str] = Counter()
    for n in range(800):
        found = one.order(said(str(n)), ROUTE)
        assert found.candidates == two.order(said(str(n), "and more"), ROUTE).candidates
        counts[first(found)] += 1
    assert counts["c"] / 800 == pytest.approx(0.5, abs=0.06)


def test_lost_replica_moves_only_its_own_share() -> None:
    """What was elsewhere stays where its cache is warm; the second choice takes over."""
    whole = balancer(1, 1, 1, policy="prefix_affinity", min_load=10**6)
    for n in range(200):
        before = whole.order(said(str(n)), ROUTE).candidates
        after = whole.order(said(str(n)), Route(candidates=(A, B))).candidates
        assert after == tuple(c for c in before if c != C)


def test_hot_prefix_spills_over() -> None:
    """A replica far busier than the rest is passed over, and taken again afterwards."""
    balance = balancer(1, 1, policy="prefix_affinity", max_load_factor=1.5, min_load=4)
    sent: Counter[str] = Counter()
    running = [said("hot") for _ in range(40)]
    for exchange in running:
        sent[first(balance.order(exchange, Route(candidates=(A, B))))] += 1
    assert sorted(sent.values()) == [10, 30]
    assert len({first(balance.order(said("hot"), ROUTE)) for _ in range(3)}) == 1


@pytest.mark.anyio
async def test_other_candidates_keep_their_places() -> None:
    """Only a group's replicas change places, among themselves."""
    balance = balancer(0, 1, 0)
    found = balance.order(chat_exchange(), Route(candidates=(OTHER, A, OTHER, B)))
    assert found.candidates == (OTHER, B, OTHER, A)
    assert balance.in_flight(B) == 0
    plain = Route(candidates=(OTHER,))
    assert balance.order(chat_exchange(), plain) == plain


@pytest.mark.anyio
async def test_rules_can_be_balanced() -> None:
    """Whatever a rule chooses; what it passes on it passes on."""
    balance = balancer(0, 1)

    async def rule(exchange: Exchange) -> Route | None:
        return Route(candidates=(A, B)) if exchange.stream else None

    balanced = balance.balanced(rule)
    found = await balanced(chat_exchange(stream=True))
    assert found is not None
    assert found.candidates == (B, A)
    assert await balanced(chat_exchange()) is None


def test_counts_are_bounded() -> None:
    """Requests that nobody counted out are forgotten, by number and by age."""
    now = [0.0]
    balance = balancer(1, max_in_flight=3, max_age_s=60, timer=lambda: now[0])
    alive = [chat_exchange() for _ in range(5)]
    for exchange in alive:
        balance.order(exchange, ROUTE)
    assert balance.in_flight(A) == 3
    now[0] = 61.0
    balance.order(alive[0], ROUTE)
    assert balance.in_flight(A) == 1


def test_prefix_is_what_stays_through_a_conversation() -> None:
    """Instructions, tools with their schemas, and the first user turn."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    assert prompt_prefix(said("a")) == prompt_prefix(said("a", "b"))
    assert prompt_prefix(said("a")) != prompt_prefix(said("b"))
    with_tool = chat_exchange("a", tools=[tool])
    other = chat_exchange("a", tools=[{**tool, "function": {"name": "f"}}])
    assert prompt_prefix(with_tool) != prompt_prefix(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicas": ()}, "above 0"),
        ({"replicas": (Replica(candidate=A, weight=0),)}, "above 0"),
        ({"replicas": (Replica(candidate=A, weight=-1), Replica(candidate=B))}, "above 0"),
        ({"replicas": (Replica(candidate=A), Replica(candidate=A))}, "twice"),
        ({"policy": "random"}, "is none of weighted, least_busy, prefix_affinity"),
        ({"max_load_factor": 0.5}, "at least 1"),
    ],
)
def test_groups_are_checked(options: dict[str, Any], message: str) -> None:
    """What cannot work is refused."""
    with pytest.raises(ConfigurationError, match=message):
        ReplicaGroup(**{"replicas": (Replica(candidate=A),), **options})


def test_candidate_is_in_one_group() -> None:
    """Two orders would contradict each other."""
    group = ReplicaGroup(replicas=(Replica(candidate=A),))
    with pytest.raises(ConfigurationError, match="two replica groups"):
        Balancer([group, group])
