"""Checks beside the call: no byte before all of them have passed, and a block ends the call."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Send

from asgi_drive import Exchanged
from exchanges import chat_exchange
from listeners import Hear, StopAt
from plano_asgi.errors import ContentBlocked, GuardUnavailable
from plano_asgi.exchange import AnswerStopped
from tapped import DONE, SSE, WHOLE, chunk, heard, saying, text_of

pytestmark = pytest.mark.anyio

BLOCK = AnswerStopped(ContentBlocked("Not this."), text="Sorry.", as_answer=False)
BODY = json.dumps(WHOLE).encode()


def after(event: anyio.Event, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
    """A check that returns, or raises, once *event* is set."""

    async def check() -> None:
        await event.wait()
        if error is not None:
            raise error

    return check


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("filters", [0, 1])
async def test_the_first_byte_waits_for_every_check(filters: int) -> None:
    """With filters or without, and then nothing is lost."""
    first, second = anyio.Event(), anyio.Event()
    into = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            await heard(
                saying(chunk("a"), chunk("b"), DONE, content_type=SSE),
                *[Hear()][:filters],
                checks=[after(first), after(second)],
                into=into,
            )

        tasks.start_soon(client)
        await settle()
        first.set()
        await settle()
        assert into.messages == []
        second.set()
    assert text_of(into) == "ab"
    assert into.is_complete


@pytest.mark.parametrize("as_answer", [True, False])
async def test_a_block_cancels_the_call(as_answer: bool) -> None:
    """The other checks, too; the client has a whole answer of ours."""
    cancelled: list[str] = []

    async def app(send: Send) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append("app")

    async def other() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append("check")

    ready = anyio.Event()
    ready.set()
    stopped = AnswerStopped(ContentBlocked("Not this."), text="Sorry.", as_answer=as_answer)
    exchange = chat_exchange()
    found = await heard(app, checks=[other, after(ready, stopped)], exchange=exchange)
    assert found.status == (200 if as_answer else 400)
    assert sorted(cancelled) == ["app", "check"]
    assert exchange.error is stopped.error
    assert found.is_complete


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("hunter2"), 500), (GuardUnavailable("No verdict."), 503)],
)
async def test_a_check_that_fails_is_closed(error: Exception, status: int) -> None:
    """What cannot judge does not pass."""
    ready = anyio.Event()
    ready.set()
    found = await heard(saying(BODY), checks=[after(ready, error)])
    assert found.status == status
    assert b"hunter2" not in found.body


async def test_a_client_that_leaves_ends_the_checks_and_not_the_app() -> None:
    """The app sees the disconnect by itself; what it says goes nowhere."""
    left, ended = anyio.Event(), anyio.Event()
    done: list[str] = []
    step = Hear()

    async def check() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            done.append("check")
            ended.set()

    async def app(send: Send) -> None:
        await saying(BODY)(send)
        done.append("app")

    into = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            await heard(app, step, checks=[check], left=left, into=into)

        tasks.start_soon(client)
        await settle()
        assert done == []
        left.set()
        with anyio.fail_after(5):
            await ended.wait()
    assert sorted(done) == ["app", "check"]
    assert into.messages == []
    assert step.closed == [(True, None)]


async def test_an_app_that_fails_is_heard_at_once() -> None:
    """Its error is no group, and nobody waits for a verdict on nothing."""
    with pytest.raises(ValueError, match="bug"):
        await heard(saying(ValueError("bug")), checks=[after(anyio.Event())], left=anyio.Event())


async def test_a_filter_that_stops_needs_no_verdict() -> None:
    """A refusal of ours holds nothing that the checks wait for."""
    found = await heard(
        saying(chunk("bad"), anyio.Event(), content_type=SSE),
        StopAt("bad"),
        checks=[after(anyio.Event())],
    )
    assert found.status == 400


async def test_checks_that_pass_at_once_delay_nothing() -> None:
    """And an app that says nothing is not waited for."""

    async def check() -> None:
        return None

    found = await heard(saying(BODY), checks=[check, check], left=anyio.Event())
    assert found.body == BODY
