"""Answers and items that are not as they should be: nothing that was paid for is lost by them."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from memory_transport import answer
from plano_asgi.errors import RequestError, StoreUnavailable
from plano_asgi.exchange import Exchange
from plano_asgi.state import ResponsesState
from plano_asgi.state.conversations import Conversations
from plano_asgi.stores.local_store import LocalStore
from state.doors import Door
from state.talk import CHAT, NATIVE, is_native, reply, talk

pytestmark = pytest.mark.anyio

DEEP: list[Any] = []
for _ in range(200_000):
    DEEP = [DEEP]


@pytest.mark.parametrize("is_in_conversation", [False, True])
@pytest.mark.parametrize("output", ["missing", None, 5, "text", {}, [None], [5]])
async def test_an_answer_without_a_list_of_items_is_given_all_the_same(
    output: Any, is_in_conversation: bool
) -> None:
    """Whatever an upstream makes of it."""
    body = {"id": "resp_x", "object": "response", "status": "completed", "model": "gpt-4o"}
    if output != "missing":
        body["output"] = output
    state = ResponsesState()
    found = talk(answer(body), state=state)
    fields = {}
    if is_in_conversation:
        fields["conversation"] = (await state.conversations.create(None, {}))["id"]
    told = await found.ask({"model": NATIVE, "input": "Hi?", **fields})
    assert told.status == 200, told.body


class _FailsTwice(LocalStore):
    """Keeps the first of two writes of a response."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        self.written += b'"head"' in value
        if self.written > 1:
            raise StoreUnavailable("gone")
        await super().put(key, value, ttl_s=ttl_s)


async def test_an_answer_outside_of_its_conversation_is_not_lost_with_the_store() -> None:
    """The conversation was deleted meanwhile, and then the store fails."""
    state = ResponsesState(_FailsTwice())

    async def delete(exchange: Exchange) -> None:
        await state.conversations.delete(None, str(begun["id"]))

    found = talk(reply(CHAT, "Hi"), state=state, steps=[delete])
    begun = await state.conversations.create(None, {})
    told = await found.said(CHAT, "Hi?", conversation=begun["id"])
    assert (told["conversation"], told["store"]) == (None, False)


@pytest.mark.parametrize("id", [[], {}, 5, None])
async def test_a_reference_whose_id_is_no_text_is_refused(id: Any) -> None:
    """In words."""
    found = talk(reply(CHAT, "Hi"))
    told = await found.ask({"model": CHAT, "input": [{"type": "item_reference", "id": id}]})
    assert told.status == 400


async def test_items_of_no_type_are_listed_and_gone_on_from() -> None:
    """An upstream may have taken them."""
    state = ResponsesState(native=is_native)
    found = talk(reply(NATIVE, "Hi"), reply(CHAT, "Hi again"), state=state)
    odd = [{"type": [1], "id": "x", "content": "?"}, 5, {"role": "user", "content": "Hi?"}]
    first = await found.said(NATIVE, odd)
    listed = await drive(Door(found), f"/v1/responses/{first['id']}/input_items", method="GET")
    assert listed.status == 200
    assert len(listed.json()["data"]) == 2
    second = await found.ask({"model": CHAT, "input": "?", "previous_response_id": first["id"]})
    assert second.status < 500


async def test_items_nested_too_deeply_are_refused() -> None:
    """Wherever they come in."""
    conversations: Conversations = ResponsesState().conversations
    items = [{"type": "message", "role": "user", "content": DEEP}]
    with pytest.raises(RequestError, match="deeply"):
        await conversations.create(None, {}, items)
    begun = await conversations.create(None, {})
    with pytest.raises(RequestError, match="deeply"):
        await conversations.add(None, begun["id"], items)


async def test_an_id_that_another_item_would_get_is_no_end_of_a_list() -> None:
    """A client may send it."""
    conversations = ResponsesState().conversations
    begun = await conversations.create(None, {})
    twins = [{"type": "message", "role": "user", "content": "a", "id": "x"}] * 2
    await conversations.add(None, begun["id"], twins)
    (_, second) = await conversations.items(None, begun["id"])
    await conversations.add(None, begun["id"], [{**twins[0], "id": second.id}, *twins])
    ids = [each.id for each in await conversations.items(None, begun["id"])]
    assert len(set(ids)) == len(ids) == 5
