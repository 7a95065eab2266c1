"""
What a session costs a request: ``python bench/sessions.py [--rounds 20000] [--redis URL]``.

CPU microseconds of the rule and its finalizer together, over a memory store, less what the same
requests cost with a rule that only answers. The request is read before, as routing has done; that
is shown by itself. The best of many short runs, for others on the machine only add.
``bench/continued.py`` measures sessions together with state.

A session's first turn is written down once more, before its answer goes out: what that costs is
shown as CPU and, with Redis, as the time that the first byte waits (the median).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_hex
from statistics import median
from typing import Any

import anyio

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

from plano_asgi._json import JSONObject
from plano_asgi.conversation import Usage
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.metric_sources.base import Rates
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.prompt_caching import CacheMarkers, with_cache_markers
from plano_asgi.routing.sessions import RoutingBudget, SessionOptions, Sessions, open_session
from plano_asgi.stores.base import Store
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.open_store import open_store
from plano_asgi.wire import DIALECTS

_RUNS = 60
_MODEL = Candidate(provider="anthropic", model="claude-sonnet-4-5")
_ROUTE = Route(candidates=(_MODEL,))
_NAMES = Names(
    [ModelEntry(name=_MODEL.name, provider="anthropic", model=_MODEL.model, prefix="anthropic")]
)
_USAGE = Usage(input_tokens=12_000, cache_read_input_tokens=10_000, output_tokens=300)
_HEADER = {"x-model-affinity": "conversation-1"}
_BUDGET = RoutingBudget(max_switch_spend_pct=25)

_CASES: dict[str, tuple[SessionOptions, dict[str, str]]] = {
    "pinned by header": (SessionOptions(), _HEADER),
    "pinned by prefix": (SessionOptions(session_affinity=True), {}),
    "user turns only": (SessionOptions(route_on_user_only=True), {}),
    "budget": (SessionOptions(budget=_BUDGET), {}),
}


def body(turns: int, *, tool_count: int = 8) -> JSONObject:
    """An agent's conversation: instructions of 8 kB, tools, *turns* of 600 characters."""
    said = [
        {"role": "assistant" if n % 2 else "user", "content": "word " * 120} for n in range(turns)
    ]
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    tool = {"description": "Does one thing well. " * 10, "input_schema": schema}
    return {
        "model": _MODEL.name,
        "max_tokens": 1000,
        "system": "You are a coding agent. " * 340,
        "tools": [{"name": f"tool_{n}", **tool} for n in range(tool_count)],
        "messages": said,
    }


def exchange(asked: JSONObject, headers: dict[str, str]) -> Exchange:
    """A Messages request as the pipeline hands it to its rules, answered already."""
    made = Exchange(
        id="req",
        operation="chat",
        dialect="anthropic.messages",
        headers=headers,
        body=asked,
        read_request=DIALECTS["anthropic.messages"].read_request,
        model=_MODEL.name,
    )
    made.served_by, made.usage = _MODEL, _USAGE
    return made


async def inner(asked: Exchange) -> Route | None:
    """A rule that only answers."""
    return _ROUTE


_RATES = Rates(input=3.0, output=15.0, cached=0.3)


def rates(provider: str, model: str) -> Rates:
    """The same for every model."""
    return _RATES


def sessions(options: SessionOptions, store: Store | None = None) -> Sessions:
    """Over a memory store, if no other is given."""
    return Sessions(
        store or LocalStore(),
        inner,
        names=_NAMES,
        serves=is_served,
        prices=rates,
        options=options,
    )


def is_served(candidate: Candidate) -> bool:
    return candidate == _MODEL


async def _timed(step: Callable[[], Awaitable[Any]], rounds: int) -> float:
    """CPU microseconds of one *step*."""
    runs = []
    for _ in range(_RUNS):
        started = time.process_time()
        for _ in range(rounds // _RUNS):
            await step()
        runs.append((time.process_time() - started) / (rounds // _RUNS) * 1e6)
    return min(runs)


async def _opened(store: Store, rounds: int) -> tuple[float, float]:
    """What writing a first turn down costs: CPU, and time that passes; both in microseconds."""
    rule, asked, run = sessions(SessionOptions(ttl_s=60), store), body(1), token_hex(8)
    cpu, wall = [], []
    for number in range(rounds):
        made = exchange(asked, {"x-model-affinity": f"{run}-{number}"})
        await rule(made)
        began, used = time.perf_counter(), time.process_time()
        await open_session(made)
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - began)
        await rule.refresh(made)
    return median(cpu) * 1e6, median(wall) * 1e6


async def main(rounds: int, redis: str | None) -> None:
    """Print one line for each case."""
    asked = body(20)
    for name, (options, headers) in _CASES.items():
        rule = sessions(options)
        made = exchange(asked, headers)
        _ = made.request

        async def step(rule: Sessions = rule, made: Exchange = made) -> None:
            await rule(made)
            await rule.refresh(made)

        async def bare(made: Exchange = made) -> None:
            await inner(made)

        await step()
        cost = await _timed(step, rounds) - await _timed(bare, rounds)
        print(f"{name:<20} {cost:6.1f} us")
    cpu, _ = await _opened(LocalStore(), rounds // 10)
    print(f"{'first turn, besides':<20} {cpu:6.1f} us")
    if redis is not None:
        store = open_store(redis)
        cpu, wall = await _opened(store, rounds // 10)
        await store.aclose()
        print(f"{'the same, Redis':<20} {cpu:6.1f} us, {wall:6.1f} us until it is there")

    async def read() -> None:
        _ = exchange(asked, {}).request

    print(f"{'reading the request':<20} {await _timed(read, rounds):6.1f} us (20 turns, 8 tools)")
    for turns in (20, 200):
        long = body(turns)

        async def mark(long: JSONObject = long) -> None:
            with_cache_markers(
                long,
                "anthropic.messages",
                family="anthropic",
                model=_MODEL.model,
                markers=CacheMarkers(),
            )

        cost = await _timed(mark, rounds // 5)
        print(f"{f'markers, {turns} turns':<20} {cost:6.1f} us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--redis", help="URL of a server for first turns, which are kept a minute")
    arguments = parser.parse_args()
    anyio.run(main, arguments.rounds, arguments.redis)
