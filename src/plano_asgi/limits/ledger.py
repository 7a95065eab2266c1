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
from dataclasses import dataclass
from typing import Literal

import structlog

from plano_asgi.errors import StoreUnavailable
from plano_asgi.limits.account import Account, Standing, Terms
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import PAUSE_S, TIMEOUT_S, brief_store

RESERVATION_TTL_S = 900.0
_log = structlog.get_logger("plano_asgi")


@dataclass(slots=True)
class Hold:
    """
    An amount reserved in the account at *key*. *began*: Unix seconds. *standing*: the account's,
    as it was told last.
    """

    key: str
    terms: Terms
    amount: int
    began: float
    standing: Standing | None = None


class Ledger:
    """
    Keeps accounts in *store*.

    Args:
        on_outage: While the store is down: "allow" what nobody can count, or "refuse" it with
            ``StoreUnavailable``.
        timeout_s, pause_s: See ``BriefStore``; for one that is shared.
        timer: The clock, Unix seconds; of several processes, the same but for a second or so.
    """

    def __init__(
        self,
        store: Store,
        *,
        on_outage: Literal["allow", "refuse"],
        timeout_s: float = TIMEOUT_S,
        pause_s: float = PAUSE_S,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._store = brief_store(store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)
        self._on_outage = on_outage
        self._is_down = False
        self.timer = timer

    async def reserve(self, hold: Hold, amount: int, now: float) -> Standing | None:
        """
        Ask for *amount* in the place of what *hold* has; put it in *hold* if it is granted, and
        nothing if it is not.

        Returns:
            How the account stands; ``None`` where nobody knows and it is allowed.

        Raises:
            StoreUnavailable: Nobody knows, and it is not allowed.
        """
        if amount and hold.amount == amount:
            return hold.standing
        terms, began, held = hold.terms, hold.began, hold.amount

        def change(value: bytes | None) -> tuple[bytes | None, Standing]:
            account = Account(value, terms, now)
            if held:
                account.settle(began, held, 0)
            standing = account.reserve(amount)
            return account.value(), standing

        hold.amount, hold.began, hold.standing = 0, now, None
        try:
            standing = await self._store.update(hold.key, change, ttl_s=terms.window.keep_s)
        except StoreUnavailable as exc:
            self._note(exc)
            if self._on_outage == "refuse":
                raise
            return None
        self._is_down = False
        hold.standing = standing
        if standing.is_granted:
            hold.amount = amount
        return standing

    async def settle(self, hold: Hold, used: int) -> None:
        """
        End *hold*, and count what was *used* in its place. While the store is down nothing is: then
        the reservation expires.
        """
        held, hold.amount = hold.amount, 0
        if not held and not used:
            return
        now = self.timer()

        def change(value: bytes | None) -> tuple[bytes | None, None]:
            account = Account(value, hold.terms, now)
            account.settle(hold.began, held, used)
            return account.value(), None

        try:
            await self._store.update(hold.key, change, ttl_s=hold.terms.window.keep_s)
        except StoreUnavailable as exc:
            self._note(exc)
        else:
            self._is_down = False

    def _note(self, outage: StoreUnavailable) -> None:
        if not self._is_down:
            _log.error("limits_not_counted", on_outage=self._on_outage, error=str(outage))
        self._is_down = True
