"""Budgets in USD per day, month, or rolling span."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import structlog

from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError, Forbidden
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits.account import Standing, Terms
from plano_asgi.limits.estimate import Estimate
from plano_asgi.limits.ledger import RESERVATION_TTL_S, Ledger
from plano_asgi.limits.meter import DEFAULT_OUTPUT_TOKENS, LimitReached, Meter
from plano_asgi.limits.rules import ANYONE, ModelOf, Rule, RuleBook
from plano_asgi.limits.windows import CalendarWindow, RollingWindow, Window
from plano_asgi.pricing import Prices
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import PAUSE_S, TIMEOUT_S

_NANO = 1_000_000_000  # accounts are kept in whole billionths of a dollar
_MAX_NAMED = 1_000
_log = structlog.get_logger("plano_asgi")


class BudgetSpent(LimitReached):
    """A spend budget has no room for the request."""

    code = "insufficient_quota"
    patience_s = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendBudget:
    """
    So much money for requests that begin in a *period*.

    Args:
        period: "day" or "month" of the calendar, in UTC; or a number of seconds: any such span.
        model: As ``RateLimit.model``; ``"*"`` for all.
        identity: ``"*"``: each identity has this much. A name: this one has, in the place of what
            each has. ``None``: all together.
    """

    usd: float
    period: Literal["day", "month"] | float
    model: str = "*"
    identity: str | None = ANYONE


class SpendBudgets(Meter):
    """
    Keeps *budgets*: reserves what a request may cost before a model is tried, or refuses it with
    429 (``insufficient_quota``), and counts at its end what it did cost.

    Callers without identity share one budget. A budget is exceeded only by what requests in flight
    cost beyond what was reserved for them.

    Args:
        prices: Of models; call its ``load`` when the process starts.
        unknown_price: For a model whose price is not known: "refuse" the request (403), or count
            it as "zero". Either is logged once per model.
        on_outage: While the store is down: "refuse" everything with a 503, or "allow" it.
        model_of, default_output_tokens, reservation_ttl_s, store_timeout_s, store_pause_s, timer:
            As for ``RateLimits``.

    Raises:
        ConfigurationError: Budgets that contradict each other, or are none.
    """

    def __init__(
        self,
        budgets: Sequence[SpendBudget],
        store: Store,
        prices: Prices,
        *,
        unknown_price: Literal["refuse", "zero"] = "refuse",
        model_of: ModelOf | None = None,
        default_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
        reservation_ttl_s: float = RESERVATION_TTL_S,
        on_outage: Literal["allow", "refuse"] = "refuse",
        store_timeout_s: float = TIMEOUT_S,
        store_pause_s: float = PAUSE_S,
        timer: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(
            RuleBook([_rule(budget, reservation_ttl_s) for budget in budgets]),
            Ledger(
                store,
                on_outage=on_outage,
                timeout_s=store_timeout_s,
                pause_s=store_pause_s,
                timer=timer,
            ),
            model_of=model_of,
            default_output_tokens=default_output_tokens,
        )
        self._prices = prices
        self._unknown_price = unknown_price
        self._named: set[str] = set()

    async def _prepare(self, exchange: Exchange, candidate: Candidate | None) -> None:
        await self._prices.load()
        if candidate is not None:
            called = self._rules.called(candidate)
            if self._prices.price(candidate.provider, candidate.model, called) is not None:
                return
            name = candidate.name
        else:
            name = exchange.model or ""
        self._name(name)
        if self._unknown_price == "refuse":
            raise Forbidden(
                "The model has no known price, and the spend budget allows none without.",
                param="model",
                code="price_unknown",
            )

    def _cost(self, candidate: Candidate | None, tokens: Usage | Estimate) -> int:
        if candidate is None:
            return 0
        usage = tokens if isinstance(tokens, Usage) else tokens.usage()
        called = self._rules.called(candidate)
        usd = self._prices.usd(candidate.provider, candidate.model, usage, called)
        if usd is None:
            self._name(candidate.name)
            return 0
        return ceil(usd * _NANO)

    def _refusal(self, rule: Rule, standing: Standing) -> LimitReached:
        if standing.retry_after_s is None:
            text = f"The request may cost more than the budget of {rule.title}."
        else:
            text = f"The budget of {rule.title} has no room for what the request may cost."
        return BudgetSpent(text, retry_after_s=standing.retry_after_s)

    def _name(self, model: str) -> None:
        """Log, once for each, a model that has no price."""
        if model not in self._named and len(self._named) < _MAX_NAMED:
            self._named.add(model)
            _log.warning("price_unknown", model=model[:200], counted_as=self._unknown_price)


def _rule(budget: SpendBudget, ttl_s: float) -> Rule:
    if budget.usd <= 0:
        raise ConfigurationError("a spend budget is more than 0 USD")
    window, span = _window(budget.period)
    models = "" if budget.model == ANYONE else f" for {budget.model}"
    return Rule(
        model=budget.model,
        who=budget.identity,
        header=None,
        terms=Terms(window, ceil(budget.usd * _NANO), ttl_s),
        title=f"${budget.usd:g} per {span}{models}",
    )


def _window(period: Literal["day", "month"] | float) -> tuple[Window, str]:
    if period == "day" or period == "month":
        return CalendarWindow(period), period
    if isinstance(period, str) or period <= 0:
        raise ConfigurationError("a budget's period is 'day', 'month', or a number of seconds")
    return RollingWindow(float(period), f"{period:g} s"), f"{period:g} seconds"
