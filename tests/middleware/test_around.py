"""Around any app: one parse, steps in order, live connections, bounds, and nothing in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asgi_drive import Exchanged, drive
from gateway_build import gateway
from listeners import Hear, Shout, StopAt, registering
from memory_transport import Chunk, MemoryReply, answer
from plano_asgi.errors import ContentBlocked
from plano_asgi.exchange import SCOPE_KEY, AnswerInstead, AnswerStopped, Exchange
from plano_asgi.middleware import Recogniser
from tapped import DONE, PATHS, QUESTIONS, SSE, WHOLE, as_app, chunk, saying, text_of
from wrapping import CHAT, HI, Echo, around, noting, raising, rewriting

pytestmark = pytest.mark.anyio


async def test_an_untouched_body_arrives_as_it_came() -> None:
    """Byte for byte, and the scope of the host stays as it was."""
    body = json.dumps(HI, indent=3).encode()
    echo, hear = Echo(), Hear()
    scopes: list[Scope] = []

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await around(echo, registering(hear))(scope, receive, send)

    found = await drive(outer, CHAT, body, headers={"accept-encoding": "gzip"})
    assert echo.bodies == [body]
    assert found.body == body
    assert SCOPE_KEY not in scopes[0]
    assert b"accept-encoding" not in echo.headers


async def test_a_changed_body_says_its_length() -> None:
    """And the app reads what the step left."""
    echo = Echo()
    app = around(echo, rewriting("there"))
    await drive(app, CHAT, HI, headers={"content-length": "999", "accept-encoding": "gzip"})
    assert echo.json()["messages"][0]["content"] == "hi there"
    assert echo.headers[b"content-length"] == str(len(echo.bodies[0])).encode()
    assert echo.headers[b"accept-encoding"] == b"gzip"  # nobody listens


async def test_several_share_one_exchange() -> None:
    """Parsed once; each runs its own step, and hears the answer nearest to the app first."""
    seen: list[str] = []
    echo = Echo()
    inner = around(echo, noting(seen, "inner", Shout("i")), rewriting("b"))
    app = around(inner, noting(seen, "outer", Shout("o")), rewriting("a"))
    found = await drive(app, CHAT, {**HI, "choices": [{"message": {"content": "x"}}]})
    assert seen == ["outer", "inner"]
    assert echo.json()["messages"][0]["content"] == "hi a b"
    assert found.json()["choices"][0]["message"]["content"] == "oIX"


async def test_another_middleware_between_does_not_part_them() -> None:
    """Not even one that wraps ``receive``; the inner one sends the body as the exchange has it."""
    exchanges: list[Exchange] = []
    echo = Echo()

    async def note(exchange: Exchange) -> None:
        exchanges.append(exchange)

    async def pass_on(request: Request, call_next: Any) -> Response:
        await request.body()
        return await call_next(request)  # type: ignore[no-any-return]

    inner = around(echo, note, rewriting("b"))
    app = around(BaseHTTPMiddleware(inner, dispatch=pass_on), note, rewriting("a"))
    found = await drive(app, CHAT, HI)
    assert found.status == 200
    assert exchanges[0] is exchanges[1]
    assert echo.json()["messages"][0]["content"] == "hi a b"
    assert echo.headers[b"content-length"] == str(len(echo.bodies[0])).encode()


@pytest.mark.parametrize("inside", [True, False])
async def test_base_http_middleware_on_either_side(inside: bool) -> None:
    """The stream is heard, and stopped, all the same."""

    async def pass_on(request: Request, call_next: Any) -> Response:
        return await call_next(request)  # type: ignore[no-any-return]

    work = as_app(saying(chunk("good "), chunk("bad"), chunk("x"), DONE, content_type=SSE))
    step = registering(StopAt("bad"))
    app: ASGIApp
    if inside:
        app = around(BaseHTTPMiddleware(work, dispatch=pass_on), step)
    else:
        app = BaseHTTPMiddleware(around(work, step), dispatch=pass_on)
    found = await drive(app, CHAT, {**HI, "stream": True})
    assert text_of(found).startswith("good ")
    assert b"bad" not in found.body
    assert found.body.endswith(DONE)
    assert found.is_complete


async def test_a_mounted_gateway_sees_the_same_exchange() -> None:
    """One parse, one id; its own steps come after; what was registered outside is run outside."""
    seen: list[Exchange] = []

    async def note(exchange: Exchange) -> None:
        seen.append(exchange)

    hear = Hear()
    plano, transport = gateway(answer(WHOLE), steps=[note], finalizers=[note])
    host = Starlette(routes=[Mount("/v1", plano)])
    app = around(host, note, rewriting("a"), registering(hear))
    body = {**HI, "model": "openai/gpt-4o"}
    found = await drive(app, CHAT, body, headers={"content-type": "application/json"})
    assert found.status == 200, found.body
    assert seen[0] is seen[1] is seen[2]
    assert transport.body()["messages"][0]["content"] == "hi a"
    assert found.headers["x-request-id"] == seen[0].id
    assert len(hear.heard) == 1
    assert seen[0].route is not None


async def test_a_responses_body_on_the_chat_path_is_one_exchange_too() -> None:
    """The gateway rewrites it as chat; the step in front saw its texts."""
    seen: list[list[str]] = []

    async def note(exchange: Exchange) -> None:
        seen.append([passage.text for passage in exchange.passages()])

    plano, transport = gateway(answer(WHOLE), steps=[note])
    body = {"model": "openai/gpt-4o", "input": "hi"}
    found = await drive(around(plano, note, registering(Shout())), CHAT, body)
    assert seen == [["hi"], ["hi"]]
    assert transport.body()["messages"] == [{"role": "user", "content": "hi"}]
    assert found.json()["choices"][0]["message"]["content"] == "YO"


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("stream", [True, False])
async def test_answers_instead_of_the_app(dialect: str, stream: bool) -> None:
    """In the client's dialect and form; the app is never asked."""
    echo = Echo()
    app = around(echo, raising(AnswerInstead("I would rather not.")))
    found = await drive(app, PATHS[dialect], {**QUESTIONS[dialect], "stream": stream})
    assert (found.status, echo.bodies) == (200, [])
    assert b"I would rather not." in found.body
    assert ("data:" in found.body.decode()) is stream
    assert found.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("error", "status"), [(ContentBlocked("Not this."), 400), (ValueError("hunter2"), 500)]
)
async def test_errors_of_steps(error: Exception, status: int) -> None:
    """In the client's dialect; filters registered before are closed; a bug tells nothing."""
    hear = Hear()
    app = around(Echo(), registering(hear), raising(error))
    found = await drive(app, "/v1/messages", HI)
    assert found.status == status
    assert found.json()["type"] == "error"
    assert b"hunter2" not in found.body
    assert len(hear.closed) == 1


async def test_foreign_routes_are_refused_in_json() -> None:
    """An error object, or the route's own field."""
    for error, status, expected in (
        (ContentBlocked("Not this."), 400, {"error": {"message": "Not this."}}),
        (AnswerInstead("Sorry."), 200, {"answer": "Sorry."}),
    ):
        recogniser = Recogniser(["/ask"], fields=["question"], answer_fields=["answer"])
        app = around(Echo(), raising(error), recogniser=recogniser)
        found = await drive(app, "/ask", {"question": "hi"})
        assert found.status == status
        body = found.json()
        if "error" in body:
            assert body["error"].pop("type") == "invalid_request_error"
            assert body["error"].pop("code") == "content_policy_violation"
        assert body == expected


async def test_a_foreign_route_has_no_neutral_form() -> None:
    """A step that asks for one is told so, and so is the client."""

    async def step(exchange: Exchange) -> None:
        assert exchange.request.messages

    recogniser = Recogniser(["/ask"], fields=["question"])
    found = await drive(around(Echo(), step, recogniser=recogniser), "/ask", {"question": "hi"})
    assert found.status == 400
    assert "no chat API" in found.json()["error"]["message"]


async def test_bounds_of_a_request() -> None:
    """Told in JSON, in the client's dialect; other traffic may be as large as it likes."""
    echo = Echo()
    app = around(echo, max_body_bytes=64)
    found = await drive(app, CHAT, {**HI, "x": "y" * 99})
    assert found.status == 413
    assert found.json()["error"]["code"] == "request_too_large"
    assert (await drive(app, "/upload", b"x" * 999)).status == 200

    async def silent() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    sent = Exchanged()

    async def send(message: Message) -> None:
        sent.messages.append(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    await around(echo, body_timeout_s=0.01)(scope, silent, send)
    assert sent.status == 408


async def test_a_client_that_leaves_while_sending_gets_nothing() -> None:
    """Nor does the app hear of it."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError

    echo = Echo()
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    await around(echo)(scope, receive, send)
    assert echo.bodies == []


async def test_a_client_that_leaves_ends_the_steps() -> None:
    """A guard that asks a model asks for nobody."""
    leave = anyio.Event()
    ended: list[bool] = []

    async def slow(exchange: Exchange) -> None:
        leave.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    echo = Echo()
    found = await drive(around(echo, slow), CHAT, HI, leave=leave)
    assert (ended, echo.bodies, found.messages) == ([True], [], [])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_closes_the_upstream(stream: bool) -> None:
    """Through the middleware, before the first byte as in the middle."""
    leave = anyio.Event()
    chunks: list[Chunk] = [chunk("a"), anyio.Event()] if stream else [anyio.Event()]
    plano, transport = gateway(MemoryReply(200, {"content-type": SSE}, chunks))
    hear = Hear()
    app = around(plano, registering(hear))
    into = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            body = {**HI, "model": "openai/gpt-4o", "stream": stream}
            await drive(app, CHAT, body, leave=leave, into=into)

        tasks.start_soon(client)
        with anyio.fail_after(5):
            while not transport.replies or (stream and not into.messages):
                await anyio.lowlevel.checkpoint()
            leave.set()
    assert transport.replies[0].closed
    assert hear.closed == [(True, None)]


@pytest.mark.parametrize("scope_type", ["websocket", "lifespan", "http"])
async def test_other_traffic_passes_with_its_own_objects(scope_type: str) -> None:
    """The very scope, receive and send."""
    got: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.extend((scope, receive, send))

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": scope_type, "path": CHAT, "method": "HEAD", "headers": []}
    await around(app, raising(ValueError("no")))(scope, receive, send)
    assert got == [scope, receive, send]
    assert got[0] is scope


async def test_bodies_go_through_send_where_somebody_listens() -> None:
    """Extensions that would pass them by are not offered; others are."""
    echo = Echo()
    extensions: dict[str, Any] = {
        "http.response.pathsend": {},
        "http.response.zerocopysend": {},
        "http.response.trailers": {},
    }

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = extensions
        await around(echo, registering(Hear()))(scope, receive, send)

    await drive(outer, CHAT, HI)
    assert list(echo.scopes[0]["extensions"]) == ["http.response.trailers"]


async def test_two_hundred_at_once_do_not_mix() -> None:
    """Each its own exchange, filters and answer, all of them in flight at the same time."""
    count = 200
    arrived, all_there = [], anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = json.loads((await receive())["body"])
        arrived.append(1)
        if len(arrived) == count:
            all_there.set()
        await all_there.wait()
        parts = [chunk(letter) for letter in body["messages"][0]["content"]]
        work = saying(*parts, DONE, content_type=SSE)
        await work(send)

    async def step(exchange: Exchange) -> None:
        text = exchange.body["messages"][0]["content"]
        if text.endswith("7"):
            exchange.response_filters.append(StopAt("7", AnswerStopped(ContentBlocked("no"))))
        else:
            exchange.response_filters.append(Shout())

    wrapped = around(app, step)
    found: dict[int, Exchanged] = {}

    async def ask(number: int) -> None:
        body = {"stream": True, "messages": [{"role": "user", "content": f"text {number}"}]}
        found[number] = await drive(wrapped, CHAT, body)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(ask, number)
    for number, exchanged in found.items():
        expected = f"TEXT {number}" if number % 10 != 7 else f"text {number}".partition("7")[0]
        assert text_of(exchanged) == expected
        assert (b"content_filter" in exchanged.body) is (number % 10 == 7)


async def test_a_real_host_app_streams_text() -> None:
    """Starlette's own responses, of each kind, on a route told by its fields."""

    async def ask(request: Request) -> Response:
        body = await request.json()

        async def words() -> Any:
            for word in ("a ", body["question"]):
                yield word

        kinds: dict[str, Callable[[], Response]] = {
            "json": lambda: JSONResponse({"question": body["question"]}),
            "text": lambda: StreamingResponse(words(), media_type="text/plain"),
            "unsaid": lambda: StreamingResponse(words()),
            "whole": lambda: PlainTextResponse("a " + body["question"]),
        }
        return kinds[body["kind"]]()

    app = Starlette(routes=[Route("/ask", ask, methods=["POST"])])
    recogniser = Recogniser(["/ask"], fields=["question"])
    wrapped = around(app, registering(Shout()), recogniser=recogniser)
    for kind, expected in (
        ("json", b'{"question":"HI"}'),
        ("text", b"A HI"),
        ("unsaid", b"A HI"),
        ("whole", b"A HI"),
    ):
        found = await drive(wrapped, "/ask", {"question": "hi", "kind": kind})
        assert found.body == expected
        assert found.is_complete


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_hosts_word_on_who_asks(is_async: bool) -> None:
    """A callable on the scope; a middleware outside has the first word."""

    async def later(scope: Scope) -> str:
        return str(scope["path"])

    def now(scope: Scope) -> str:
        return str(scope["path"])

    echo = Echo()
    inner = around(echo, identity=lambda scope: "inner")
    await drive(around(inner, identity=later if is_async else now), CHAT, HI)
    assert echo.exchange.identity == CHAT
