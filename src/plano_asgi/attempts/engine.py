"""
The attempt engine: candidate 1, retry, candidate 2, ... up to an answer that may be committed.

One engine under every endpoint, streamed or not. Until the first content event nothing has been
sent to the client, so any failure here is invisible to it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio

from plano_asgi.activities import Activity
from plano_asgi.asgi.deadline import time_limit
from plano_asgi.attempts.answer import (
    Answer,
    read_error_body,
    read_to_commit,
    read_unary,
    scrub_error,
)
from plano_asgi.attempts.backoff import RetryPolicy, counts_against, may_fail_over, may_retry_here
from plano_asgi.attempts.breaker import Breakers
from plano_asgi.errors import (
    PlanoError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from plano_asgi.exchange import Attempt, Candidate, Exchange
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.client import HTTPRequest, Transport
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.upstream_error import read_upstream_error

MAX_ANSWER_BYTES = 64 << 20
_PORTS = {"http": 80, "https": 443}
_MAX_SERVERS = 256  # URLs remembered

Prepare = Callable[[Candidate, UpstreamProvider], UpstreamCall]
"""Writes the call for a candidate; run once per candidate, after routing."""

Admit = Callable[[Candidate], Awaitable[None]]
"""
Asked before a candidate is tried, not before it is tried again; what it allowed for the one before
is over then. Raises ``PlanoError`` where the candidate may not be tried.
"""


class _Ready(NamedTuple):
    """One candidate with its call written and its request built."""

    candidate: Candidate
    provider: UpstreamProvider
    call: UpstreamCall
    request: HTTPRequest


class Engine:
    """Runs attempts. Holds no state of any exchange."""

    def __init__(
        self,
        providers: Mapping[str, UpstreamProvider],
        transport: Callable[[], Transport],
        *,
        policy: RetryPolicy | None = None,
        breakers: Breakers | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._providers = providers
        self._transport = transport
        self._policy = policy or RetryPolicy()
        self.breakers = breakers or Breakers(timer=timer)
        self._max_answer_bytes = max_answer_bytes
        self._timer, self._sleep, self._rng = timer, sleep, rng

    def family(self, candidate: Candidate) -> str:
        """The model family that *candidate* belongs to."""
        return self._providers[candidate.provider].family

    def dialect(self, candidate: Candidate, client_dialect: str) -> str:
        """The dialect *candidate* is spoken to in for a client of *client_dialect*."""
        return self._providers[candidate.provider].dialect_for(client_dialect, candidate.model)

    async def open(
        self, exchange: Exchange, prepare: Prepare, admit: Admit | None = None
    ) -> Answer:
        """
        Try the exchange's candidates in order; one whose circuit is open, that *admit* refuses, or
        for which the request cannot be written, is passed over.

        Every try is recorded on ``exchange.attempts``; ``exchange.served_by`` is set on success.
        The caller closes the answer.

        Raises:
            UpstreamError: The last candidate's last failure; its ``provider`` and ``model`` are
                set. ``UpstreamUnavailable`` if a circuit that was open closes before anything else
                can be tried.
            PlanoError: The refusal (no room in a limit, a request that cannot be written for it,
                no key configured) that ends first, if no candidate could be tried; of those
                without an end, the first one.
        """
        assert exchange.route is not None
        outcome: Answer | UpstreamError | None = None
        failure: UpstreamError | None = None
        refusals: list[PlanoError] = []
        shortest_wait = float("inf")
        candidates = exchange.route.candidates
        for number, candidate in enumerate(candidates, start=1):
            if wait := self.breakers.wait_s(candidate):
                shortest_wait = min(shortest_wait, wait)
                continue
            try:
                if admit is not None:
                    await admit(candidate)
                ready = self._ready(candidate, prepare)
            except PlanoError as exc:
                self.breakers.released(candidate)
                refusals.append(exc)
                continue
            except BaseException:
                self.breakers.released(candidate)
                raise
            outcome = await self._try(exchange, ready, others=len(candidates) - number)
            if isinstance(outcome, Answer):
                exchange.served_by = candidate
                return outcome
            failure = outcome
            if not may_fail_over(failure) or not self._may_try_more(exchange):
                break
        try:
            raise failure or _untried(candidates, refusals, shortest_wait)
        finally:  # their tracebacks lead here: they would hold themselves
            outcome = failure = None
            refusals.clear()

    def _ready(self, candidate: Candidate, prepare: Prepare) -> _Ready:
        provider = self._providers[candidate.provider]
        call = prepare(candidate, provider)
        return _Ready(candidate, provider, call, provider.request(call))

    async def _try(
        self, exchange: Exchange, ready: _Ready, *, others: int
    ) -> Answer | UpstreamError:
        """
        Try one candidate as often as the policy allows, with *others* still to come; return its
        answer or last failure.
        """
        tries = 0
        while True:
            tries += 1
            attempt = Attempt(candidate=ready.candidate, started=self._timer())
            exchange.attempts.append(attempt)
            try:
                answer = await self._told(exchange, ready)
            except UpstreamError as exc:
                exc.provider, exc.model = ready.provider.name, ready.candidate.model
                exc.dialect = ready.call.dialect
                scrub_error(exc, ready.request.headers)
                self._record(attempt, exc)
                if not self._may_try_again(exchange, exc, tries, others):
                    return exc
                delay = self._policy.delay_s(tries, exc, self._rng)
                if not self._worth_waiting(exchange, delay):
                    return exc
                await self._sleep(delay)
                if self.breakers.wait_s(ready.candidate):
                    return exc
                continue
            except BaseException:
                self.breakers.released(ready.candidate)
                attempt.outcome = "abandoned"
                attempt.ended = self._timer()
                raise
            attempt.status, attempt.outcome = answer.status, "ok"
            attempt.ended = self._timer()
            if answer.is_stream:
                self.breakers.answered(ready.candidate)  # ``settle`` says how it ended
            else:
                self.breakers.succeeded(ready.candidate)
            if (total_s := ready.provider.timeouts.total_s) is not None:
                answer.expires = exchange.timings.started + total_s
            return answer

    def _record(self, attempt: Attempt, error: UpstreamError) -> None:
        attempt.outcome, attempt.status = error.word, error.status
        attempt.ended = self._timer()
        if counts_against(error):
            self.breakers.failed(attempt.candidate)
        else:
            self.breakers.released(attempt.candidate)

    def settle(self, answer: Answer, error: Exception | None) -> None:
        """Tell the circuit how a stream ended; not called where the client left first."""
        answer.settle(error)
        if isinstance(error, UpstreamError) and counts_against(error):
            self.breakers.failed(answer.candidate)
        else:
            self.breakers.succeeded(answer.candidate)

    def _may_try_again(
        self, exchange: Exchange, error: UpstreamError, tries: int, others: int
    ) -> bool:
        """Whether to stay: every other candidate keeps a try, and waiting is for the last."""
        if others and error.retry_after_s is not None:
            return False
        return (
            tries < self._policy.attempts_per_candidate
            and len(exchange.attempts) + others < self._policy.max_attempts
            and may_retry_here(error)
            and self._may_try_more(exchange)
        )

    def _may_try_more(self, exchange: Exchange) -> bool:
        return len(exchange.attempts) < self._policy.max_attempts and not self._is_late(exchange)

    def _is_late(self, exchange: Exchange, delay_s: float = 0.0) -> bool:
        deadline = exchange.deadline
        if deadline is None:
            deadline = exchange.timings.started + self._policy.deadline_s
        return self._timer() + delay_s >= deadline

    def _worth_waiting(self, exchange: Exchange, delay_s: float) -> bool:
        return delay_s <= self._policy.max_delay_s * 1.1 and not self._is_late(exchange, delay_s)

    async def _told(self, exchange: Exchange, ready: _Ready) -> Answer:
        """One try, told to whoever watches, and told upstream whose trace it belongs to."""
        if exchange.watcher is None:
            return await self._once(exchange, ready, ready.request)
        candidate = ready.candidate
        attempts, (address, port) = exchange.attempts, _server_of(ready.request.url)
        attempt = attempts[-1]
        attempt.address, attempt.port = address, port
        is_retry = len(attempts) > 1 and attempts[-2].candidate == candidate
        plain, facts = (
            ready.request,
            {
                "number": len(attempts),
                "retry": is_retry or None,
                "provider": candidate.provider,
                "model": candidate.model,
                "address": address,
                "port": port,
                "dialect": ready.call.dialect,
            },
        )
        activity = Activity(exchange.watcher, "attempt", candidate.name, facts)
        activity.__enter__()
        try:
            request = HTTPRequest(
                method=plain.method,
                url=plain.url,
                headers=plain.headers | activity.headers,
                content=plain.content,
            )
            answer = await self._once(exchange, ready, request)
        except BaseException as exc:
            if isinstance(exc, UpstreamError):
                activity.note(status=exc.status if isinstance(exc, UpstreamStatus) else None)
            activity.__exit__(type(exc), exc, exc.__traceback__)
            raise
        activity.note(status=answer.status)
        activity.leave()
        answer.activity = activity  # over when the answer is
        return answer

    async def _once(self, exchange: Exchange, ready: _Ready, request: HTTPRequest) -> Answer:
        limit_s, phase = self._time_limit(exchange, ready)
        try:
            with time_limit(limit_s):
                return await self._send(ready, request)
        except TimeoutError as exc:
            raise UpstreamTimeout(
                f"{ready.candidate.name} did not answer in time ({phase})", phase=phase
            ) from exc

    def _time_limit(self, exchange: Exchange, ready: _Ready) -> tuple[float, str]:
        """Seconds left for this try up to its commit point, and which limit that is."""
        timeouts = ready.provider.timeouts
        total_s = self._policy.deadline_s if timeouts.total_s is None else timeouts.total_s
        left_s = max(0.0, exchange.timings.started + total_s - self._timer())
        first_token_s = timeouts.first_token_s if ready.call.stream else None
        if first_token_s is not None and first_token_s < left_s:
            return first_token_s, "first_token"
        return left_s, "total"

    async def _send(self, ready: _Ready, request: HTTPRequest) -> Answer:
        reply = await ready.provider.open(request, self._transport())
        answer = Answer(
            candidate=ready.candidate,
            reply=reply,
            dialect=DIALECTS[ready.call.dialect] if ready.call.dialect else None,
            status=reply.status,
            sent_headers=request.headers,
            headers=reply.headers,
        )
        try:
            await self._read(answer, ready)
        except BaseException:
            await reply.aclose()
            raise
        return answer

    async def _read(self, answer: Answer, ready: _Ready) -> None:
        if answer.status >= 400:
            body = await read_error_body(answer.reply)
            raise read_upstream_error(answer.status, answer.headers, body)
        if not 200 <= answer.status < 300:
            error = UpstreamProtocolError(f"the upstream answered with status {answer.status}")
            error.retryable = False  # a redirect, or something that is no answer: it would again
            raise error
        if answer.dialect is None:
            answer.chunks = aiter(answer.reply)
        elif ready.provider.streams(ready.call):
            await read_to_commit(answer, max_bytes=self._max_answer_bytes)
        else:
            await read_unary(answer, max_bytes=self._max_answer_bytes)


@lru_cache(_MAX_SERVERS)
def _server_of(url: str) -> tuple[str | None, int | None]:
    """Host and port of *url*."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _untried(
    candidates: Sequence[Candidate], refusals: Sequence[PlanoError], circuits_s: float
) -> PlanoError:
    """
    Why none of *candidates* was tried; *circuits_s* is when the first open circuit lets one
    through. What waiting helps against comes before what it does not.
    """
    soonest = min(refusals, key=_wait_s, default=None)
    if soonest is not None and _wait_s(soonest) < float("inf"):
        soonest.retry_after_s = min(_wait_s(soonest), circuits_s)
        return soonest
    if soonest is not None and circuits_s == float("inf"):
        return soonest
    names = ", ".join(candidate.name for candidate in candidates)
    return UpstreamUnavailable(
        f"{names}: not tried, the last attempts failed; try again later.",
        retry_after_s=circuits_s,
    )


def _wait_s(refusal: PlanoError) -> float:
    return float("inf") if refusal.retry_after_s is None else refusal.retry_after_s
