"""Exchanges on their way through limits."""

from __future__ import annotations

from typing import Any

from exchanges import chat_exchange
from plano_asgi.conversation import Usage
from plano_asgi.errors import RateLimited
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.limits.meter import Meter

GPT = Candidate(provider="openai", model="gpt-4o")
CLAUDE = Candidate(provider="anthropic", model="claude-sonnet-4-5")


def sized(
    tokens: int,
    *,
    output: int = 0,
    identity: Any = None,
    candidate: Candidate | None = GPT,
    headers: dict[str, str] | None = None,
) -> Exchange:
    """A routed exchange whose input is estimated as *tokens*, and its output as *output*."""
    exchange = chat_exchange("", max_tokens=output)
    from plano_asgi._json import dumps

    missing = tokens * 4 - len(dumps(exchange.body))
    assert missing >= 0, "the empty request alone is larger"
    exchange.body["messages"][0]["content"] = "x" * missing
    exchange.identity = identity
    exchange.headers = headers or {}
    if candidate is not None:
        exchange.route = Route(candidates=(candidate,))
    return exchange


def serve(exchange: Exchange, tokens: int | None, candidate: Candidate = GPT) -> Exchange:
    """*exchange* once *candidate* has answered, with *tokens* told as used or not told."""
    exchange.served_by, exchange.status = candidate, 200
    exchange.timings.first_byte = exchange.timings.started
    if tokens is not None:
        exchange.usage = Usage(input_tokens=tokens)
    return exchange


async def passes(meter: Meter, exchange: Exchange) -> bool:
    """Whether *exchange* is let through."""
    try:
        await meter(exchange)
    except RateLimited:
        return False
    return True


async def room(meter: Meter, limit: int, **options: Any) -> int:
    """The most that could be reserved now, to the next 50 tokens; nothing is."""
    for tokens in range(limit, 0, -50):
        exchange = sized(tokens, **options)
        if await passes(meter, exchange):
            await meter.settle(exchange)
            return tokens
    return 0
