"""A strange host: servers, middlewares and hooks that do what the ASGI specification allows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp, Message

from asgi_drive import drive
from gateway_build import gateway
from hostile.stage import CHAT, CLIENTS, MESSAGES, PATHS, question
from memory_transport import MemoryReply, answer, events
from plano_asgi.config import Plano
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.passages import StreamEditor, WireEvent
from plano_asgi.server.app import Standalone
from serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """As under uvicorn; the pieces are tested on both loops where they live."""
    return "asyncio"


MODEL = "openai/gpt-4o"
DELTA = {"id": "c", "choices": [{"index": 0, "delta": {"content": "x"}}]}
ERROR = {"error": {"message": "on fire", "type": "server_error"}}
STOP = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
WHOLE = {
    "id": "c",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yo"}, "finish_reason": "stop"}
    ],
}


class Watched:
    """Finalizer that keeps the exchanges it saw."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []

    async def __call__(self, exchange: Exchange) -> None:
        self.seen.append(exchange)


async def broken_off(
    app: ASGIApp, body: object, *, path: str = PATHS[CHAT], fails_at: int = 0
) -> None:
    """One exchange whose ``send`` raises ``OSError`` from message *fails_at* on: ASGI 2.4."""
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        if len(sent) >= fails_at:
            raise OSError("the client is gone")
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "POST",
        "path": path,
        "headers": [],
    }
    with anyio.fail_after(5):
        await app(scope, receive, send)


@pytest.mark.parametrize("fails_at", [0, 1])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_send_that_fails_is_a_client_that_left(
    client: str, fails_at: int, logged: list[Any]
) -> None:
    """Mid-stream: no error of ours, the upstream is closed, the finalizer knows."""
    watched = Watched()
    app, transport = gateway(events(DELTA, DELTA, DELTA, STOP, "[DONE]"), finalizers=[watched])
    body = question(client, "mistral/m", stream=True)
    await broken_off(app, body, path=PATHS[client], fails_at=fails_at)
    assert transport.replies[0].closed
    assert not [entry for entry in logged if entry["event"] == "internal_error"]
    assert watched.seen[0].disconnected


async def test_a_unary_send_that_fails_is_a_client_that_left(logged: list[Any]) -> None:
    """The same without a stream."""
    watched = Watched()
    app, _ = gateway(answer(WHOLE), finalizers=[watched])
    await broken_off(app, question(CHAT, MODEL), fails_at=0)
    assert not [entry for entry in logged if entry["event"] == "internal_error"]
    assert watched.seen[0].disconnected


@pytest.mark.parametrize("fails_at", [0, 1])
async def test_an_error_told_to_a_client_that_left(fails_at: int, logged: list[Any]) -> None:
    """A 404 that nobody waits for is no bug."""
    app, _ = gateway(answer(WHOLE, 500))
    for body in (question(CHAT, "nobody/m"), question(CHAT, MODEL)):
        await broken_off(app, body, fails_at=fails_at)
    assert not [entry for entry in logged if entry["event"] == "internal_error"]


@pytest.mark.parametrize(
    ("client", "cut"),
    [(client, cut) for client in CLIENTS for cut in (1, 2, 3)],
)
async def test_nothing_follows_an_error_of_the_upstream(client: str, cut: int) -> None:
    """However the reads are cut, an end mark after it is not passed on."""
    frames = [f"data: {json.dumps(data)}\n\n".encode() for data in (DELTA, ERROR)]
    frames.append(b"data: [DONE]\n\n")
    chunks = [b"".join(frames[:cut]), *frames[cut:]]
    app, transport = gateway(MemoryReply(200, {}, chunks))
    found = await drive(app, PATHS[client], question(client, "mistral/m", stream=True))
    for mark in (b"[DONE]", b"message_stop", b"response.completed"):
        assert mark not in found.body
    assert found.body.count(b"on fire") == 1
    assert transport.replies[0].closed


async def test_a_bug_is_noted_on_the_exchange(logged: list[Any]) -> None:
    """A finalizer that counts errors must not take it for a success."""
    watched = Watched()

    async def buggy(_: Exchange) -> None:
        raise KeyError("bug")

    app, _ = gateway(answer(WHOLE), steps=[buggy], finalizers=[watched])
    found = await drive(app, PATHS[CHAT], question(CHAT, MODEL))
    logged.clear()  # the internal error is meant
    assert found.status == 500
    assert watched.seen[0].status == 500
    assert watched.seen[0].error is not None


async def test_a_body_in_many_and_empty_messages(logged: list[Any]) -> None:
    """Messages may be empty, and ``body`` and ``more_body`` may be missing."""
    content = json.dumps(question(CHAT, MODEL)).encode()
    waiting: list[Message] = [{"type": "http.request", "more_body": True}]
    for at in range(0, len(content), 7):
        part = content[at : at + 7]
        waiting += [{"type": "http.request", "body": part, "more_body": True}]
        waiting += [{"type": "http.request", "body": b"", "more_body": True}]
    waiting.append({"type": "http.request"})

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    app, transport = gateway(answer(WHOLE))
    sent = await _driven(app, receive)
    assert sent[0]["status"] == 200
    assert transport.body()["messages"] == question(CHAT)["messages"]
    assert not logged


async def _driven(app: ASGIApp, receive: Any) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATHS[CHAT], "headers": []}
    with anyio.fail_after(5):
        await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("digits", [b"9" * 5000, b"0" * 5000 + b"9", b"-1", b"1e9", b""])
async def test_a_content_length_that_is_no_length(digits: bytes) -> None:
    """Servers check it; whoever does not is no reason for a 500."""
    app, _ = gateway(answer(WHOLE))
    content = json.dumps(question(CHAT, MODEL)).encode()
    found = await drive(app, PATHS[CHAT], content, headers={"content-length": digits.decode()})
    assert found.status in (200, 413)


async def test_an_auth_hook_that_breaks_lets_nobody_in(logged: list[Any]) -> None:
    """Closed, and without its words."""

    def broken(_: Any) -> Any:
        raise ValueError("database password is hunter2")

    for client in CLIENTS:
        app, transport = gateway(answer(WHOLE), auth=broken)
        found = await drive(app, PATHS[client], question(client, MODEL))
        assert found.status == 500
        assert b"hunter2" not in found.body
        assert not transport.requests
    logged.clear()  # the internal error is meant


async def test_a_finalizer_that_breaks_keeps_no_other_from_running(logged: list[Any]) -> None:
    """It is logged by its type only."""
    watched = Watched()

    async def broken(_: Exchange) -> None:
        raise ValueError("sk-canary")

    app, _ = gateway(answer(WHOLE), finalizers=[broken, watched])
    found = await drive(app, PATHS[CHAT], question(CHAT, MODEL))
    assert found.status == 200
    assert len(watched.seen) == 1
    assert "sk-canary" not in str(logged)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_filter_that_breaks_mid_stream_ends_in_an_error(
    client: str, logged: list[Any]
) -> None:
    """Nothing like a clean end, and nothing of the bug in the text."""

    class Breaks(ResponseFilter):
        async def on_event(
            self, event: WireEvent, editor: StreamEditor, exchange: Exchange
        ) -> Sequence[WireEvent]:
            raise ValueError("hunter2")

    async def step(exchange: Exchange) -> None:
        exchange.response_filters.append(Breaks())

    app, transport = gateway(events(DELTA, STOP, "[DONE]"), steps=[step])
    found = await drive(app, PATHS[client], question(client, MODEL, stream=True))
    assert b"hunter2" not in found.body
    for mark in (b"[DONE]", b"message_stop", b"response.completed"):
        assert mark not in found.body
    assert found.is_complete
    assert transport.replies[0].closed
    logged.clear()  # the internal error is meant


async def test_two_exchanges_on_one_scope_object() -> None:
    """A host that reuses its scope gets a fresh exchange each time."""
    app, _ = gateway(answer(WHOLE))
    seen: list[object] = []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": PATHS[CHAT], "headers": []}
    for _n in range(2):
        waiting = [{"type": "http.request", "body": json.dumps(question(CHAT, MODEL)).encode()}]

        async def receive(waiting: Any = waiting) -> Any:
            if waiting:
                return waiting.pop()
            return await anyio.sleep_forever()

        async def send(message: Message) -> None:
            seen.append(message)

        await app(scope, receive, send)
    assert [m["status"] for m in seen if isinstance(m, dict) and "status" in m] == [200, 200]


async def test_head_of_an_error_has_no_body() -> None:
    """Also where nothing is found."""
    app, _ = gateway(answer(WHOLE))
    for path in ("/nope", PATHS[MESSAGES], "/v1/models/nope"):
        found = await drive(app, path, method="HEAD")
        assert found.status in (404, 405)
        assert found.body == b""
        assert int(found.headers["content-length"]) > 0


def test_health_pages_under_a_root_path() -> None:
    """``uvicorn --root-path /llm``: a probe must not see a 404."""
    app = Standalone(lambda: Plano(["plano/echo"], environ={}))
    with serving(app, root_path="/llm") as url:
        assert httpx.get(f"{url}/v1/models").status_code == 200
        assert httpx.get(f"{url}/healthz").status_code == 200
