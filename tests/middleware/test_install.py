"""One call, the right order."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_drive import drive
from plano_asgi.guards.base import ALLOW, Subject, Verdict, block, guard
from plano_asgi.middleware import PlanoGuard, PlanoMemory, PlanoTracing, install
from plano_asgi.telemetry import Outcome, Telemetry
from tapped import WHOLE
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio


@guard
async def no_bombs(subject: Subject) -> Verdict:
    """Blocks at a word."""
    return block("bomb") if "bomb" in subject.text else ALLOW


class Tracing:
    """Notes the status of what passes."""

    def __init__(self, app: ASGIApp, seen: list[Any]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def spy(message: Any) -> None:
            if "status" in message:
                self.seen.append(message["status"])
            await send(message)

        await self.app(scope, receive, spy)


async def answer(request: Request) -> JSONResponse:
    """A model of one word."""
    return JSONResponse(WHOLE)


def classes_of(app: Starlette) -> list[Any]:
    """The middlewares of *app*, outermost first."""
    return [middleware.cls for middleware in app.user_middleware]


async def test_tracing_outside_the_guard_outside_the_memory() -> None:
    """And what is added afterwards is outside of all: CORS."""
    seen: list[Any] = []
    app = Starlette(routes=[Route(CHAT, answer, methods=["POST"])])
    install(
        app,
        guard={"guards": [no_bombs]},
        memory={"store": "memory://", "namespace": lambda scope: "alice"},
        tracing=Middleware(Tracing, seen=seen),
    )
    app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"])
    assert classes_of(app) == [CORSMiddleware, Tracing, PlanoGuard, PlanoMemory]
    headers = {"origin": "https://a.example"}
    body = {**HI, "messages": [{"role": "user", "content": "a bomb"}]}
    blocked = await drive(app, CHAT, body, headers=headers)
    assert blocked.headers["access-control-allow-origin"] == "https://a.example"
    assert (await drive(app, CHAT, HI)).json() == WHOLE
    assert seen == [400, 200]


def test_nothing_asked_for_is_nothing_added() -> None:
    """Each is the host's choice."""
    app = Starlette()
    install(app)
    assert app.user_middleware == []
    install(app, guard=True)
    assert classes_of(app) == [PlanoGuard]
    install(app, tracing=True)
    assert classes_of(app) == [PlanoTracing, PlanoGuard]


@pytest.mark.parametrize("given", ["telemetry", "options", "middleware"])
async def test_tracing_sees_what_the_guard_refuses(given: str) -> None:
    """However it is given: a ``Telemetry``, the options of one, or the middleware itself."""
    outcomes: list[Outcome] = []
    telemetry = Telemetry(on_outcome=[outcomes.append])
    tracing: dict[str, Any] = {
        "telemetry": telemetry,
        "options": {"on_outcome": [outcomes.append], "exclude": ["/other/*"]},
        "middleware": Middleware(PlanoTracing, telemetry=telemetry),
    }
    app = Starlette(routes=[Route(CHAT, answer, methods=["POST"])])
    install(
        app,
        guard={"guards": [no_bombs]},
        memory={"store": "memory://", "namespace": lambda scope: "alice"},
        tracing=tracing[given],
    )
    assert classes_of(app) == [PlanoTracing, PlanoGuard, PlanoMemory]
    body = {**HI, "messages": [{"role": "user", "content": "a bomb"}]}
    assert (await drive(app, CHAT, body)).status == 400
    assert (await drive(app, CHAT, HI)).json() == WHOLE
    assert [outcome.status for outcome in outcomes] == [400, 200]
    assert outcomes[0].error_type == "content_policy_violation"
