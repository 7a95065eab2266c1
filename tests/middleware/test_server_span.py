"""One request has one server span, whoever else would make one, inside or outside."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as Instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from asgi_drive import drive
from plano_asgi.middleware import PlanoTracing
from tapped import WHOLE
from telemetry.one_trace import PARENT, TRACEPARENT, names, parent_id, span_id
from telemetry.watching import Watching, is_one_trace
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio


async def chat(request: Request) -> JSONResponse:
    """An app's own route."""
    await request.json()
    return JSONResponse(WHOLE)


def starlette_app(*around: Middleware) -> ASGIApp:
    """Its middlewares, the outermost first."""
    return Starlette(routes=[Route(CHAT, chat, methods=["POST"])], middleware=around)


def fastapi_app(telemetry: Any, *around: Middleware) -> FastAPI:
    """The same; FastAPI makes spans itself, unless told not to."""
    app = FastAPI(telemetry=telemetry, middleware=around)
    app.add_api_route(CHAT, chat, methods=["POST"])
    return app


def layers(watching: Watching) -> dict[str, Middleware]:
    """Whoever makes server spans, with one tracer provider."""
    provider = watching.telemetry.provider
    return {
        "plano": Middleware(PlanoTracing, telemetry=watching.telemetry),
        "starlette": Middleware(OpenTelemetryMiddleware, tracer_provider=provider),
        "instrumentation": Middleware(
            Instrumentation, tracer_provider=provider, exclude_spans=["receive", "send"]
        ),
    }


def server_of(watching: Watching) -> ReadableSpan:
    """The only server span; all spans hang together below it, and below the client's."""
    spans = watching.spans.ended
    (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
    assert parent_id(server) == int(PARENT, 16)
    assert is_one_trace(spans)
    known = {span_id(span) for span in spans}
    assert all(parent_id(span) in known for span in spans if span is not server), names(spans)
    return server


async def ask(app: ASGIApp, path: str = CHAT) -> None:
    """As a client with a trace of its own."""
    found = await drive(app, path, HI, headers={"traceparent": TRACEPARENT, "host": "here"})
    assert found.status == 200


@pytest.mark.parametrize("order", list(permutations(("plano", "starlette"))), ids="-".join)
async def test_starlettes_own(order: tuple[str, ...]) -> None:
    """The outer one makes it; the exchange is its child."""
    watching = Watching()
    await ask(starlette_app(*(layers(watching)[name] for name in order)))
    assert parent_id(watching.chat) == span_id(server_of(watching))
    assert len(watching.spans.ended) == 2


@pytest.mark.parametrize("order", list(permutations(("plano", "instrumentation"))), ids="-".join)
@pytest.mark.parametrize("framework", ["starlette", "fastapi", "fastapi without telemetry"])
async def test_an_instrumentations(order: tuple[str, ...], framework: str) -> None:
    """Inside it makes a span of its own, below ours; outside it makes the server's."""
    watching = Watching()
    around = [layers(watching)[name] for name in order]
    telemetry: Any = {"tracer_provider": watching.telemetry.provider}
    make: dict[str, Callable[[], ASGIApp]] = {
        "starlette": lambda: starlette_app(*around),
        "fastapi": lambda: fastapi_app(telemetry, *around),
        "fastapi without telemetry": lambda: fastapi_app({"tracing": False}, *around),
    }
    await ask(make[framework]())
    server = server_of(watching)
    assert parent_id(watching.chat) == span_id(server)
    inner = [s for s in watching.spans.ended if s not in (server, watching.chat)]
    assert {span.kind for span in inner} <= {SpanKind.INTERNAL}


@pytest.mark.parametrize("is_inside", [True, False])
async def test_fastapis_own(is_inside: bool) -> None:
    """Added as a middleware, or put around the app."""
    watching = Watching()
    telemetry: Any = {"tracer_provider": watching.telemetry.provider}
    around = layers(watching)["plano"]
    if is_inside:
        app: ASGIApp = fastapi_app(telemetry, around)
    else:
        app = PlanoTracing(fastapi_app(telemetry), telemetry=watching.telemetry)
    await ask(app)
    assert parent_id(watching.chat) == span_id(server_of(watching))


async def test_a_mounted_fastapis() -> None:
    """Which traces itself, in a Starlette app that is traced by ours."""
    watching = Watching()
    inner = fastapi_app({"tracer_provider": watching.telemetry.provider})
    app = Starlette(routes=[Mount("/inner", inner)], middleware=[layers(watching)["plano"]])
    await ask(app, f"/inner{CHAT}")
    assert parent_id(watching.chat) == span_id(server_of(watching))


@pytest.mark.parametrize(
    "order",
    [
        ("plano", "starlette", "instrumentation"),
        ("plano", "instrumentation", "starlette"),
        ("starlette", "plano", "instrumentation"),
        ("starlette", "instrumentation", "plano"),
    ],
    ids="-".join,
)
async def test_all_of_them(order: tuple[str, ...]) -> None:
    """Where the other two alone make one; an instrumentation outside of Starlette's does not."""
    watching = Watching()
    await ask(starlette_app(*(layers(watching)[name] for name in order)))
    server_of(watching)


async def test_requests_that_are_no_exchanges_have_one_too() -> None:
    """The frameworks inside stand aside there as well."""
    watching = Watching()
    app = starlette_app(layers(watching)["plano"], layers(watching)["starlette"])
    headers = {"traceparent": TRACEPARENT}
    assert (await drive(app, "/none", HI, headers=headers)).status == 404
    assert server_of(watching).name == "POST /none"
    assert len(watching.spans.ended) == 1


async def test_without_a_server_span_of_ours_theirs_is_made() -> None:
    """Where that is what was asked for."""
    watching = Watching()
    ours = Middleware(PlanoTracing, telemetry=watching.telemetry, server_span=False)
    await ask(starlette_app(ours, layers(watching)["starlette"]))
    (server,) = [span for span in watching.spans.ended if span.kind is SpanKind.SERVER]
    assert parent_id(server) == parent_id(watching.chat) == int(PARENT, 16)
