"""Middlewares of a few lines around apps of a few lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_asgi.asgi.tap_run import RequestStep
from plano_asgi.exchange import SCOPE_KEY, Exchange, ResponseFilter
from plano_asgi.middleware import ExchangeMiddleware, Recogniser
from tapped import JSON

CHAT = "/v1/chat/completions"
HI = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def around(
    app: ASGIApp, *steps: RequestStep, recogniser: Recogniser | None = None, **options: Any
) -> ExchangeMiddleware:
    """A middleware of *steps*."""
    return ExchangeMiddleware(app, steps, recogniser=recogniser or Recogniser(), **options)


class Echo:
    """Answers with the request's body; keeps what it saw."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        self.bodies.append(b"".join(parts))
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", JSON.encode())],
            }
        )
        await send({"type": "http.response.body", "body": self.bodies[-1]})

    @property
    def exchange(self) -> Any:
        """The exchange in the last scope, if any."""
        return self.scopes[-1].get(SCOPE_KEY)

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Of the last request."""
        return dict(self.scopes[-1]["headers"])

    def json(self) -> Any:
        """The last body."""
        return json.loads(self.bodies[-1])


def noting(seen: list[str], name: str, *filters: ResponseFilter) -> RequestStep:
    """A step that notes that it ran, and registers *filters*."""

    async def step(exchange: Exchange) -> None:
        seen.append(name)
        exchange.response_filters.extend(filters)

    return step


def rewriting(*parts: str) -> RequestStep:
    """A step that appends *parts* to every text of the request."""

    async def step(exchange: Exchange) -> None:
        for passage in exchange.passages():
            passage.replace(" ".join((passage.text, *parts)))
        exchange.touch()

    return step


def raising(error: Exception) -> RequestStep:
    """A step that raises *error*."""

    async def step(exchange: Exchange) -> None:
        raise error

    return step


def texts_of(exchange: Exchange) -> Sequence[str]:
    """The texts of its request."""
    return [passage.text for passage in exchange.passages()]
