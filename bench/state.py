"""
What kept state costs: ``python bench/state.py``.

CPU per request with the memory store, by the number of turns before it: merging what was said, and
keeping the answer; the best of several rounds, less making the exchange. A turn here is a question
of 130 characters and an answer of 600. ``bench/continued.py`` measures state together with
sessions.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import anyio

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

from plano_asgi._json import JSONObject
from plano_asgi.exchange import Candidate, Exchange
from plano_asgi.state import ResponsesState
from plano_asgi.wire import DIALECTS, LAYOUTS

_CLAUDE = Candidate(provider="anthropic", model="claude-sonnet-4-5")
_NAME = "openai.responses"
_QUESTION = "What is a quine? " * 8
_ANSWER = "A quine is a program that prints its own source. " * 12
_TURNS = (0, 1, 10, 50)


def _exchange(previous: str | None) -> Exchange:
    return Exchange(
        id="req_1",
        operation="chat",
        dialect=_NAME,
        headers={},
        body={"model": "claude", "input": _QUESTION, "previous_response_id": previous},
        read_request=DIALECTS[_NAME].read_request,
        identity="caller",
        layout=LAYOUTS[_NAME],
        model="claude",
    )


def _answer() -> JSONObject:
    part = {"type": "output_text", "text": _ANSWER, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    head: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "completed"}
    return {**head, "model": "claude", "output": [{**message, "content": [part]}], "usage": None}


async def _request(state: ResponsesState, previous: str | None) -> str:
    """One request and its answer; the answer's id."""
    exchange = _exchange(previous)
    await state(exchange)
    exchange.served_by = _CLAUDE
    for step in exchange.response_filters:
        body = await step.on_body(_answer(), exchange)
    return str(body["id"])


async def _microseconds(turns: int, rounds: int, requests: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        state, previous = ResponsesState(), None
        for _ in range(turns):
            previous = await _request(state, previous)
        started = time.process_time()
        for _ in range(requests):
            await _request(state, previous)
        best = min(best, (time.process_time() - started) / requests)
    return best * 1e6


async def _nothing(rounds: int, requests: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(requests):
            _exchange(None)
            _answer()
        best = min(best, (time.process_time() - started) / requests)
    return best * 1e6


async def measure(rounds: int = 7, requests: int = 1_000) -> dict[int, float]:
    """Microseconds of CPU per request, by the number of turns before it."""
    nothing = await _nothing(rounds, requests)
    return {turns: await _microseconds(turns, rounds, requests) - nothing for turns in _TURNS}


def main() -> None:
    """Print a line for each number of turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1_000)
    options = parser.parse_args()
    for turns, cost in anyio.run(measure, options.rounds, options.requests).items():
        print(f"{turns:3} turns before  {cost:8.1f} us")


if __name__ == "__main__":
    main()
