"""Many at once and many in a row: exchanges never mix, nothing grows with what clients send."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import drive
from gateway_build import gateway
from hostile.stage import CHAT, CLIENTS, PATHS, question
from memory_transport import MemoryTransport, answer
from plano_asgi.attempts import BreakerPolicy, Breakers, Engine
from plano_asgi.config import Model, Plano
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.providers import Provider
from plano_asgi.providers.base import UpstreamProvider
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.transports import TransportPool
from plano_asgi.wire import DIALECTS

pytestmark = pytest.mark.anyio

CANDIDATE = Candidate(provider="p", model="m")
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
}


@pytest.fixture
def anyio_backend() -> str:
    """Bounds do not depend on the loop."""
    return "asyncio"


class Mirror:
    """A transport that streams each question back, word by word, all streams in step."""

    def __init__(self, together: int) -> None:
        self._together = together
        self._begun = 0
        self._all = anyio.Event()

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Answer once everybody is here."""
        self._begun += 1
        if self._begun == self._together:
            self._all.set()
        await self._all.wait()
        return _Mirrored(json.loads(request.content)["messages"][-1]["content"])

    async def aclose(self) -> None:
        """Nothing to close."""


class _Mirrored:
    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    def __init__(self, text: Any) -> None:
        self._text = text if isinstance(text, str) else text[0]["text"]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in (self._text[at : at + 3] for at in range(0, len(self._text), 3)):
            await anyio.lowlevel.checkpoint()
            yield self._frame({"content": piece})
        yield self._frame({}, "stop") + b"data: [DONE]\n\n"

    def _frame(self, delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: %b\n\n" % json.dumps({"id": "c", "choices": [choice]}).encode()

    async def read(self, *, max_bytes: int) -> bytes:
        """All of it."""
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        """Nothing to close."""


async def test_200_interleaved_streams_never_mix() -> None:
    """Three client dialects, relayed and rebuilt, all in flight before any ends."""
    count = 200
    transport = Mirror(count)
    pool = TransportPool(lambda: transport)
    app = Plano([Model("mistral/*", api_key="k" * 9)], environ={}, transports=pool)
    texts: dict[int, str] = {}

    async def one(number: int) -> None:
        client = CLIENTS[number % 3]
        said: Any = f"<{number}>" * 40
        if client != "openai.responses":
            said = [{"role": "user", "content": said}]
        field = "input" if client == "openai.responses" else "messages"
        body = question(client, f"mistral/m{number}", stream=True, **{field: said})
        found = await drive(app, PATHS[client], body)
        assert found.is_complete
        assert found.headers["x-plano-model"] == f"mistral/m{number}"
        texts[number] = "".join(map(_text, found.data()))

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(one, number)
    assert texts == {number: f"<{number}>" * 40 for number in range(count)}


def _text(event: Any) -> str:
    if not isinstance(event, dict):
        return ""
    if "choices" in event:
        return str(event["choices"][0]["delta"].get("content") or "")
    if event["type"] == "response.output_text.delta":
        return str(event["delta"])
    return str(event["delta"].get("text", "")) if event["type"] == "content_block_delta" else ""


async def test_nothing_grows_with_the_names_clients_send() -> None:
    """5000 models nobody has heard of: with the caches full, memory stands still."""
    app, transport = gateway(answer(WHOLE))

    async def some(first: int, count: int) -> int:
        for number in range(first, first + count):
            model = f"mistral/{'long-name-' * 10}{number:06}"
            found = await drive(app, PATHS[CHAT], question(CHAT, model))
            assert found.status == 200
            transport.requests.clear()
            transport.replies.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    await some(0, 2700)
    tracemalloc.start()
    try:
        full = await some(10_000, 1100)
        grown = await some(20_000, 1200) - full
    finally:
        tracemalloc.stop()
    assert grown < 128 << 10, "a name kept would be 300 KiB and more"


async def test_names_too_long_to_serve_are_not_kept() -> None:
    """A megabyte each: a cache of a thousand would be a gigabyte."""
    app, _ = gateway(answer(WHOLE))
    tracemalloc.start()
    try:
        for number in range(20):
            body = question(CHAT, f"mistral/{'n' * (1 << 20)}{number}")
            assert (await drive(app, PATHS[CHAT], body)).status == 400
        gc.collect()
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now < 4 << 20


def test_circuits_are_bounded_and_keep_the_busy_ones() -> None:
    """A flood of failing names pushes out idle circuits first."""
    breakers = Breakers(BreakerPolicy(failures=1, max_tracked=100))
    ours = Candidate(provider="p", model="ours")
    breakers.failed(ours)
    for number in range(1000):
        breakers.failed(Candidate(provider="p", model=str(number)))
        assert breakers.wait_s(ours) > 0
    assert breakers.is_open(ours)


async def test_a_bug_in_writing_a_request_does_not_jam_the_circuit() -> None:
    """The probe that was handed out is given back whatever happens next."""
    engine, exchange = _half_open()

    def buggy(*_: object) -> Any:
        raise RecursionError("too deep")

    with pytest.raises(RecursionError):
        await engine.open(exchange, buggy)
    assert engine.breakers.wait_s(CANDIDATE) == 0


def _half_open() -> tuple[Engine, Exchange]:
    """An engine whose only circuit may be probed now."""
    now = [0.0]
    breakers = Breakers(BreakerPolicy(failures=1, cool_down_s=1), timer=lambda: now[0])
    breakers.failed(CANDIDATE)
    now[0] = 2.0
    providers: dict[str, UpstreamProvider] = {"p": Provider("openai", api_key="k" * 9)}
    engine = Engine(providers, lambda: MemoryTransport(answer(WHOLE)), breakers=breakers)
    exchange = Exchange(
        id="r",
        operation="chat",
        dialect=CHAT,
        headers={},
        body={},
        read_request=DIALECTS[CHAT].read_request,
        route=Route(candidates=(CANDIDATE,)),
    )
    return engine, exchange


async def test_two_accounts_of_one_name_never_mix() -> None:
    """A model configured with one key is not asked with another: refused, or told apart."""
    transport = MemoryTransport(answer(WHOLE))
    own = Provider("openai", api_key="sk-the-other-account")
    try:
        app = Plano(
            [Model("openai/ours", api_key="sk-our-own-account")],
            providers={own: ["theirs"]},
            environ={},
            transports=TransportPool(lambda: transport),
        )
    except ConfigurationError:
        return
    await drive(app, PATHS[CHAT], question(CHAT, "openai/ours"))
    assert transport.requests[0].headers["authorization"] == "Bearer sk-our-own-account"
