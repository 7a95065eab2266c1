"""``doing``, wherever an app may be: watched, on a path nobody looks at, or not watched at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest
from fastapi import FastAPI, Request
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_drive import drive
from exchanges import chat_exchange
from gateway_build import gateway
from memory_transport import answer
from plano_asgi import Exchange, PlanoGuard, PlanoTracing, doing
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import SCOPE_KEY
from plano_asgi.telemetry import Telemetry
from tapped import JSON, WHOLE
from telemetry.agent_apps import SERVER_SPAN, lineage, route, traced
from telemetry.watching import Watching
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio

UNWATCHED: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "nothing around it": lambda app: app,
    "a guard": PlanoGuard,
    "no tracer provider": lambda app: PlanoTracing(app, telemetry=Telemetry()),
    "an excluded path": lambda app: PlanoTracing(
        app, telemetry=Watching().telemetry, exclude=["/v1/*"]
    ),
}


@pytest.mark.parametrize("around", UNWATCHED.values(), ids=UNWATCHED.keys())
async def test_where_nobody_watches_the_app_does_the_same(
    around: Callable[[ASGIApp], ASGIApp],
) -> None:
    """No ``if`` in the app: nothing to tell, no headers, and what is raised passes."""
    seen: list[Any] = []

    async def work(request: Request) -> JSONResponse:
        with doing(request, "agent", "travel", agent_id="a1") as agent:
            try:
                with doing(request, "tool", "weather") as tool:
                    tool.note(hits=3)
                    seen.extend((agent.headers, tool.headers, tool.facts))
                    raise LookupError
            except LookupError:
                await anyio.lowlevel.checkpoint()
                seen.append("passed")
        return JSONResponse({**WHOLE, "id": "mine"})

    found = await drive(around(Starlette(routes=[route(work)])), CHAT, HI)
    assert found.json()["id"] == "mine"
    assert seen == [{}, {}, {}, "passed"]


@pytest.mark.parametrize("kind", ["attempt", "tol", ""])
@pytest.mark.parametrize("is_watched", [True, False])
async def test_other_kinds_are_refused_watched_or_not(kind: Any, is_watched: bool) -> None:
    """Not only once somebody switches telemetry on."""
    exchange = chat_exchange()
    Watching().telemetry.begin(exchange, None)
    with pytest.raises(ConfigurationError, match="agent"):
        doing({SCOPE_KEY: exchange} if is_watched else {}, kind, "x")


async def test_a_scope_will_do() -> None:
    """An app without a framework has no other; whatever else is under our key is not ours."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with doing(scope, "tool", "weather"), doing({SCOPE_KEY: "theirs"}, "tool", "none"):
            await JSONResponse(WHOLE)(scope, receive, send)

    watching = Watching()
    await drive(PlanoTracing(app, telemetry=watching.telemetry), CHAT, HI)
    assert lineage(watching, "execute_tool") == ["execute_tool weather", "chat", SERVER_SPAN]


async def test_a_websocket_and_a_lifespan_are_nobodys() -> None:
    """There is no exchange to tell it of."""
    for kind in ("websocket", "lifespan"):
        with doing({"type": kind}, "tool", "weather") as tool:
            assert not tool.headers


async def test_a_route_of_the_apps_own_is_watched_if_tracing_knows_it() -> None:
    """By its path and its fields; the span is then of that route."""

    async def work(request: Any) -> JSONResponse:
        with doing(request, "agent", "travel"):
            return JSONResponse({"answer": "Rome"})

    watching = Watching()
    app = traced(watching, route(work, "/ask"), paths=["/ask"], fields=["question"])
    await drive(app, "/ask", {"question": "Where to?"})
    assert lineage(watching, "invoke_agent") == ["invoke_agent travel", "route", "POST /ask"]


@pytest.mark.parametrize("rewrite", [False, True], ids=["mounted", "under another path"])
async def test_an_app_inside_finds_the_exchange(rewrite: bool) -> None:
    """Mounted, or behind a router that gives it a path of its own."""

    async def work(request: Any) -> None:
        with doing(request, "agent", "travel"):
            await anyio.lowlevel.checkpoint()

    inner = Starlette(routes=[route(work, "/inside" if rewrite else "/chat/completions")])

    async def renamed(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "path": "/inside", "root_path": ""}, receive, send)

    watching = Watching()
    await drive(traced(watching, Mount("/v1", renamed if rewrite else inner)), CHAT, HI)
    assert lineage(watching, "invoke_agent") == ["invoke_agent travel", "chat m", SERVER_SPAN]


async def test_a_blocking_route_of_fastapi_is_in_the_tree() -> None:
    """FastAPI's own spans stand between, if it makes any."""
    watching = Watching()
    provider = watching.telemetry.provider
    app = FastAPI(
        telemetry={"tracer_provider": provider},
        middleware=[Middleware(PlanoTracing, telemetry=watching.telemetry)],
    )

    @app.post(CHAT)
    def chat(request: Request, body: dict[str, Any]) -> dict[str, Any]:
        with doing(request, "agent", "travel"), doing(request, "tool", "weather"):
            return {**WHOLE, "model": body["model"]}

    assert (await drive(app, CHAT, HI, headers={"content-type": JSON})).status == 200
    found = lineage(watching, "execute_tool")
    assert found[:2] == ["execute_tool weather", "invoke_agent travel"]
    assert found[-2:] == ["chat m", SERVER_SPAN]
    assert {span.kind for span in watching.spans.ended if span.name.startswith("fastapi")} <= {
        SpanKind.INTERNAL
    }


async def test_a_step_of_the_gateway_has_the_exchange_itself() -> None:
    """A filter's tool is below the filter."""

    async def look_up(exchange: Exchange) -> None:
        with exchange.doing("tool", "weather"):
            await anyio.lowlevel.checkpoint()

    watching = Watching()
    plano, _ = gateway(answer(WHOLE), filters=[look_up], telemetry=watching.telemetry)
    await drive(plano, CHAT, {**HI, "model": "openai/gpt-4o"})
    assert lineage(watching, "execute_tool")[:3] == [
        "execute_tool weather",
        "filter look_up",
        "chat openai/gpt-4o",
    ]


def test_headers_are_the_askers_own_to_add_to() -> None:
    """What one request puts in, another does not send."""
    doing({}, "tool", "first").headers["authorization"] = "Bearer of-a-user"
    assert doing({}, "tool", "second").headers == {}
