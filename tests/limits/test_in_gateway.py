"""Limits inside a gateway: every API, streamed or not, failures and clients that leave."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from asgi_drive import Exchanged, drive
from gateway_build import gateway
from memory_transport import MemoryReply, Outcome, answer, events
from plano_asgi.config import Plano
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Candidate
from plano_asgi.limits import RateLimit, RateLimits
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

LIMIT = 1000
LARGE = Candidate(provider="mistral", model="large")
TURNS = [{"role": "user", "content": "hi"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": TURNS, "max_tokens": 800},
    "/v1/messages": {"messages": TURNS, "max_tokens": 800},
    "/v1/responses": {"input": "hi", "max_output_tokens": 800},
}


def _chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return {**chunk, "choices": [choice], **fields}


USAGE = {"prompt_tokens": 50, "completion_tokens": 250, "total_tokens": 300}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
WHOLE = answer({"id": "c", "object": "chat.completion", "choices": [CHOICE], "usage": USAGE})
TEXT = _chunk({"role": "assistant", "content": "hi"})
END = {**_chunk({}), "choices": [], "usage": USAGE}
STREAM = events(TEXT, _chunk({}, "stop"), END, "[DONE]")


def limited(*outcomes: Outcome) -> tuple[Plano, RateLimits]:
    """A gateway of a thousand tokens a minute."""
    rules = [RateLimit(model="mistral/large", tokens=LIMIT, unit="minute")]
    meter = RateLimits(rules, LocalStore(), model_of=lambda _: LARGE, default_output_tokens=100)
    plano, _ = gateway(*outcomes, steps=[meter], finalizers=[meter.settle])
    return plano, meter


def left(exchanged: Exchanged) -> int:
    """The tokens that the client was told of."""
    return int(exchanged.headers["x-ratelimit-remaining-tokens"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", REQUESTS)
async def test_true_usage_counts_on_every_api(path: str, stream: bool) -> None:
    """Two of 800 at most do not fit at once; two of 300 used do, one after the other."""
    plano, _ = limited(STREAM if stream else WHOLE)
    body = {"model": "mistral/large", "stream": stream, **REQUESTS[path]}
    first = await drive(plano, path, body)
    assert first.status == 200
    assert 0 < left(first) < 200
    smaller = {**body, next(name for name in body if name.endswith("tokens")): 400}
    second = await drive(plano, path, smaller)
    assert second.status == 200
    assert left(second) == left(first) + 400 - 300
    third = await drive(plano, path, smaller)
    assert third.status == 429
    assert 1 <= int(third.headers["retry-after"]) <= 62
    assert left(third) == 1000 - 600
    error = third.json()["error"]
    assert "1000 tokens per minute" in error["message"]
    is_anthropic = path == "/v1/messages"
    assert (third.json().get("type") == "error") is is_anthropic
    assert (error["type"] == "rate_limit_error") or not is_anthropic


async def _free(plano: Plano) -> int:
    """What is left, as a request is told that is too large for the limit by itself."""
    turns = [{"role": "user", "content": "x" * 4 * LIMIT}]
    body = {"model": "mistral/large", "messages": turns, "max_tokens": 1}
    refused = await drive(plano, "/v1/chat/completions", body)
    assert refused.status == 429
    return left(refused)


@pytest.mark.parametrize(
    ("outcome", "stream"),
    [
        (answer({"error": {"message": "no"}}, status=500), False),
        (answer({"error": {"message": "no"}}, status=400), False),
        (UpstreamReset("x"), True),
    ],
)
async def test_a_failure_uses_nothing(outcome: Outcome, stream: bool) -> None:
    """Whatever the upstream's trouble was."""
    plano, _ = limited(outcome)
    body = {"model": "mistral/large", "messages": TURNS, "max_tokens": 800, "stream": stream}
    failed = await drive(plano, "/v1/chat/completions", body)
    assert failed.status >= 400
    assert await _free(plano) == LIMIT


async def test_a_cut_stream_counts_by_estimate() -> None:
    """What had begun was paid for."""
    plano, _ = limited(events(TEXT, cut=UpstreamReset("cut")))
    body = {"model": "mistral/large", "messages": TURNS, "max_tokens": 800, "stream": True}
    cut = await drive(plano, "/v1/chat/completions", body)
    assert cut.status == 200
    estimate = LIMIT - left(cut) - 800
    assert await _free(plano) == LIMIT - estimate - 100


async def test_a_client_that_leaves_before_the_answer_uses_nothing() -> None:
    """Its reservation is released at once."""
    gate, leave = anyio.Event(), anyio.Event()
    hanging = MemoryReply(200, {"content-type": "text/event-stream"}, [gate])
    plano, _ = limited(hanging)
    body = {"model": "mistral/large", "messages": TURNS, "max_tokens": 800, "stream": True}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: drive(plano, "/v1/chat/completions", body, leave=leave))
        await anyio.wait_all_tasks_blocked()
        assert await _free(plano) < 200
        leave.set()
    assert await _free(plano) == LIMIT
