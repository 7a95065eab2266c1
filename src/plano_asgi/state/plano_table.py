"""
Conversations that Plano 0.4 kept in PostgreSQL: read, never written.

Its table ``conversation_states`` holds, by response id, all items of a conversation up to then.
Calls and their results are told there as the assistant's prose, so that is what they stay.
"""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject, loads
from plano_asgi.stores.keys import unavailable
from plano_asgi.stores.postgres_pool import PostgresPool

_FIND = "SELECT to_regclass('conversation_states') IS NOT NULL"
_READ = "SELECT input_items::text FROM conversation_states WHERE response_id = %s"


class PlanoTable:
    """
    Looks responses of Plano up; give it to ``ResponsesState`` as ``earlier``.

    Args:
        url: ``postgresql://`` as libpq reads it: Plano's ``connection_string``.
        owner: Whose conversations they are, the name of an identity: the table does not say, and
            what one tenant said is nothing for another. ``None``: callers' without identity.

    Raises:
        MissingExtra: psycopg is not installed.
        ConfigurationError: *url* is none.
    """

    def __init__(self, url: str, *, owner: str | None = None) -> None:
        self._owner = owner
        self._pool = PostgresPool(
            url,
            room="plano_conversation_states",
            steps=(),
            unavailable=lambda reason: unavailable("PostgreSQL", reason),
        )

    def __repr__(self) -> str:
        return f"PlanoTable({self._pool.shown!r})"

    async def __call__(self, owner: str | None, id: str) -> list[JSONObject] | None:
        """
        All items up to and with response *id*; ``None`` where *owner* has no such response.

        Raises:
            StoreUnavailable: The server cannot be used.
        """
        if owner != self._owner:
            return None
        async with self._pool.transaction() as connection:
            found = await (await connection.execute(_FIND)).fetchone()
            if not found or not found[0]:
                return None
            row = await (await connection.execute(_READ, (id,))).fetchone()
        return None if row is None else _items(loads(row[0]))

    async def aclose(self) -> None:
        """Close the running event loop's connections."""
        await self._pool.aclose()


def _items(stored: Any) -> list[JSONObject]:
    items = stored if isinstance(stored, list) else []
    return [item for item in items if isinstance(item, dict)]
