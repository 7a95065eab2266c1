"""Exchanges as a step sees them, for tests of one step."""

from __future__ import annotations

from typing import Any

from plano_asgi.exchange import Exchange
from plano_asgi.wire import DIALECTS, LAYOUTS

_PATHS = {
    "openai.chat": "/v1/chat/completions",
    "anthropic.messages": "/v1/messages",
    "openai.responses": "/v1/responses",
}


def exchange_of(dialect: str, body: dict[str, Any]) -> Exchange:
    """An exchange of *dialect* with *body*, as a gateway hands it to its steps."""
    return Exchange(
        id="req_1",
        operation="chat",
        dialect=dialect,
        path=_PATHS[dialect],
        headers={"authorization": "Bearer client-key", "x-team": "blue", "cookie": "a=b"},
        body=body,
        read_request=DIALECTS[dialect].read_request,
        layout=LAYOUTS[dialect],
        model=body.get("model"),
        stream=body.get("stream", False),
    )


def chat_exchange(text: str = "Hello", **body: Any) -> Exchange:
    """A chat exchange of one user turn, unless *body* says otherwise."""
    messages = [{"role": "user", "content": text}]
    return exchange_of("openai.chat", {"model": "gpt-4o", "messages": messages, **body})
