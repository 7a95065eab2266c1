"""Sessions in a whole gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import MemoryReply, answer, events
from plano_asgi.config import Plano
from plano_asgi.errors import UpstreamReset
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.sessions import Sessions
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

T = TypeVar("T")

CLAUDE = Candidate(provider="anthropic", model="claude-sonnet-4-5")
GPT = Candidate(provider="openai", model="gpt-4o")
NAMES = Names(
    [
        ModelEntry(name=c.name, provider=c.provider, model=c.model, prefix=c.provider)
        for c in (CLAUDE, GPT)
    ]
)
SAID = {
    "id": "c1",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}
ASKED: dict[str, Any] = {
    "model": "anthropic/claude-sonnet-4-5",
    "messages": [{"role": "user", "content": "Hello"}],
}
CHUNK = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "model": "gpt-4o",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}],
}
LAST = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
SESSION = {"x-model-affinity": "s1"}


def process(store: LocalStore, model: Candidate, reply: MemoryReply) -> Plano:
    """A gateway that routes every first turn to *model*, on a store of several."""

    async def rule(exchange: Exchange) -> Route:
        return Route(candidates=(model,))

    sessions = Sessions(store, rule, names=NAMES, serves=lambda candidate: True)
    return gateway(reply, rules=[sessions], finalizers=[sessions.refresh])[0]


class Quick:
    """A client of *app* whose next turn, at *other*, does not wait for the answer to begin."""

    def __init__(self, app: ASGIApp, other: ASGIApp) -> None:
        self.app, self.other = app, other
        self.served = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def asked_first(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = await drive(self.other, "/v1/chat/completions", ASKED, headers=SESSION)
                self.served = found.headers["x-plano-model"]
            await send(message)

        await self.app(scope, receive, asked_first)


class FaultyStore(LocalStore):
    """A store with a bug."""

    async def update(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, T]],
        /,
        *,
        ttl_s: float | None = None,
    ) -> T:
        raise RuntimeError("a bug")


async def test_conversation_stays_where_it_was_answered() -> None:
    """The first model is down, the second answers: the next turn goes there, and is not routed."""
    asked = 0

    async def rule(exchange: Exchange) -> Route:
        nonlocal asked
        asked += 1
        return Route(candidates=(CLAUDE, GPT))

    sessions = Sessions(LocalStore(), rule, names=NAMES, serves=lambda candidate: True)
    down = answer({"type": "error", "error": {"type": "overloaded_error"}}, status=529)
    app, transport = gateway(down, answer(SAID), rules=[sessions], finalizers=[sessions.refresh])
    for path in ("/v1/chat/completions",) * 2:
        found = await drive(app, path, ASKED, headers={"x-model-affinity": "s1"})
        assert found.status == 200
    hosts = [request.url.split("/")[2] for request in transport.requests]
    assert hosts == ["api.anthropic.com", "api.openai.com", "api.openai.com"]
    assert asked == 1
    await app.aclose()


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (ASKED, answer(SAID)),
        (ASKED | {"stream": True}, events(CHUNK, LAST, "[DONE]")),
    ],
    ids=["unary", "streamed"],
)
async def test_next_turn_finds_its_model_whatever_process_it_comes_to(
    body: dict[str, Any], reply: MemoryReply
) -> None:
    """As fast as it may be: the pin is written before the first byte of the answer."""
    store = LocalStore()
    other = process(store, CLAUDE, answer(SAID))
    app = Quick(process(store, GPT, reply), other)
    found = await drive(app, "/v1/chat/completions", body, headers=SESSION)
    assert (found.status, found.headers["x-plano-model"]) == (200, GPT.name)
    assert app.served == GPT.name


async def test_a_decision_is_kept_before_it_is_told() -> None:
    """Whoever asked where to go may come back at once, at any process."""
    store = LocalStore()
    app = Quick(process(store, GPT, answer(SAID)), process(store, CLAUDE, answer(SAID)))
    found = await drive(app, "/routing/v1/chat/completions", ASKED, headers=SESSION)
    assert found.status == 200
    assert app.served == GPT.name


async def test_stream_that_breaks_off_pins_nothing() -> None:
    """What its first byte had promised is taken back."""
    store = LocalStore()
    app = process(store, GPT, events(CHUNK, cut=UpstreamReset("gone")))
    asked = ASKED | {"stream": True}
    found = await drive(app, "/v1/chat/completions", asked, headers=SESSION)
    assert "error" in found.data()[-1]
    assert await store.keys("") == []


async def test_fault_in_the_sessions_costs_no_answer() -> None:
    """It was asked for and paid for; the log says what went wrong."""
    app = process(FaultyStore(), GPT, answer(SAID))
    with capture_logs() as logs:
        found = await drive(app, "/v1/chat/completions", ASKED, headers=SESSION)
    assert found.json()["choices"] == SAID["choices"]
    failed = [(log["event"], log["error"]) for log in logs if "failed" in log["event"]]
    assert failed == [("commit_failed", "RuntimeError"), ("finalizer_failed", "RuntimeError")]
