"""Clients that leave, apps that fail, steps that misbehave: listeners hear of the end, once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Message, Receive, Scope, Send

from asgi_drive import drive
from plano_asgi.errors import ContentBlocked
from plano_asgi.exchange import AnswerInstead, AnswerStopped, Exchange, ResponseFilter
from plano_asgi.guards.base import ALLOW, Guard, Subject, Verdict
from plano_asgi.middleware import PlanoGuard
from plano_asgi.passages import StreamEditor, WireEvent
from tapped import DONE, PATHS, SSE, chunk
from wrapping import HI, Echo, around

CHAT = PATHS["openai.chat"]


@pytest.fixture
def anyio_backend() -> str:
    """Tasks are counted as asyncio counts them."""
    return "asyncio"


class Heard(ResponseFilter):
    """Counts its ends; stops an answer now and then."""

    def __init__(self, rng: random.Random, made: list[Heard]) -> None:
        self._rng = rng
        self.ends = 0
        made.append(self)

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """Mostly nothing."""
        if self._rng.random() < 0.1:
            raise AnswerStopped(ContentBlocked("no"), text="no")
        await wait(self._rng)
        return (event,)

    async def on_close(self, exchange: Exchange) -> None:
        """The end."""
        self.ends += 1


async def wait(rng: random.Random) -> None:
    """None, one or several turns of the loop."""
    for _ in range(rng.choice((0, 0, 1, 2, 5))):
        await anyio.lowlevel.checkpoint()


def step(rng: random.Random, made: list[Heard]) -> Any:
    """A request-side step of any manners."""

    async def run(exchange: Exchange) -> None:
        await wait(rng)
        if rng.random() < 0.8:
            exchange.response_filters.append(Heard(rng, made))
        if rng.random() < 0.3:
            exchange.beside.append(check)
        match rng.randrange(12):
            case 0:
                raise ContentBlocked("no")
            case 1:
                raise AnswerInstead("no")
            case 2:  # somebody's code that swallows being cancelled
                try:
                    await wait(rng)
                except asyncio.CancelledError:
                    return

    async def check() -> None:
        await wait(rng)
        if rng.random() < 0.2:
            raise AnswerStopped(ContentBlocked("no"), text="no")

    return run


def an_app(rng: random.Random) -> Any:
    """An app that streams, and may fail anywhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        start = {"type": "http.response.start", "status": 200}
        if rng.random() < 0.1:
            raise LookupError
        await send({**start, "headers": [(b"content-type", SSE.encode())]})
        for _ in range(rng.randrange(6)):
            await wait(rng)
            await send({"type": "http.response.body", "body": chunk("a"), "more_body": True})
            if rng.random() < 0.05:
                raise LookupError
        await send({"type": "http.response.body", "body": DONE})

    return app


@pytest.mark.anyio
async def test_every_end_is_told_once_and_nothing_runs_on() -> None:
    """Two middlewares, any steps, a client that leaves at any moment: 600 ways."""
    for seed in range(600):
        rng, made = random.Random(seed), list[Heard]()
        inner = around(an_app(rng), *(step(rng, made) for _ in range(rng.randrange(3))))
        outer = around(inner, *(step(rng, made) for _ in range(rng.randrange(3))))
        sent: list[Message] = []
        patience = rng.choice((0, 1, 2, 4, 8, 16, 10_000))
        pending: list[Message] = [{"type": "http.request", "body": BODY, "more_body": False}]

        async def receive(pending: list[Message] = pending, patience: int = patience) -> Message:
            if pending:
                return pending.pop()
            for _ in range(patience):
                await anyio.lowlevel.checkpoint()
            return {"type": "http.disconnect"}

        async def send(message: Message, sent: list[Message] = sent) -> None:
            await anyio.lowlevel.checkpoint()
            sent.append(message)

        try:
            with anyio.fail_after(10):
                await outer({**SCOPE}, receive, send)
        except LookupError:
            pass
        await anyio.wait_all_tasks_blocked()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        assert [each.ends for each in made] == [1] * len(made), seed
        assert not [task for task in running if "outer" in repr(task) or "watch" in repr(task)], (
            seed
        )
        assert [message["type"] for message in sent].count("http.response.start") <= 1, seed
        ends = [n for n, m in enumerate(sent[1:], 1) if not m.get("more_body", False)]
        assert ends in ([], [len(sent) - 1]), seed


BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": CHAT,
    "root_path": "",
    "query_string": b"",
    "headers": [],
}


class Slow(Guard):
    """Never comes to an end; says whether it was cancelled."""

    name = "slow"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun = anyio.Event()
        self.was_cancelled = False

    async def check(self, subject: Subject, /) -> Verdict:
        """Wait."""
        self.begun.set()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return ALLOW


@pytest.mark.anyio
@pytest.mark.parametrize("stage", ["before", "beside"])
async def test_a_client_that_leaves_ends_slow_guards(stage: Any) -> None:
    """Before the call, and beside it: no check runs on for nobody."""
    guard, leave = Slow(stage=stage, timeout_s=60.0), anyio.Event()
    app = PlanoGuard(Echo(), guards=[guard])
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            found = await drive(app, CHAT, HI, leave=leave)
            assert found.messages == []

        tasks.start_soon(ask)
        await guard.begun.wait()
        leave.set()
    assert guard.was_cancelled


@pytest.mark.anyio
@pytest.mark.parametrize("stage", ["before", "beside"])
@pytest.mark.parametrize(("option", "status"), [("closed", 503), ("open", 200)])
async def test_a_slow_guard_ends_by_its_own_time(stage: Any, option: Any, status: int) -> None:
    """Closed: no byte of the answer; open: the answer, a little late."""
    guard = Slow(stage=stage, timeout_s=0.01, on_timeout=option)
    found = await drive(PlanoGuard(Echo(), guards=[guard]), CHAT, HI)
    assert found.status == status
    assert guard.was_cancelled
