"""Conversations over a real socket, by the official SDK: its shapes, its errors, its pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.conversations import Conversation

from sdk.state_stage import (
    CHAT,
    MAX_BODY_BYTES,
    USER,
    StateStage,
    dumped,
    keeping,
    text_of,
)

CALL: Any = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
OUTPUT: Any = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}


@pytest.fixture(scope="module")
def theatre() -> Iterator[StateStage]:
    """All of it, served."""
    with keeping() as stage:
        yield stage


@pytest.fixture
def stage(theatre: StateStage) -> StateStage:
    """The stage, with nothing asked yet."""
    theatre.upstream.requests.clear()
    return theatre


def test_a_conversation_from_beginning_to_end(stage: StateStage) -> None:
    """Created, got, updated, deleted: in OpenAI's shapes, and gone for everything after that."""
    api = stage.ann.conversations
    made = api.create(metadata={"topic": "names"}, items=[USER])
    assert dumped(made) == {
        "id": made.id,
        "object": "conversation",
        "created_at": made.created_at,
        "metadata": {"topic": "names"},
    }
    assert made.id.startswith("conv_")
    assert dumped(api.retrieve(made.id)) == dumped(made)
    updated = api.update(made.id, metadata={"topic": "cats"})
    assert dumped(updated) == dumped(made) | {"metadata": {"topic": "cats"}}
    assert api.update(made.id, metadata=None).metadata == {}
    gone = api.delete(made.id)
    assert dumped(gone) == {"id": made.id, "object": "conversation.deleted", "deleted": True}
    for late in (
        lambda: api.retrieve(made.id),
        lambda: api.update(made.id, metadata={}),
        lambda: api.delete(made.id),
        lambda: api.items.list(made.id),
        lambda: api.items.create(made.id, items=[USER]),
        lambda: api.items.retrieve("msg_1", conversation_id=made.id),
        lambda: stage.ann.responses.create(model=CHAT, input="?", conversation=made.id),
    ):
        with pytest.raises(openai.NotFoundError, match="Conversation with id") as caught:
            late()
        assert caught.value.type == "invalid_request_error"
    assert stage.upstream.requests == []


def test_nothing_is_needed_to_begin(stage: StateStage) -> None:
    """Neither items nor metadata."""
    made = stage.ann.conversations.create()
    assert (made.metadata, stage.ann.conversations.items.list(made.id).data) == ({}, [])


def test_items_are_added_listed_got_and_deleted(stage: StateStage) -> None:
    """Each as a type of the SDK, with an id and a status; the others keep their ids."""
    id = stage.ann.conversations.create().id
    api: Any = stage.ann.conversations.items
    added = api.create(id, items=[USER, CALL, OUTPUT], include=["reasoning.encrypted_content"])
    first, call, output = added.data
    assert dumped(first) == {
        "id": first.id,
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "I am Ada."}],
    }
    assert dumped(call) == CALL | {"id": call.id, "status": "completed"}
    assert dumped(output) == OUTPUT | {"id": output.id, "status": "completed"}
    assert (added.object, added.has_more) == ("list", False)
    assert (added.first_id, added.last_id) == (first.id, output.id)
    for item in added.data:
        assert dumped(api.retrieve(item.id, conversation_id=id)) == dumped(item)
    left: Conversation = api.delete(call.id, conversation_id=id)
    assert dumped(left) == dumped(stage.ann.conversations.retrieve(id))
    assert [item.id for item in api.list(id, order="asc")] == [first.id, output.id]
    for late in (api.retrieve, api.delete):
        with pytest.raises(openai.NotFoundError, match="Item with id"):
            late(call.id, conversation_id=id)


def test_items_in_pages(stage: StateStage) -> None:
    """The newest first unless asked otherwise, 20 of them, and the SDK finds its way through."""
    api, id = _items_of(stage), stage.ann.conversations.create().id
    for start in (0, 20):
        api.create(id, items=[USER | {"content": f"{start + n}"} for n in range(20)])
    page = api.list(id)
    assert [text_of(item) for item in page.data] == [f"{n}" for n in range(39, 19, -1)]
    assert (page.has_more, page.last_id) == (True, page.data[-1].id)
    assert [text_of(item) for item in page] == [f"{n}" for n in range(39, -1, -1)]
    assert [text_of(item) for item in api.list(id, order="asc", limit=7)] == [
        f"{n}" for n in range(40)
    ]
    last = api.list(id, limit=100, after=page.last_id)
    assert (len(last.data), last.has_more) == (20, False)
    assert api.list(id, after=last.data[-1].id).data == []
    bad: Any
    for bad in ({"limit": 101}, {"limit": 0}, {"order": "up"}, {"after": "msg_none"}):
        with pytest.raises(openai.BadRequestError) as caught:
            api.list(id, **bad)
        assert caught.value.param == next(iter(bad))


def test_pages_end_where_items_come_twice(stage: StateStage) -> None:
    """Clients that give several items one id see each of them once."""
    api, id = _items_of(stage), stage.ann.conversations.create().id
    same: list[Any] = [USER | {"id": "msg_1", "content": f"{n}"} for n in range(3)]
    api.create(id, items=same)
    for order in ("asc", "desc"):
        found = list(api.list(id, limit=1, order=order))
        assert sorted(text_of(item) for item in found) == ["0", "1", "2"]
        assert len({item.id for item in found}) == 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, "metadata"),
        ({"metadata": {f"{n}": "x" for n in range(17)}}, "metadata"),
        ({"items": "x"}, "items"),
        ({"items": {"0": USER}}, "items"),
        ({"items": [USER] * 21}, "items"),
        ({"items": [{}]}, "items[0].role"),
        ({"items": [USER, {"role": "king", "content": "x"}]}, "items[1].role"),
        ({"items": [{"role": "user"}]}, "items[0].content"),
        ({"items": [{"role": "user", "content": [{"text": "x"}]}]}, "items[0].content"),
        ({"items": [{"type": 5}]}, "items[0].type"),
        ({"items": [USER | {"id": 5}]}, "items[0].id"),
        ({"items": [USER | {"id": "a/b"}]}, "items[0].id"),
        ({"items": [CALL | {"arguments": {}}]}, "items[0].arguments"),
        ({"items": [OUTPUT | {"output": None}]}, "items[0].output"),
        ({"items": [{"type": "reasoning"}]}, "items[0].summary"),
        ({"items": [{"type": "item_reference", "id": "msg_1"}]}, "items[0]"),
    ],
)
def test_bodies_that_cannot_be(stage: StateStage, body: dict[str, Any], param: str) -> None:
    """A 400 in OpenAI's shape that names the field, when creating and when adding."""
    id = stage.ann.conversations.create().id
    paths = ["/conversations", f"/conversations/{id}" + ("/items" if "items" in body else "")]
    for path in paths:
        found = stage.raw("POST", path, json.dumps(body).encode())
        assert found.status_code == 400
        error = found.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert set(error) == {"message", "type", "param", "code"}
    assert stage.ann.conversations.items.list(id).data == []


def test_bodies_that_are_none(stage: StateStage) -> None:
    """Not JSON, no object, nothing that was asked for, too much."""
    id = stage.ann.conversations.create(items=[USER]).id
    for content in (b"{", b"[]", b'"x"', b"\xff", b'{"items": null}', b'{"items": []}', b"{}"):
        assert stage.raw("POST", f"/conversations/{id}/items", content).status_code == 400
    missing = stage.raw("POST", f"/conversations/{id}", b"{}")
    assert missing.json()["error"]["code"] == "missing_required_parameter"
    huge = json.dumps({"items": [USER | {"content": "x" * MAX_BODY_BYTES}]}).encode()
    for path in ("/conversations", f"/conversations/{id}/items"):
        found = stage.raw("POST", path, huge)
        assert (found.status_code, set(found.json())) == (413, {"error"})
    assert len(stage.ann.conversations.items.list(id).data) == 1


def test_unknown_kinds_of_items_are_kept(stage: StateStage) -> None:
    """As they came: the API grows."""
    new: Any = {"type": "hologram", "id": "hg_1", "beam": [1.5, None, "é"]}
    id = stage.ann.conversations.create(items=[new]).id
    found = stage.raw("GET", f"/conversations/{id}/items/hg_1").json()
    assert found == new


def test_another_tenants_conversation_is_a_404(stage: StateStage) -> None:
    """By every way to it, and nothing of it changes."""
    made = stage.ann.conversations.create(metadata={"k": "v"}, items=[USER])
    (item,) = stage.ann.conversations.items.list(made.id).data
    api: Any = stage.bob.conversations
    for theirs in (
        lambda: api.retrieve(made.id),
        lambda: api.update(made.id, metadata={}),
        lambda: api.delete(made.id),
        lambda: api.items.list(made.id),
        lambda: api.items.create(made.id, items=[USER]),
        lambda: api.items.retrieve(item.id, conversation_id=made.id),
        lambda: api.items.delete(item.id, conversation_id=made.id),
        lambda: stage.bob.responses.create(model=CHAT, input="?", conversation=made.id),
        lambda: stage.bob.responses.create(
            model=CHAT, input="?", conversation={"id": made.id}, stream=True
        ),
    ):
        with pytest.raises(openai.NotFoundError, match="Conversation with id"):
            theirs()
    assert dumped(stage.ann.conversations.retrieve(made.id)) == dumped(made)
    assert len(stage.ann.conversations.items.list(made.id).data) == 1
    assert stage.upstream.requests == []


def _items_of(stage: StateStage) -> Any:
    """Untyped: items have no id by their types, and always one."""
    return stage.ann.conversations.items
