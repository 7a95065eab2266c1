"""``PlanoTracing`` with guards and memory around the same app, in any order."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import MemoryReply, answer
from plano_asgi.exchange import SCOPE_KEY, Exchange
from plano_asgi.guards import PII, Secrets
from plano_asgi.guards.base import ALLOW, Subject, Verdict, block, guard
from plano_asgi.memory.base import Injection, MemoryHook, Namespace
from plano_asgi.middleware import PlanoGuard, PlanoMemory, PlanoTracing
from plano_asgi.telemetry import ContentCapture
from replies import (
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
)
from script import Reply
from tapped import PATHS, QUESTIONS, WHOLE
from telemetry.watching import Watching
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio

ANN = "ann.example@acme.org"
SECRET = "sk-proj-" + "Zk3Tq9Xw7Lr2Vb5Nc8Md1" * 3
ANGRY = "This is useless, I am fed up. Get me a human agent right now!"
KINDS = ("tracing", "guard", "memory")
ORDERS = list(permutations(KINDS))
WHOLE_REPLIES: dict[str, Callable[..., Reply]] = dict(
    zip(PATHS, (chat_reply, anthropic_reply, responses_reply), strict=True)
)
STREAMED: dict[str, Callable[..., Reply]] = dict(
    zip(PATHS, (chat_stream, anthropic_stream, responses_stream), strict=True)
)


class Angry(MemoryHook):
    """Recalls that somebody was angry once."""

    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        return Injection(text=ANGRY, items=("1", "2"))


@guard
async def no_bombs(subject: Subject) -> Verdict:
    """Blocks at a word."""
    return block("bomb") if "bomb" in subject.text else ALLOW


def scripted(reply: Reply) -> MemoryReply:
    """A reply of the scripts, in memory."""
    body = [reply.body] if isinstance(reply.body, bytes) else list(reply.body)
    return MemoryReply(reply.status, reply.framed(), [part for part in body if part])  # type: ignore[misc]


def stacked(app: ASGIApp, order: tuple[str, ...], watching: Watching, *guards: Any) -> ASGIApp:
    """*app* behind all three, the first of *order* outermost."""
    for kind in reversed(order):
        if kind == "tracing":
            app = PlanoTracing(app, telemetry=watching.telemetry)
        elif kind == "guard":
            app = PlanoGuard(app, guards=guards or [no_bombs])
        else:
            app = PlanoMemory(
                app, store="memory://", namespace=lambda scope: "ann", hooks=[Angry()]
            )
    return app


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_they_share_the_exchange_in_any_order(order: tuple[str, ...]) -> None:
    """One id, one body; what each found out is on the one span, and counted once."""
    watching = Watching()
    plano, transport = gateway(answer(WHOLE))
    seen: list[Any] = []

    async def spy(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[SCOPE_KEY])
        await plano(scope, receive, send)

    body = {**HI, "model": "openai/gpt-4o"}
    size = str(len(json.dumps(body)))
    app = stacked(spy, order, watching)
    found = await drive(app, CHAT, body, headers={"content-length": size})
    assert found.json()["choices"] == WHOLE["choices"]
    outcome = watching.outcome
    assert outcome.exchange is seen[0]
    assert found.headers["x-request-id"] == outcome.exchange.id
    assert [audit.guard for audit in outcome.exchange.audits] == ["no_bombs"]
    assert "useless" in transport.body()["messages"][0]["content"]
    told = watching.told()
    assert told["plano.request.bytes"] == int(size)
    assert told["plano.memory.hits"] == 2
    assert watching.counted("plano_guard_verdicts_total", plano_guard_status="passed") == 1
    assert watching.counted("plano_memory_hits_total") == 2
    assert watching.counted("plano_requests_total") == 1
    assert watching.in_flight == 0


@pytest.mark.parametrize(
    "order",
    [order for order in ORDERS if order.index("tracing") < order.index("memory")],
    ids="-".join,
)
async def test_what_was_recalled_is_nobodys_anger(order: tuple[str, ...]) -> None:
    """Signals are about what the user says; said by the user it is heard."""
    for text, count in (("Which day is it?", 0), (ANGRY, 1)):
        watching = Watching()
        plano, _ = gateway(answer(WHOLE))
        body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": text}]}
        await drive(stacked(plano, order, watching), CHAT, body)
        report = watching.outcome.signals
        assert report is not None
        assert bool(report.groups["disengagement"].count) is bool(count)


async def test_a_block_is_told_with_its_guard() -> None:
    """400, the guard's own span, its verdict among the metrics; the app never asked."""
    watching = Watching()
    plano, transport = gateway(answer(WHOLE))
    body = {**HI, "messages": [{"role": "user", "content": "a bomb"}]}
    app = stacked(plano, KINDS, watching)
    assert (await drive(app, CHAT, body)).status == 400
    judged = watching.told("apply_guardrail")
    assert judged["plano.guard.status"] == "blocked"
    assert judged["plano.guard.rule"] == "bomb"
    assert watching.told()["http.response.status_code"] == 400
    assert watching.told()["error.type"] == "content_policy_violation"
    assert watching.counted("plano_guard_verdicts_total", plano_guard_status="blocked") == 1
    assert transport.requests == []
    assert watching.in_flight == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", list(PATHS))
@pytest.mark.parametrize("order", [("tracing", "guard"), ("guard", "tracing")], ids="-".join)
async def test_captured_content_has_placeholders(
    order: tuple[str, ...], dialect: str, stream: bool
) -> None:
    """Clients read the real values; no span and no metric ever has one, snippets included."""
    watching = Watching(content=ContentCapture.SPAN_AND_EVENT)
    said = ["Dear <EMAIL_1>", ", hello."]
    reply = STREAMED[dialect](said) if stream else WHOLE_REPLIES[dialect]("".join(said))
    plano, transport = gateway(scripted(reply))
    text = f"{ANGRY} I wrote to {ANN} with {SECRET} and nobody answers, this is useless."
    body = {**QUESTIONS[dialect], "model": "openai/gpt-4o", "stream": stream}
    if dialect == "anthropic.messages":
        body["model"] = "anthropic/claude-sonnet-4-5"
    if "input" in body:
        body["input"] = text
    else:
        body["messages"] = [{"role": "user", "content": text}]
    app = stacked(plano, order, watching, PII(mode="mask"), Secrets())
    found = await drive(app, PATHS[dialect], body)
    assert ANN in "".join(found.body.decode().replace('"', "").split())  # whole, or in pieces
    assert ANN.encode() not in (transport.requests[0].content or b"")
    told = watching.told()
    assert "[EMAIL] with [API_KEY]" in told["gen_ai.input.messages"]
    assert "Dear [EMAIL], hello." in told["gen_ai.output.messages"]
    assert watching.outcome.signals is not None
    assert watching.outcome.signals.signals
    everything = watching.all_told()
    assert ANN not in everything
    assert SECRET[:16] not in everything


async def test_without_being_asked_no_content_is_told() -> None:
    """Neither prompts nor answers nor snippets."""
    watching = Watching()
    plano, _ = gateway(scripted(chat_reply("An answer of note")))
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": ANGRY}]}
    await drive(PlanoTracing(plano, telemetry=watching.telemetry), CHAT, body)
    everything = watching.all_told()
    assert "useless, I am" not in everything
    assert "of note" not in everything
    assert watching.chat.events
