"""
What affinity, a budget and kept state add to one request: ``python bench/continued.py``.

CPU microseconds with the memory store, of a Responses request that goes on from one turn
(``previous_response_id``) and names its session (``X-Model-Affinity``), where a ``routing_budget``
is configured: instructions of 8 kB, 8 tools, questions of 130 characters, an answer of 600.

Many conversations take a turn at once, step by step as the pipeline takes them, and every step is
timed over all of them. Reading the request, asking the model and the rule that decides are in
none. ``affinity`` is a turn without the budget, ``budget`` what one with it takes more. The
target of ``together`` is 60 us.

``one by one`` is the same from outside: whole requests one after another, less the same ones with
the history in their body and without state and sessions. It is more, for no step finds the
processor's caches as it left them.

The best of many short runs counts, for others on the machine only add.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]  # neither the package nor this one is installed
    sys.path[:0] = [str(root / "src"), str(root)]

from bench.sessions import inner, rates
from plano_asgi._json import JSONObject
from plano_asgi.conversation import Usage
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.sessions import RoutingBudget, SessionOptions, Sessions, open_session
from plano_asgi.state import ResponsesState
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.wire import DIALECTS, LAYOUTS

_MODEL = Candidate(provider="anthropic", model="claude-sonnet-4-5")
_NAMES = Names(
    [ModelEntry(name=_MODEL.name, provider="anthropic", model=_MODEL.model, prefix="anthropic")]
)
_DIALECT = "openai.responses"
_BUDGET = RoutingBudget(max_switch_spend_pct=25)
_USAGE = Usage(input_tokens=12_000, cache_read_input_tokens=10_000, output_tokens=300)
_CONVERSATIONS = 50

_INSTRUCTIONS = "You are a coding agent. " * 340
_QUESTION = "What is a quine? " * 8
_ANSWER = "A quine is a program that prints its own source. " * 12
_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
_TOOL = {"type": "function", "description": "Does one thing well. " * 10, "parameters": _SCHEMA}
_TOOLS = [{**_TOOL, "name": f"tool_{number}"} for number in range(8)]

Step = Callable[[Exchange], Awaitable[Any]]


class Gateway:
    """
    The steps of one configuration, and its conversations' first turns.

    Args:
        sessions: Whether there are any; *budget*: theirs.
        state: Whether it is kept; else the client sends what was said before.
    """

    def __init__(
        self, *, sessions: bool = True, budget: RoutingBudget | None = _BUDGET, state: bool = True
    ) -> None:
        self.state = ResponsesState() if state else None
        self.sessions = _sessions(budget) if sessions else None
        self.previous: list[str] = []

    async def begin(self) -> None:
        """Every conversation's first turn."""
        self.previous = [""] * _CONVERSATIONS
        self.previous = [await self.whole(each) for each in self.exchanges(is_first=True)]

    def exchanges(self, *, is_first: bool = False) -> list[Exchange]:
        """A turn of every conversation."""
        is_long = self.state is None and not is_first
        return [
            _exchange(number, id if self.state else "", is_long=is_long)
            for number, id in enumerate(self.previous)
        ]

    async def whole(self, exchange: Exchange) -> str:
        """All of one request; its answer's id."""
        if self.state is not None:
            await self.state(exchange)
        _ = exchange.request
        await (self.sessions or inner)(exchange)
        exchange.served_by, exchange.usage = _MODEL, _USAGE
        await open_session(exchange)
        id = await _answer(exchange)
        if self.sessions is not None:
            await self.sessions.refresh(exchange)
        return id

    async def turn(self) -> tuple[float, float]:
        """A turn of all conversations, step by step: what sessions took and state, in us."""
        assert self.sessions is not None
        assert self.state is not None
        exchanges = self.exchanges()
        state = await _timed(self.state, exchanges)
        for exchange in exchanges:
            _ = exchange.request
        sessions = await _timed(self.sessions, exchanges) - await _timed(inner, exchanges)
        for exchange in exchanges:
            exchange.served_by, exchange.usage = _MODEL, _USAGE
        sessions += await _timed(open_session, exchanges)
        state += await _timed(_answer, exchanges)
        sessions += await _timed(self.sessions.refresh, exchanges)
        return sessions, state


def _sessions(budget: RoutingBudget | None) -> Sessions:
    return Sessions(
        LocalStore(),
        inner,
        names=_NAMES,
        serves=lambda candidate: candidate == _MODEL,
        prices=rates,
        options=SessionOptions(budget=budget),
    )


def _exchange(conversation: int, previous: str, *, is_long: bool) -> Exchange:
    body: JSONObject = {"model": _MODEL.name, "instructions": _INSTRUCTIONS, "tools": _TOOLS}
    body["input"] = _QUESTION
    if previous:
        body["previous_response_id"] = previous
    if is_long:
        asked = {"type": "message", "role": "user", "content": _QUESTION}
        body["input"] = [asked, *_response()["output"], asked]
    return Exchange(
        id="req_1",
        operation="chat",
        dialect=_DIALECT,
        headers={"x-model-affinity": f"conversation-{conversation}"},
        body=body,
        read_request=DIALECTS[_DIALECT].read_request,
        identity="caller",
        layout=LAYOUTS[_DIALECT],
        model=_MODEL.name,
        state={"answer": _response()},
    )


def _response() -> JSONObject:
    part = {"type": "output_text", "text": _ANSWER, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    head = {"id": "resp_1", "object": "response", "status": "completed", "model": _MODEL.name}
    return {**head, "output": [{**message, "status": "completed"}], "usage": None}


async def _answer(exchange: Exchange) -> str:
    """Hand the answer through what listens to it; its id."""
    body = exchange.state["answer"]
    for each in exchange.response_filters:
        body = await each.on_body(body, exchange)
    return str(body["id"])


async def _timed(step: Step, exchanges: Sequence[Exchange]) -> float:
    """CPU microseconds of *step* for one of *exchanges*."""
    started = time.process_time()
    for exchange in exchanges:
        await step(exchange)
    return (time.process_time() - started) / len(exchanges) * 1e6


async def measure(runs: int) -> dict[str, float]:
    """Microseconds of CPU per request, by what is added to it."""
    whole, unbudgeted = Gateway(), Gateway(budget=None)
    bare = Gateway(sessions=False, state=False)
    for each in (whole, unbudgeted, bare):
        await each.begin()
    rows = []
    for _ in range(runs):
        sessions, state = await whole.turn()
        affinity, _ = await unbudgeted.turn()
        outside = await _timed(whole.whole, whole.exchanges())
        less = await _timed(bare.whole, bare.exchanges())
        rows.append((affinity, sessions, state, outside, less))
    affinity, sessions, state, outside, less = map(min, zip(*rows, strict=True))
    return {
        "affinity": affinity,
        "budget": sessions - affinity,
        "state": state,
        "together": sessions + state,
        "one by one": outside - less,
    }


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    for name, cost in anyio.run(measure, parser.parse_args().runs).items():
        print(f"{name:<12} {cost:6.1f} us")


if __name__ == "__main__":
    main()
