"""Over real sockets: what an SDK and a plain client see of an answer that is stopped or left."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator

import anyio
import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from listeners import Shout, StopAt
from plano_asgi.config import Model, Plano
from plano_asgi.exchange import Exchange
from plano_asgi.middleware import ExchangeMiddleware, Recogniser
from serving import serving
from upstream import ScriptedUpstream, chat_reply, chat_stream, scripted_upstream

LEFT = threading.Event()
"""Set when the generator of a question that waits is closed."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """A model behind the gateway."""
    with scripted_upstream() as scripted:
        yield scripted


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """The official SDK."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def url(upstream: ScriptedUpstream) -> Iterator[str]:
    """A FastAPI app: a route of its own and a mounted gateway, with our middleware around."""
    app = FastAPI()

    @app.post("/ask")
    async def ask(request: Request) -> StreamingResponse:
        question = (await request.json())["question"]

        async def words() -> AsyncGenerator[str]:
            try:
                yield "first "
                yield question
                if question == "wait":
                    await anyio.sleep_forever()
            finally:
                if question == "wait":
                    LEFT.set()

        return StreamingResponse(words(), media_type="text/plain")

    plano = Plano(
        [Model("openai/m", api_key="sk-test-1234567", base_url=upstream.base_url)], environ={}
    )
    app.mount("/v1", plano)

    async def step(exchange: Exchange) -> None:
        exchange.response_filters += [StopAt("bad"), StopAt("worse", ValueError("bug")), Shout()]

    app.add_middleware(
        ExchangeMiddleware,
        steps=[step],
        recogniser=Recogniser(["/ask"], fields=["question"]),
    )
    with serving(app) as base:
        yield base


def test_an_sdk_reads_a_changed_answer(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    """Whole and streamed."""
    upstream.reply(chat_reply("yo"))
    whole = client.chat.completions.create(
        model="openai/m", messages=[{"role": "user", "content": "hi"}]
    )
    assert whole.choices[0].message.content == "YO"
    upstream.reply(chat_stream(["a", "b"]))
    stream = client.chat.completions.create(
        model="openai/m", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "AB"


@pytest.mark.parametrize("word", ["bad", "worse"])
def test_an_sdk_notices_a_stop(
    client: openai.OpenAI, upstream: ScriptedUpstream, word: str
) -> None:
    """As a finish reason where it was a refusal, as an exception where something broke."""
    gate = threading.Event()
    upstream.reply(chat_stream(["good ", gate, word, "x"]))
    stream = client.chat.completions.create(
        model="openai/m", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    chunks = (chunk for chunk in stream if chunk.choices)
    while not next(chunks).choices[0].delta.content:
        pass
    gate.set()
    if word == "worse":
        with pytest.raises(openai.APIError):
            list(chunks)
        return
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "content_filter"


def test_a_text_stream_that_fails_is_cut(url: str) -> None:
    """The client's library says so."""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream("POST", f"{url}/ask", json={"question": "worse"}) as reply,
    ):
        list(reply.iter_bytes())
    assert httpx.post(f"{url}/ask", json={"question": "fine"}).text == "FIRST FINE"
    assert httpx.post(f"{url}/ask", json={"question": "bad"}).text.startswith("FIRST ")


def test_a_client_that_leaves_ends_the_apps_stream(url: str) -> None:
    """The first bytes were there before the last, and the generator is closed."""
    with httpx.stream("POST", f"{url}/ask", json={"question": "wait"}) as reply:
        texts = reply.iter_text()  # kept: the connection goes with its iterator
        assert next(texts).startswith("FIRST")
        assert not LEFT.is_set()
    assert LEFT.wait(5)
