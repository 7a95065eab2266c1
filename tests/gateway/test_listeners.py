"""Steps, filters, guards and memory inside the gateway: on every endpoint, run once, heard once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_drive import Exchanged, drive
from gateway_build import gateway
from listeners import Hear, Shout, StopAt, registering
from memory_transport import MemoryReply, answer, events
from plano_asgi.errors import ContentBlocked, GuardUnavailable, PlanoError, UpstreamReset
from plano_asgi.exchange import UNMASKS, AnswerInstead, AnswerStopped, Exchange, ResponseFilter
from plano_asgi.filters import Filter
from plano_asgi.guards.base import Guard, Subject, Verdict, block
from tapped import PATHS, QUESTIONS, WHOLE, chunk
from wrapping import noting, raising, rewriting, texts_of

pytestmark = pytest.mark.anyio

MODEL = "openai/gpt-4o"
CHAT = PATHS["openai.chat"]
BODY: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**BODY, "stream": True}


def question(dialect: str, **fields: Any) -> dict[str, Any]:
    """A body of *dialect* for a model that speaks chat only."""
    return {**QUESTIONS[dialect], "model": "mistral/small", **fields}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("stream", [True, False])
async def test_filters_hear_the_clients_dialect(dialect: str, stream: bool) -> None:
    """Whatever the upstream spoke, streamed or not."""
    reply = events(chunk("yo"), chunk(None, "stop"), b"data: [DONE]\n\n")
    app, _ = gateway(reply if stream else answer(WHOLE), steps=[registering(Shout())])
    found = await drive(app, PATHS[dialect], question(dialect, stream=stream))
    assert found.status == 200
    assert b'"YO"' in found.body
    assert b'"yo"' not in found.body
    assert found.is_complete


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("stream", [True, False])
async def test_answers_instead_of_a_model(dialect: str, stream: bool) -> None:
    """No upstream is asked, and there is no route."""
    seen: list[Exchange] = []

    async def finalizer(exchange: Exchange) -> None:
        seen.append(exchange)

    steps = [raising(AnswerInstead("I would rather not."))]
    app, transport = gateway(answer(WHOLE), steps=steps, finalizers=[finalizer])
    found = await drive(app, PATHS[dialect], question(dialect, stream=stream))
    assert (found.status, transport.requests) == (200, [])
    assert b"I would rather not." in found.body
    assert found.headers["x-request-id"] == found.headers["request-id"] == seen[0].id
    assert (seen[0].route, seen[0].status) == (None, 200)


@pytest.mark.parametrize(
    ("error", "status"), [(ContentBlocked("Not this."), 400), (GuardUnavailable("None."), 503)]
)
async def test_a_block_is_not_to_be_tried_again(error: PlanoError, status: int) -> None:
    """The SDKs go by a header."""
    app, transport = gateway(answer(WHOLE), steps=[raising(error)])
    found = await drive(app, CHAT, BODY)
    assert (found.status, found.headers["x-should-retry"]) == (status, "false")
    assert transport.requests == []


OTHERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "/embeddings": ({"input": "hi"}, ["hi"]),
    "/completions": ({"prompt": "hi", "suffix": "ho"}, ["hi", "ho"]),
    "/moderations": ({"input": ["hi", "ho"]}, ["hi", "ho"]),
    "/rerank": ({"query": "hi", "documents": ["ho", {"text": "hu"}]}, ["hi", "ho", "hu"]),
    "/images/generations": ({"prompt": "hi"}, ["hi"]),
    "/audio/speech": ({"input": "hi", "voice": "v"}, ["hi"]),
    "/responses/input_tokens": ({"input": "hi"}, ["hi"]),
}


@pytest.mark.parametrize("path", OTHERS)
async def test_steps_run_on_every_json_endpoint(path: str) -> None:
    """What they leave is what goes out; a block holds there, too."""
    body, texts = OTHERS[path]
    seen: list[list[str]] = []

    async def note(exchange: Exchange) -> None:
        seen.append(list(texts_of(exchange)))

    app, transport = gateway(answer({}), steps=[note, rewriting("there"), note])
    found = await drive(app, f"/v1{path}", {"model": MODEL, **body})
    assert found.status == 200
    assert seen == [texts, [f"{text} there" for text in texts]]
    assert "there" in str(transport.body())
    app, transport = gateway(answer({}), steps=[raising(AnswerInstead("Not this."))])
    found = await drive(app, f"/v1{path}", {"model": MODEL, **body})
    assert (found.status, transport.requests) == (400, [])  # no answer of text exists here


async def test_count_tokens_counts_what_would_be_sent() -> None:
    """The upstream sees what the steps left, whoever counts."""
    body = {**BODY, "model": "anthropic/claude-sonnet-4-5"}
    app, transport = gateway(answer({"input_tokens": 3}), steps=[rewriting("there")])
    found = await drive(app, "/v1/messages/count_tokens", body)
    assert found.json() == {"input_tokens": 3}
    assert transport.body()["messages"][0]["content"] == "hi there"
    app, _ = gateway(steps=[rewriting("there " * 50)])
    found = await drive(app, "/v1/messages/count_tokens", {**body, "model": MODEL})
    assert found.json()["input_tokens"] > 50


async def test_answers_of_relayed_endpoints_are_heard() -> None:
    """Completions stream their text; of a form only the answer is looked at."""
    frames = [{"choices": [{"text": "yo", "index": 0}]}, "[DONE]"]
    app, _ = gateway(events(*frames), steps=[registering(Shout())])
    found = await drive(app, "/v1/completions", {"model": MODEL, "prompt": "hi", "stream": True})
    assert found.data()[0]["choices"][0]["text"] == "YO"
    form = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nmistral/w\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    app, transport = gateway(answer({"text": "yo"}), steps=[registering(Shout())])
    found = await drive(app, "/v1/audio/transcriptions", form, headers=headers)
    assert found.json() == {"text": "YO"}, found.body
    assert b'name="model"\r\n\r\nw\r\n' in transport.requests[0].content


async def test_a_relayed_answer_that_breaks_off_does_not_pass() -> None:
    """Half of it cannot be judged."""
    cut = MemoryReply(200, {"content-type": "application/json"}, [b'{"data"', UpstreamReset("x")])
    app, _ = gateway(cut, steps=[registering(Hear())])
    found = await drive(app, "/v1/embeddings", {"model": MODEL, "input": "hi"})
    assert found.status == 502


async def test_errors_of_upstreams_are_heard() -> None:
    """They may say again what was asked."""
    reply = answer({"error": {"message": "no hi", "type": "x", "code": None}}, status=400)
    hear = Hear()
    app, _ = gateway(reply, steps=[registering(Shout(), hear)])
    found = await drive(app, CHAT, BODY)
    assert found.status == 400
    assert found.json()["error"]["message"] == "NO HI"
    [(disconnected, error)] = hear.closed
    assert (disconnected, error is not None) == (False, True)


async def test_a_bug_behind_a_tap_is_answered_once() -> None:
    """As an error in the client's dialect, through the tap."""

    async def rule(exchange: Exchange) -> Any:
        raise ValueError("hunter2")

    hear = Hear()
    app, _ = gateway(answer(WHOLE), steps=[registering(hear)], rules=[rule])
    found = await drive(app, CHAT, BODY)
    assert found.status == 500
    assert b"hunter2" not in found.body
    assert len(hear.closed) == 1


async def test_a_stop_mid_stream_closes_the_upstream() -> None:
    """At once: whatever it would still send is not waited for."""
    reply = events(chunk("good "), chunk("bad"), anyio.Event())
    app, transport = gateway(reply, steps=[registering(StopAt("bad"))])
    found = await drive(app, CHAT, STREAM)
    assert found.is_complete
    assert b"content_filter" in found.body
    assert transport.replies[0].closed


async def test_a_check_beside_the_call_closes_the_upstream() -> None:
    """Before anything of the answer has gone out."""
    asked = anyio.Event()

    async def check() -> None:
        await asked.wait()
        raise AnswerStopped(ContentBlocked("Not this."))

    async def step(exchange: Exchange) -> None:
        exchange.beside.append(check)

    app, transport = gateway(events(chunk("yo"), anyio.Event()), steps=[step])
    into = Exchanged()
    async with anyio.create_task_group() as tasks:

        async def client() -> None:
            await drive(app, CHAT, STREAM, into=into)

        tasks.start_soon(client)
        while not transport.replies:
            await anyio.lowlevel.checkpoint()
        assert into.messages == []
        asked.set()
    assert (into.status, len(into.messages)) == (400, 2)
    assert transport.replies[0].closed


class Appends(Filter):
    """Writes its name behind every text, both ways."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self._seen = name, seen

    async def on_request(self, exchange: Exchange, /) -> None:
        self._seen.append(self.name)
        await rewriting(self.name)(exchange)

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter | None:
        return Shout(f"{self.name} ")


class Notes(Guard):
    """Notes what it saw; blocks at *word*."""

    def __init__(self, seen: list[str], word: str = "") -> None:
        super().__init__()
        self._seen, self._word = seen, word

    async def check(self, subject: Subject, /) -> Verdict:
        self._seen.append(subject.text)
        if self._word and self._word in subject.text:
            return block("word")
        return Verdict(action="allow")

    def answer_filter(self, exchange: Exchange) -> ResponseFilter | None:
        return Shout("guard ")


class Remembers:
    """A memory that only says when it is asked, and when it is closed."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    async def __call__(self, exchange: Exchange) -> None:
        self._seen.append("memory")
        exchange.response_filters.append(Shout("memory "))

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        self._seen.append("open")
        yield
        await self.aclose()

    async def aclose(self) -> None:
        self._seen.append("closed")


async def test_the_order_of_both_sides() -> None:
    """Steps, filters, guards, memory; then guards, filters, memory, and placeholders last."""
    seen: list[str] = []

    class Last(Shout):
        rank = UNMASKS

    app, transport = gateway(
        answer(WHOLE),
        steps=[noting(seen, "step", Last("last "))],
        filters=[Appends("f1", seen), Appends("f2", seen)],
        guards=[Notes(seen)],
        memory=Remembers(seen),
    )
    found = await drive(app, CHAT, BODY)
    assert seen == ["step", "f1", "f2", "hi f1 f2", "memory"]
    assert transport.body()["messages"][0]["content"] == "hi f1 f2"
    text = found.json()["choices"][0]["message"]["content"]
    assert text == "last MEMORY F2 F1 GUARD YO"
    async with app.lifespan():
        pass
    assert seen[-2:] == ["open", "closed"]
    await app.aclose()


async def test_a_guard_in_the_gateway_holds() -> None:
    """It judges what the filters wrote; they are told that it is over."""
    seen: list[str] = []
    app, transport = gateway(
        answer(WHOLE), filters=[Appends("f1", seen)], guards=[Notes(seen, "f1")]
    )
    found = await drive(app, CHAT, BODY)
    assert found.status == 400
    assert found.json()["error"]["code"] == "content_policy_violation"
    assert transport.requests == []
