"""
Balancing: several upstreams that serve one model, and which of them a request tries first.

A group's replicas keep their places among a route's candidates, in another order: all of them stay
as fail-over. Three policies:

- ``weighted``: drawn by weight.
- ``least_busy``: fewest requests under way, for its weight.
- ``prefix_affinity``: requests that begin alike go to one replica, whose prompt cache is warm for
  them. Rendezvous hashing: a replica that comes or goes moves only its own share. One that is far
  busier than the others is passed over.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.base import RouteRule

BalancePolicy: TypeAlias = Literal["weighted", "least_busy", "prefix_affinity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One upstream of a model; *weight* is its share. With 0 it is fail-over only."""

    candidate: Candidate
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaGroup:
    """
    The upstreams of one model.

    Args:
        replicas: At least one of a weight above 0; no candidate twice.
        policy: How they are ordered.
        max_load_factor: With ``prefix_affinity``, how many times the mean load a replica may have
            before its requests spill over; counts from *min_load* requests under way.
        min_load: Up to so many requests at once a replica is never passed over.

    Raises:
        ConfigurationError: An argument that cannot work.
    """

    replicas: tuple[Replica, ...]
    policy: BalancePolicy = "weighted"
    max_load_factor: float = 1.5
    min_load: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicas", tuple(self.replicas))
        weights = [replica.weight for replica in self.replicas]
        if not any(weights) or not all(0 <= weight < math.inf for weight in weights):
            raise ConfigurationError("Balancing needs weights of 0 and above, one of them above 0")
        if len({replica.candidate for replica in self.replicas}) < len(weights):
            raise ConfigurationError("A replica group names one upstream twice")
        if self.policy not in get_args(BalancePolicy):
            known = ", ".join(get_args(BalancePolicy))
            raise ConfigurationError(f"Balancing policy '{self.policy}' is none of {known}")
        if self.max_load_factor < 1 or self.min_load < 1:
            raise ConfigurationError("Balancing: max_load_factor and min_load are at least 1")


class Balancer:
    """
    Orders the replicas in routes, and is the finalizer that counts requests out again.

    Args:
        groups: A candidate is in at most one.
        prefix: What ``prefix_affinity`` goes by; by default instructions, tools and the first
            user turn, so that a conversation stays where it is.
        completes: A route with one replica of a group gets the others too, right behind it. Else
            only those change places that it has.
        max_in_flight: Requests that are counted; past that the oldest are forgotten.
        max_age_s: A request that was not counted out for so long is taken for gone.
        rng: Uniform over [0, 1).
        timer: Monotonic seconds.

    Raises:
        ConfigurationError: A candidate is in two groups.
    """

    def __init__(
        self,
        groups: Sequence[ReplicaGroup],
        *,
        prefix: Callable[[Exchange], bytes] | None = None,
        completes: bool = False,
        max_in_flight: int = 100_000,
        max_age_s: float = 3600.0,
        rng: Callable[[], float] = random.random,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._groups: dict[Candidate, ReplicaGroup] = {}
        for group in groups:
            for replica in group.replicas:
                if replica.candidate in self._groups:
                    name = replica.candidate.name
                    raise ConfigurationError(f"'{name}' is in two replica groups")
                self._groups[replica.candidate] = group
        self._prefix = prefix or prompt_prefix
        self._completes = completes
        self._rng = rng
        self._load = _Load(max_in_flight, max_age_s, timer)

    def balanced(self, route: Callable[[Exchange], Awaitable[Route]] | RouteRule) -> RouteRule:
        """*route* with the candidates it chooses in balanced order."""

        async def rule(exchange: Exchange) -> Route | None:
            found = await route(exchange)
            return None if found is None else self.order(exchange, found)

        return rule

    def counted(self, route: RouteRule) -> RouteRule:
        """
        *route* as it is, its first candidate counted as busy: for what may come round the
        balancing, such as sessions that hold a replica.
        """

        async def rule(exchange: Exchange) -> Route | None:
            if (found := await route(exchange)) is not None:
                self._begin(exchange, found.candidates)
            return found

        return rule

    def balances(self, route: Route) -> bool:
        """Whether *route* has a candidate of any group."""
        return any(candidate in self._groups for candidate in route.candidates)

    def order(self, exchange: Exchange, route: Route) -> Route:
        """
        *route* with each group's replicas in the order in which to try them. The first candidate
        is counted as busy with *exchange* until the finalizer ran.
        """
        candidates = self._completed(route.candidates) if self._completes else [*route.candidates]
        places: dict[int, tuple[ReplicaGroup, list[int]]] = {}
        for n, candidate in enumerate(candidates):
            if (group := self._groups.get(candidate)) is not None:
                places.setdefault(id(group), (group, []))[1].append(n)
        for group, where in places.values():
            present = {candidates[n] for n in where}
            replicas = [r for r in group.replicas if r.candidate in present]
            for n, replica in zip(where, self._ordered(exchange, group, replicas), strict=True):
                candidates[n] = replica.candidate
        self._begin(exchange, candidates)
        return replace(route, candidates=tuple(candidates))

    async def __call__(self, exchange: Exchange) -> None:
        """The finalizer: *exchange* is over."""
        self._load.end(id(exchange))

    def in_flight(self, candidate: Candidate) -> int:
        """Requests under way that were sent to *candidate* first."""
        return self._load.of(candidate)

    def _begin(self, exchange: Exchange, candidates: Sequence[Candidate]) -> None:
        if candidates and candidates[0] in self._groups:
            self._load.begin(id(exchange), candidates[0])

    def _completed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """*candidates*, each group's missing replicas behind the first of it."""
        found: dict[Candidate, None] = {}
        for candidate in candidates:
            found[candidate] = None
            if (group := self._groups.get(candidate)) is not None:
                found |= dict.fromkeys(replica.candidate for replica in group.replicas)
        return [*found]

    def _ordered(
        self, exchange: Exchange, group: ReplicaGroup, replicas: Sequence[Replica]
    ) -> list[Replica]:
        self._load.forget_old()
        if group.policy == "weighted":
            return sorted(replicas, key=lambda replica: _drawn(self._rng(), replica.weight))
        if group.policy == "least_busy":
            return sorted(replicas, key=self._busy)
        prefix = self._prefix(exchange)
        ranked = sorted(replicas, key=lambda r: _drawn(_uniform(prefix, r.candidate), r.weight))
        return self._spilled(group, ranked)

    def _busy(self, replica: Replica) -> tuple[float, float]:
        """How busy *replica* would be with one more, for its weight; a draw between equals."""
        if not replica.weight:
            return math.inf, self._rng()
        load = (self._load.of(replica.candidate) + 1) / replica.weight
        return load, _drawn(self._rng(), replica.weight)

    def _spilled(self, group: ReplicaGroup, ranked: list[Replica]) -> list[Replica]:
        """*ranked* with overloaded replicas behind the others (bounded-load hashing)."""
        total = sum(self._load.of(replica.candidate) for replica in ranked) + 1
        shares = sum(replica.weight for replica in ranked) or 1.0

        def is_full(replica: Replica) -> bool:
            most = group.max_load_factor * total * replica.weight / shares
            return self._load.of(replica.candidate) >= max(group.min_load, math.ceil(most))

        return sorted(ranked, key=is_full)


class _Load:
    """Which candidate each request under way was sent to, oldest first."""

    def __init__(self, most: int, max_age_s: float, timer: Callable[[], float]) -> None:
        self._most, self._max_age_s, self._timer = most, max_age_s, timer
        self._sent: OrderedDict[int, tuple[Candidate, float]] = OrderedDict()
        self._counts: dict[Candidate, int] = {}

    def begin(self, key: int, candidate: Candidate) -> None:
        self.end(key)
        while len(self._sent) >= self._most:
            self.end(next(iter(self._sent)))
        self._sent[key] = candidate, self._timer()
        self._counts[candidate] = self._counts.get(candidate, 0) + 1

    def end(self, key: int) -> None:
        if (sent := self._sent.pop(key, None)) is not None:
            self._counts[sent[0]] -= 1

    def forget_old(self) -> None:
        oldest = self._timer() - self._max_age_s
        while self._sent and next(iter(self._sent.values()))[1] < oldest:
            self.end(next(iter(self._sent)))

    def of(self, candidate: Candidate) -> int:
        return self._counts.get(candidate, 0)


def prompt_prefix(exchange: Exchange) -> bytes:
    """What of a prompt stays through a conversation: instructions, tools, first user turn."""
    request = exchange.request
    told = [m.text for m in request.messages if m.role in ("system", "developer")]
    tools = [[tool.name, tool.description, tool.parameters] for tool in request.tools]
    first = next((m.text for m in request.messages if m.role == "user"), "")
    return dumps([told, tools, first])


def _uniform(prefix: bytes, candidate: Candidate) -> float:
    """A number in (0, 1] that *prefix* and *candidate* have together, the same everywhere."""
    key = hashlib.blake2b(candidate.name.encode(), digest_size=32).digest()
    digest = hashlib.blake2b(prefix, key=key, digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / (1 << 64)


def _drawn(uniform: float, weight: float) -> float:
    """
    A key that is the smallest of a group's with a chance in proportion to *weight* (Efraimidis
    and Spirakis 2006: exponential clocks); never, with 0.
    """
    return -math.log(max(uniform, 2**-64)) / weight if weight else math.inf
