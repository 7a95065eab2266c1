"""Two gateways on one real store, of every kind: turn by turn, and at once."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from plano_asgi.state import ResponsesState
from plano_asgi.stores.base import Store
from plano_asgi.stores.postgres_store import PostgresStore
from plano_asgi.stores.redis_store import RedisStore
from plano_asgi.stores.sqlite_store import SQLiteStore
from state.talk import CHAT, Talk, reply, talk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The drivers are asyncio's."""
    return "asyncio"


@pytest.fixture(params=["sqlite", "redis", "postgres"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Talk, Talk]]:
    """Two gateways, each with its own connections to the same store."""
    stores = _stores(request, tmp_path)
    first, second = (talk(reply(CHAT, "Yes."), state=ResponsesState(store)) for store in stores)
    yield first, second
    for store in stores:
        await store.aclose()


def _stores(request: pytest.FixtureRequest, directory: Path) -> list[Store]:
    if request.param == "sqlite":
        return [SQLiteStore(str(directory / "state.db")) for _ in range(2)]
    if request.param == "redis":
        url, root = request.getfixturevalue("redis_server").url, uuid.uuid4().hex
        return [RedisStore(url, root=root) for _ in range(2)]
    url = request.getfixturevalue("postgres_server").schema()
    return [PostgresStore(url) for _ in range(2)]


async def test_one_begins_the_other_goes_on(pair: tuple[Talk, Talk]) -> None:
    """The next request may land anywhere, and finds everything."""
    id = None
    for turn in range(6):
        id = (await pair[turn % 2].said(CHAT, f"Turn {turn}.", id, stream=False))["id"]
    asked = [m["content"] for m in pair[1].upstream.body()["messages"] if m["role"] == "user"]
    assert asked == [f"Turn {turn}." for turn in range(6)]


async def test_turns_that_end_at_once_are_all_in_the_conversation(pair: tuple[Talk, Talk]) -> None:
    """None is lost, none comes twice."""
    id = (await pair[0].state.conversations.create(None, {}))["id"]

    async def turn(number: int) -> None:
        await pair[number % 2].said(CHAT, f"Turn {number}.", conversation=id)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(turn, number)
    pieces = await pair[1].state.conversations.pieces(None, id)
    asked = [item["content"][0]["text"] for p in pieces for item in p.items if "id" not in item]
    assert sorted(asked) == sorted(f"Turn {number}." for number in range(20))
    assert [piece.number for piece in pieces] == list(range(20))
