"""
The stage for guards: four ways to put them before a model, each with every kind of guard, on one
socket, and a scripted upstream behind.

A guard of the stage acts on a word: a test says it in the question, or scripts it in the answer.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hostile.stage import CHAT, MESSAGES, PATHS, RESPONSES, STREAMS, WHOLE
from plano_asgi.config import Model, Plano
from plano_asgi.exchange import Audit, Exchange
from plano_asgi.guards import (
    ALLOW,
    PII,
    Guard,
    GuardChain,
    GuardOptions,
    Secrets,
    Subject,
    Verdict,
    Words,
    block,
    guard,
)
from plano_asgi.guards.base import FunctionGuard
from plano_asgi.guards.chain import OnBlock
from plano_asgi.middleware import PlanoGuard
from serving import serving
from upstream import Reply, ScriptedUpstream, Step, Tool, scripted_upstream

NAME = 'Ann "Ace" Lee'
"""A value that has to be escaped where it stands in JSON."""
EMAIL = "ann.lee@example.org"
KEY = "sk-proj-" + "Zk3Tq9Xw7Lr2Vb5Nc8Md1" * 3
REFUSAL = "Nothing about that here."
BOTH: GuardOptions = {"sides": frozenset(("request", "answer"))}
HASTY: GuardOptions = {**BOTH, "timeout_s": 0.05}
OPEN: GuardOptions = {"on_error": "open", "on_timeout": "open"}

MODELS = {CHAT: "openai/m", RESPONSES: "openai/m", MESSAGES: "anthropic/m"}
OTHER_MODELS = {CHAT: "anthropic/m", RESPONSES: "anthropic/m", MESSAGES: "mistral/m"}
SERVED_AS = {CHAT: MESSAGES, RESPONSES: MESSAGES, MESSAGES: CHAT}
"""Which API answers the clients of the way "translated"."""


async def find_people(text: str) -> Sequence[tuple[int, int, str]]:
    """A recogniser that knows one person."""
    start = text.find(NAME)
    return [] if start < 0 else [(start, start + len(NAME), "person")]


async def _breaks(subject: Subject) -> Verdict:
    if "boom" in subject.text:
        raise ValueError(subject.text)
    return ALLOW


async def _hangs(subject: Subject) -> Verdict:
    if "boom" in subject.text:
        await anyio.sleep_forever()
    return ALLOW


@dataclass
class Gate:
    """A verdict that a test gives."""

    opened: threading.Event = field(default_factory=threading.Event)
    log: list[str] = field(default_factory=list)

    async def check(self, subject: Subject) -> Verdict:
        """Wait for the test, unless it is of no matter; block a bomb."""
        if "slowly" in subject.text:
            await anyio.to_thread.run_sync(self.opened.wait, 10.0, abandon_on_cancel=True)
            self.log.append("verdict")
        return block("bombs") if "bomb" in subject.text else ALLOW


def _chains(gate: Gate, on_audit: Callable[[Audit, Exchange], None]) -> Mapping[str, GuardChain]:
    bombs = Words(["bomb"])

    @guard(**BOTH)
    async def judge(subject: Subject) -> Verdict:
        """Blocks a bomb, after a look at a window of text."""
        return block("bombs") if "bomb" in subject.text else ALLOW

    def chain(*guards: Guard, on_block: OnBlock = "error") -> GuardChain:
        return GuardChain(guards, on_block=on_block, message=REFUSAL, on_audit=on_audit)

    return {
        "block": chain(bombs),
        "judge": chain(judge),
        "answer": chain(bombs, on_block="answer"),
        "redact": chain(Words(["swordfish"], mode="redact", replacement="[hidden]")),
        "mask": chain(PII(mode="mask", recogniser=find_people), Secrets(mode="mask")),
        "error": chain(FunctionGuard(_breaks, **BOTH)),
        "error-open": chain(FunctionGuard(_breaks, **BOTH | OPEN)),
        "timeout": chain(FunctionGuard(_hangs, **HASTY)),
        "timeout-open": chain(FunctionGuard(_hangs, **HASTY | OPEN)),
        "report": chain(Words(["bomb"], report_only=True), PII(report_only=True)),
        "beside": chain(guard(stage="beside")(gate.check)),
    }


def relaying(base: str, http: httpx.AsyncClient) -> FastAPI:
    """A service that knows nothing of guards: it passes on what it is asked, and what comes."""
    app = FastAPI()

    async def relay(request: Request) -> StreamingResponse:
        url = base + request.url.path[request.url.path.index("/v1/") :]
        content = await request.body()

        async def pieces() -> AsyncGenerator[bytes]:
            async with http.stream("POST", url, content=content) as reply:
                async for piece in reply.aiter_raw():
                    yield piece

        is_stream = (await request.json()).get("stream")
        kind = "text/event-stream" if is_stream else "application/json"
        return StreamingResponse(pieces(), media_type=kind)

    for path in PATHS.values():
        app.post(path)(relay)
    return app


def gateway(base: str, guards: GuardChain | Sequence[Guard] = (), **options: Any) -> Plano:
    """A gateway to every API of *base*; *options* are for ``Plano``."""
    models = [
        Model(name, api_key="sk-a-test-key", base_url=base)
        for name in ("openai/m", "anthropic/m", "mistral/m")
    ]
    return Plano(models, environ={}, guards=guards, **options)


def mounted(plano: Plano) -> FastAPI:
    """A service with *plano* in it."""
    app = FastAPI()
    app.mount("/v1", plano)
    return app


@dataclass(eq=False)
class GuardStage:
    """One test's view of it."""

    upstream: ScriptedUpstream
    url: str
    gate: Gate
    audits: list[Audit]
    changed: threading.Condition
    """Told of each audit."""
    asked: list[str]
    """The paths of all requests that clients made."""

    def base(self, way: str, kind: str) -> str:
        """Where guards of *kind* stand before the model in this *way*."""
        return f"{self.url}/{way}/{kind}"

    def reset(self) -> None:
        """Forget what earlier tests did."""
        self.upstream.requests.clear()
        self.audits.clear()
        self.asked.clear()
        self.gate.log.clear()
        self.gate.opened.clear()

    def judge_once_asked(self) -> None:
        """Open the gate as soon as the model has been asked."""
        self.upstream.wait(lambda upstream: len(upstream.requests) == 1)
        self.gate.opened.set()

    def expect(self, statuses: set[tuple[str, str]], *, count: int = 0) -> None:
        """
        What came of the guards, by side: these and no others, in at least *count* records. An
        answer is on record when it is over, which its client may know before the guards do.
        """

        def is_there() -> bool:
            return statuses <= self._statuses() and len(self.audits) >= count

        with self.changed:
            self.changed.wait_for(is_there, 5)
        assert self._statuses() == statuses

    def _statuses(self) -> set[tuple[str, str]]:
        return {(audit.side, audit.status) for audit in self.audits}


WAYS: Mapping[str, Callable[[str, httpx.AsyncClient, GuardChain], ASGIApp]] = {
    "around": lambda base, http, chain: PlanoGuard(relaying(base, http), guards=chain),
    "inside": lambda base, http, chain: gateway(base, chain),
    "in front": lambda base, http, chain: PlanoGuard(mounted(gateway(base)), guards=chain),
    "translated": lambda base, http, chain: gateway(base, chain),
    "twice": lambda base, http, chain: PlanoGuard(mounted(gateway(base, chain)), guards=chain),
}
"""
Around an app of somebody else's; inside a gateway; around a mounted gateway; inside one whose
model speaks another API than the client; and around and inside, for which everything runs once.
"""


def model_of(way: str, api: str) -> str:
    """The model that a client of *api* asks for."""
    return (OTHER_MODELS if way == "translated" else MODELS)[api]


def script(way: str, api: str, *pieces: str | Tool | Step, stream: bool) -> Reply:
    """The upstream's answer to a client of *api* that came in this *way*."""
    dialect = SERVED_AS[api] if way == "translated" else api
    if stream:
        return STREAMS[dialect](pieces)
    text = "".join(piece for piece in pieces if isinstance(piece, str)) or None
    return WHOLE[dialect](text, *(piece for piece in pieces if isinstance(piece, Tool)))


@contextmanager
def guarded() -> Iterator[GuardStage]:
    """Serve all of it."""
    gate, audits, asked = Gate(), list[Audit](), list[str]()
    changed = threading.Condition()

    def on_audit(audit: Audit, exchange: Exchange) -> None:
        with changed:
            audits.append(audit)
            changed.notify_all()

    chains = _chains(gate, on_audit)
    with scripted_upstream() as upstream:
        app = _everything(upstream.base_url, chains)

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                asked.append(scope["path"])
            await app(scope, receive, send)

        with serving(counted) as url:
            yield GuardStage(upstream, url, gate, audits, changed, asked)


def _everything(base: str, chains: Mapping[str, GuardChain]) -> FastAPI:
    http = httpx.AsyncClient(headers={"content-type": "application/json"}, trust_env=False)
    apps = {
        f"/{way}/{kind}": make(base, http, chain)
        for way, make in WAYS.items()
        for kind, chain in chains.items()
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(http)
            for plano in apps.values():
                if isinstance(plano, Plano):
                    await stack.enter_async_context(plano.lifespan())
            yield

    app = FastAPI(lifespan=lifespan)
    for path, inner in apps.items():
        app.mount(path, inner)
    return app
