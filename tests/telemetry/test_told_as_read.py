"""What is told without reading an answer again is what reading it tells; and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import MemoryReply, answer, events
from plano_asgi import PlanoTracing
from plano_asgi.guards import ALLOW, Guard, Subject, Verdict
from plano_asgi.pricing import Prices
from plano_asgi.telemetry import ContentCapture, Outcome, Telemetry
from tapped import WHOLE
from telemetry.watching import Watching
from wrapping import CHAT, HI

ASK = {**HI, "model": "openai/gpt-4o"}
USED = {**WHOLE, "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
HEAD = {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
USAGE = {**HEAD, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}


def chunk(delta: Any, finish: str | None = None, index: int = 0) -> Any:
    """One chunk of a stream."""
    return {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def stream(*chunks: Any) -> MemoryReply:
    """They, and the end."""
    return events(*chunks, USAGE, "[DONE]")


Case: TypeAlias = tuple[dict[str, Any], list[Any]]
TWO: Case = (
    {"n": 2},
    [
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({}, "length"),
        *[chunk({"content": "b"}, index=1)] * 5,
        chunk({}, "stop", index=1),
    ],
)
CALLED: Case = (
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    [chunk({"tool_calls": [CALL]}), *[chunk({"content": "."})] * 5, chunk({}, "stop")],
)
PLAIN: Case = ({}, [chunk({"content": "a"}), *[chunk({"content": "b"})] * 5, chunk({}, "length")])


async def told(path: str, ask: Any, reply: MemoryReply, *, signals: bool) -> tuple[Any, ...]:
    """Id, model and finish reasons on the span."""
    watching = Watching(signals=signals)
    plano, _ = gateway(reply, telemetry=watching.telemetry)
    assert (await drive(plano, path, ask)).status == 200
    said = watching.told()
    return tuple(said[f"gen_ai.response.{name}"] for name in ("id", "model", "finish_reasons"))


@pytest.mark.anyio
@pytest.mark.parametrize("case", [TWO, CALLED, PLAIN], ids=["two", "called", "plain"])
async def test_a_stream_is_told_as_its_bytes_say(case: Case) -> None:
    """Several choices, a call that ends in "stop": signals read all of it, and say the same."""
    more, chunks = case
    ask = {**ASK, **more, "stream": True}
    assert await told(CHAT, ask, stream(*chunks), signals=False) == await told(
        CHAT, ask, stream(*chunks), signals=True
    )


@pytest.mark.anyio
async def test_a_translated_stream_has_the_id_that_the_client_got() -> None:
    """Not the upstream's."""
    ask = {**ASK, "max_tokens": 9, "stream": True}
    reply = [chunk({"content": "a"}), chunk({}, "stop")]
    found = await told("/v1/messages", ask, stream(*reply), signals=False)
    assert found == await told("/v1/messages", ask, stream(*reply), signals=True)
    assert found[0] != HEAD["id"]


class SlowPrices(Prices):
    """A list that takes long to read."""

    def __init__(self, reading: asyncio.Event) -> None:
        super().__init__({}, bundled=False)
        self._reading = reading

    async def load(self) -> None:
        self._reading.set()
        await asyncio.Event().wait()


def test_an_exchange_is_told_though_its_task_is_cancelled_before() -> None:
    """While the prices are read, which the first one waits for: no span stays open."""

    async def cancelled() -> Watching:
        reading = asyncio.Event()
        watching = Watching(signals=False, prices=SlowPrices(reading))
        plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
        task = asyncio.ensure_future(drive(plano, CHAT, ASK))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return watching

    watching = asyncio.run(cancelled())
    assert watching.chat.name == "chat openai/gpt-4o"
    assert (len(watching.outcomes), watching.in_flight) == (1, 0.0)


class StuckPrices(SlowPrices):
    """A list whose prices take long to find, too."""

    def __init__(self, reading: asyncio.Event) -> None:
        super().__init__(reading)
        self.looking, self.go_on = threading.Event(), threading.Event()

    def price(self, provider: str, model: str, called: tuple[str, ...] = ()) -> Any:
        self.looking.set()
        self.go_on.wait(10)
        return None


def test_an_exchange_is_told_though_its_task_is_cancelled_in_a_thread() -> None:
    """It ended while the first still waits for the prices: told once, and the cancel goes on."""

    async def cancelled() -> Watching:
        reading = asyncio.Event()
        prices = StuckPrices(reading)
        watching = Watching(signals=False, prices=prices)
        plano, _ = gateway(answer(USED), telemetry=watching.telemetry)
        first = asyncio.ensure_future(drive(plano, CHAT, ASK))
        await reading.wait()
        second = asyncio.ensure_future(drive(plano, CHAT, ASK))
        assert await asyncio.to_thread(prices.looking.wait, 10)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert len(watching.outcomes) == 1
        prices.go_on.set()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return watching

    watching = asyncio.run(cancelled())
    assert (len(watching.outcomes), watching.in_flight) == (2, 0.0)
    assert len([span for span in watching.spans.ended if span.name.startswith("chat")]) == 2


@pytest.mark.anyio
async def test_nobody_is_told_twice_where_there_are_no_spans_and_no_metrics() -> None:
    """One outside, and the gateway's own."""
    heard: list[Outcome] = []
    telemetry = Telemetry(signals=False, on_outcome=[heard.append])
    plano, _ = gateway(answer(USED), telemetry=telemetry)
    await drive(PlanoTracing(plano, telemetry=telemetry), CHAT, ASK)
    assert len(heard) == 1


class Raises:
    """A logger provider whose records go nowhere well."""

    def get_logger(self, *_args: Any, **_more: Any) -> Any:
        raise OSError("full")


@pytest.mark.anyio
async def test_events_that_cannot_be_emitted_cost_the_span_nothing() -> None:
    """They come last."""
    provider: Any = Raises()
    watching = Watching(content=ContentCapture.EVENT_ONLY, logger_provider=provider)
    plano, _ = gateway(
        answer({"error": {"message": "no"}}, status=500), telemetry=watching.telemetry
    )
    await drive(plano, CHAT, ASK)
    assert watching.told()["error.type"] == "api_error"


@dataclass
class Unhashable(Guard):
    """As a user may write one."""

    name = "mine"

    def __post_init__(self) -> None:
        super().__init__(sides=frozenset(("request", "answer")))

    async def check(self, subject: Subject, /) -> Verdict:
        """Lets all pass."""
        return ALLOW


@pytest.mark.anyio
async def test_a_guard_need_not_be_hashable() -> None:
    """A dataclass that compares by value is not."""
    watching = Watching()
    ask = {**ASK, "stream": True}
    plano, _ = gateway(stream(*PLAIN[1]), guards=[Unhashable()], telemetry=watching.telemetry)
    assert (await drive(plano, CHAT, ask)).status == 200
