"""What a request of any kind leaves to the cyclic garbage collector, and who serves it."""

from __future__ import annotations

import gc
import io
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, FunctionType
from typing import Any

import anyio
import anyio.lowlevel
from opentelemetry.sdk.trace import TracerProvider
from starlette.types import ASGIApp, Message

from asgi_drive import drive
from hostile.stage import CHAT, MESSAGES, PATHS, question
from hostile.test_telemetry_laws import MODELS, reply
from memory_transport import MemoryReply, answer
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.errors import UpstreamReset
from plano_asgi.pricing import Prices
from plano_asgi.providers.client import HTTPRequest, Timeouts, UpstreamReply
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.entries import Alias, Target
from plano_asgi.telemetry import (
    AccessLog,
    ContentCapture,
    Metrics,
    PrometheusMeters,
    SpanHeaders,
    Telemetry,
)

TIMES = 3


async def left_by(ask: Callable[[], Awaitable[None]]) -> list[str]:
    """What of ours only the collector can free, once *ask* is over."""
    await ask()  # the first fills caches
    await _turn()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(TIMES):
            await ask()
        await _turn()
        gc.collect()
        return sorted({name for found in gc.garbage if (name := _own_name(found))})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def _turn() -> None:
    """Cancelled tasks end."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


def _own_name(found: object) -> str:
    """What it is called, if it is of the package; else nothing."""
    if isinstance(found, FrameType):
        module, name = found.f_globals.get("__name__"), f"frame of {found.f_code.co_qualname}"
    elif isinstance(found, FunctionType):
        module, name = found.__module__, found.__qualname__
    else:
        module, name = type(found).__module__, type(found).__qualname__
    return name if str(module).startswith("plano_asgi") else ""


# --------------------------------------------------------------------------- the upstream


class Cut(MemoryReply):
    """Breaks off after its chunks, and holds nothing of the error."""

    async def _iterate(self) -> AsyncGenerator[bytes]:
        for chunk in self.chunks:
            await anyio.lowlevel.checkpoint()
            assert isinstance(chunk, bytes)
            yield chunk
        raise UpstreamReset("cut")


Outcome = MemoryReply | type[Exception]


class Upstream:
    """Answers each request with the next of *outcomes*; keeps neither it nor what is raised."""

    def __init__(self) -> None:
        self.outcomes: deque[Outcome] = deque()

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> UpstreamReply:
        """Answer."""
        await anyio.lowlevel.checkpoint()
        outcome = self.outcomes.popleft()
        if isinstance(outcome, type):
            raise outcome("unreachable")
        return outcome

    async def aclose(self) -> None:
        """Nothing is held."""


DOWN = {"error": {"message": "down", "type": "server_error"}}
WRONG = {"error": {"message": "no", "type": "invalid_request_error"}}
VECTORS = {"object": "list", "data": [{"embedding": [0.1], "index": 0}]}


def _other(dialect: str) -> str:
    return CHAT if dialect == MESSAGES else MESSAGES


def _cut(dialect: str, at: int) -> MemoryReply:
    whole = reply(dialect, streamed=True)
    return Cut(whole.status, whole.headers, whole.chunks[:at])


def _ends_early(dialect: str) -> MemoryReply:
    whole = reply(dialect, streamed=True)
    return MemoryReply(whole.status, whole.headers, whole.chunks[:3])


# --------------------------------------------------------------------------- the requests


@dataclass(frozen=True, kw_only=True)
class Kind:
    """
    One kind of request. *model*: "" for the dialect's own, "other" for one of another API, "either"
    for one that has the dialect's own to fall back on.
    """

    outcomes: Callable[[str], Sequence[Outcome]]
    status: int = 200
    stream: bool = False
    model: str = ""
    body: object = None
    path: str = ""
    leaves: str = ""
    """The client goes after the first chunk: "says so", or "send fails"."""

    def body_of(self, dialect: str, text: str = "hi") -> object:
        """What is sent."""
        if self.body is not None:
            return self.body
        model = self.model or MODELS[dialect]
        if model == "either":
            model = f"either of {dialect}"
        elif model == "other":
            model = "mistral/m" if dialect == MESSAGES else MODELS[MESSAGES]
        asked = question(dialect, model=model, stream=self.stream)
        return json.loads(json.dumps(asked).replace('"hi"', json.dumps(text)))


def _whole(dialect: str) -> Sequence[Outcome]:
    return [reply(dialect)]


def _stream(dialect: str) -> Sequence[Outcome]:
    return [reply(dialect, streamed=True)]


def _down(dialect: str) -> Sequence[Outcome]:
    return [answer(DOWN, 500), answer(DOWN, 500)]


KINDS: Mapping[str, Kind] = {
    "whole": Kind(outcomes=_whole),
    "whole, translated": Kind(outcomes=lambda d: [reply(_other(d))], model="other"),
    "stream": Kind(outcomes=_stream, stream=True),
    "stream, translated": Kind(
        outcomes=lambda d: [reply(_other(d), streamed=True)], stream=True, model="other"
    ),
    "500": Kind(outcomes=_down, status=500),
    "500 to a stream": Kind(outcomes=_down, status=500, stream=True),
    "400": Kind(outcomes=lambda d: [answer(WRONG, 400)], status=400),
    "unreachable": Kind(outcomes=lambda d: [UpstreamReset, UpstreamReset], status=502),
    "no JSON": Kind(outcomes=lambda d: [answer(b"?"), answer(b"?")], status=502),
    "retried": Kind(outcomes=lambda d: [answer(DOWN, 500), reply(d)]),
    "stream, retried": Kind(
        outcomes=lambda d: [UpstreamReset, reply(d, streamed=True)], stream=True
    ),
    "failed over": Kind(
        outcomes=lambda d: [answer(DOWN, 500), UpstreamReset, reply(d)], model="either"
    ),
    "cut": Kind(outcomes=lambda d: [_cut(d, 3)], stream=True),
    "cut, translated": Kind(outcomes=lambda d: [_cut(_other(d), 3)], stream=True, model="other"),
    "cut before content": Kind(
        outcomes=lambda d: [_cut(d, 0), _cut(d, 0)], stream=True, status=502
    ),
    "ends early": Kind(outcomes=lambda d: [_ends_early(d)], stream=True),
    "bad body": Kind(outcomes=_whole, body=b"{nope", status=400),
    "bad field": Kind(
        outcomes=_whole, body={"model": "openai/gpt-4o", "messages": 3, "input": 3}, status=400
    ),
    "no such model": Kind(outcomes=_whole, model="nobody/m", status=404),
    "client says that it leaves": Kind(outcomes=_stream, stream=True, leaves="says so"),
    "client is found to have left": Kind(outcomes=_stream, stream=True, leaves="send fails"),
}
OTHERS: Mapping[str, Kind] = {
    "relayed": Kind(
        outcomes=lambda d: [answer(VECTORS)],
        path="/v1/embeddings",
        body={"model": "openai/gpt-4o", "input": "hi"},
    ),
    "relayed, 500": Kind(
        outcomes=_down,
        path="/v1/embeddings",
        body={"model": "openai/gpt-4o", "input": "hi"},
        status=500,
    ),
    "relayed, cut": Kind(
        outcomes=lambda d: [Cut(200, {}, [b"{"])],
        path="/v1/embeddings",
        body={"model": "openai/gpt-4o", "input": "hi"},
    ),
    "tokens counted": Kind(
        outcomes=lambda d: [answer({"input_tokens": 3})],
        path="/v1/messages/count_tokens",
        body=question(MESSAGES, model="anthropic/claude-sonnet-4-5"),
    ),
    "no such path": Kind(outcomes=_whole, path="/v1/nope", body={}, status=404),
}


async def served(
    app: ASGIApp, upstream: Upstream, kind: Kind, dialect: str, text: str = "hi"
) -> None:
    """One request of *kind*, from its first byte to its last."""
    upstream.outcomes = deque(kind.outcomes(dialect))
    path, body = kind.path or PATHS[dialect], kind.body_of(dialect, text)
    if kind.leaves:
        await _left(app, path, body, says_so=kind.leaves == "says so")
        return
    found = await drive(app, path, body)
    assert found.status == kind.status, found.body


async def _left(app: ASGIApp, path: str, body: object, *, says_so: bool) -> None:
    """Take the status and one chunk."""
    left, taken = anyio.Event(), [0]
    given: list[Message] = [
        {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}
    ]

    async def receive() -> Message:
        if given:
            return given.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        taken[0] += 1
        if taken[0] < 3:
            return
        if not says_so:
            raise OSError("closed")
        left.set()
        await _turn()

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "root_path": ""}
    scope |= {"query_string": b"", "headers": []}
    with anyio.fail_after(10), suppress(OSError):  # what the server is told is the app's business
        await app(scope, receive, send)


# --------------------------------------------------------------------------- who serves


def built(**options: Any) -> tuple[Plano, Upstream]:
    """A gateway that tries twice, and never leaves an upstream alone."""
    upstream = Upstream()
    aliases = {
        f"either of {dialect}": Alias(targets=(Target(model="mistral/m"),), fallbacks=(model,))
        for dialect, model in MODELS.items()
    }
    plano = Plano(
        [Model(name, api_key="sk-any") for name in (*set(MODELS.values()), "mistral/*")],
        aliases=aliases,
        environ={},
        transports=TransportPool(lambda: upstream),
        retry=RetryPolicy(attempts_per_candidate=2, base_delay_s=0.0001, max_delay_s=0.001),
        breaker=BreakerPolicy(failures=1_000_000),
        **options,
    )
    return plano, upstream


class _Nobody:
    """A logger that keeps nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: None


def telling_all(content: ContentCapture = ContentCapture.NO_CONTENT) -> Telemetry:
    """Spans, metrics, costs, signals and the access log."""
    return Telemetry(
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        metrics=Metrics([PrometheusMeters()]),
        access_log=AccessLog(stream=io.StringIO(), logger=_Nobody()),
        headers=SpanHeaders(["x-"]),
        prices=Prices(),
        content=content,
    )
