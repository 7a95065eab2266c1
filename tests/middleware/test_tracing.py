"""``PlanoTracing`` around apps that know nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import FastAPI
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import answer
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import SCOPE_KEY
from plano_asgi.middleware import PlanoTracing
from plano_asgi.pricing import Prices, Rates
from plano_asgi.telemetry import Telemetry
from replies import (
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
)
from script import Reply
from tapped import PATHS, QUESTIONS, SSE, WHOLE, as_app, saying
from telemetry.one_trace import PARENT, TRACEPARENT, parent_id, span_id
from telemetry.watching import Watching, is_one_trace
from wrapping import CHAT, HI, Echo

pytestmark = pytest.mark.anyio

WHOLE_REPLIES: dict[str, Callable[..., Reply]] = {
    "openai.chat": chat_reply,
    "anthropic.messages": anthropic_reply,
    "openai.responses": responses_reply,
}
STREAMED_REPLIES: dict[str, Callable[..., Reply]] = {
    "openai.chat": chat_stream,
    "anthropic.messages": anthropic_stream,
    "openai.responses": responses_stream,
}


def pieces(dialect: str, stream: bool) -> list[bytes]:
    """What an app that asks a model by itself passes on: 10 tokens in, 5 out."""
    reply = (STREAMED_REPLIES if stream else WHOLE_REPLIES)[dialect](usage=(10, 5))
    body = [reply.body] if isinstance(reply.body, bytes) else reply.body
    return [piece for piece in body if isinstance(piece, bytes)]


def starlette_app(path: str, parts: list[bytes], stream: bool) -> ASGIApp:
    """A Starlette route that answers with *parts*."""

    async def endpoint(request: Request) -> Response:
        await request.json()

        async def body() -> Any:
            for part in parts:
                yield part

        kind = SSE if stream else "application/json"
        return StreamingResponse(body(), media_type=kind)

    return Starlette(routes=[Route(path, endpoint, methods=["POST"])])


def fastapi_app(path: str, parts: list[bytes], stream: bool) -> ASGIApp:
    """The same in FastAPI."""
    app = FastAPI()

    @app.post(path)
    async def endpoint(body: dict[str, Any]) -> Response:
        if stream:
            return StreamingResponse(iter(parts), media_type=SSE)
        return JSONResponse(json.loads(b"".join(parts)))

    return app


def raw_app(path: str, parts: list[bytes], stream: bool) -> ASGIApp:
    """The same with no framework; it never reads the request."""
    return as_app(saying(*parts, content_type=SSE if stream else "application/json"))


def answering(value: object) -> ASGIApp:
    """An app that reads its request, and answers with the JSON of *value*."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await saying(json.dumps(value).encode())(send)

    return app


@pytest.mark.parametrize("make", [starlette_app, fastapi_app, raw_app])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", list(PATHS))
async def test_what_an_app_answers_is_traced_priced_and_counted(
    dialect: str, stream: bool, make: Callable[[str, list[bytes], bool], ASGIApp]
) -> None:
    """Whoever answers, the request's span is the parent, and what went by is what is told."""
    prices = Prices({"*": Rates(input=100.0, output=200.0)}, bundled=False)
    watching = Watching(prices=prices)
    parts = pieces(dialect, stream)
    app = PlanoTracing(make(PATHS[dialect], parts, stream), telemetry=watching.telemetry)
    body = {**QUESTIONS[dialect], "stream": stream}
    headers = {"traceparent": TRACEPARENT, "content-type": "application/json"}
    found = await drive(app, PATHS[dialect], body, headers=headers)
    assert found.status == 200
    assert not stream or found.body == b"".join(parts)
    chat, server = watching.chat, watching.only("POST")
    assert server.kind is SpanKind.SERVER
    assert parent_id(server) == int(PARENT, 16)
    assert parent_id(chat) == span_id(server)
    assert is_one_trace(watching.spans.ended)
    told = watching.told()
    assert told["gen_ai.usage.input_tokens"] == 10
    assert told["gen_ai.usage.output_tokens"] == 5
    assert told["plano.cost.total_usd"] == pytest.approx(0.002)
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["plano.dialect"] == dialect
    assert chat.status.status_code is StatusCode.UNSET
    assert watching.counted("plano_requests_total", plano_status_class="2xx") == 1
    assert watching.in_flight == 0
    if make is not raw_app:
        assert told["gen_ai.request.model"] == "m"
        assert bool(told.get("gen_ai.request.stream")) is stream


BODIES = {
    "not JSON": b"{not json",
    "empty": b"",
    "half a character": b'{"model": "m", "messages": [{"role": "user", "content": "caf\xc3',
    "a list": b"[1, 2]",
    "wrong types": b'{"model": 7, "stream": "yes", "messages": {"role": 3}, "max_tokens": "x"}',
    "deep": b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "large": b'{"model": "m", "messages": [], "x": "' + b"x" * (30 << 20) + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("content_type", ["application/json", "text/weird", ""])
async def test_any_body_arrives_as_it_came(name: str, content_type: str) -> None:
    """What cannot be read is the app's to judge; one span tells of it all the same."""
    watching, echo = Watching(), Echo()
    app = PlanoTracing(echo, telemetry=watching.telemetry)
    headers = {"content-type": content_type} if content_type else {}
    with capture_logs() as logs:
        found = await drive(app, CHAT, BODIES[name], headers=headers)
    assert found.body == echo.bodies[0] == BODIES[name]
    assert watching.told()["plano.request.bytes"] == len(BODIES[name])
    assert watching.outcome.status == 200
    assert watching.in_flight == 0
    assert logs == []


@pytest.mark.parametrize("parts", [(ValueError("sk-secret"),), (b"half", ValueError("sk-secret"))])
async def test_an_app_that_raises_goes_on_raising(parts: tuple[Any, ...]) -> None:
    """Before or after the start; the span says the class, never the words."""
    watching = Watching()

    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        raise parts[0]

    app = early if len(parts) == 1 else as_app(saying(*parts))
    with pytest.raises(ValueError, match="sk-secret"):
        await drive(PlanoTracing(app, telemetry=watching.telemetry), CHAT, HI)
    assert watching.told()["error.type"] == "ValueError"
    assert watching.chat.status.status_code is StatusCode.ERROR
    assert "sk-secret" not in watching.chat.to_json()
    assert watching.in_flight == 0


async def test_an_app_that_never_answers() -> None:
    """Is told as one."""
    watching = Watching()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    await drive(PlanoTracing(silent, telemetry=watching.telemetry), CHAT, HI)
    assert watching.told()["error.type"] == "no_response"
    assert watching.counted("plano_requests_total", plano_status_class="none") == 1
    assert watching.in_flight == 0


async def test_a_refusal_of_the_app_is_told_by_its_status() -> None:
    """With the error type that the client was told."""
    watching = Watching()
    refusal = {"error": {"message": "no", "type": "invalid_request_error", "code": "bad_model"}}
    work = saying(json.dumps(refusal).encode(), status=404)
    await drive(PlanoTracing(as_app(work), telemetry=watching.telemetry), CHAT, HI)
    assert watching.told()["http.response.status_code"] == 404
    assert watching.told()["error.type"]
    assert watching.counted("plano_requests_total", plano_status_class="4xx") == 1


async def test_a_client_that_leaves_is_told_by_what_it_got() -> None:
    """The app hears of it as always; the tokens are counted, and flagged as an estimate."""
    watching, left = Watching(), anyio.Event()
    parts = pieces("openai.chat", stream=True)[:2]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await saying(*parts, content_type=SSE, ends=False)(send)
        left.set()
        assert (await receive())["type"] == "http.disconnect"

    body = {**HI, "stream": True}
    await drive(PlanoTracing(app, telemetry=watching.telemetry), CHAT, body, leave=left)
    told = watching.told()
    assert told["error.type"] == "client_disconnect"
    assert watching.in_flight == 0


async def test_a_task_that_is_cancelled_ends_its_span() -> None:
    """Also in the middle of a body that is looked at in a worker thread."""
    watching, begun = Watching(long_bytes=1), anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await saying(b"{}", ends=False)(send)
        begun.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive, PlanoTracing(app, telemetry=watching.telemetry), CHAT, HI)
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert watching.told()["error.type"] == "cancelled"
    assert watching.outcome.status == 200
    assert watching.in_flight == 0


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CHAT), ("HEAD", CHAT), ("OPTIONS", CHAT), ("POST", "/upload")]
)
async def test_other_requests_are_no_exchanges(method: str, path: str) -> None:
    """They get the request's own span, and nothing else; their scope is not ours."""
    watching, echo = Watching(), Echo()
    app = PlanoTracing(echo, telemetry=watching.telemetry)
    assert (await drive(app, path, HI, method=method)).json() == HI
    assert [span.kind for span in watching.spans.ended] == [SpanKind.SERVER]
    assert SCOPE_KEY not in echo.scopes[0]
    assert watching.outcomes == []


async def test_websockets_go_straight_through() -> None:
    """The same scope and the same callables."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope: Scope = {"type": "websocket", "path": CHAT}
    watching = Watching()
    await PlanoTracing(app, telemetry=watching.telemetry)(scope, receive, send)
    assert all(one is two for one, two in zip(seen, (scope, receive, send), strict=True))
    assert watching.spans.ended == []


async def test_what_it_owns_is_flushed_when_the_app_has_shut_down() -> None:
    """After the app's own shutdown, whose last spans are still sent."""
    order: list[str] = []

    class Owned:
        def shutdown(self) -> None:
            order.append("flushed")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for stage in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{stage}"
            order.append(stage)
            await send({"type": f"lifespan.{stage}.complete"})

    stages = ["lifespan.startup", "lifespan.shutdown"]
    sent: list[str] = []

    async def receive() -> Message:
        await anyio.lowlevel.checkpoint()
        return {"type": stages.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await PlanoTracing(app, owned=[Owned()])({"type": "lifespan"}, receive, send)
    assert order == ["startup", "shutdown", "flushed"]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_route_of_the_hosts_own_is_known_by_its_fields() -> None:
    """Both ways: its signals are found, and no model is made up."""
    watching = Watching()
    reply = {"answer": "I have transferred you.", "took": 3}
    app = PlanoTracing(
        answering(reply),
        telemetry=watching.telemetry,
        paths=["/ask"],
        fields=["question"],
        answer_fields=["answer"],
    )
    await drive(app, "/ask", {"question": "Let me speak to a human agent, please."})
    await drive(app, "/other", {"question": "hi"})
    told = watching.told("route")
    assert told["gen_ai.operation.name"] == "route"
    assert "gen_ai.request.model" not in told
    assert told["signals.quality"]
    assert len(watching.outcomes) == 1


async def test_excluded_paths_are_not_looked_at() -> None:
    """Whatever they look like."""
    watching = Watching()
    app = PlanoTracing(Echo(), telemetry=watching.telemetry, exclude=["/internal/*"])
    await drive(app, f"/internal{CHAT}", HI)
    assert watching.outcomes == []


async def test_without_a_tracer_provider_all_the_rest_works() -> None:
    """No span, and no header of a trace; outcome, metrics and signals as ever."""
    watching = Watching(sampler=None)
    plano, transport = gateway(answer(WHOLE))
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    body = {**HI, "model": "openai/gpt-4o"}
    found = await drive(app, CHAT, body, headers={"traceparent": TRACEPARENT})
    assert found.status == 200
    assert watching.spans.ended == []
    assert "traceparent" not in transport.requests[0].headers
    assert (watching.outcome.trace_id, watching.outcome.model) == ("", "gpt-4o")
    assert watching.outcome.signals is not None
    assert watching.counted("plano_requests_total") == 1
    assert watching.in_flight == 0


async def test_without_telemetry_nobody_watches() -> None:
    """The gateway's own exchange has no watcher."""
    seen: list[Any] = []

    async def note(exchange: Any) -> None:
        seen.append(exchange.watcher)

    plano, _ = gateway(answer(WHOLE), steps=[note])
    assert (await drive(plano, CHAT, {**HI, "model": "openai/gpt-4o"})).status == 200
    assert seen == [None]


@pytest.mark.parametrize("inner", ["tracing", "gateway"])
async def test_an_exchange_watched_twice_is_told_once(inner: str) -> None:
    """By the outer one; the inner one stands aside, and its routes are on the outer's span."""
    outer, aside = Watching(), Watching()
    app: ASGIApp
    if inner == "gateway":
        app, _ = gateway(answer(WHOLE), telemetry=aside.telemetry)
    else:
        app = PlanoTracing(answering(WHOLE), telemetry=aside.telemetry)
    body = {**HI, "model": "openai/gpt-4o"}
    await drive(PlanoTracing(app, telemetry=outer.telemetry), CHAT, body)
    assert outer.chat.name == "chat openai/gpt-4o"
    assert len(outer.outcomes) == 1
    assert outer.counted("plano_requests_total") == 1
    assert outer.only("POST").kind is SpanKind.SERVER
    assert (aside.outcomes, aside.spans.ended) == ([], [])
    assert len([s for s in outer.spans.ended if s.name.startswith("attempt")]) == (
        inner == "gateway"
    )


async def test_two_with_one_telemetry_count_once() -> None:
    """As where ``install`` and a gateway share it."""
    watching = Watching()
    plano, _ = gateway(answer(WHOLE), telemetry=watching.telemetry)
    app = PlanoTracing(plano, telemetry=watching.telemetry)
    await drive(app, CHAT, {**HI, "model": "openai/gpt-4o"})
    assert watching.counted("plano_requests_total") == 1
    assert len(watching.spans.of_kind("chat")) == 1
    assert watching.in_flight == 0


def test_options_are_the_telemetrys() -> None:
    """Given here or there, not in both places; nothing that is no option."""
    with pytest.raises(ConfigurationError, match=r"\['signals'\]"):
        PlanoTracing(Echo(), telemetry=Telemetry(), signals=False)
    with pytest.raises(TypeError, match="colour"):
        PlanoTracing(Echo(), colour="red")
