"""
Items that a client refers to instead of repeating them: ``{"type": "item_reference", "id": ...}``.

Only the upstream that made an item knows it by its id. Of every answer that is kept, its items'
ids are kept with it, so that a reference can be put in words for any other upstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from plano_asgi._json import dumps
from plano_asgi.state.items import kind_of, kinds_of, replayed
from plano_asgi.state.names import is_id, item_key
from plano_asgi.state.pieces import Piece
from plano_asgi.state.records import Record, Records
from plano_asgi.state.refusals import no_referenced_item
from plano_asgi.state.shelf import Shelf

REFERENCE = "item_reference"


class References:
    """Where kept items are, by their owner and id."""

    def __init__(self, shelf: Shelf, records: Records) -> None:
        self._shelf, self._records = shelf, records

    async def note(self, owner: str | None, response: str, ids: Iterable[str]) -> None:
        """Keep that the items *ids* are in the answer *response*."""
        place = dumps({"kept_at": self._shelf.timer(), "response": response})
        for id in ids:
            if is_id(id):
                await self._shelf.put(item_key(owner, id), place)

    async def forget(self, owner: str | None, ids: Iterable[str]) -> None:
        """Forget what ``note`` kept."""
        for id in filter(is_id, ids):
            await self._shelf.store.delete(item_key(owner, id))

    async def resolved(
        self,
        owner: str | None,
        items: Sequence[Any],
        *,
        before: Iterable[Piece] = (),
        makers: Set[str],
        are_native: bool,
    ) -> list[Any]:
        """
        *items* with what they refer to in the place of references; what is *before* them needs
        none.

        Args:
            makers: The providers that may be asked.
            are_native: They know what they made themselves: a reference to that stays, and so does
                one to what we have never kept.

        Raises:
            RequestError: Nobody knows an item; names it.
        """
        said = {id for piece in before for id, _ in piece.named}
        seen: dict[str, Record | None] = {}
        found: list[Any] = []
        for item in items:
            if kind_of(item) != REFERENCE:
                found.append(item)
            elif not isinstance(id := item.get("id"), str) or id not in said:
                record = await self._record(owner, id, seen)
                is_theirs = record is None or (record.head.is_home and makers == {record.provider})
                if are_native and is_theirs:
                    found.append(item)
                else:
                    found += _item(record, str(id), makers)
        return found

    async def _record(
        self, owner: str | None, id: object, seen: dict[str, Record | None]
    ) -> Record | None:
        """The answer that has the item *id*."""
        if not isinstance(id, str) or not is_id(id):
            return None
        key = item_key(owner, id)
        if (place := await self._shelf.get(key)) is None:
            return None
        if self._shelf.is_ageing(place):
            await self._shelf.refresh(key)
        response: str = place["response"]
        if response not in seen:
            seen[response] = await self._records.get(owner, response)
        return seen[response]


def _item(record: Record | None, id: str, makers: Set[str]) -> list[Any]:
    output = record.output if record is not None else []
    items = [item for item in output if isinstance(item, dict) and item.get("id") == id]
    if record is None or not items:
        raise no_referenced_item(id)
    return replayed(items, same_maker=record.provider in makers)


def refers(items: Any) -> bool:
    """Whether any of *items*, a body's input, is a reference."""
    return isinstance(items, list) and REFERENCE in kinds_of(items)
