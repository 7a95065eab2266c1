"""
Preference routing: routes in natural language, and the models for each.

``Preferences`` is a ``RouteRule``. It asks its selector once per conversation turn and goes on
with the request's own model whenever no route fits or the selector gives no answer: a dead
selector costs a bounded wait, then for a while nothing, and never the request.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import anyio
import structlog
from cachetools import TTLCache

from plano_asgi._json import dumps
from plano_asgi.errors import ConfigurationError, ModelNotFound, RequestError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.decision import DECISION_KEY, Decision, Ranked
from plano_asgi.routing.names import Names
from plano_asgi.routing.preferences_field import FIELD, FieldLimits, read_preferences
from plano_asgi.routing.ranking import Ranking
from plano_asgi.routing.selectors.base import (
    RoutePreference,
    Selection,
    Selector,
    Unreadable,
)
from plano_asgi.routing.selectors.callable import CallableSelector, Choose
from plano_asgi.routing.selectors.turns import Turn, said

__all__ = ["Preferences", "RoutePreference"]

PREFERENCES_KEY = "routing.preferences"
"""Where ``Exchange.state`` holds the preferences that a request brought along."""

_log = structlog.get_logger("plano_asgi")


class Preferences:
    """
    Routes a chat by what it asks for. A ``RouteRule``; ``take_field`` is its request-side step.

    A chosen preference's models are the candidates in (ranked) order, and the request's own model
    is the last resort behind them. ``Exchange.state["routing.decision"]`` tells what happened.

    Args:
        preferences: The routes of requests that bring none of their own.
        selector: Chooses, or a function ``async (Exchange) -> name of a route or None``.
        names: What the models' names stand for.
        ranking: Orders models by price or latency; needed where a preference asks for it.
        timeout_s: What a request waits for the selector at most.
        cache_size: Turns whose decision is kept. 0 keeps none.
        cache_ttl_s: For how long.
        max_failures: Outages of the selector in a row after which it is left alone...
        pause_s: ... for so long; then one request tries again.
        limits: Of the preferences in requests.
        timer: Monotonic seconds.

    Raises:
        ConfigurationError: Two preferences of one name, a model that nobody serves, a policy
            without data, or routes that the selector cannot use.
    """

    def __init__(
        self,
        preferences: Iterable[RoutePreference],
        selector: Selector | Choose,
        *,
        names: Names,
        ranking: Ranking | None = None,
        timeout_s: float = 5.0,
        cache_size: int = 10_000,
        cache_ttl_s: float = 600.0,
        max_failures: int = 3,
        pause_s: float = 10.0,
        limits: FieldLimits | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if timeout_s <= 0 or cache_size < 0 or cache_ttl_s <= 0 or max_failures < 1:
            raise ConfigurationError("Preferences: its times and counts are above 0")
        self._preferences = tuple(preferences)
        self._selector = _selector(selector)
        self._names = names
        self._ranking = ranking or Ranking()
        self._timeout_s = timeout_s
        self._cache: TTLCache[bytes, _Choice] = TTLCache(cache_size, cache_ttl_s, timer)
        self._health = _Health(max_failures, pause_s, timer)
        self._limits = limits or FieldLimits()
        self._timer = timer
        self._check()

    async def take_field(self, exchange: Exchange) -> None:
        """
        A request-side step: take ``routing_preferences`` out of the body, for this request.

        Raises:
            RequestError: 400; ``param`` is the path of what is wrong.
        """
        if FIELD not in exchange.body:
            return
        body = dict(exchange.body)
        preferences = read_preferences(body.pop(FIELD), self._limits)
        for n, preference in enumerate(preferences):
            for m, model in enumerate(preference.models):
                self._refuse_unknown(model, f"{FIELD}[{n}].models[{m}]")
        try:
            self._selector.check(preferences)
        except ConfigurationError as exc:
            raise RequestError(str(exc), param=FIELD) from None
        exchange.replace_body(body)
        exchange.state[PREFERENCES_KEY] = preferences

    async def __call__(self, exchange: Exchange) -> Route | None:
        """
        The route that fits, or the request's own model with the reason why none does; ``None``
        where there is nothing to decide.

        Raises:
            ModelNotFound: The request names a model that nobody serves.
        """
        made = await self.decide(exchange)
        if made is None:
            return None
        own = self._own(exchange, needed=made.outcome != "route")
        if made.outcome != "route":
            return replace(own, reason="; ".join(filter(None, (own.reason, made.reason))))
        chosen = [candidate for ranked in made.ranked for candidate in ranked.candidates]
        candidates = tuple(dict.fromkeys((*chosen, *own.candidates)))
        return Route(candidates=candidates, reason=f"preference {made.route}")

    async def decide(self, exchange: Exchange) -> Decision | None:
        """
        What the conversation asks for, kept in ``state``; the request's own model does not
        matter. ``None`` where there are no preferences, or nobody has said anything.
        """
        preferences = exchange.state.get(PREFERENCES_KEY, self._preferences)
        if exchange.operation != "chat" or (
            not preferences and PREFERENCES_KEY not in exchange.state
        ):
            return None
        turns = said(exchange.request)
        if not turns:
            return None
        started = self._timer()
        made = await self._decided(exchange, preferences, turns)
        made = replace(made, latency_s=self._timer() - started)
        exchange.state[DECISION_KEY] = made
        return made

    async def _decided(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], turns: Sequence[Turn]
    ) -> Decision:
        if not preferences:
            return Decision(outcome="none", reason="no preferences offered")
        key = _key(turns, preferences) if self._selector.is_cacheable else b""
        if key and (kept := self._cache.get(key)) is not None:
            return self._made(kept, cached=True)
        try:
            found = await self._asked(exchange, preferences)
        except _Failed as exc:
            return Decision(outcome="failed", reason=str(exc), selector=self._selector.name)
        choice = self._choice(found, preferences)
        if key and self._cache.maxsize:
            self._cache[key] = choice
        return self._made(choice)

    async def _asked(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...]
    ) -> Selection:
        """The selector's answer. Raises ``_Failed`` with the reason if there is none."""
        if not self._health.may_ask():
            raise _Failed("routing failed: paused after failures")
        try:
            with anyio.fail_after(self._timeout_s):
                found = await self._selector.select(exchange, preferences)
        except Unreadable as exc:
            self._health.answered()
            raise self._failed(exchange, str(exc)) from exc
        except TimeoutError as exc:
            self._health.failed()
            raise self._failed(exchange, "timeout") from exc
        except Exception as exc:  # the user's model or code: what fails open is logged and told
            self._health.failed()
            raise self._failed(exchange, type(exc).__name__) from exc
        self._health.answered()
        return found

    def _failed(self, exchange: Exchange, why: str) -> _Failed:
        _log.warning(
            "routing_failed_open",
            request_id=exchange.id,
            selector=self._selector.name,
            reason=why,
        )
        return _Failed(f"routing failed: {why}")

    def _choice(self, found: Selection, preferences: tuple[RoutePreference, ...]) -> _Choice:
        """What holds for a turn: the route, and its models in their order of now."""
        chosen = next((p for p in preferences if p.name == found.route), None)
        if chosen is None:
            return _Choice(found)
        known_as = {model: self._names.meant(model) for model in chosen.models}
        models = self._ranking.rank(tuple(known_as), chosen.prefer, known_as=known_as)
        return _Choice(found, models)

    def _made(self, choice: _Choice, *, cached: bool = False) -> Decision:
        """
        *choice* for one request: an alias draws among its targets for each, as it does for those
        that name it themselves.
        """
        found = choice.found
        told: dict[str, Any] = {
            "selector": self._selector.name,
            "score": found.score,
            "cached": cached,
        }
        if not choice.models:
            reason = f"no preference fits ({found.note})" if found.note else "no preference fits"
            return Decision(outcome="none", reason=reason, **told)
        ranked = (Ranked(model=name, candidates=self._places(name)) for name in choice.models)
        return Decision(outcome="route", route=found.route, ranked=tuple(ranked), **told)

    def _places(self, model: str) -> tuple[Candidate, ...]:
        return self._names.resolve(model).candidates

    def _own(self, exchange: Exchange, *, needed: bool) -> Route:
        """The request's own model; empty if it names none, there is no default, and no need."""
        try:
            return self._names.resolve(exchange.model)
        except RequestError as exc:
            if needed or exc.code != "model_required":
                raise
            return Route(candidates=())

    # ------------------------------------------------------------------ checks

    def _check(self) -> None:
        seen: set[str] = set()
        for preference in self._preferences:
            if preference.name in seen:
                raise ConfigurationError(f"Duplicate routing preference name '{preference.name}'")
            seen.add(preference.name)
            for model in preference.models:
                try:
                    self._refuse_unknown(model, "models")
                except RequestError as exc:
                    raise ConfigurationError(
                        f"Routing preference '{preference.name}' names the model '{model}': {exc}"
                    ) from None
            self._ranking.check(preference.name, preference.prefer)
        if self._preferences:
            self._selector.check(self._preferences)

    def _refuse_unknown(self, model: str, path: str) -> None:
        """
        Raises:
            RequestError: Nobody serves *model*, or several do; the default does not count.
        """
        try:
            if self._names.resolve(model).reason != "default":
                return
        except ModelNotFound as exc:
            raise RequestError(f"'{path}': {exc}", param=path) from None
        except RequestError as exc:
            raise RequestError(f"'{path}': {exc}", param=path, code=exc.code) from None
        raise RequestError(f"'{path}': {ModelNotFound(model)}", param=path)


class _Choice(NamedTuple):
    """A selector's answer with the chosen preference's models, best first; none if none fits."""

    found: Selection
    models: tuple[str, ...] = ()


class _Failed(Exception):
    """The selector gave no answer; the text is the reason."""


class _Health:
    """Counts outages in a row; while paused, one request per *pause_s* may try."""

    def __init__(self, max_failures: int, pause_s: float, timer: Callable[[], float]) -> None:
        self._max_failures, self._pause_s, self._timer = max_failures, pause_s, timer
        self._failures = 0
        self._paused_until = 0.0

    def may_ask(self) -> bool:
        if self._failures < self._max_failures:
            return True
        if (now := self._timer()) < self._paused_until:
            return False
        self._paused_until = now + self._pause_s
        return True

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._paused_until = self._timer() + self._pause_s


def _selector(given: Selector | Choose) -> Selector:
    return given if isinstance(given, Selector) else CallableSelector(given)


def _key(turns: Sequence[Turn], preferences: tuple[RoutePreference, ...]) -> bytes:
    """One conversation turn, among these routes."""
    routes = [[p.name, p.description, p.models, p.examples, p.prefer] for p in preferences]
    return hashlib.sha256(dumps([routes, turns])).digest()
