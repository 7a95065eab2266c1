"""The endpoints of kept state: responses by id, conversations, compaction."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from openai.types.conversations import Conversation, ConversationItemList
from openai.types.responses import CompactedResponse, Response, ResponseItemList

from asgi_drive import Exchanged, drive
from memory_transport import answer, events
from plano_asgi._json import JSONObject
from plano_asgi.errors import StoreUnavailable, UpstreamReset
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.state import ResponsesState
from plano_asgi.stores.local_store import LocalStore
from plano_asgi.stores.sqlite_store import SQLiteStore
from replies import Tool
from state.doors import Door
from state.talk import CHAT, CLAUDE, NATIVE, TOOLS, Talk, is_native, kept_reply, reply, talk

pytestmark = pytest.mark.anyio

CALL = Tool()
ALICE, BOB = {"x-api-key": "key-of-alice"}, {"x-api-key": "key-of-bob"}
KEYS = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})


async def _at(
    found: Talk,
    path: str,
    body: object = b"",
    *,
    method: str = "GET",
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> Exchanged:
    door = Door(found)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await door({**scope, "query_string": query.encode()}, receive, send)

    headers = found.headers if headers is None else headers
    return await drive(app, f"/v1{path}", body, method=method, headers=headers)


async def _json(found: Talk, path: str, body: object = b"", **options: Any) -> JSONObject:
    response = await _at(found, path, body, **options)
    assert response.status == 200, response.body
    value = response.json()
    assert isinstance(value, dict)
    return value


# --------------------------------------------------------------------------- responses


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [CHAT, CLAUDE, NATIVE])
async def test_a_response_is_got_as_it_was_said(model: str, stream: bool) -> None:
    """Whatever the upstream, streamed or not."""
    found = talk(reply(model, "Hel", "lo", stream=stream))
    said = await found.said(model, "Hi", stream=stream, metadata={"k": "v"})
    assert await _json(found, f"/responses/{said['id']}") == said
    head = await _at(found, f"/responses/{said['id']}", method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_a_deleted_response_is_gone() -> None:
    """For getting, listing and going on."""
    found = talk(reply(CHAT, "Hi"))
    id = (await found.said(CHAT, "Hello"))["id"]
    deleted = await _json(found, f"/responses/{id}", method="DELETE")
    assert deleted == {"id": id, "object": "response", "deleted": True}
    for path, method in ((f"/responses/{id}", "GET"), (f"/responses/{id}", "DELETE")):
        response = await _at(found, path, method=method)
        assert (response.status, response.json()["error"]["code"]) == (404, "not_found")
    assert (await _at(found, f"/responses/{id}/input_items")).status == 404
    body = {"model": CHAT, "input": "?", "previous_response_id": id}
    assert (await found.ask(body)).status == 404


async def test_input_items_in_pages() -> None:
    """What was said before comes first; pages do not overlap, and ids hold."""
    found = talk(reply(CHAT, "One."), reply(CHAT, "Two."))
    first = await found.said(CHAT, "First?")
    image = {"type": "input_image", "image_url": "https://example.org/cat.png"}
    given = [{"role": "user", "content": [image]}, {"role": "user", "content": "Second?"}]
    second = await found.said(CHAT, given, first["id"])
    path = f"/responses/{second['id']}/input_items"
    whole = await _json(found, path, query="order=asc")
    assert [item["role"] for item in whole["data"]] == ["user", "assistant", "user", "user"]
    assert whole["data"][0]["content"] == [{"type": "input_text", "text": "First?"}]
    assert whole["data"][1]["id"] == first["output"][0]["id"]
    assert whole["data"][3]["content"] == [{"type": "input_text", "text": "Second?"}]
    assert (whole["object"], whole["has_more"]) == ("list", False)
    ids = [item["id"] for item in whole["data"]]
    assert (whole["first_id"], whole["last_id"]) == (ids[0], ids[-1])
    newest = await _json(found, path, query="limit=3")
    assert [item["id"] for item in newest["data"]] == ids[:0:-1]
    assert newest["has_more"] is True
    rest = await _json(found, path, query=f"limit=3&after={newest['last_id']}")
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (ids[:1], False)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=none"])
async def test_pages_that_cannot_be(query: str) -> None:
    """A 400 that names the parameter."""
    found = talk(reply(CHAT, "One."))
    id = (await found.said(CHAT, "Hi"))["id"]
    response = await _at(found, f"/responses/{id}/input_items", query=query)
    assert response.status == 400
    assert response.json()["error"]["param"] == query.partition("=")[0]


async def test_only_what_runs_in_the_background_can_be_cancelled() -> None:
    """As OpenAI has it."""
    found = talk(reply(CHAT, "One."))
    id = (await found.said(CHAT, "Hi"))["id"]
    assert (await _at(found, f"/responses/{id}/cancel", method="POST")).status == 400
    assert (await _at(found, "/responses/resp_x/cancel", method="POST")).status == 404
    assert (await _at(found, f"/responses/{id}", query="stream=true")).status == 400


async def test_an_answer_made_in_the_background() -> None:
    """It is asked for at the upstream that makes it until it is whole; then it is ours, too."""
    queued = _background("queued")
    found = talk(
        answer(queued),
        answer(_background("in_progress")),
        answer(_background("completed", "Done.")),
        answer(_background("cancelled")),
        state=ResponsesState(native=is_native),
    )
    said = await found.said(NATIVE, "Work.", background=True)
    assert said == queued
    body = {"model": CLAUDE, "input": "?", "previous_response_id": "resp_bg"}
    assert "in progress" in (await found.ask(body)).json()["error"]["message"]
    assert (await _json(found, "/responses/resp_bg"))["status"] == "in_progress"
    request = found.upstream.requests[-1]
    assert (request.method, request.content) == ("GET", b"")
    assert request.url == "https://api.openai.com/v1/responses/resp_bg"
    done = await _json(found, "/responses/resp_bg", query="include=x")
    assert found.upstream.requests[-1].url.endswith("/resp_bg?include=x")
    asked = len(found.upstream.requests)
    assert await _json(found, "/responses/resp_bg") == done
    assert len(found.upstream.requests) == asked
    cancelled = await _json(found, "/responses/resp_bg/cancel", method="POST")
    assert cancelled["status"] == "cancelled"
    assert found.upstream.requests[-1].url.endswith("/responses/resp_bg/cancel")


async def test_a_background_stream_is_taken_up_again() -> None:
    """It can be found as soon as it has begun, and is relayed as it comes."""
    begun = {"type": "response.created", "response": _background("queued")}
    rest = events({"type": "response.output_text.delta", "delta": "x"})
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
    cut = events(begun, {**delta, "delta": "Do"}, cut=UpstreamReset("cut"))
    found = talk(cut, rest, state=ResponsesState(native=is_native))
    await found.ask({"model": NATIVE, "input": "Work.", "background": True, "stream": True})
    query = "stream=true&starting_after=1"
    response = await _at(found, "/responses/resp_bg", query=query)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.data() == [{"type": "response.output_text.delta", "delta": "x"}]
    assert found.upstream.requests[-1].url.endswith(f"/responses/resp_bg?{query}")


async def test_deleting_what_an_upstream_keeps() -> None:
    """There first; what is gone there already is no error, what cannot be reached is one."""
    error = {"error": {"message": "nope", "type": "server_error", "code": "x"}}
    state = ResponsesState(native=is_native)
    found = talk(kept_reply("resp_up"), answer(error, 500), answer(error, 404), state=state)
    await found.said(NATIVE, "Hi")
    failed = await _at(found, "/responses/resp_up", method="DELETE")
    assert (failed.status, failed.json()) == (500, error)
    assert (await _at(found, "/responses/resp_up")).status == 200
    assert (await _at(found, "/responses/resp_up", method="DELETE")).status == 200
    assert found.upstream.requests[-1].method == "DELETE"
    assert (await _at(found, "/responses/resp_up")).status == 404


async def test_an_upstream_that_makes_no_sense_any_more() -> None:
    """No JSON, no object, cut off, or not served here any longer."""
    state = ResponsesState(native=is_native)
    found = talk(
        answer(_background("queued")),
        answer(b"<html>"),
        answer([1]),
        events({"type": "x"}, cut=UpstreamReset("cut")),
        state=state,
    )
    await found.said(NATIVE, "Work.", background=True)
    for _ in range(2):
        assert (await _at(found, "/responses/resp_bg")).status == 502
    cut = await _at(found, "/responses/resp_bg", query="stream=true")
    assert (cut.data(), cut.is_complete) == ([{"type": "x"}], False)
    found.app.providers.clear()
    assert (await _at(found, "/responses/resp_bg")).status == 404


async def test_another_tenants_response_is_a_404() -> None:
    """On every path; nothing of it is deleted."""
    found = talk(reply(CHAT, "Hi"), auth=KEYS, headers=ALICE)
    id = (await found.said(CHAT, "Hello"))["id"]
    conversation = (await _json(found, "/conversations", {}, method="POST"))["id"]
    for path, method in (
        (f"/responses/{id}", "GET"),
        (f"/responses/{id}", "DELETE"),
        (f"/responses/{id}/input_items", "GET"),
        (f"/responses/{id}/cancel", "POST"),
        (f"/conversations/{conversation}", "GET"),
        (f"/conversations/{conversation}", "POST"),
        (f"/conversations/{conversation}", "DELETE"),
        (f"/conversations/{conversation}/items", "GET"),
        (f"/conversations/{conversation}/items/msg_1", "DELETE"),
    ):
        assert (await _at(found, path, method=method, headers=BOB)).status == 404
    assert (await _at(found, f"/responses/{id}", headers={})).status == 401
    body = {"model": CHAT, "input": "Hi", "conversation": conversation}
    assert (await drive(found.app, "/v1/responses", body, headers=BOB)).status == 404
    assert (await _at(found, f"/responses/{id}")).status == 200
    assert (await _at(found, f"/conversations/{conversation}")).status == 200


# --------------------------------------------------------------------------- conversations


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [CHAT, CLAUDE, NATIVE])
async def test_a_conversation_over_several_turns(model: str, stream: bool) -> None:
    """Everything that was said is in it, and reaches every upstream."""
    found = talk(reply(model, "One.", stream=stream), reply(model, "Two.", stream=stream))
    first_items = [{"role": "user", "content": "I am Ada."}]
    made = await _json(
        found, "/conversations", {"metadata": {"k": "v"}, "items": first_items}, method="POST"
    )
    assert made["object"] == "conversation"
    assert made["metadata"] == {"k": "v"}
    for text, conversation in (("First?", made["id"]), ("Second?", {"id": made["id"]})):
        said = await found.said(model, text, conversation=conversation, stream=stream)
        assert said["conversation"] == {"id": made["id"]}
        assert said["previous_response_id"] is None
    sent = found.upstream.body()
    assert [turn["role"] for turn in sent.get("messages") or sent["input"]][-2:] == [
        "assistant",
        "user",
    ]
    assert "conversation" not in sent
    items = await _json(found, f"/conversations/{made['id']}/items", query="order=asc")
    told = [each["content"][0]["text"] for each in items["data"]]
    assert told == ["I am Ada.", "First?", "One.", "Second?", "Two."]
    shown = await _json(found, f"/responses/{said['id']}/input_items", query="order=asc")
    assert [each["content"][0]["text"] for each in shown["data"]] == told[:-1]


async def test_going_on_from_a_response_of_a_conversation() -> None:
    """What the conversation was then, not what came of it."""
    found = talk(reply(CHAT, "One."))
    id = (await _json(found, "/conversations", method="POST"))["id"]
    await found.said(CHAT, "First?", conversation=id)
    middle = await found.said(CHAT, "Second?", conversation=id)
    await found.said(CHAT, "Third?", conversation=id)
    await found.said(CHAT, "Aside?", middle["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert told == ["First?", "One.", "Second?", "One.", "Aside?"]
    await _json(found, f"/conversations/{id}", method="DELETE")
    body = {"model": CHAT, "input": "?", "previous_response_id": middle["id"]}
    assert (await found.ask(body)).status == 404


async def test_what_is_not_to_be_stored_is_not_added() -> None:
    """It is read, and left as it was."""
    found = talk(reply(CHAT, "One."))
    items = [{"role": "user", "content": "I am Ada."}]
    id = (await _json(found, "/conversations", {"items": items}, method="POST"))["id"]
    await found.said(CHAT, "First?", conversation=id, store=False)
    assert len(found.upstream.body()["messages"]) == 2
    assert len((await _json(found, f"/conversations/{id}/items"))["data"]) == 1


async def test_a_conversation_is_updated_and_deleted() -> None:
    """With its items; a model that speaks meanwhile adds nothing to what is gone."""
    found = talk(reply(CHAT, "One."))
    id = (await _json(found, "/conversations", b"", method="POST"))["id"]
    body = {"metadata": {"topic": "cats"}}
    updated = await _json(found, f"/conversations/{id}", body, method="POST")
    assert updated == await _json(found, f"/conversations/{id}")
    assert updated["metadata"] == {"topic": "cats"}
    await found.said(CHAT, "First?", conversation=id)
    deleted = await _json(found, f"/conversations/{id}", method="DELETE")
    assert deleted == {"id": id, "object": "conversation.deleted", "deleted": True}
    for path, method in ((f"/conversations/{id}", "GET"), (f"/conversations/{id}/items", "POST")):
        given = {"items": [{"role": "user", "content": "x"}]}
        response = await _at(found, path, given, method=method)
        assert (response.status, response.json()["error"]["code"]) == (404, "not_found")
    keys = await found.state.store.keys("state/")
    assert [key.split("/")[2] for key in keys] == ["i", "r"]


async def test_items_of_a_conversation_one_by_one() -> None:
    """Added, got and deleted; the ids of the others hold."""
    found = talk(reply(CHAT, "One."))
    id = (await _json(found, "/conversations", {}, method="POST"))["id"]
    path = f"/conversations/{id}/items"
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    message = {"role": "assistant", "content": "Hello."}
    added = await _json(found, path, {"items": [message, call, output]}, method="POST")
    ids = [item["id"] for item in added["data"]]
    assert ids[1] == "fc_1"
    assert added["data"][0]["content"][0]["type"] == "output_text"
    assert await _json(found, f"{path}/{ids[2]}") == {**output, "id": ids[2], "status": "completed"}
    left = await _json(found, f"{path}/{ids[0]}", method="DELETE")
    assert left["object"] == "conversation"
    assert (await _at(found, f"{path}/{ids[0]}")).status == 404
    assert (await _at(found, f"{path}/{ids[0]}", method="DELETE")).status == 404
    listed = await _json(found, path, query="order=asc")
    assert [item["id"] for item in listed["data"]] == ids[1:]


async def test_a_deleted_item_is_not_said_again() -> None:
    """Neither to a model nor in a list."""
    found = talk(reply(CHAT, "Yes."))
    given = [{"role": "user", "content": text} for text in ("My PIN is 1234.", "I am Ada.")]
    made = await _json(found, "/conversations", {"items": given}, method="POST")
    path = f"/conversations/{made['id']}/items"
    first = (await _json(found, path, query="order=asc"))["data"][0]
    await _json(found, f"{path}/{first['id']}", method="DELETE")
    await found.said(CHAT, "Who am I?", conversation=made["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert told == ["I am Ada.", "Who am I?"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/conversations", {"metadata": "x"}),
        ("/conversations", {"items": "x"}),
        ("/conversations", {"items": ["x"]}),
        ("/conversations", {"items": [{"role": "user", "content": "x"}] * 21}),
        ("/conversations/{}/items", {}),
        ("/conversations/{}/items", {"items": []}),
        ("/conversations", b"[1]"),
    ],
)
async def test_bodies_that_cannot_be(path: str, body: object) -> None:
    """A 400, and nothing is kept of them."""
    found = talk(reply(CHAT, "One."))
    id = (await _json(found, "/conversations", {}, method="POST"))["id"]
    kept = await found.state.store.keys("")
    assert (await _at(found, path.format(id), body, method="POST")).status == 400
    assert await found.state.store.keys("") == kept


async def test_a_conversation_is_bounded() -> None:
    """What is over is refused, and told so that it can be compacted."""
    found = talk(reply(CHAT, "One."), state=ResponsesState(max_items=3))
    id = (await _json(found, "/conversations", {}, method="POST"))["id"]
    given = {"items": [{"role": "user", "content": "x"}] * 2}
    assert (await _at(found, f"/conversations/{id}/items", given, method="POST")).status == 200
    over = await _at(found, f"/conversations/{id}/items", given, method="POST")
    assert (over.status, over.json()["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_conversation_in_use_does_not_expire() -> None:
    """Its head and its first items are kept for as long as its last."""
    now = [1_000_000.0]

    def clock() -> float:
        return now[0]

    state = ResponsesState(LocalStore(timer=clock), ttl_s=100, timer=clock)
    found = talk(reply(CHAT, "Yes."), state=state)
    id = (await _json(found, "/conversations", {}, method="POST"))["id"]
    for _ in range(4):
        await found.said(CHAT, "More.", conversation=id)
        now[0] += 60
    assert len((await _json(found, f"/conversations/{id}/items"))["data"]) == 8
    now[0] += 101
    assert (await _at(found, f"/conversations/{id}")).status == 404


async def test_the_official_client_can_read_it_all() -> None:
    """Every shape has what the SDK's own models demand."""
    found = talk(reply(CLAUDE, "Hi", CALL), reply(CLAUDE, "In short."))
    made = await _json(found, "/conversations", {}, method="POST")
    Conversation.model_validate(made)
    items: list[JSONObject] = [
        {"role": "user", "content": "Hello"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]
    path = f"/conversations/{made['id']}/items"
    ConversationItemList.model_validate(await _json(found, path, {"items": items}, method="POST"))
    ConversationItemList.model_validate(await _json(found, path))
    said = await found.said(CLAUDE, "Go on.", conversation=made["id"], tools=TOOLS)
    Response.model_validate(await _json(found, f"/responses/{said['id']}"))
    ResponseItemList.model_validate(await _json(found, f"/responses/{said['id']}/input_items"))
    body = {"model": CLAUDE, "input": items}
    made = await _json(found, "/responses/compact", body, method="POST")
    # Its type of a message knows no user's, although the API answers with them, and so do we.
    CompactedResponse.model_validate(made | {"output": made["output"][-1:]})


# --------------------------------------------------------------------------- compaction


@pytest.mark.parametrize("key", [None, b"k" * 32])
async def test_compaction_where_no_upstream_offers_it(key: bytes | None) -> None:
    """The model sums up; the item goes in again as any other and tells the next model."""
    found = talk(
        reply(CLAUDE, "Ada asked for tea."), reply(CLAUDE, "Here."), state=ResponsesState(key=key)
    )
    given = [
        {"role": "user", "content": "I am Ada. Tea, please."},
        {"type": "function_call", "call_id": "c", "name": "brew", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "steaming"},
        {"role": "assistant", "content": "It is ready."},
    ]
    body = {"model": CLAUDE, "input": given, "instructions": "Serve tea."}
    made = await _at(found, "/responses/compact", body, method="POST")
    assert (made.headers["x-plano-model"], made.headers["x-plano-attempts"]) == (CLAUDE, "1")
    compacted = made.json()
    asked = found.upstream.requests[-1].content.decode()
    for told in ("Tea, please.", "brew", "steaming", "It is ready.", "Serve tea."):
        assert told in asked
    assert compacted["object"] == "response.compaction"
    assert compacted["usage"]["total_tokens"] == 15
    message, item = compacted["output"]
    assert (message["role"], item["type"]) == ("user", "compaction")
    assert ("tea" in json.dumps(_decoded(item))) is (key is None)
    again = [*compacted["output"], {"role": "user", "content": "Thanks."}]
    await found.said(CLAUDE, again, store=False)
    assert "Ada asked for tea." in found.upstream.requests[-1].content.decode()
    assert "plano-compaction1" not in found.upstream.requests[-1].content.decode()


def _decoded(item: JSONObject) -> str:
    packed = item["encrypted_content"].partition(".")[2]
    return base64.urlsafe_b64decode(packed).decode("latin-1")


async def test_compaction_of_what_was_said_before() -> None:
    """By id, and kept compaction goes on as a summary."""
    found = talk(reply(CHAT, "One."), reply(CHAT, "A summary."), reply(CHAT, "Two."))
    first = await found.said(CHAT, "My name is Ada.")
    body = {"model": CHAT, "previous_response_id": first["id"]}
    compacted = await _json(found, "/responses/compact", body, method="POST")
    assert "My name is Ada." in found.upstream.requests[-1].content.decode()
    second = await found.said(CHAT, [*compacted["output"], {"role": "user", "content": "Go."}])
    await found.said(CHAT, "On.", second["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert "A summary." in told[1]


async def test_compaction_is_relayed_to_who_offers_it() -> None:
    """With everything said before."""
    made = {"id": "resp_c", "object": "response.compaction", "output": []}
    found = talk(reply(NATIVE, "One."), answer(made))
    first = await found.said(NATIVE, "Hello")
    body = {"model": NATIVE, "previous_response_id": first["id"]}
    assert await _json(found, "/responses/compact", body, method="POST") == made
    assert found.upstream.requests[-1].url.endswith("/responses/compact")
    assert len(found.upstream.body()["input"]) == 2


async def test_compaction_at_the_upstream_that_keeps_the_response() -> None:
    """It knows what was said."""
    made = {"id": "resp_c", "object": "response.compaction", "output": []}
    found = talk(kept_reply("resp_up"), answer(made), state=ResponsesState(native=is_native))
    await found.said(NATIVE, "Hello")
    body = {"model": NATIVE, "previous_response_id": "resp_up"}
    assert await _json(found, "/responses/compact", body, method="POST") == made
    assert found.upstream.body()["previous_response_id"] == "resp_up"


async def test_compaction_that_cannot_be() -> None:
    """Of nothing, or into nothing."""
    found = talk(reply(CHAT, " "))
    nothing = await _at(found, "/responses/compact", {"model": CHAT}, method="POST")
    assert nothing.status == 400
    empty = await _at(
        found, "/responses/compact", {"model": CHAT, "input": "Hi", "tools": TOOLS}, method="POST"
    )
    assert empty.status == 502


# --------------------------------------------------------------------------- paths, stores


async def test_paths_and_methods() -> None:
    """What is not there, and what is there otherwise."""
    found = talk(reply(CHAT, "One."))
    assert (await _at(found, "/responses/resp_1/nothing")).status == 404
    assert (await _at(found, "/conversations/conv_1/items/x/y")).status == 404
    response = await _at(found, "/responses/resp_1", method="PUT")
    assert (response.status, response.headers["allow"]) == (405, "GET, DELETE, OPTIONS")


class Down(LocalStore):
    """A store that cannot be reached."""

    async def get(self, key: str, /) -> bytes | None:
        raise StoreUnavailable("the store is down")


async def test_a_store_that_is_down() -> None:
    """503, and when to come back."""
    found = talk(reply(CHAT, "One."), state=ResponsesState(Down()))
    for path in ("/responses/resp_1", "/conversations/conv_1"):
        response = await _at(found, path)
        assert (response.status, response.headers["retry-after"]) == (503, "5")


async def test_two_gateways_share_conversations(tmp_path: Any) -> None:
    """Turns added at once by both are all there."""
    talks = [
        talk(reply(CHAT, "Yes."), state=ResponsesState(SQLiteStore(str(tmp_path / "s.db"))))
        for _ in range(2)
    ]
    id = (await _json(talks[0], "/conversations", {}, method="POST"))["id"]
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(_turn, talks[number % 2], number, id)
    items = await _json(talks[1], f"/conversations/{id}/items", query="limit=100")
    asked = [i["content"][0]["text"] for i in items["data"] if i["role"] == "user"]
    assert sorted(asked) == [f"Turn {number}." for number in range(10)]
    for each in talks:
        await each.state.aclose()


async def _turn(found: Talk, number: int, id: str) -> None:
    await found.said(CHAT, f"Turn {number}.", conversation=id)


def _background(status: str, text: str | None = None) -> JSONObject:
    part: JSONObject = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "role": "assistant", "id": "msg_1", "content": [part]}
    return {
        "id": "resp_bg",
        "object": "response",
        "status": status,
        "background": True,
        "store": True,
        "model": "gpt-4o",
        "output": [message] if text else [],
    }
