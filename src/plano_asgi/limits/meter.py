"""What token limits and spend budgets have in common: reserve before, settle after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, PlanoError, RateLimited
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits.account import Standing
from plano_asgi.limits.estimate import Estimate, estimated, settled
from plano_asgi.limits.ledger import Hold, Ledger
from plano_asgi.limits.rules import ModelOf, NamesOf, Rule, RuleBook, expected_candidate

DEFAULT_OUTPUT_TOKENS = 1024
_NO_TOKENS = Estimate()
_FREE = frozenset({"/messages/count_tokens", "/responses/input_tokens"})


class LimitReached(RateLimited):
    """One of our own limits has no room for a request."""

    patience_s: float = float("inf")
    """Clients that try again by themselves are told not to, where it takes longer than this."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self._headers = dict(headers or {})

    @property
    def headers(self) -> dict[str, str]:
        """What the client is told besides; lower-case names."""
        if self.retry_after_s is not None and self.retry_after_s <= self.patience_s:
            return self._headers
        return {**self._headers, "x-should-retry": "false"}


@dataclass(slots=True)
class _Reserved:
    """What one meter holds for one exchange at *candidate*, by the keys of the accounts."""

    estimate: Estimate
    candidate: Candidate | None = None
    holds: dict[str, Hold] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)


class Meter(ABC):
    """
    Reserves what an exchange may use before each candidate is tried (``admit``), and is a finalizer
    that settles it (``settle``). Holds no state of any exchange.

    What is reserved is the most that a request may use; but all that a limit has, where that is
    less and would do for the input: a generous bound on the output is not refused for ever.

    Outside of a gateway it is a request-side step: run late, it goes by ``Exchange.route`` where
    that is set, else by what *model_of* makes of the client's model.
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

    def attach(self, names_of: NamesOf) -> None:
        """
        Go by the names that models are configured under, too; of one gateway.

        Raises:
            ConfigurationError: It goes by another gateway's already.
        """
        if self._rules.names_of not in (None, names_of):
            raise ConfigurationError(
                "a meter is one gateway's: give each its own, on the same store to count together"
            )
        self._rules = RuleBook(self._rules.rules, names_of)

    async def __call__(self, exchange: Exchange) -> None:
        """
        Reserve what *exchange* may use where it is expected to go. Raises as ``admit``.
        """
        try:
            await self.admit(exchange, expected_candidate(exchange, self._model_of))
        except LimitReached as exc:
            exchange.response_headers.update(exc.headers)
            raise

    async def admit(self, exchange: Exchange, candidate: Candidate | None) -> None:
        """
        Reserve what *exchange* may use at most at *candidate*, in the place of what is reserved for
        it elsewhere.

        Raises:
            LimitReached: One of the limits has no room for it. Nothing is reserved any more.
            StoreUnavailable: Nobody knows, and then nothing is allowed.
        """
        if exchange.operation in _FREE:
            return
        applying = self._rules.applying(exchange, candidate)
        reserved: _Reserved | None = exchange.state.get(self._state_key)
        if reserved is None:
            if not applying:
                return
            estimate = estimated(exchange, self._default_output_tokens)
            reserved = exchange.state[self._state_key] = _Reserved(estimate)
        elif reserved.holds:
            await self._release(reserved, {key for _, key in applying})
        reserved.candidate = candidate
        try:
            if applying:
                await self._prepare(exchange, candidate)
            told = await self._reserve(reserved, applying)
        except PlanoError:
            await self._release(reserved)
            _tell(exchange, reserved, {})
            raise
        _tell(exchange, reserved, told)

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
            reserved = _Reserved(_NO_TOKENS)
        used = settled(exchange, reserved.estimate, self._default_output_tokens)
        if used is None:
            await self._release(reserved)
            return
        if served is not reserved.candidate:
            await self._move(reserved, exchange)
        if reserved.holds:
            cost = self._cost(served, used)
            for hold in reserved.holds.values():
                await self._ledger.settle(hold, cost)

    async def _move(self, reserved: _Reserved, exchange: Exchange) -> None:
        """Hold what applies to the model that served, and nothing else any more."""
        began = min((hold.began for hold in reserved.holds.values()), default=self._ledger.timer())
        applying = self._rules.applying(exchange, exchange.served_by)
        await self._release(reserved, {key for _, key in applying})
        for rule, key in applying:
            reserved.holds.setdefault(key, Hold(key, rule.terms, 0, began))

    async def _release(self, reserved: _Reserved, kept: Collection[str] = ()) -> None:
        """Give back what is held in other accounts than *kept*."""
        for key in [key for key in reserved.holds if key not in kept]:
            await self._ledger.settle(reserved.holds[key], 0)
            del reserved.holds[key]

    @abstractmethod
    async def _prepare(self, exchange: Exchange, candidate: Candidate | None) -> None:
        """Whatever ``_cost`` needs; may refuse the exchange."""

    @abstractmethod
    def _cost(self, candidate: Candidate | None, tokens: Usage | Estimate) -> int:
        """*tokens* in the unit of the rules' amounts."""

    @abstractmethod
    def _refusal(self, rule: Rule, standing: Standing) -> LimitReached:
        """What the client is told."""

    def _headers(self, standing: Standing) -> dict[str, str]:
        """What the client is told of the limit that it is closest to."""
        return {}

    async def _reserve(
        self, reserved: _Reserved, applying: Sequence[tuple[Rule, str]]
    ) -> dict[str, str]:
        """
        Ask every account; return the headers of the one that is closest to its limit.

        Raises:
            LimitReached: One of them has no room.
        """
        if not applying:
            return {}
        candidate, estimate, holds = reserved.candidate, reserved.estimate, reserved.holds
        now, most = self._ledger.timer(), self._cost(candidate, estimate)
        tightest: Standing | None = None
        for rule, key in applying:
            amount, limit = most, rule.terms.limit
            if most > limit >= self._cost(candidate, estimate._replace(output_tokens=0)):
                amount = limit
            if (hold := holds.get(key)) is None:
                hold = holds[key] = Hold(key, rule.terms, 0, now)
            standing = await self._ledger.reserve(hold, amount, now)
            if standing is None:
                continue
            if not standing.is_granted:
                raise self._refusal(rule, standing)
            if tightest is None or _room(standing) < _room(tightest):
                tightest = standing
        return {} if tightest is None else self._headers(tightest)


def _tell(exchange: Exchange, reserved: _Reserved, headers: dict[str, str]) -> None:
    """Tell the client *headers*, and no more what was told of another candidate."""
    said = exchange.response_headers
    for name, value in reserved.told.items():
        if said.get(name) == value:
            del said[name]
    reserved.told = headers
    said.update(headers)


def _room(standing: Standing) -> float:
    """The part of a limit that is left."""
    return standing.remaining / standing.limit
