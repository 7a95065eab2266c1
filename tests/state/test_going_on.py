"""Going on from a response, with every kind of upstream."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import replies
from asgi_drive import drive
from gateway_build import KEY
from memory_transport import answer
from plano_asgi.config import Model
from plano_asgi.errors import ModelNotFound
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.routing.names import Alias, Target
from plano_asgi.state import ResponsesState
from plano_asgi.state.records import Head
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.sqlite_store import SQLiteStore
from plano_asgi.wire.reasoning_pack import PREFIX
from state.talk import CHAT, CLAUDE, NATIVE, OUTPUT, TOOLS, Talk, is_native, kept_reply, reply, talk

pytestmark = pytest.mark.anyio

CALL = replies.Tool()
ALICE = {"authorization": "Bearer key-of-alice"}
BOB = {"authorization": "Bearer key-of-bob"}
KEYS = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})


async def _loop(model: str, *, stream: bool, **options: Any) -> tuple[Talk, list[str]]:
    """Ask, answer the call, go on: three turns by ids alone."""
    turns: list[list[str | replies.Tool]] = [[CALL], ["It is ", "sunny."], ["Bye."]]
    found = talk(*[reply(model, *turn, stream=stream) for turn in turns], **options)
    ids: list[str] = []
    for given in ("How is the weather?", OUTPUT, "Thanks."):
        previous = ids[-1] if ids else None
        said = await found.said(model, given, previous, stream=stream, tools=TOOLS)
        assert (said["previous_response_id"], said["store"]) == (previous, True)
        ids.append(said["id"])
    return found, ids


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_loop_on_anthropic(stream: bool) -> None:
    """The call is a call, its result a result, in the order in which they came."""
    found, _ = await _loop(CLAUDE, stream=stream)
    assert found.upstream.body()["messages"] == [
        {"role": "user", "content": "How is the weather?"},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_use",
                    "id": "call_1",
                    "name": "get_weather",
                    "input": {"city": "Paris"},
                }
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}],
        },
        {"role": "assistant", "content": "It is sunny."},
        {"role": "user", "content": "Thanks."},
    ]
    assert "thinking" not in found.upstream.body()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_loop_on_chat(stream: bool) -> None:
    """As above."""
    found, _ = await _loop(CHAT, stream=stream)
    messages = found.upstream.body()["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"]
    left_out = {"store", "previous_response_id", "include", "reasoning_effort"}
    assert not found.upstream.body().keys() & left_out


@pytest.mark.parametrize("stream", [True, False])
async def test_a_tool_loop_on_an_upstream_of_the_same_api_that_keeps_nothing(stream: bool) -> None:
    """It gets whole items and is told to keep nothing; ids of its own items stay away."""
    found, _ = await _loop(NATIVE, stream=stream)
    body = found.upstream.body()
    kinds = [item["type"] for item in body["input"]]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message"]
    assert not any("id" in item for item in body["input"])
    assert body["store"] is False
    assert "previous_response_id" not in body
    assert "include" not in body  # the provider knows that gpt-4o refuses it


@pytest.mark.parametrize("model", [CHAT, CLAUDE, NATIVE])
async def test_items_are_kept_once(model: str) -> None:
    """A record holds its own turn, and the id of the one before."""
    store = LocalStore()
    _, ids = await _loop(model, stream=False, state=ResponsesState(store))
    kept = [await store.get(f"state/-/r/{id}") for id in ids]
    heads = [Head(*json.loads(each or b"")["head"]) for each in kept]
    assert [head.previous for head in heads] == [None, ids[0], ids[1]]
    assert [b"How is the weather" in (each or b"") for each in kept] == [True, False, False]
    assert len(await store.keys("state/-/r/")) == 3


async def test_ids_are_ours_and_cannot_be_guessed() -> None:
    """192 bits of chance, whatever the upstream called its answer."""
    found = talk(reply(CHAT, "Hi"), reply(NATIVE, "Hi"))
    ids = [(await found.said(model, "Hello"))["id"] for model in (CHAT, NATIVE)]
    assert all(id.startswith("resp_") and len(id) == 53 for id in ids)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_upstream_that_keeps_its_response_is_asked_by_id(stream: bool) -> None:
    """Its id is the client's; the next request goes there as it is."""
    state = ResponsesState(native=is_native)
    turns = [kept_reply(f"resp_up{n}", stream=stream) for n in range(3)]
    found = talk(*turns, state=state)
    previous = None
    for number in range(3):
        body = {"model": NATIVE, "input": f"Turn {number}.", "stream": stream}
        if previous is not None:
            body["previous_response_id"] = previous
        response = await found.ask(body)
        said = response.data()[-1]["response"] if stream else response.json()
        assert said["id"] == f"resp_up{number}"
        sent = found.upstream.body()
        assert (sent["input"], sent.get("previous_response_id")) == (f"Turn {number}.", previous)
        assert "store" not in sent
        previous = said["id"]


async def test_a_pin_outlives_the_process_and_beats_failover(tmp_path: Any) -> None:
    """Another gateway with the same store goes to the upstream that has the response, only."""
    path = str(tmp_path / "state.db")
    aliases = {"smart": Alias(targets=(Target(model=CLAUDE),), fallbacks=(NATIVE,))}
    first = talk(
        answer({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, 529),
        kept_reply("resp_up"),
        state=ResponsesState(SQLiteStore(path), native=is_native),
        aliases=aliases,
    )
    assert (await first.said("smart", "Hello"))["id"] == "resp_up"
    await first.state.aclose()
    second = talk(
        answer({"error": {"message": "down", "type": "server_error"}}, 500),
        state=ResponsesState(SQLiteStore(path), native=is_native),
        aliases=aliases,
    )
    response = await second.ask(
        {"model": "smart", "input": "Go on.", "previous_response_id": "resp_up"}
    )
    assert response.status == 500
    assert [each.url for each in second.upstream.requests] == [
        "https://api.openai.com/v1/responses"
    ]
    assert second.upstream.body()["previous_response_id"] == "resp_up"
    await second.state.aclose()


async def test_what_an_upstream_keeps_goes_on_elsewhere_too() -> None:
    """Another model is not there: what was said goes to it as items, and so it stays."""
    found = talk(
        kept_reply("resp_up", "Paris."),
        reply(CLAUDE, "Yes."),
        reply(NATIVE, "Again."),
        state=ResponsesState(native=is_native),
    )
    first = await found.said(NATIVE, "The capital of France?")
    second = await found.said(CLAUDE, "Sure?", first["id"])
    assert found.upstream.body()["messages"] == [
        {"role": "user", "content": "The capital of France?"},
        {"role": "assistant", "content": "Paris."},
        {"role": "user", "content": "Sure?"},
    ]
    await found.said(NATIVE, "Really?", second["id"])
    assert found.upstream.body()["store"] is False
    assert len(found.upstream.body()["input"]) == 5


async def test_another_model_of_the_upstream_that_keeps_the_response() -> None:
    """With the names at hand it is found to be there, and asked by id."""
    state = ResponsesState(native=is_native, resolve=lambda model: found.app.names.resolve(model))
    models = [Model("openai/*", api_key=KEY)]
    found = talk(kept_reply("resp_a"), kept_reply("resp_b"), state=state, models=models)
    await found.said("openai/gpt-4o", "Hi")
    await found.said("openai/gpt-4o-mini", "Ho", "resp_a")
    assert found.upstream.body()["previous_response_id"] == "resp_a"
    assert found.upstream.body()["model"] == "gpt-4o-mini"


async def test_a_model_that_no_name_stands_for_is_no_reason_to_lose_anything() -> None:
    """A rule may know it: what was said goes with the request wherever that goes."""

    def resolve(model: str | None) -> Route:
        raise ModelNotFound(model or "")

    async def rule(exchange: Exchange) -> Route | None:
        candidate = Candidate(provider="mistral", model="small")
        return Route(candidates=(candidate,)) if exchange.model == "auto" else None

    state = ResponsesState(native=is_native, resolve=resolve)
    found = talk(kept_reply("resp_up"), reply(CHAT, "Yes."), state=state, rules=[rule])
    await found.said(NATIVE, "Hi")
    await found.said("auto", "Sure?", "resp_up")
    assert len(found.upstream.body()["messages"]) == 3


async def test_reasoning_survives_with_its_proof() -> None:
    """A thought and its signature go back to Anthropic, and to nobody else."""
    thought = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
    body = json.loads(replies.anthropic_reply(None, CALL).body)  # type: ignore[arg-type]
    body["content"].insert(0, thought)
    found = talk(answer(body), reply(CLAUDE, "Done."), reply(CHAT, "Done."))
    first = await found.said(CLAUDE, "Weather?", tools=TOOLS)
    assert first["output"][0]["encrypted_content"].startswith(PREFIX)
    second = await found.said(CLAUDE, OUTPUT, first["id"], tools=TOOLS)
    assert found.upstream.body()["messages"][1]["content"][0] == thought
    await found.said(CHAT, "And now?", second["id"])
    assert b"c2ln" not in found.upstream.requests[-1].content


@pytest.mark.parametrize(("model", "kept"), [("openai/gpt-5", True), ("xai/grok-4", False)])
async def test_proof_goes_back_to_its_maker_only(model: str, kept: bool) -> None:
    """Ciphertext of another provider would be refused; reasoning without proof means nothing."""
    proven = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}
    bare = {"type": "reasoning", "id": "rs_2", "summary": []}
    body = json.loads(replies.responses_reply("Hm.").body)  # type: ignore[arg-type]
    body["output"] = [bare, proven, *body["output"]]
    models = [Model("openai/*", api_key=KEY), Model("xai/*", api_key=KEY)]
    state = ResponsesState(resolve=lambda model: found.app.names.resolve(model))
    found = talk(answer(body), reply(NATIVE, "Well."), state=state, models=models)
    first = await found.said("openai/gpt-5", "Think.")
    await found.said(model, "More.", first["id"])
    sent = found.upstream.body()
    assert [each for each in sent["input"] if each["type"] == "reasoning"] == [proven] * kept
    assert len(sent["input"]) == 3 + kept
    assert sent["include"] == ["reasoning.encrypted_content"]


async def test_images_survive() -> None:
    """As the client sent them."""
    data = base64.b64encode(b"\x89PNG").decode()
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}
    given = [{"role": "user", "content": [image, {"type": "input_text", "text": "What is it?"}]}]
    found = talk(reply(CLAUDE, "A cat."), reply(CLAUDE, "Yes."))
    first = await found.said(CLAUDE, given)
    await found.said(CLAUDE, "Sure?", first["id"])
    source = found.upstream.body()["messages"][0]["content"][0]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": data}


async def test_instructions_are_not_inherited() -> None:
    """Each request brings its own."""
    found = talk(reply(CHAT, "Arr."), reply(CHAT, "Hello."))
    first = await found.said(CHAT, "Hi", instructions="Speak like a pirate.")
    await found.said(CHAT, "Hi", first["id"])
    assert [each["role"] for each in found.upstream.body()["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


@pytest.mark.parametrize("id", ["resp_unknown", "", "../x", "resp_\x00", "x" * 5000])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_unknown_id_is_a_404(id: str, stream: bool) -> None:
    """In OpenAI's shape, before any upstream is asked."""
    found = talk(reply(CHAT, "Hi"))
    response = await found.ask(
        {"model": CHAT, "input": "Hi", "previous_response_id": id, "stream": stream}
    )
    assert response.status == 404
    error = response.json()["error"]
    assert error["code"] == "previous_response_not_found"
    assert error["param"] == "previous_response_id"
    assert error["type"] == "invalid_request_error"
    assert len(error["message"]) < 200
    assert found.upstream.requests == []


async def test_another_tenants_id_is_a_404() -> None:
    """Whatever the upstream would say to it."""
    for model, outcome in ((CHAT, reply(CHAT, "Hi")), (NATIVE, kept_reply("resp_up"))):
        found = talk(outcome, state=ResponsesState(native=is_native), auth=KEYS, headers=ALICE)
        id = (await found.said(model, "My secret."))["id"]
        body = {"model": model, "input": "Tell me.", "previous_response_id": id}
        assert (await drive(found.app, "/v1/responses", body, headers=BOB)).status == 404
        assert len(found.upstream.requests) == 1
        assert (await drive(found.app, "/v1/responses", body, headers=ALICE)).status == 200


async def test_a_deleted_turn_is_told() -> None:
    """Going on without it would be another conversation."""
    found = talk(reply(CHAT, "Hi"))
    first = await found.said(CHAT, "One.")
    second = await found.said(CHAT, "Two.", first["id"])
    await found.state.records.delete(None, first["id"])
    response = await found.ask({"model": CHAT, "input": "?", "previous_response_id": second["id"]})
    assert (response.status, "expired" in response.json()["error"]["message"]) == (404, True)


@pytest.mark.parametrize("bounds", [{"max_items": 4}, {"max_bytes": 4000}])
async def test_what_is_too_long_is_refused(bounds: dict[str, int]) -> None:
    """With the code that makes agents compact."""
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(**bounds))  # type: ignore[arg-type]
    id = None
    for _ in range(10):
        body = {"model": CHAT, "input": "Again.", "previous_response_id": id}
        response = await found.ask(body)
        if response.status != 200:
            break
        id = response.json()["id"]
    assert response.status == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": 7},
        {"store": "no"},
        {"conversation": ["x"]},
        {"conversation": {"name": "x"}},
        {"previous_response_id": "resp_1", "conversation": "conv_1"},
        {"background": True},
    ],
)
async def test_fields_that_cannot_be(fields: dict[str, Any]) -> None:
    """Said, with their name, and nothing is asked."""
    found = talk(reply(CHAT, "Hi"))
    response = await found.ask({"model": CHAT, "input": "Hi", **fields})
    assert response.status in (400, 404)
    assert response.json()["error"]["param"] in {*fields, "conversation"}
    assert found.upstream.requests == []


async def test_input_tokens_are_counted_with_what_was_said_before() -> None:
    """The upstream that counts them gets all items."""
    found = talk(reply(NATIVE, "Hi"), answer({"object": "response.input_tokens"}))
    first = await found.said(NATIVE, "Hello")
    body = {"model": NATIVE, "input": "More.", "previous_response_id": first["id"]}
    response = await drive(found.app, "/v1/responses/input_tokens", body)
    assert response.status == 200
    sent = found.upstream.body()
    assert len(sent["input"]) == 3
    assert sent.keys() == {"model", "input"}
