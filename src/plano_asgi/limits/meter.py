"""What token limits and spend budgets have in common: reserve before, settle after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from plano_asgi.conversation import Usage
from plano_asgi.errors import RateLimited, StoreUnavailable
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits.account import Standing
from plano_asgi.limits.estimate import Estimate, estimated, settled
from plano_asgi.limits.ledger import Hold, Ledger
from plano_asgi.limits.rules import (
    ModelOf,
    Rule,
    RuleBook,
    expected_candidate,
    model_names,
)

DEFAULT_OUTPUT_TOKENS = 1024
_NO_TOKENS = Estimate()
_FREE = frozenset({"/messages/count_tokens", "/responses/input_tokens"})


@dataclass(slots=True)
class _Reserved:
    """What one meter holds for one exchange: *holds* belong to *applying*, in its order."""

    began: float
    candidate: Candidate | None = None
    applying: Sequence[tuple[Rule, str]] = ()
    estimate: Estimate = _NO_TOKENS
    holds: list[Hold] = field(default_factory=list)


class _Full(Exception):
    def __init__(self, rule: Rule, standing: Standing) -> None:
        self.rule, self.standing = rule, standing


class Meter(ABC):
    """
    A request-side step that reserves, and with ``settle`` a finalizer. Holds no state of any
    exchange.

    What is reserved is the most that a request may use; but all that a limit has, where that is
    less and would do for the input: a generous bound on the output is not refused for ever.

    Run the step as late as possible: where ``Exchange.route`` is set it goes by the model that was
    chosen, else by what *model_of* makes of the client's.
    """

    def __init__(
        self,
        rules: RuleBook,
        ledger: Ledger,
        *,
        model_of: ModelOf | None,
        default_output_tokens: int,
    ) -> None:
        self._rules = rules
        self._ledger = ledger
        self._model_of = model_of
        self._default_output_tokens = default_output_tokens
        self._state_key = f"limits.{id(self)}"

    async def __call__(self, exchange: Exchange) -> None:
        """
        Reserve what *exchange* may use at most.

        Raises:
            RateLimited: One of the limits has no room for it. Nothing is reserved.
            StoreUnavailable: Nobody knows, and then nothing is allowed.
        """
        if exchange.operation in _FREE:
            return
        candidate = expected_candidate(exchange, self._model_of)
        applying = self._rules.applying(exchange, model_names(exchange, candidate))
        if not applying:
            return
        await self._prepare(exchange, candidate)
        estimate = estimated(exchange, self._default_output_tokens)
        reserved = _Reserved(self._ledger.timer(), candidate, applying, estimate)
        exchange.state[self._state_key] = reserved
        try:
            tightest = await self._reserve(reserved)
        except (_Full, StoreUnavailable) as exc:
            await self._release(reserved)
            if isinstance(exc, StoreUnavailable):
                raise
            self._tell(exchange, exc.rule, exc.standing)
            raise self._refusal(exc.rule, exc.standing) from None
        if tightest is not None:
            self._tell(exchange, *tightest)

    async def settle(self, exchange: Exchange) -> None:
        """
        Put what *exchange* really used in the place of what was reserved for it. It counts for the
        model that served it, also where another one was expected.
        """
        reserved: _Reserved | None = exchange.state.pop(self._state_key, None)
        served = exchange.served_by
        if exchange.operation in _FREE or (reserved is None and served is None):
            return
        if reserved is None:  # no rule for the model that was expected; maybe for this one
            reserved = _Reserved(self._ledger.timer())
        used = settled(exchange, reserved.estimate, self._default_output_tokens)
        if used is None:
            await self._release(reserved)
            return
        if served is not reserved.candidate:
            await self._move(reserved, exchange)
        if reserved.holds:
            cost = self._cost(served, used)
            for hold in reserved.holds:
                await self._ledger.settle(hold, cost)

    async def _move(self, reserved: _Reserved, exchange: Exchange) -> None:
        """Hold what applies to the model that served, and nothing else any more."""
        names = model_names(exchange, exchange.served_by)
        held = {hold.key: hold for hold in reserved.holds}
        reserved.holds = [
            held.pop(key) if key in held else Hold(key, rule.terms, 0, reserved.began)
            for rule, key in self._rules.applying(exchange, names)
        ]
        for hold in held.values():
            await self._ledger.settle(hold, 0)

    async def _release(self, reserved: _Reserved) -> None:
        for hold in reserved.holds:
            await self._ledger.settle(hold, 0)
        reserved.holds = []

    @abstractmethod
    async def _prepare(self, exchange: Exchange, candidate: Candidate | None) -> None:
        """Whatever ``_cost`` needs; may refuse the exchange."""

    @abstractmethod
    def _cost(self, candidate: Candidate | None, tokens: Usage | Estimate) -> int:
        """*tokens* in the unit of the rules' amounts."""

    @abstractmethod
    def _refusal(self, rule: Rule, standing: Standing) -> RateLimited:
        """What the client is told."""

    def _headers(self, rule: Rule, standing: Standing) -> dict[str, str]:
        """What the client is told of the limit that it is closest to."""
        return {}

    async def _reserve(self, reserved: _Reserved) -> tuple[Rule, Standing] | None:
        """
        Ask every account; return the one that is closest to its limit.

        Raises:
            _Full: One of them has no room.
        """
        candidate, estimate = reserved.candidate, reserved.estimate
        most = self._cost(candidate, estimate)
        tightest: tuple[Rule, Standing] | None = None
        for rule, key in reserved.applying:
            amount, limit = most, rule.terms.limit
            if most > limit >= self._cost(candidate, estimate._replace(output_tokens=0)):
                amount = limit
            hold = Hold(key, rule.terms, 0, reserved.began)
            reserved.holds.append(hold)
            standing = await self._ledger.reserve(hold, amount)
            if standing is None:
                continue
            if not standing.is_granted:
                raise _Full(rule, standing)
            if tightest is None or _room(standing) < _room(tightest[1]):
                tightest = rule, standing
        return tightest

    def _tell(self, exchange: Exchange, rule: Rule, standing: Standing) -> None:
        exchange.response_headers.update(self._headers(rule, standing))


def _room(standing: Standing) -> float:
    """The part of a limit that is left."""
    return standing.remaining / standing.limit
