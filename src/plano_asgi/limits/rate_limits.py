"""Tokens per second, minute, hour or day."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits.account import Standing, Terms
from plano_asgi.limits.estimate import Estimate
from plano_asgi.limits.ledger import RESERVATION_TTL_S, Ledger
from plano_asgi.limits.meter import DEFAULT_OUTPUT_TOKENS, LimitReached, Meter
from plano_asgi.limits.rules import ANYONE, ModelOf, Rule, RuleBook
from plano_asgi.limits.windows import RollingWindow
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import PAUSE_S, TIMEOUT_S

Unit: TypeAlias = Literal["second", "minute", "hour", "day"]
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """
    Whose tokens a limit counts.

    Args:
        key: The header that names a caller for whom no identity vouches, in any case.
        value: The one caller that is limited; ``"*"``: each, by itself.
    """

    key: str
    value: str = ANYONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """
    So many tokens of *model*, input and output together, in any span of one *unit*.

    Args:
        model: The upstream's model id (``gpt-4o``), ``provider/model``, the name that the model is
            configured under, or a pattern with ``*``; never an alias.
        selector: Whose; ``None``: everybody's together.
    """

    model: str
    tokens: int
    unit: Unit
    selector: Selector | None = None


class RateLimits(Meter):
    """
    Keeps *limits*: reserves a request's tokens before a model is tried, or refuses it with 429,
    and counts at its end what it really used, or nothing if nothing came of it.

    The identity that ``auth=`` vouches for names the caller; a limit's header does only where
    there is none, and callers that neither names share one limit. A limit for one caller takes the
    place of the one for each (``"*"``) of the same model and header.

    No span of a unit ever has more tokens than the limit reserved or used in requests that began
    in it; it is exceeded only by what the requests in flight use beyond what was reserved for
    them. What was used returns up to a thirtieth of a unit late.

    Args:
        model_of: See ``Meter``: ``lambda name: names.resolve(name).candidates[0]``.
        default_output_tokens: Reserved for an answer to which the request sets no bound.
        reservation_ttl_s: After which a reservation whose process died is given up.
        on_outage: While the store is down: "allow" everything, or "refuse" it with a 503.
        store_timeout_s: For how long a shared store may be silent before it counts as down.
        store_pause_s: How long a store that is down is left alone; then one request tries it.
        timer: The clock, Unix seconds.

    Raises:
        ConfigurationError: Limits that contradict each other, or limit nothing.
    """

    def __init__(
        self,
        limits: Sequence[RateLimit],
        store: Store,
        *,
        model_of: ModelOf | None = None,
        default_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
        reservation_ttl_s: float = RESERVATION_TTL_S,
        on_outage: Literal["allow", "refuse"] = "allow",
        store_timeout_s: float = TIMEOUT_S,
        store_pause_s: float = PAUSE_S,
        timer: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(
            RuleBook([_rule(limit, reservation_ttl_s) for limit in limits]),
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

    async def _prepare(self, exchange: Exchange, candidate: Candidate | None) -> None:
        """Tokens are counted without."""

    def _cost(self, candidate: Candidate | None, tokens: Usage | Estimate) -> int:
        return tokens.input_tokens + tokens.output_tokens

    def _refusal(self, rule: Rule, standing: Standing) -> LimitReached:
        if standing.retry_after_s is None:
            text = f"The request is larger than the limit of {rule.title}."
        else:
            text = f"The limit of {rule.title} is reached: {standing.remaining} are left."
        headers = self._headers(standing)
        return LimitReached(text, retry_after_s=standing.retry_after_s, headers=headers)

    def _headers(self, standing: Standing) -> dict[str, str]:
        return {
            "x-ratelimit-limit-tokens": str(standing.limit),
            "x-ratelimit-remaining-tokens": str(standing.remaining),
            "x-ratelimit-reset-tokens": f"{standing.reset_s:.3f}s",
        }


def _rule(limit: RateLimit, ttl_s: float) -> Rule:
    if limit.unit not in _UNITS:
        raise ConfigurationError(f"a rate limit's unit is one of {', '.join(_UNITS)}")
    if limit.tokens < 1:
        raise ConfigurationError("a rate limit has at least 1 token")
    selector = limit.selector
    return Rule(
        model=limit.model,
        who=None if selector is None else selector.value,
        header=None if selector is None else selector.key.lower(),
        terms=Terms(RollingWindow(_UNITS[limit.unit], limit.unit), limit.tokens, ttl_s),
        title=f"{limit.tokens} tokens per {limit.unit} for {limit.model}",
    )
