"""
Memory over real sockets: as a middleware around any app, in front of a gateway, inside one; every
client API, streamed or not, by the official SDKs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from hostile.stage import CLIENTS, PATHS
from plano_asgi.memory import Memory, MemoryItem, open_store
from plano_asgi.middleware import PlanoMemory
from sdk.guard_stage import gateway, model_of, relaying, script
from sdk.memory_stage import WAYS, MemoryStage, as_user, remembering
from sdk.sdk_clients import Clients, Seen, question_of, sdk_clients, tool_step
from serving import serving
from upstream import Step, Tool, scripted_upstream

CAT = "My cat is called Lovelace and hates fish."
DINNER = "What may my cat eat tonight?"

each_way = pytest.mark.parametrize("way", WAYS)
each_api = pytest.mark.parametrize("api", CLIENTS)
each_form = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MemoryStage, Clients]]:
    """The servers and the SDKs."""
    with remembering(tmp_path_factory.mktemp("memory")) as stage, sdk_clients() as clients:
        yield stage, clients


@pytest.fixture
def stage(theatre: tuple[MemoryStage, Clients]) -> MemoryStage:
    """The stage, with nothing asked yet."""
    theatre[0].upstream.requests.clear()
    return theatre[0]


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Somebody new for each test."""
    return str(request.node.name)


class _Ask:
    """Scripts the upstream, then asks as a user."""

    def __init__(self, stage: MemoryStage, clients: Clients) -> None:
        self.stage, self.clients = stage, clients

    def __call__(
        self,
        at: tuple[str, str, bool],
        user: str,
        question: str | dict[str, Any],
        *pieces: str | Tool | Step,
        **options: Any,
    ) -> Seen:
        way, api, stream = at
        self.stage.upstream.reply(script(way, api, *(pieces or ("Noted.",)), stream=stream))
        body = question_of(api, question) if isinstance(question, str) else question
        base = f"{self.stage.url}/{way}"
        asked = as_user(user, body)
        return self.clients.ask(api, base, model_of(way, api), asked, stream=stream, **options)


@pytest.fixture
def ask(theatre: tuple[MemoryStage, Clients], stage: MemoryStage) -> _Ask:
    """One question, one scripted answer."""
    return _Ask(stage, theatre[1])


def conversation(api: str, *texts: str) -> dict[str, Any]:
    """Turns of the user and of the model, by turns, ending with the user's."""
    turns = [
        {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)
    ]
    return {"input" if api == "openai.responses" else "messages": turns}


def turns_of(body: bytes) -> list[Any]:
    """The turns that an upstream got."""
    found = json.loads(body)
    turns: list[Any] = found.get("messages") or found["input"]
    return turns


@each_way
@each_api
@each_form
def test_recall(ask: _Ask, stage: MemoryStage, user: str, way: str, api: str, stream: bool) -> None:
    """
    What was said in one conversation reaches the model in the next, inside the last user turn;
    before it, every byte is what it is for somebody of whom nothing is known.
    """
    at = (way, api, stream)
    ask(at, user, conversation(api, CAT), "I will remember that she does.")
    kept = stage.store.wait_for(user, 2)
    assert [(item.provenance.role, item.text) for item in kept] == [
        ("user", CAT),
        ("assistant", "I will remember that she does."),
    ]
    later = conversation(api, "Hello there", "Hi!", DINNER)
    seen = ask(at, user, later, "No fish.")
    assert seen.text == "No fish."
    assert "reference_data" not in seen.raw
    ask(at, f"{user}, another", later)
    known, unknown = (request.body for request in stage.upstream.requests[1:])
    said = json.dumps(turns_of(known)[-1])
    assert DINNER in said
    assert "<reference_data" in said
    assert "Lovelace" in said
    assert b"Lovelace" not in unknown
    asked = unknown.index(DINNER.encode()) + len(DINNER)
    assert known[:asked] == unknown[:asked]


@each_way
@each_api
@each_form
def test_a_tool_loop_keeps_its_injection(
    ask: _Ask, stage: MemoryStage, user: str, way: str, api: str, stream: bool
) -> None:
    """Though more is known by then: the second step repeats the first one byte for byte."""
    at = (way, api, stream)
    ask(at, user, CAT)
    stage.store.wait_for(user, 1)
    arguments = '{"to":"the cat"}'
    # The first step as the second one spells it: with one turn only.
    second = tool_step(api, DINNER, arguments, "Tuna is all there is.")
    field = "input" if api == "openai.responses" else "messages"
    first = {field: second[field][:1]}
    ask(at, user, first, Tool("call_1", "write", arguments))
    ask(at, user, "My cat eats liver, too, of late.")
    stage.store.wait_for(user, 3)
    ask(at, user, second)
    one, two = stage.upstream.requests[1].body, stage.upstream.requests[3].body
    turn = json.dumps(turns_of(one)[0], separators=(",", ":"), ensure_ascii=False).encode()
    assert b"Lovelace" in turn
    end = one.index(turn) + len(turn)
    assert two[:end] == one[:end]
    assert b"liver" not in two


@each_way
@each_api
def test_a_stream_is_recorded_when_it_has_ended(
    ask: _Ask, stage: MemoryStage, user: str, way: str, api: str
) -> None:
    """Whole, and not before: while it runs, nothing is written."""
    gate, written = threading.Event(), list[int]()

    def look() -> None:
        written.append(len(stage.store.written.get((user,), ())))
        gate.set()

    pieces = ("A long story ", "about cats", gate, " and dogs.")
    ask((way, api, True), user, CAT, *pieces, on_event=look)
    assert written[0] == 0
    assert stage.store.wait_for(user, 2)[1].text == "A long story about cats and dogs."


@each_way
@each_api
@each_form
def test_what_was_blocked_is_not_recorded(
    ask: _Ask, stage: MemoryStage, user: str, way: str, api: str, stream: bool
) -> None:
    """Neither the answer nor the question that led to it; the next turn is."""
    begun = threading.Event()
    pieces = ("The cat ", begun, "eats a bomb.") if stream else ("The cat eats a bomb.",)
    if stream:
        assert "bomb" not in ask((way, api, stream), user, CAT, *pieces, on_event=begun.set).raw
    else:
        with pytest.raises(Exception, match="blocked by a content policy"):
            ask((way, api, stream), user, CAT, *pieces)
    ask((way, api, stream), user, DINNER)
    assert [item.text for item in stage.store.wait_for(user, 1)] == [DINNER]


@each_way
@each_api
def test_what_the_client_did_not_wait_for_is_not_recorded(
    ask: _Ask, stage: MemoryStage, user: str, way: str, api: str
) -> None:
    """A client that leaves in the middle leaves nothing."""
    never = threading.Event()
    stage.upstream.reply(script(way, api, "The cat eats ", never, "mice.", stream=True))
    body = {
        "model": model_of(way, api),
        "max_tokens": 9,
        "stream": True,
        **question_of(api, CAT),
    }
    url = f"{stage.url}/{way}{PATHS[api]}"
    with httpx.stream("POST", url, json=body, headers={"x-user": user}) as reply:
        assert "data:" in next(reply.iter_text())
    assert stage.upstream.requests[0].closed.wait(5)
    never.set()
    ask((way, api, True), user, DINNER)
    assert [item.text for item in stage.store.wait_for(user, 1)] == [DINNER]


@each_way
@each_api
@each_form
def test_what_is_recorded_holds_neither_values_nor_placeholders(
    ask: _Ask, stage: MemoryStage, user: str, way: str, api: str, stream: bool
) -> None:
    """The vault is gone by then; the client has got its address back all the same."""
    text = "Write to ann@example.org about my cat."
    seen = ask((way, api, stream), user, text, "I wrote to <EMA", "IL_1> about it.")
    assert seen.text == "I wrote to ann@example.org about it."
    kept = stage.store.wait_for(user, 2)
    for item in kept:
        assert "example.org" not in item.text
        assert "EMAIL_1" not in item.text
    assert "my cat" in kept[0].text


def test_forgetting_over_http(ask: _Ask, stage: MemoryStage, user: str) -> None:
    """One DELETE, with counts; others keep what they have, and nobody is nobody."""
    at, other = ("around", "openai.chat", False), f"{user}, another"
    for who in (user, other):
        ask(at, who, CAT)
        stage.store.wait_for(who, 1)
    ask(at, user, DINNER)
    assert b"Lovelace" in stage.upstream.requests[-1].body
    stage.store.wait_for(user, 2)
    url = f"{stage.url}/me/memory"
    gone = httpx.delete(url, headers={"x-user": user})
    assert gone.status_code == 200
    assert gone.json()["deleted"]["items"] == 2
    assert gone.json()["deleted"]["injections"] >= 1
    assert httpx.delete(url).status_code == 401
    ask(at, user, DINNER)
    assert b"Lovelace" not in stage.upstream.requests[-1].body
    ask(at, other, DINNER)
    assert b"Lovelace" in stage.upstream.requests[-1].body


def test_without_a_user_nothing_is_remembered(ask: _Ask, stage: MemoryStage, user: str) -> None:
    """Neither recalled nor kept, under whatever name; the next one, of a user, is."""
    for way in WAYS:
        ask((way, "openai.chat", False), "", CAT)
        ask((way, "openai.chat", False), "", DINNER)
        assert b"Lovelace" not in stage.upstream.requests[-1].body
        ask((way, "openai.chat", False), f"{user}, {way}", CAT)
        stage.store.wait_for(f"{user}, {way}", 1)
    users = [names[0] for names in stage.store.written]
    assert all(name.startswith(("test_", "plano:")) for name in users)


@pytest.mark.parametrize("way", ["around", "inside"])
def test_what_is_queued_is_written_on_shutdown(tmp_path: Path, way: str) -> None:
    """A server that is told to stop stops with everything in the file."""
    path = tmp_path / "memory.db"
    facts = [f"My cat number {n} is called Lovelace the {n}th." for n in range(20)]
    with scripted_upstream() as upstream, sdk_clients() as clients:
        upstream.on(lambda _: script(way, "openai.chat", "ok", stream=False))
        with serving(_app(way, upstream.base_url, f"sqlite:///{path}")) as url:
            for fact in facts:
                clients.ask("openai.chat", url, "openai/m", fact, stream=False)
    kept = anyio.run(_listed, f"sqlite:///{path}")
    assert {item.text for item in kept} == set(facts)


async def _listed(store: str) -> Sequence[MemoryItem]:
    opened = open_store(store)
    try:
        return await opened.list(("ann",))
    finally:
        await opened.aclose()


def _app(way: str, base: str, store: str) -> Any:
    if way == "inside":
        memory = Memory(store, namespace=lambda scope: "ann")
        return gateway(base, memory=memory)
    http = httpx.AsyncClient(trust_env=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with http:
            yield

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(PlanoMemory, store=store, namespace=lambda scope: "ann")
    app.mount("/", relaying(base, http))
    return app
