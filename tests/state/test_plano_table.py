"""Conversations that Plano 0.4 kept, gone on from."""

from __future__ import annotations

import json
from typing import Any

import anyio
import psycopg
import pytest

from asgi_drive import drive
from plano_asgi.errors import StoreUnavailable
from plano_asgi.gateway.auth import ApiKeys
from plano_asgi.state import PlanoTable, ResponsesState
from servers import PostgresServer, wait_until
from state.talk import CHAT, reply, talk

pytestmark = pytest.mark.anyio

_TABLE = """
CREATE TABLE conversation_states (
    response_id TEXT PRIMARY KEY,
    input_items JSONB NOT NULL,
    created_at BIGINT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    updated_at TIMESTAMP DEFAULT now()
)
"""
_ITEMS: list[Any] = [
    {"role": "user", "content": [{"type": "input_text", "text": "I am Ada."}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Hello, Ada."}]},
]


@pytest.fixture
def anyio_backend() -> str:
    """The driver is asyncio's."""
    return "asyncio"


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """Of a database with Plano's table."""
    url = postgres_server.schema()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE)
        connection.execute(
            "INSERT INTO conversation_states VALUES ('resp_old', %s, 1, 'm', 'openai/m')",
            (json.dumps(_ITEMS),),
        )
    return url


async def test_state_closes_what_it_reads_from(postgres_server: PostgresServer, url: str) -> None:
    """The connections to Plano's table, too."""
    state = ResponsesState(url, earlier=PlanoTable(url))
    found = talk(reply(CHAT, "Ada."), state=state)
    await found.said(CHAT, "Who am I?", "resp_old")
    with psycopg.connect(postgres_server.url, autocommit=True) as watching:
        count = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND query ~ 'plano_store|conversation_states|COMMIT' AND pid <> pg_backend_pid()"
        )

        def connections() -> int:
            row = watching.execute(count).fetchone()
            assert row is not None
            return int(row[0])

        assert connections() == 2
        await state.aclose()
        await anyio.to_thread.run_sync(wait_until, lambda: connections() == 0)


async def test_a_conversation_of_plano_goes_on(url: str) -> None:
    """Its items come first; from the next response on everything is ours."""
    table = PlanoTable(url)
    found = talk(reply(CHAT, "Ada."), state=ResponsesState(earlier=table))
    first = await found.said(CHAT, "Who am I?", "resp_old")
    await found.said(CHAT, "Sure?", first["id"])
    told = [each["content"] for each in found.upstream.body()["messages"]]
    assert told == ["I am Ada.", "Hello, Ada.", "Who am I?", "Ada.", "Sure?"]
    body = {"model": CHAT, "input": "?", "previous_response_id": "resp_unknown"}
    assert (await found.ask(body)).status == 404
    await table.aclose()


async def test_it_belongs_to_whom_it_is_said_to_belong(url: str) -> None:
    """The table has no tenants: nobody else gets at it."""
    table = PlanoTable(url, owner="alice")
    keys = ApiKeys({"alice": "key-of-alice", "bob": "key-of-bob"})
    found = talk(reply(CHAT, "Ada."), state=ResponsesState(earlier=table), auth=keys)
    body = {"model": CHAT, "input": "Who am I?", "previous_response_id": "resp_old"}
    for name, status in (("alice", 200), ("bob", 404)):
        headers = {"x-api-key": f"key-of-{name}"}
        assert (await drive(found.app, "/v1/responses", body, headers=headers)).status == status
    await table.aclose()


async def test_a_database_without_the_table(postgres_server: PostgresServer) -> None:
    """Nothing is found, nothing fails."""
    table = PlanoTable(postgres_server.schema())
    assert await table(None, "resp_old") is None
    await table.aclose()


async def test_a_server_that_is_down() -> None:
    """An error with a time to come back; the URL's password is nowhere."""
    table = PlanoTable("postgresql://ada:secret@127.0.0.1:1/db")
    with pytest.raises(StoreUnavailable) as raised:
        await table(None, "resp_old")
    assert raised.value.retry_after_s is not None
    assert "secret" not in f"{raised.value} {table!r}"
