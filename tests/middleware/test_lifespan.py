"""A middleware's resources are open exactly while the app is served."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wrapping import around

pytestmark = pytest.mark.anyio


class Served:
    """One life of an app under a middleware with a lifespan."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncGenerator[None]:
        """The middleware's."""
        self.events.append("open")
        try:
            yield
        finally:
            self.events.append("closed")

    @asynccontextmanager
    async def app_lifespan(self, _app: Any) -> AsyncGenerator[None]:
        """The app's own."""
        self.events.append("app open")
        yield
        self.events.append("app closed")

    async def serve(self, app: ASGIApp) -> None:
        """As a server does."""
        wrapped = around(app, lifespan=self.lifespan)
        told: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Message:
            return told.pop(0)

        async def send(message: Message) -> None:
            self.events.append(message["type"].removeprefix("lifespan."))

        await wrapped({"type": "lifespan", "state": {}}, receive, send)


async def test_around_the_apps_own() -> None:
    """Open before it, closed after it, and before the server hears that all is done."""
    served = Served()
    await served.serve(Starlette(lifespan=served.app_lifespan))
    assert served.events == [
        "open",
        "app open",
        "startup.complete",
        "app closed",
        "closed",
        "shutdown.complete",
    ]


async def test_an_app_that_fails_to_start() -> None:
    """Nothing stays open."""

    @asynccontextmanager
    async def broken(_app: Any) -> AsyncGenerator[None]:
        raise ValueError("no database")
        yield

    served = Served()
    with pytest.raises(ValueError, match="no database"):
        await served.serve(Starlette(lifespan=broken))
    assert served.events == ["open", "closed", "startup.failed"]


async def test_an_app_without_a_lifespan() -> None:
    """It says so in its own way; nothing was opened, or it is closed."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise NotImplementedError

    served = Served()
    with pytest.raises(NotImplementedError):
        await served.serve(plain)
    assert served.events == ["open", "closed"]
