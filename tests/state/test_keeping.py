"""What is kept of an answer, when, for how long, and where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from starlette.types import Message
from structlog.testing import capture_logs

import replies
from asgi_drive import drive
from listeners import Hold, Shout
from memory_transport import answer, events
from plano_asgi.errors import ConfigurationError, ContentBlocked, StoreUnavailable
from plano_asgi.exchange import AnswerStopped, Exchange, ResponseFilter
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.guards import PII
from plano_asgi.state import ResponsesState
from plano_asgi.stores.local_store import LocalStore
from state.talk import CHAT, CLAUDE, NATIVE, TOOLS, is_native, kept_reply, reply, talk

pytestmark = pytest.mark.anyio

CALL = replies.Tool()
ALICE = {"authorization": "Bearer key-of-alice"}
BOB = {"authorization": "Bearer key-of-bob"}
KEYS = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})


@pytest.mark.parametrize("stream", [True, False])
async def test_a_fast_follow_up_never_misses(stream: bool) -> None:
    """The response is in the store before its last byte is out."""
    state = ResponsesState()
    found = talk(reply(CHAT, "Hel", "lo", stream=stream), state=state)
    body = {"model": CHAT, "input": "Hi", "stream": stream}
    seen: list[bool] = []

    async def send(message: Message) -> None:
        content = message.get("body", b"")
        if b'"status":"completed"' in content and b'"object":"response"' in content:
            seen.append(bool(await state.store.keys("state/-/r/")))

    pending: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive() -> Message:
        return pending.pop() if pending else await _forever()

    scope = {"type": "http", "method": "POST", "path": "/v1/responses", "headers": []}
    await found.app({**scope, "query_string": b"", "root_path": ""}, receive, send)
    assert seen == [True]


async def _forever() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_not_to_be_stored_is_not(stream: bool) -> None:
    """It may go on from what was; nothing comes of it."""
    store = LocalStore()
    found = talk(
        reply(CHAT, "One."),
        reply(CHAT, "Two.", stream=stream),
        reply(CHAT, "Three.", stream=stream),
        state=ResponsesState(store),
    )
    first = await found.said(CHAT, "Begin.")
    second = await found.said(CHAT, "Go on.", first["id"], store=False, stream=stream)
    assert (second["store"], second["previous_response_id"]) == (False, first["id"])
    assert len(found.upstream.body()["messages"]) == 3
    third = await found.said(CHAT, "Alone.", store=False, stream=stream)
    assert third["store"] is False
    assert await store.keys("state/-/r/") == [f"state/-/r/{first['id']}"]
    late = await found.ask({"model": CHAT, "input": "?", "previous_response_id": second["id"]})
    assert late.status == 404


async def test_a_request_that_stores_nothing_is_relayed_as_it_is() -> None:
    """Codex sends these; nobody listens to their answers."""
    found = talk(reply(NATIVE, "Hi"))
    raw = (await found.ask({"model": NATIVE, "input": "Hello", "store": False})).body
    assert raw == found.upstream.outcomes[0].chunks[0]  # type: ignore[union-attr]


async def test_forget_deletes_everything_of_one_tenant() -> None:
    """And of nobody else."""
    found = talk(reply(CHAT, "Hi"), auth=KEYS, headers=ALICE)
    mine = await found.said(CHAT, "Hello")
    found.headers = BOB
    theirs = await found.said(CHAT, "Hello")
    await found.state.conversations.create("alice", {}, [{"role": "user", "content": "x"}])
    assert await found.state.forget("alice") == 4
    assert await found.state.records.get("alice", mine["id"]) is None
    assert await found.state.records.get("bob", theirs["id"]) is not None


async def test_responses_expire_unless_they_are_gone_on_from() -> None:
    """A conversation in use does not lose its first turns."""
    now = [1_000_000.0]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731 - a clock
    store = LocalStore(timer=clock)
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(store, ttl_s=100, timer=clock))
    id = (await found.said(CHAT, "One."))["id"]
    for _ in range(4):
        now[0] += 60
        id = (await found.said(CHAT, "More.", id))["id"]
    assert len(found.upstream.body()["messages"]) == 9
    now[0] += 101
    gone = await found.ask({"model": CHAT, "input": "?", "previous_response_id": id})
    assert gone.status == 404


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failed_answer_is_not_kept(stream: bool) -> None:
    """There is nothing to go on from."""
    error = {"error": {"message": "down", "type": "server_error"}}
    cut = events({"error": {"message": "x"}})
    found = talk(cut if stream else answer(error, 500))
    await found.ask({"model": CHAT, "input": "Hi", "stream": stream})
    assert await found.state.store.keys("") == []


class Down(LocalStore):
    """A store that goes down when told."""

    def __init__(self, *methods: str) -> None:
        super().__init__()
        self.down = set(methods)

    async def get(self, key: str, /) -> bytes | None:
        self._check("get")
        return await super().get(key)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        self._check("put")
        await super().put(key, value, ttl_s=ttl_s)

    def _check(self, method: str) -> None:
        if method in self.down:
            raise StoreUnavailable("the store is down")


async def test_a_store_that_is_down_is_an_error_before_the_model_is_asked() -> None:
    """503 with a time to come back, where the past cannot be read."""
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(Down("get")))
    body = {"model": CHAT, "input": "Hi", "previous_response_id": "resp_1"}
    response = await found.ask(body)
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert response.json()["error"]["code"] == "store_unavailable"
    assert found.upstream.requests == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [CHAT, NATIVE])
async def test_an_answer_that_cannot_be_kept_is_given_and_not_acknowledged(
    model: str, stream: bool
) -> None:
    """It was paid for; it says that it is not stored, and so does the log."""
    kept = kept_reply("resp_up", "Hello", stream=stream)
    made = kept if model == NATIVE else reply(CHAT, "Hel", "lo", stream=stream)
    found = talk(made, state=ResponsesState(Down("put"), native=is_native))
    with capture_logs() as logs:
        response = await found.ask({"model": model, "input": "Hi", "stream": stream})
    said = response.data()[-1]["response"] if stream else response.json()
    assert response.status == 200
    assert said["output"][-1]["content"][0]["text"] == "Hello"
    assert said["store"] is False
    assert response.headers.get("x-plano-state") == (None if stream else "lost")
    assert [each["event"] for each in logs] == ["state_lost"]
    late = await found.ask({"model": model, "input": "?", "previous_response_id": said["id"]})
    assert late.status == 404


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_of_a_conversation_that_cannot_be_kept_is_an_error(stream: bool) -> None:
    """The next turn would go on without it: a status, else an error in the place of the end."""
    store = Down()
    found = talk(reply(CHAT, "Hel", "lo", stream=stream), state=ResponsesState(store))
    conversation = await found.state.conversations.create(None, {})
    store.down.add("put")
    body = {"model": CHAT, "input": "Hi", "stream": stream, "conversation": conversation["id"]}
    response = await found.ask(body)
    if not stream:
        assert (response.status, response.headers["retry-after"]) == (503, "5")
        return
    kinds = [each["type"] for each in response.data()]
    assert kinds[-1] == "error"
    assert "response.completed" not in kinds


async def test_an_answer_that_a_check_beside_it_stops_is_taken_back() -> None:
    """By itself and out of its conversation: the client never got it."""
    answered = anyio.Event()

    async def check() -> None:
        await answered.wait()
        raise AnswerStopped(ContentBlocked("Not this."))

    async def step(exchange: Exchange) -> None:
        exchange.beside.append(check)
        exchange.response_filters.append(_Telling(answered))

    found = talk(reply(CHAT, "Hi"), steps=[step])
    id = (await found.state.conversations.create(None, {}))["id"]
    body = {"model": CHAT, "input": "Hi", "conversation": id}
    assert (await found.ask(body)).status == 400
    assert await found.state.store.keys("state/-/r/") == []
    assert await found.state.conversations.pieces(None, id) == []


class _Telling(ResponseFilter):
    """Says when the whole answer has passed."""

    rank = 9

    def __init__(self, passed: anyio.Event) -> None:
        self._passed = passed

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        self._passed.set()
        return body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("listener", [Shout, Hold])
async def test_what_the_client_saw_is_kept(stream: bool, listener: Callable[[], Any]) -> None:
    """Also where a later step has changed it on its way, or held it back."""
    shouting = listener is Shout

    async def step(exchange: Exchange) -> None:
        exchange.response_filters.append(listener())

    found = talk(reply(CLAUDE, "Hel", "lo", CALL, stream=stream), reply(CLAUDE, "x"), steps=[step])
    first = await found.said(CLAUDE, "Hi", stream=stream, tools=TOOLS)
    record = await found.state.response(None, first["id"])
    assert record.output == first["output"]
    assert record.output[0]["content"][0]["text"] == ("HELLO" if shouting else "Hello")


@pytest.mark.parametrize("stream", [True, False])
async def test_values_behind_a_mask_are_kept_as_they_were_said(stream: bool) -> None:
    """The model sees placeholders on every turn, the client and the store never."""
    found = talk(
        reply(CHAT, "I wrote to <EMAIL", "_1>.", stream=stream),
        reply(CHAT, "Yes.", stream=stream),
        guards=[PII(kinds=["email"], mode="mask")],
    )
    first = await found.said(CHAT, "Write to ada@example.org.", stream=stream)
    assert first["output"][0]["content"][0]["text"] == "I wrote to ada@example.org."
    record = await found.state.response(None, first["id"])
    assert record.output == first["output"]
    await found.said(CHAT, "Did you?", first["id"], stream=stream)
    sent = [each["content"] for each in found.upstream.body()["messages"]]
    assert sent == ["Write to <EMAIL_1>.", "I wrote to <EMAIL_1>.", "Did you?"]


async def test_what_later_steps_put_in_is_not_kept() -> None:
    """A memory, say, in the last turn of the user."""

    async def remember(exchange: Exchange) -> None:
        exchange.body["input"][-1]["content"] = "Remember: she likes tea."
        exchange.touch()

    found = talk(reply(CHAT, "Hi"), steps=[remember])
    first = await found.said(CHAT, [{"role": "user", "content": "Hello"}])
    record = await found.state.response(None, first["id"])
    assert record.input == [{"role": "user", "content": "Hello"}]


async def test_a_key_seals_what_is_kept() -> None:
    """And another key reads nothing; the old one still opens after a change."""
    store, old, new = LocalStore(), b"o" * 32, b"n" * 32
    found = talk(reply(CHAT, "A secret."), state=ResponsesState(store, key=old))
    id = (await found.said(CHAT, "A secret?"))["id"]
    kept = await store.get(f"state/-/r/{id}")
    assert kept is not None
    assert b"secret" not in kept
    body = {"model": CHAT, "input": "More.", "previous_response_id": id}
    for key, status in (([new, old], 200), (new, 404), (None, 404)):
        other = talk(reply(CHAT, "Yes."), state=ResponsesState(store, key=key))
        assert (await other.ask(body)).status == status
    with pytest.raises(ConfigurationError, match="16, 24 or 32"):
        ResponsesState(key=b"short")


def test_bounds_are_checked() -> None:
    """Nothing is unbounded."""
    for bounds in ({"ttl_s": 0.0}, {"max_items": 0}, {"max_bytes": 0}):
        with pytest.raises(ConfigurationError):
            ResponsesState(**bounds)


async def test_other_apis_are_none_of_its_business() -> None:
    """Chat, messages and embeddings pass untouched."""
    found = talk(reply(CHAT, "Hi"))
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "store": True}
    response = await drive(found.app, "/v1/chat/completions", body)
    assert response.status == 200
    assert await found.state.store.keys("") == []
