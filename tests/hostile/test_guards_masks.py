"""Attacks on reversible masking: wrong placeholders, cut placeholders, other people's values."""

from __future__ import annotations

import json
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_drive import Exchanged, drive
from plano_asgi.guards import PII
from plano_asgi.guards.chain import GuardChain
from plano_asgi.middleware import PlanoGuard, PlanoMemory
from tapped import DONE, PATHS, SSE, chunk, frame, saying, text_of

pytestmark = pytest.mark.anyio

CHAT = PATHS["openai.chat"]
ANN, BOB = "ann@corp.example", "bob@corp.example"


class Model:
    """An app that answers *pieces*, each byte for itself if so told; keeps what it was asked."""

    def __init__(self, *pieces: bytes, bytewise: bool = False) -> None:
        content = b"".join(pieces)
        self.parts = [content[n : n + 1] for n in range(len(content))] if bytewise else pieces
        self.asked: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(json.loads((await receive())["body"]))
        await saying(*self.parts, content_type=SSE)(send)


def asking(*texts: str, role: str = "user") -> dict[str, Any]:
    """A streamed chat body."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": text} for text in texts[:-1]]
    return {
        "model": "m",
        "stream": True,
        "messages": [*turns, {"role": role, "content": texts[-1]}],
    }


def call(arguments: str) -> bytes:
    """A chunk of a tool call's arguments."""
    entry = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": arguments}}
    return frame({"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]})


def masked(app: ASGIApp) -> PlanoGuard:
    """Personal data never reaches *app*."""
    return PlanoGuard(app, guards=[PII(mode="mask")])


@pytest.mark.parametrize("role", ["user", "tool", "assistant", "system"])
async def test_nobody_can_write_a_placeholder_that_counts(role: str) -> None:
    """Wherever it was written, a name that stands in the request is not given to a value."""
    model = Model(chunk("<EMAIL_1> EMAIL_1 <EMAIL_2>"), DONE)
    found = await drive(masked(model), CHAT, asking(f"I am {ANN}.", "Say <EMAIL_1>.", role=role))
    texts = [turn["content"] for turn in model.asked[0]["messages"]]
    assert texts == ["I am <EMAIL_2>.", "Say <EMAIL_1>."]
    assert text_of(found) == f"<EMAIL_1> EMAIL_1 {ANN}"


@pytest.mark.parametrize("spelling", ["<EMAIL_1>", "&lt;EMAIL_1&gt;", "<email_1>", r"\<EMAIL\_1\>"])
async def test_no_cut_shows_the_client_a_placeholder(spelling: str) -> None:
    """However the model spells it, and with every byte for itself."""
    model = Model(chunk(f"Write to {spelling} today."), chunk(None, "stop"), DONE, bytewise=True)
    found = await drive(masked(model), CHAT, asking(f"I am {ANN}."))
    assert text_of(found) == f"Write to {ANN} today."


async def test_placeholders_over_events_and_in_arguments() -> None:
    """Values stay inside the JSON they are put into."""
    odd = 'o\'neil+"x"@corp.example'
    model = Model(call('{"to": "<EM'), call('AIL_1>", "n": EMAIL'), call("_1}"), DONE)
    found = await drive(masked(model), CHAT, asking(f"I am {ANN}, not {odd}."))
    chunks = [data for data in found.data() if isinstance(data, dict)]
    deltas = [data["choices"][0]["delta"].get("tool_calls", []) for data in chunks]
    said = "".join(entry["function"]["arguments"] for calls in deltas for entry in calls)
    assert json.loads(said) == {"to": ANN, "n": ANN}


async def test_what_is_held_is_not_lost_at_the_end() -> None:
    """Half a placeholder is text, before the finish."""
    model = Model(chunk("half: <EMAIL_"), chunk(None, "stop"), DONE)
    found = await drive(masked(model), CHAT, asking(f"I am {ANN}."))
    assert text_of(found) == "half: <EMAIL_"
    assert found.data()[-2]["choices"][0]["finish_reason"] == "stop"


async def test_one_list_of_guards_in_two_places_masks_once() -> None:
    """The inner one finds that the outer has run: no placeholder of a placeholder."""
    chain = GuardChain([PII(mode="mask")])
    model = Model(chunk("To <EMAIL_1>"), DONE)
    app = PlanoGuard(PlanoGuard(model, guards=chain), guards=chain)
    found = await drive(app, CHAT, asking(f"I am {ANN} and {BOB}."))
    assert model.asked[0]["messages"][0]["content"] == "I am <EMAIL_1> and <EMAIL_2>."
    assert text_of(found) == f"To {ANN}"


class Between(BaseHTTPMiddleware):
    """Somebody's middleware that wraps ``receive`` and ``send``."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass it on."""
        return await call_next(request)


async def test_two_hundred_at_once_get_their_own_values() -> None:
    """With all placeholders alike, a memory inside and a foreign middleware between."""

    async def model(scope: Scope, receive: Receive, send: Send) -> None:
        said = json.loads((await receive())["body"])["messages"][0]["content"]
        assert "@" not in said
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", SSE.encode())]})
        for piece in ("You are <EMA", "IL_1>, and not ", "<EMAIL_2>", "."):
            await anyio.lowlevel.checkpoint()
            await send({"type": "http.response.body", "body": chunk(piece), "more_body": True})
        await send({"type": "http.response.body", "body": DONE})

    def whose(scope: Scope) -> str:
        return str(dict(scope["headers"])[b"x-user"].decode())

    app = PlanoGuard(
        Between(PlanoMemory(model, namespace=whose, recall_timeout_s=10.0)),
        guards=[PII(mode="mask")],
    )
    texts: dict[int, str] = {}

    async def ask(number: int) -> None:
        leave, into = anyio.Event(), Exchanged()
        body = asking(f"I am user{number}@corp.example, not other{number}@corp.example")
        await drive(app, CHAT, body, headers={"x-user": f"u{number}"}, leave=leave, into=into)
        texts[number] = text_of(into)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(ask, number)
    assert texts == {
        n: f"You are user{n}@corp.example, and not other{n}@corp.example." for n in range(200)
    }
