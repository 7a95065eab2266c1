"""``routing.balance`` as a configuration spells it, made into a balancer."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi.config.issues import ConfigError, Issue
from plano_asgi.config.schema_routing import Balance
from plano_asgi.config.schema_routing import Replica as ReplicaConfig
from plano_asgi.errors import RequestError
from plano_asgi.exchange import Exchange, Route
from plano_asgi.routing.balance import Balancer, Replica, ReplicaGroup
from plano_asgi.routing.base import RouteRule
from plano_asgi.routing.names import Names


def build_balancer(groups: Sequence[Balance], names: Names) -> Balancer | None:
    """
    The balancer of *groups*; ``None`` without any.

    Raises:
        ConfigError: A replica that is no configured model.
        ConfigurationError: A place twice.
    """
    if not groups:
        return None
    issues: list[Issue] = []
    made = [_group(group, n, names, issues) for n, group in enumerate(groups)]
    if issues:
        raise ConfigError(issues)
    return Balancer([group for group in made if group is not None], completes=True)


def by_balance(balancer: Balancer, inner: RouteRule, names: Names) -> RouteRule:
    """
    What *inner* says, else the names, in balanced order. ``None``, as from *inner*, where no
    replica is concerned: other rules may have a say then.
    """

    async def rule(exchange: Exchange) -> Route | None:
        if (found := await inner(exchange)) is not None:
            return balancer.order(exchange, found)
        named = names.resolve(exchange.model)
        return balancer.order(exchange, named) if balancer.balances(named) else None

    return rule


def _group(group: Balance, n: int, names: Names, issues: list[Issue]) -> ReplicaGroup | None:
    found = [
        _replica(replica, f"routing.balance.{n}.replicas.{m}.model", names, issues)
        for m, replica in enumerate(group.replicas)
    ]
    replicas = tuple(replica for replica in found if replica is not None)
    if len(replicas) < len(found):
        return None
    return ReplicaGroup(
        replicas=replicas,
        policy=group.policy,
        max_load_factor=group.max_load_factor,
        min_load=group.min_load,
    )


def _replica(
    replica: ReplicaConfig, path: str, names: Names, issues: list[Issue]
) -> Replica | None:
    try:
        route = names.resolve(replica.model)
    except RequestError as exc:
        problem = str(exc)
    else:
        if route.reason != "default" and not route.reason.startswith("alias"):
            return Replica(candidate=route.candidates[0], weight=replica.weight)
        problem = "is no configured model; an alias is none"
    issues.append(Issue(path=path, value=replica.model, message=problem))
    return None
