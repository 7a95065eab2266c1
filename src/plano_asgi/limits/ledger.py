"""
Reserve, then settle, on a shared store.

An amount is reserved before it is known, and settled once it is. Both are one atomic change of
one account, so any number of processes on one store keep one limit; a process that dies leaves
reservations, which expire.

Not on the storages of the `limits` library: their counters know neither an amount that is given
back later nor one that expires by itself, and their moving window keeps an entry for each unit, a
list of 100,000 for one long prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import anyio
import structlog

from plano_asgi.errors import StoreUnavailable
from plano_asgi.limits.account import Account, Standing, Terms
from plano_asgi.stores.base import Store

RESERVATION_TTL_S = 900.0
_NO_SCOPE = nullcontext()
_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True)
class Hold:
    """An amount reserved in the account at *key*. *began*: Unix seconds."""

    key: str
    terms: Terms
    amount: int
    began: float


class Ledger:
    """
    Keeps accounts in *store*.

    Args:
        on_outage: While the store is down: "allow" what nobody can count, or "refuse" it with
            ``StoreUnavailable``. Either way it is asked again only every few seconds.
        timer: The clock, Unix seconds; of several processes, the same but for a second or so.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_outage: Literal["allow", "refuse"],
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._on_outage = on_outage
        self._outage: StoreUnavailable | None = None
        self._down_until = 0.0
        self.timer = timer

    async def reserve(self, hold: Hold, amount: int) -> Standing | None:
        """
        Ask for *amount*; put it in *hold* if it is granted.

        Returns:
            How the account stands; ``None`` where nobody knows and it is allowed.

        Raises:
            StoreUnavailable: Nobody knows, and it is not allowed.
        """
        if self._outage is not None and hold.began < self._down_until:
            self._refuse_without(self._outage)
            return None
        terms = hold.terms

        def change(value: bytes | None) -> tuple[bytes | None, Standing]:
            account = Account(value, terms, hold.began)
            standing = account.reserve(amount)
            return account.value(), standing

        try:
            # Who is cancelled meanwhile would not know what it holds.
            with anyio.CancelScope(shield=True) if self._store.is_shared else _NO_SCOPE:
                standing = await self._store.update(hold.key, change, ttl_s=terms.window.keep_s)
        except StoreUnavailable as exc:
            self._note(exc)
            self._refuse_without(exc)
            return None
        self._outage = None
        if standing.is_granted:
            hold.amount = amount
        return standing

    async def settle(self, hold: Hold, used: int) -> None:
        """
        End *hold*, and count what was *used* in its place. While the store is down nothing is: then
        the reservation expires.
        """
        if not hold.amount and not used:
            return
        now = self.timer()

        def change(value: bytes | None) -> tuple[bytes | None, None]:
            account = Account(value, hold.terms, now)
            account.settle(hold.began, hold.amount, used)
            return account.value(), None

        if self._outage is not None and now < self._down_until:
            return
        try:
            await self._store.update(hold.key, change, ttl_s=hold.terms.window.keep_s)
        except StoreUnavailable as exc:
            self._note(exc)

    def _refuse_without(self, outage: StoreUnavailable) -> None:
        if self._on_outage == "refuse":
            raise StoreUnavailable(str(outage)) from outage

    def _note(self, outage: StoreUnavailable) -> None:
        if self._outage is None:
            _log.error("limits_not_counted", on_outage=self._on_outage, error=str(outage))
        self._outage = outage
        self._down_until = self.timer() + (outage.retry_after_s or 1.0)
