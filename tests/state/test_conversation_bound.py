"""The bounds of a conversation hold exactly, however many turns run at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from plano_asgi.errors import RequestError
from plano_asgi.exchange import Exchange
from plano_asgi.state import ResponsesState
from plano_asgi.state.conversations import NoRoom
from plano_asgi.stores.base import Store
from state.counted_store import KINDS, made
from state.talk import CHAT, reply, talk

pytestmark = pytest.mark.anyio

MAX_ITEMS = 8
AT_ONCE = 12


@pytest.fixture
def anyio_backend() -> str:
    """The drivers are asyncio's."""
    return "asyncio"


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    found = made(request.param, request, tmp_path)
    yield found
    await found.aclose()


class Together:
    """A step that lets nobody on before *count* requests are there."""

    def __init__(self, count: int) -> None:
        self._missing, self._all = count, anyio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._all.set()
        await self._all.wait()


ITEM: dict[str, Any] = {"role": "user", "content": "x"}


async def test_clients_that_add_at_once_never_go_over(store: Store) -> None:
    """Who comes too late is refused, and nothing of it counts."""
    conversations = ResponsesState(store, max_items=MAX_ITEMS).conversations
    id = str((await conversations.create(None, {}))["id"])
    refused = list[str | None]()

    async def add() -> None:
        try:
            await conversations.add(None, id, [ITEM] * 3)
        except RequestError as exc:
            refused.append(exc.code)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(add)
    assert refused == ["context_length_exceeded"] * (AT_ONCE - 2)
    assert (await conversations.extent(None, id)).items == 6
    assert len(await conversations.items(None, id)) == 6


async def test_answers_at_once_go_over_by_one_turn_at_most(store: Store) -> None:
    """What was paid for is added until the conversation is over; then, nothing is."""
    conversations = ResponsesState(store, max_items=MAX_ITEMS).conversations
    id = str((await conversations.create(None, {}))["id"])
    late = list[int]()

    async def add(number: int) -> None:
        try:
            await conversations.add(None, id, [ITEM] * 3, is_paid_for=True)
        except NoRoom:
            late.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(AT_ONCE):
            tasks.start_soon(add, number)
    assert len(late) == AT_ONCE - 3
    assert (await conversations.extent(None, id)).items == 9
    assert len(await conversations.items(None, id)) == 9


@pytest.mark.parametrize("stream", [True, False])
async def test_no_answer_is_lost_to_its_client(store: Store, stream: bool) -> None:
    """All were within the bounds when asked for: all are given, and kept by themselves."""
    state = ResponsesState(store, max_items=MAX_ITEMS)
    found = talk(reply(CHAT, "Hi", stream=stream), state=state, steps=[Together(AT_ONCE)])
    id = str((await state.conversations.create(None, {}, [ITEM] * 5))["id"])
    ids, inside = list[str](), list[str]()

    async def turn(number: int) -> None:
        answer = await found.said(CHAT, f"Turn {number}.", conversation=id, stream=stream)
        ids.append(answer["id"])
        inside.extend([answer["id"]] * (answer["conversation"] == {"id": id}))

    async with anyio.create_task_group() as tasks:
        for number in range(AT_ONCE):
            tasks.start_soon(turn, number)
    assert len(found.upstream.requests) == len(set(ids)) == AT_ONCE
    for each in ids:
        kept = (await state.response(None, each)).response
        assert kept["output"][0]["content"][0]["text"] == "Hi"
        assert kept["conversation"] == ({"id": id} if each in inside else None)
    assert len(inside) == 2
    assert (await state.conversations.extent(None, id)).items == MAX_ITEMS + 1
    late = await found.ask({"model": CHAT, "input": "?", "conversation": id})
    assert (late.status, late.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(found.upstream.requests) == AT_ONCE


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_says_that_its_conversation_is_gone(stream: bool) -> None:
    """It was deleted while the model spoke; the answer is given, and kept by itself."""
    state = ResponsesState()

    async def delete(exchange: Exchange) -> None:
        await state.conversations.delete(None, str(begun["id"]))

    found = talk(reply(CHAT, "Hi", stream=stream), state=state, steps=[delete])
    begun = await state.conversations.create(None, {})
    answer = await found.said(CHAT, "Hi?", conversation=begun["id"], stream=stream)
    assert answer["conversation"] is None
    assert (await state.response(None, answer["id"])).response == answer


async def test_turns_of_nothing_count() -> None:
    """They take a place in the conversation all the same."""
    conversations = ResponsesState(max_items=2).conversations
    id = str((await conversations.create(None, {}))["id"])
    for _ in range(3):
        await conversations.add(None, id, [], is_paid_for=True)
    with pytest.raises(NoRoom):
        await conversations.add(None, id, [], is_paid_for=True)
