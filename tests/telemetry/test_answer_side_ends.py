"""The spans of filters and guards on answers that end badly, or many at once."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import Exchanged
from gateway_build import gateway
from plano_asgi.errors import UpstreamReset
from replies import chat_stream
from telemetry.answer_side import (
    EACH,
    STREAMED,
    Ear,
    Windows,
    answered,
    ask,
    error_of,
    memory_reply,
    on_answers,
    only,
    told,
    up_to,
)
from telemetry.one_trace import parent_id, span_id
from telemetry.watching import Watching

pytestmark = pytest.mark.anyio


@EACH
async def test_a_client_that_leaves_ends_them(dialect: str) -> None:
    """Cancelled, as a request's step is; nothing stays open."""
    watching, left, into, never = Watching(), anyio.Event(), Exchanged(), anyio.Event()
    reply = up_to(STREAMED[dialect](["x" * 900, "y" * 900, "z"]), "y" * 900, never)
    plano, _ = gateway(reply, telemetry=watching.telemetry, filters=[Ear()], guards=[Windows()])

    async def leave() -> None:
        while len(into.messages) < 2:
            await anyio.lowlevel.checkpoint()
        left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        await ask(plano, dialect, leave=left, into=into)
    assert told(watching.chat)["error.type"] == "client_disconnect"
    assert error_of(only(watching, "filter")) == "cancelled"
    assert error_of(only(watching, "apply_guardrail")) == "cancelled"


@EACH
async def test_a_client_that_hangs_up_at_the_end_mark_cancels_nothing(dialect: str) -> None:
    """The upstream lingers behind its end mark; the client does not wait."""
    watching, left, into, never = Watching(), anyio.Event(), Exchanged(), anyio.Event()
    plano, _ = gateway(
        memory_reply(STREAMED[dialect](["x" * 900]), never),
        telemetry=watching.telemetry,
        filters=[Ear()],
        guards=[Windows()],
    )
    marks = (b"[DONE]", b"message_stop", b"response.completed")

    async def leave() -> None:
        while not any(mark in into.body for mark in marks):
            await anyio.lowlevel.checkpoint()
        left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        await ask(plano, dialect, leave=left, into=into)
    assert error_of(only(watching, "filter")) == ""
    assert error_of(only(watching, "apply_guardrail")) == ""


@EACH
async def test_an_upstream_that_breaks_off_is_not_their_fault(dialect: str) -> None:
    """They have done their work; the attempt has failed."""
    watching = Watching()
    reply = up_to(STREAMED[dialect](["x" * 900, "y" * 900]), "x" * 900, UpstreamReset("gone"))
    plano, _ = gateway(reply, telemetry=watching.telemetry, filters=[Ear()], guards=[Windows()])
    await ask(plano, dialect)
    assert told(watching.only("attempt"))["error.type"] == "upstream_reset"
    assert error_of(only(watching, "filter")) == ""
    assert error_of(only(watching, "apply_guardrail")) == ""


async def test_a_cancelled_task_ends_them() -> None:
    """As of a server that gives up at its shutdown."""
    watching, into, never = Watching(), Exchanged(), anyio.Event()
    reply = up_to(chat_stream(["x" * 900]), "x" * 900, never)
    plano, _ = gateway(reply, telemetry=watching.telemetry, filters=[Ear()], guards=[Windows()])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: ask(plano, into=into))
        while len(into.messages) < 2:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert error_of(only(watching, "filter")) == "cancelled"
    assert error_of(only(watching, "apply_guardrail")) == "cancelled"


async def test_interleaved_answers_never_mix() -> None:
    """Each exchange has its own span of the one filter and of the one guard."""
    watching = Watching()
    plano = answered(watching, *["x" * 500] * 4, filters=[Ear()], guards=[Windows()])
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask, plano)
    chats = {span_id(span) for span in watching.spans.of_kind("chat", 8)}
    for mark in ("filter", "apply_guardrail"):
        assert sorted(parent_id(span) for span in on_answers(watching, mark)) == sorted(chats)
