"""The exact response cache: off unless it is made a step of."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import structlog

from plano_asgi._json import dumps, loads
from plano_asgi.cache.base import RECORDERS, ReplayAnswer
from plano_asgi.cache.recording import Recording, is_repeatable
from plano_asgi.cache.request_key import cache_control, is_stateless, request_key
from plano_asgi.errors import StoreUnavailable
from plano_asgi.exchange import Exchange
from plano_asgi.identities import identity_name
from plano_asgi.stores.base import Store
from plano_asgi.stores.brief_store import PAUSE_S, TIMEOUT_S, StoreResting, brief_store

VARY = ("anthropic-beta", "anthropic-version", "openai-beta")
_STATE_KEY = "cache.recording"
_TOLD = "x-plano-cache"
_log = structlog.get_logger("plano_asgi")


class ResponseCache:
    """
    Gives an answer again to exactly the same request of the same caller: a request-side step, to
    run before all others, and with ``keep`` a finalizer.

    What is kept is what the client got, after every guard and filter, and it is given again
    without asking them. Errors, refusals, answers that were cut short or filtered out are never
    kept, nor those that a conversation elsewhere goes on from (``previous_response_id``, ``store``
    and the like; a Responses request is cached with ``store: false`` only). A streamed answer is
    for streamed requests.

    A client's ``cache-control`` is honoured: ``no-store`` neither reads nor keeps, ``no-cache``
    asks anew and keeps, ``max-age`` bounds the age in seconds. The answer says ``x-plano-cache:
    hit`` (with its ``age``) or ``miss``.

    Args:
        ttl_s: For how long an answer is given again.
        max_entry_bytes: Of one answer; a larger one is not kept.
        shared: Whether callers without identity share answers; otherwise theirs are not cached.
        operations: Which ``Exchange.operation`` are cached.
        vary: Request headers on which an answer depends, lower-case.
        timeout_s: For how long a shared store may be silent; then the model is asked, and an answer
            is not kept.
        pause_s: How long a store that was down or silent is left alone.
        timer: The clock, Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        ttl_s: float = 3600.0,
        max_entry_bytes: int = 1 << 20,
        shared: bool = False,
        operations: Collection[str] = ("chat", "/embeddings"),
        vary: Sequence[str] = VARY,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = PAUSE_S,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._store = brief_store(store, timeout_s=timeout_s, pause_s=pause_s, timer=timer)
        self._ttl_s = ttl_s
        self._max_entry_bytes = max_entry_bytes
        self._shared = shared
        self._operations = frozenset(operations)
        self._vary = tuple(vary)
        self._timer = timer

    async def __call__(self, exchange: Exchange) -> None:
        """
        Look for an answer to *exchange*; where there is none, have the one that comes recorded.

        Raises:
            ReplayAnswer: Here it is.
        """
        if exchange.operation not in self._operations or not is_stateless(exchange):
            return
        wish = cache_control(exchange.headers.get("cache-control", ""))
        identity = identity_name(exchange.identity)
        if identity is None and not (self._shared and exchange.identity is None):
            return
        key = request_key(exchange, identity, self._vary) if wish.may_write else None
        if key is None:
            return
        if wish.may_read:
            with exchange.doing("cache", "response_cache") as activity:
                value = await self._find(key)
                activity.note(outcome="miss" if value is None else "hit")
            if value is not None:
                age_s = max(0.0, self._timer() - value[0]["at"])
                if wish.max_age_s is None or age_s <= wish.max_age_s:
                    exchange.facts["cache"] = "hit"
                    raise _replay(*value, age_s)
        recording = Recording(key, max_bytes=self._max_entry_bytes)
        exchange.state[_STATE_KEY] = recording
        exchange.state.setdefault(RECORDERS, []).append(recording)
        exchange.response_headers[_TOLD] = "miss"
        exchange.facts["cache"] = "miss"

    async def keep(self, exchange: Exchange) -> None:
        """Keep the answer to *exchange* if it is one to give again."""
        recording: Recording | None = exchange.state.pop(_STATE_KEY, None)
        if recording is None or (body := recording.body) is None:
            return
        if not is_repeatable(exchange, recording, body):
            return
        told = {
            "at": self._timer(),
            "type": recording.content_type,
            "stream": recording.is_stream,
        }
        value = b"%b\n%b" % (dumps(told), body)
        try:
            await self._store.put(recording.key, value, ttl_s=self._ttl_s)
        except StoreUnavailable as exc:
            _note(exc)

    async def _find(self, key: str) -> tuple[dict[str, Any], bytes] | None:
        """What was told of the answer at *key*, and it."""
        try:
            value = await self._store.get(key)
        except StoreUnavailable as exc:
            _note(exc)
            return None
        if value is None:
            return None
        told, _, body = value.partition(b"\n")
        return loads(told), body


def _note(error: StoreUnavailable) -> None:
    """Say that the store failed, once for each time that it was asked."""
    if not isinstance(error, StoreResting):
        _log.warning("cache_unavailable", error=str(error))


def _replay(told: dict[str, Any], body: bytes, age_s: float) -> ReplayAnswer:
    headers = {"content-type": told["type"], _TOLD: "hit", "age": str(int(age_s))}
    return ReplayAnswer(status=200, headers=headers, body=body, is_stream=told["stream"])
