"""
What limits cost: ``python bench/limits.py``.

CPU per request of reserving and settling with the memory store, over a body of one turn: the best
of several rounds, less making the exchange. The target is 20 us for one token limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

from plano_asgi.conversation import Usage
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.limits import RateLimit, RateLimits, Selector, SpendBudget, SpendBudgets
from plano_asgi.limits.meter import Meter
from plano_asgi.pricing import Prices
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.wire import DIALECTS

GPT = Candidate(provider="openai", model="gpt-4o")
_BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is a quine? " * 8}]}
_CALLERS = 50


def _exchange(caller: int) -> Exchange:
    return Exchange(
        id="req_1",
        operation="chat",
        dialect="openai.chat",
        headers={},
        body=dict(_BODY),
        read_request=DIALECTS["openai.chat"].read_request,
        identity=f"caller-{caller}",
        model="gpt-4o",
    )


async def _microseconds(
    work: Callable[[Exchange], Awaitable[None]], rounds: int, requests: int
) -> float:
    """CPU of *work* per request."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for number in range(requests):
            await work(_exchange(number % _CALLERS))
        best = min(best, (time.process_time() - started) / requests)
    return best * 1e6


def _request_of(meters: list[Meter]) -> Callable[[Exchange], Awaitable[None]]:
    async def request(exchange: Exchange) -> None:
        for meter in meters:
            await meter(exchange)
        exchange.served_by = GPT
        exchange.usage = Usage(input_tokens=40, output_tokens=200)
        for meter in meters:
            await meter.settle(exchange)

    return request


async def measure(rounds: int = 7, requests: int = 3_000) -> dict[str, float]:
    """Microseconds of CPU per request, by what is kept."""
    store, prices = LocalStore(), Prices()
    each = Selector(key="x-user")
    minute = RateLimit(model="openai/*", tokens=10**9, unit="minute", selector=each)
    day = RateLimit(model="openai/*", tokens=10**9, unit="day", selector=each)
    budget = SpendBudget(usd=1e6, period="month")
    cases: dict[str, list[Meter]] = {
        "nothing": [],
        "tokens per minute": [RateLimits([minute], store, model_of=lambda _: GPT)],
        "tokens per minute and day": [RateLimits([minute, day], store, model_of=lambda _: GPT)],
        "USD per month": [SpendBudgets([budget], store, prices, model_of=lambda _: GPT)],
    }
    found = {
        name: await _microseconds(_request_of(meters), rounds, requests)
        for name, meters in cases.items()
    }
    floor = found.pop("nothing")
    return {name: value - floor for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=3_000)
    arguments = parser.parse_args()
    for name, value in anyio.run(measure, arguments.rounds, arguments.requests).items():
        print(f"{name:28} {value:7.1f} us CPU per request")


if __name__ == "__main__":
    main()
