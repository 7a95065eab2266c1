"""Conversations at their bounds, how they are read, and stores that fall silent or fail midway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from plano_asgi._json import loads
from plano_asgi.errors import RequestError, StoreUnavailable
from plano_asgi.state import ResponsesState
from plano_asgi.stores.local_store import LocalStore
from state.talk import CHAT, Talk, reply, talk

pytestmark = pytest.mark.anyio

ITEM = {"role": "user", "content": "x"}


async def full(found: Talk, items: int) -> str:
    """The id of a conversation of *items* items."""
    made = await found.state.conversations.create(None, {}, [ITEM] * items)
    return str(made["id"])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_last_answer_may_go_over_the_bound(stream: bool) -> None:
    """It was paid for; the next turn is refused before the model is asked."""
    found = talk(reply(CHAT, "Hi", stream=stream), state=ResponsesState(max_items=4))
    id = await full(found, 3)
    last = await found.said(CHAT, "Go on.", conversation=id, stream=stream)
    assert last["status"] == "completed"
    assert len((await found.state.response(None, last["id"])).output) == 1
    assert (await found.state.conversations.extent(None, id)).items == 5
    refused = await found.ask({"model": CHAT, "input": "?", "conversation": id, "stream": stream})
    assert refused.status == 400
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert len(found.upstream.requests) == 1


async def test_a_conversation_over_its_bytes_is_refused_unread() -> None:
    """What was said before counts, not the new items alone."""
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(max_bytes=500))
    id = await full(found, 2)
    for _ in range(5):
        response = await found.ask({"model": CHAT, "input": "x" * 100, "conversation": id})
    assert response.status == 400
    assert len(found.upstream.requests) < 5


async def test_a_client_adds_no_more_than_fits() -> None:
    """What nobody has paid for is refused."""
    found = talk(state=ResponsesState(max_items=4))
    id = await full(found, 3)
    with pytest.raises(RequestError, match="4 items"):
        await found.state.conversations.add(None, id, [ITEM] * 2)


async def test_what_is_too_long_can_still_be_read_and_counted() -> None:
    """Else nobody could make it shorter, as the refusal says."""
    found = talk(*[reply(CHAT, "Hi")] * 2, state=ResponsesState(max_items=4))
    first = await found.said(CHAT, "One.")
    second = await found.said(CHAT, "Two.", first["id"])
    third = await found.ask({"model": CHAT, "input": "?", "previous_response_id": second["id"]})
    assert third.status == 400
    assert len(await found.state.input_of(None, second["id"])) == 3


class Counting(LocalStore):
    """A store that tells what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def get_many(self, keys: Sequence[str], /) -> list[bytes | None]:
        self.asked.append("get_many")
        return await super().get_many(keys)

    async def keys(self, prefix: str, /, *, limit: int = 1000) -> list[str]:
        raise AssertionError("a search")

    async def delete_prefix(self, prefix: str, /) -> int:
        raise AssertionError("a search")


async def test_no_store_is_searched_for_a_conversation() -> None:
    """Its head knows the keys: it is read at once, and deleted without a trace."""
    store = Counting()
    found = talk(*[reply(CHAT, "Hi")] * 3, state=ResponsesState(store))
    id = await full(found, 1)
    for _ in range(3):
        await found.said(CHAT, "More.", conversation=id)
    assert [len(piece.items) for piece in await found.state.conversations.pieces(None, id)] == [
        *[1, 2, 2, 2]
    ]
    assert len(found.upstream.body()["messages"]) == 6
    assert store.asked == ["get_many"] * 3
    await found.state.conversations.delete(None, id)
    assert await LocalStore.keys(store, f"state/-/b/{id}") == []


class Failing(LocalStore):
    """A store that is down for writes of some keys."""

    down = ""

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        if self.down and self.down in key:
            raise StoreUnavailable("down")
        await super().put(key, value, ttl_s=ttl_s)


class FailingElsewhere(Failing):
    """The same on another machine: it is left alone once it has failed."""

    is_shared = True
    stuck = ""

    async def delete(self, key: str, /) -> bool:
        if self.stuck and self.stuck in key:
            raise StoreUnavailable("down")
        return await super().delete(key)


@pytest.mark.parametrize("make", [Failing, FailingElsewhere])
@pytest.mark.parametrize("down", ["/i/", "/b/"])
@pytest.mark.parametrize("stream", [True, False])
async def test_nothing_is_left_of_an_answer_that_was_half_kept(
    make: type[Failing], down: str, stream: bool
) -> None:
    """What was written of it before the store failed is taken back, also in its pause."""
    store = make()
    found = talk(reply(CHAT, "Hi", stream=stream), state=ResponsesState(store))
    id = await full(found, 1)
    before = await store.keys("")
    store.down = down
    await found.ask({"model": CHAT, "input": "Hi", "conversation": id, "stream": stream})
    assert await store.keys("") == before
    head = loads(await store.get(before[-1]) or b"")
    assert (head["id"], head["items"]) == (id, 1)


async def test_what_cannot_be_taken_back_keeps_nothing_else_from_it() -> None:
    """One step fails, the others are done; the log names the answer."""
    store = FailingElsewhere()
    found = talk(reply(CHAT, "Hi"), state=ResponsesState(store))
    id = await full(found, 1)
    before = await store.keys("")
    store.down, store.stuck = "/b/", "/r/"
    with capture_logs() as logs:
        await found.ask({"model": CHAT, "input": "Hi", "conversation": id})
    (left,) = set(await store.keys("")) - set(before)
    assert "/r/" in left
    said = [each for each in logs if each["event"] == "state_left_behind"]
    assert [(left.endswith(each["response"]), each["left"]) for each in said] == [(True, 1)]


@pytest.mark.parametrize("make", [Failing, FailingElsewhere])
async def test_what_could_not_be_added_does_not_count(make: type[Failing]) -> None:
    """Else each failure would make the conversation shorter for ever."""
    store, now = make(), [1000.0]
    state = ResponsesState(store, max_items=4, timer=lambda: now[0])
    id = str((await state.conversations.create(None, {}))["id"])
    store.down = "/b/"
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await state.conversations.add(None, id, [ITEM] * 3)
        now[0] += 5.0
    store.down = ""
    await state.conversations.add(None, id, [ITEM] * 4)
    assert [len(piece.items) for piece in await state.conversations.pieces(None, id)] == [4]
    assert (await state.conversations.extent(None, id)).items == 4


class Silent(LocalStore):
    """A store on another machine that answers nothing once it is told so."""

    is_shared = True
    is_silent = False
    asked = 0

    async def _answer(self) -> None:
        self.asked += 1
        if self.is_silent:
            await anyio.sleep_forever()

    async def get(self, key: str, /) -> bytes | None:
        await self._answer()
        return await super().get(key)

    async def put(self, key: str, value: bytes, /, *, ttl_s: float | None = None) -> None:
        await self._answer()
        await super().put(key, value, ttl_s=ttl_s)

    async def delete(self, key: str, /) -> bool:
        await self._answer()
        return await super().delete(key)


async def test_a_silent_store_is_waited_for_once() -> None:
    """Then a named past is a 503 at once, and answers are given and not kept; until it is back."""
    store, now = Silent(), [1000.0]
    timer: Callable[[], float] = lambda: now[0]  # noqa: E731 - a clock
    state = ResponsesState(store, timeout_s=0.01, pause_s=5.0, timer=timer)
    found = talk(*[reply(CHAT, "Hi")] * 4, state=state)
    first = await found.said(CHAT, "One.")
    store.is_silent, store.asked = True, 0
    body: dict[str, Any] = {"model": CHAT, "input": "?", "previous_response_id": first["id"]}
    for _ in range(3):
        refused = await found.ask(body)
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    lost = await found.ask({"model": CHAT, "input": "New."})
    assert (lost.status, lost.headers["x-plano-state"]) == (200, "lost")
    assert store.asked == 1
    store.is_silent = False
    now[0] += 5.0
    assert (await found.ask(body)).status == 200
