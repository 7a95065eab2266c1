"""Sessions to test with: a clock, two priced models, and rules that say where to go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from exchanges import chat_exchange
from plano_asgi.conversation import Usage
from plano_asgi.errors import StoreUnavailable
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.decision import DECISION_KEY, Decision
from plano_asgi.routing.metric_sources.base import Rates
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.sessions import SESSION_KEY, SessionDecision, SessionOptions, Sessions
from plano_asgi.stores.base import Store
from plano_asgi.stores.local_store import LocalStore

T = TypeVar("T")

ANCHOR = Candidate(provider="a", model="anchor")
PRICEY = Candidate(provider="p", model="pricey")
CHEAP = Candidate(provider="c", model="cheap")
UNPRICED = Candidate(provider="u", model="unpriced")
ALL = (ANCHOR, PRICEY, CHEAP, UNPRICED)

RATES: Mapping[str, Rates] = {
    "a/anchor": Rates(input=3.0, output=15.0, cached=0.3),
    "p/pricey": Rates(input=5.0, output=25.0, cached=0.5),
    "c/cheap": Rates(input=0.1, output=0.4, cached=0.01),
}


def prices(provider: str, model: str) -> Rates | None:
    """Of the models above."""
    return RATES.get(f"{provider}/{model}")


def names() -> Names:
    """The models above, without a default."""
    return Names(
        [
            ModelEntry(
                name=candidate.name,
                provider=candidate.provider,
                model=candidate.model,
                prefix=candidate.provider,
            )
            for candidate in ALL
        ]
    )


class Clock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Router:
    """A rule that goes to *candidate*, under *name*, and counts how often it was asked."""

    def __init__(self, candidate: Candidate | None = ANCHOR, name: str | None = None) -> None:
        self.candidate, self.name = candidate, name
        self.asked = 0

    async def __call__(self, exchange: Exchange) -> Route | None:
        self.asked += 1
        if self.candidate is None:
            return None
        if self.name is not None:
            exchange.state[DECISION_KEY] = Decision(outcome="route", route=self.name)
        others = tuple(candidate for candidate in ALL if candidate != self.candidate)
        return Route(candidates=(self.candidate, *others), reason="routed")


class BrokenStore(LocalStore):
    """A store of several processes that is down while ``is_down``."""

    def __init__(self, timer: Callable[[], float]) -> None:
        super().__init__(timer=timer)
        self.is_down = True
        self.tried = 0

    @property
    def is_shared(self) -> bool:
        return True

    async def get(self, key: str, /) -> bytes | None:
        self._try()
        return await super().get(key)

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        self._try()
        return await super().update(key, change, ttl_s=ttl_s)

    def _try(self) -> None:
        self.tried += 1
        if self.is_down:
            raise StoreUnavailable("down")


class World:
    """Sessions with everything they need, and requests to them."""

    def __init__(
        self,
        *,
        store: Callable[[Callable[[], float]], Store] | None = None,
        router: Router | None = None,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.store = store(self.clock) if store else LocalStore(timer=self.clock)
        self.router = router or Router()
        self.served = set(ALL)
        self.sessions = self.another(**options)

    def another(self, **options: Any) -> Sessions:
        """Sessions of another process on the same store."""
        return Sessions(
            self.store,
            self.router,
            names=names(),
            serves=self.served.__contains__,
            prices=prices,
            options=SessionOptions(**options),
            timer=self.clock,
        )

    async def decide(self, exchange: Exchange, candidate: Candidate | None = None) -> Candidate:
        """Where *exchange* goes, with the router on *candidate*."""
        if candidate is not None:
            self.router.candidate = candidate
        route = await self.sessions(exchange)
        assert route is not None
        exchange.route = route
        return route.candidates[0]

    async def turn(
        self,
        exchange: Exchange,
        candidate: Candidate | None = None,
        *,
        tokens: int = 100_000,
        served_by: Candidate | None = None,
        error: Exception | None = None,
    ) -> SessionDecision:
        """One whole turn: decided, answered by *served_by* or failed, and settled."""
        chosen = await self.decide(exchange, candidate)
        await self.end(exchange, served_by or chosen, tokens=tokens, error=error)
        return told(exchange)

    async def end(
        self,
        exchange: Exchange,
        served_by: Candidate,
        *,
        tokens: int = 100_000,
        error: Exception | None = None,
    ) -> None:
        """What the gateway does after the answer."""
        exchange.error = error
        if error is None:
            exchange.served_by = served_by
            exchange.usage = Usage(input_tokens=tokens)
        await self.sessions.refresh(exchange)


def told(exchange: Exchange) -> SessionDecision:
    """The decision on *exchange*."""
    decision = exchange.state[SESSION_KEY]
    assert isinstance(decision, SessionDecision)
    return decision


def ask(
    session: str | None = "s1",
    text: str = "Fix the bug",
    *,
    identity: Any = None,
    headers: Mapping[str, str] | None = None,
    **body: Any,
) -> Exchange:
    """A chat request of *session*; *headers* besides."""
    exchange = chat_exchange(text, **{"model": "a/anchor", **body})
    sent = {} if session is None else {"x-model-affinity": session}
    exchange.headers = {**sent, **(headers or {})}
    exchange.identity = identity
    return exchange


def tool_step(session: str | None = "s1", **options: Any) -> Exchange:
    """A request whose last message is a tool's result."""
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Fix the bug"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    return ask(session, **{"messages": messages, **options})
