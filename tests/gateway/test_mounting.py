"""Mounted in real host apps: paths, root paths, lifespans, event loops, other middleware."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx2
import openai
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi import Plano
from plano_asgi.config import PlanoConfig, load_config
from serving import serving
from upstream import chat_reply, chat_stream, scripted_upstream

BODY = {"model": "plano/echo", "messages": [{"role": "user", "content": "hello"}]}


def echo() -> Plano:
    """The gateway with nothing but the built-in model."""
    return Plano(["plano/echo"], environ={})


def fastapi_at(path: str, **options: str) -> ASGIApp:
    """A FastAPI app with the gateway at *path*."""
    app = FastAPI(**options)  # type: ignore[arg-type]
    app.mount(path, echo())
    return app


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("app", "path", "root_path"),
    [
        pytest.param(fastapi_at("/v1"), "/v1/chat/completions", "", id="v1"),
        pytest.param(fastapi_at("/v1"), "/v1/v1/chat/completions/", "", id="doubled"),
        pytest.param(fastapi_at("/a/b"), "/a/b/v1/chat/completions", "", id="nested-path"),
        pytest.param(fastapi_at("/"), "/v1/chat/completions", "", id="root"),
        pytest.param(fastapi_at(""), "/chat/completions", "", id="empty"),
        pytest.param(
            Starlette(routes=[Mount("/x", routes=[Mount("/y", app=echo())])]),
            "/x/y/chat/completions",
            "",
            id="nested-mounts",
        ),
        pytest.param(fastapi_at("/v1"), "/proxy/v1/chat/completions", "/proxy", id="proxy"),
    ],
)
async def test_a_mount_works_with_nothing_else(app: ASGIApp, path: str, root_path: str) -> None:
    """Lazy start, no lifespan, any depth."""
    found = await drive(app, path, BODY, root_path=root_path)
    assert found.status == 200, found.body
    assert "hello" in found.json()["choices"][0]["message"]["content"]


@pytest.mark.anyio
async def test_the_lifespan_composes_with_the_hosts() -> None:
    """Entered and left in order; what it closes can be opened again."""
    plano, transport = gateway(answer({"choices": []}))
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with plano.lifespan(app):
            events.append("up")
            yield
        events.append("down")

    app = FastAPI(lifespan=lifespan)
    app.mount("/v1", plano)
    body = {**BODY, "model": "openai/gpt-4o"}
    async with app.router.lifespan_context(app):
        assert (await drive(app, "/v1/chat/completions", body)).status == 200
        assert not transport.closed
    assert transport.closed
    assert events == ["up", "down"]
    assert (await drive(app, "/v1/chat/completions", body)).status == 200


def test_one_gateway_serves_many_event_loops_one_after_the_other() -> None:
    """Each loop has connections of its own; tests and reloading servers make many loops."""
    with scripted_upstream() as upstream:
        upstream.always(chat_reply("hi"))
        plano = Plano.from_config(_config(upstream.base_url))

        async def ask() -> int:
            body = {**BODY, "model": "openai/m"}
            return (await drive(plano, "/v1/chat/completions", body)).status

        assert [anyio.run(ask) for _ in range(3)] == [200, 200, 200]


def test_under_another_middleware_streams_stay_streams() -> None:
    """Users will have a BaseHTTPMiddleware; the stream ends whole all the same."""

    class Other(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            response = await call_next(request)
            response.headers["x-other"] = "1"
            return response

    with scripted_upstream() as upstream:
        upstream.always(chat_stream(["Hel", "lo"]))
        app = FastAPI()
        app.add_middleware(Other)
        app.mount("/v1", Plano.from_config(_config(upstream.base_url)))
        with serving(app) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x") as client:
            stream = client.chat.completions.create(
                model="openai/m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "Hello"


def test_no_redirect_loses_a_body() -> None:
    """A trailing slash and a missing /v1 are understood, over a socket too."""
    app = fastapi_at("/v1")
    with serving(app) as url, httpx2.Client(base_url=url) as client:
        for path in ("/v1/chat/completions/", "/v1/chat/completions", "/v1/v1/chat/completions"):
            assert client.post(path, json=BODY).status_code == 200
        assert client.request("HEAD", "/v1/").status_code == 200
        assert client.get("/v1/models/plano/echo").json()["id"] == "plano/echo"


def _config(base_url: str) -> PlanoConfig:
    document = {
        "version": "v0.4.0",
        "listeners": [],
        "model_providers": [{"model": "openai/m", "access_key": "the-key", "base_url": base_url}],
    }
    return load_config(document, environ={})
