"""Sessions in a whole gateway."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.sessions import Sessions
from plano_asgi.stores.local_store import LocalStore

pytestmark = pytest.mark.anyio

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
