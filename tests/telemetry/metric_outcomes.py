"""Outcomes of exchanges that are over, for tests of what is recorded of them."""

from __future__ import annotations

from typing import Any

from exchanges import exchange_of
from plano_asgi.conversation import Usage
from plano_asgi.exchange import Attempt, Candidate, Route
from plano_asgi.telemetry.outcome import Cost, Outcome

GPT = Candidate(provider="openai", model="gpt-4o")
SONNET = Candidate(provider="amazon_bedrock", model="claude-sonnet")
STARTED = 100.0
"""When every exchange here begins (monotonic)."""


def tried(
    candidate: Candidate = GPT,
    outcome: str = "ok",
    *,
    start: float = 0.1,
    took: float = 0.4,
    address: str = "api.example.com",
) -> Attempt:
    """An upstream try, *start* seconds into the exchange; an ``ok`` one ends at its commit."""
    started = STARTED + start
    return Attempt(
        candidate=candidate,
        started=started,
        ended=started + took,
        outcome=outcome,
        address=address,
        port=443,
    )


def outcome_of(
    *attempts: Attempt, stream: bool = False, facts: dict[str, Any] | None = None, **known: Any
) -> Outcome:
    """
    An exchange of 2 s that was tried so often; of one ``ok`` attempt at GPT unless told. *known*
    are fields of the outcome.
    """
    body = {"model": "smart", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    exchange = exchange_of("openai.chat", body)
    exchange.timings.started = STARTED
    exchange.attempts = list(attempts or (tried(),))
    exchange.route = Route(candidates=(exchange.attempts[0].candidate, SONNET))
    last = exchange.attempts[-1]
    if last.outcome == "ok":
        exchange.served_by = last.candidate
    exchange.facts.update(facts or {})
    fields: dict[str, Any] = {
        "provider": last.candidate.provider,
        "model": last.candidate.model,
        "status": 200,
        "usage": Usage(input_tokens=1000, output_tokens=21),
        "response_model": "gpt-4o-2024-11-20",
        "duration_s": 2.0,
        "first_chunk_s": 0.6,
        "chunks": 8 if stream else 1,
    }
    return Outcome(exchange=exchange, **{**fields, **known})


def ordinary_outcome() -> Outcome:
    """A stream that went well, with all that a usual set-up tells of it."""
    usage = Usage(
        input_tokens=1000, output_tokens=21, cache_read_input_tokens=600, reasoning_output_tokens=5
    )
    return outcome_of(
        stream=True, usage=usage, cost=Cost(input_usd=0.002, output_usd=0.0005), facts={}
    )
