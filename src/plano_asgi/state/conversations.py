"""
Conversations: lists of items that responses are added to.

A conversation is a head (its metadata, and how many batches there are) and batches of items, one
for each time that something was added. Only the head is counted up, atomically, so that turns
added at the same time are all kept, in the order in which they were finished. It says by which
keys the batches are read: no store is searched, and nothing is asked for batches that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import NotFound, RequestError
from plano_asgi.state.gaps import Gaps, numbers_left, widened
from plano_asgi.state.items import encoded
from plano_asgi.state.names import batch_key, conversation_key, is_id, new_id
from plano_asgi.state.pieces import Piece
from plano_asgi.state.placed import Placed, find, placed
from plano_asgi.state.refusals import no_conversation, no_item, too_long
from plano_asgi.state.shelf import Shelf

Added = Literal["added", "missing", "full"]


class NoRoom(NotFound):
    """Turns that ran at the same time have taken the conversation over its bounds."""


class Extent(NamedTuple):
    """
    How much a conversation holds: batches that were ever added, items, bytes of JSON. Of the
    batches, those in *gaps* are gone.
    """

    batches: int
    items: int
    size: int
    gaps: Gaps = ()


class Conversations:
    """
    Conversations on a shelf, each by its owner and id.

    Args:
        max_items: Of one conversation; what is over is refused.
        max_bytes: The same, in bytes of JSON.
    """

    def __init__(self, shelf: Shelf, *, max_items: int, max_bytes: int) -> None:
        self._shelf = shelf
        self._max_items, self._max_bytes = max_items, max_bytes

    async def create(
        self, owner: str | None, metadata: JSONObject, items: Sequence[Any] = ()
    ) -> JSONObject:
        """
        Begin a conversation; its object as the API has it.

        Raises:
            RequestError: It would be over its bounds.
        """
        now, id, content = self._shelf.timer(), new_id("conv"), encoded(items)
        head: JSONObject = {"id": id, "created_at": int(now), "metadata": metadata}
        if not items:
            head |= {"next": 0, "items": 0, "size": 0, "kept_at": now}
            await self._shelf.put(conversation_key(owner, id), dumps(head))
            return _shown(head)
        head |= {"next": 1, "items": len(items), "size": len(content), "kept_at": now}
        if self._is_over(head):
            raise too_long("items", self._max_items, self._max_bytes)
        keys = batch_key(owner, id, 0), conversation_key(owner, id)
        try:
            await self._shelf.put(keys[0], _batch(content, "", now))
            await self._shelf.put(keys[1], dumps(head))
        except BaseException:
            await self._shelf.take_back(partial(self._shelf.direct_delete, key) for key in keys)
            raise
        return _shown(head)

    async def get(self, owner: str | None, id: str) -> JSONObject:
        """
        The conversation's object.

        Raises:
            NotFound: *owner* has no such conversation. So do all other methods.
        """
        return _shown(await self._head(owner, id))

    async def set_metadata(self, owner: str | None, id: str, metadata: JSONObject) -> JSONObject:
        """Replace the metadata; the conversation's object."""

        def change(head: Any) -> tuple[Any, JSONObject | None]:
            if head is None:
                return None, None
            head = {**head, "metadata": metadata, "kept_at": self._shelf.timer()}
            return head, _shown(head)

        found = await self._shelf.update(conversation_key(owner, id), change) if is_id(id) else None
        if found is None:
            raise no_conversation(id)
        return found

    async def delete(self, owner: str | None, id: str) -> None:
        """Forget a conversation with its items; responses of it stay by themselves."""

        def take(head: Any) -> tuple[None, Extent | None]:
            return None, None if head is None else _extent(head)

        found = await self._shelf.update(conversation_key(owner, id), take) if is_id(id) else None
        if found is None:
            raise no_conversation(id)
        numbers = numbers_left(found.batches, found.gaps)
        await self._shelf.delete_all([batch_key(owner, id, number) for number in numbers])

    async def add(
        self,
        owner: str | None,
        id: str,
        items: Sequence[Any],
        *,
        provider: str = "",
        is_paid_for: bool = False,
    ) -> Piece:
        """
        Add *items*, which *provider* answered with or to.

        However many turns run at once, a conversation holds its bounds and one turn more at most.

        Args:
            is_paid_for: It is a turn whose request was within the bounds. It is added even where it
                goes over them, but only as the last one.

        Raises:
            NotFound: There is no such conversation. ``NoRoom``: other turns have taken it over its
                bounds since this one was asked for.
            RequestError: It would be over its bounds.
        """
        now, content = self._shelf.timer(), encoded(items)
        size, count = len(content), _count(items)

        def change(head: Any) -> tuple[Any, tuple[Added, int]]:
            if head is None:
                return None, ("missing", 0)
            grown = {"items": head["items"] + count, "size": head["size"] + size}
            if self._is_over(head if is_paid_for else grown):
                return head, ("full", 0)
            grown |= {"next": head["next"] + 1, "kept_at": now}
            return {**head, **grown}, ("added", head["next"])

        outcome: tuple[Added, int] = ("missing", 0)
        if is_id(id):
            outcome = await self._shelf.update(conversation_key(owner, id), change)
        word, number = outcome
        if word == "missing":
            raise no_conversation(id)
        if word == "full":
            raise self._full(is_paid_for)
        key = batch_key(owner, id, number)
        try:
            await self._shelf.put(key, _batch(content, provider, now))
        except BaseException:
            uncount = partial(self._uncount, owner, id, number, count, size)
            await self._shelf.take_back([partial(self._shelf.direct_delete, key), uncount])
            raise
        return _piece(id, number, items, provider, size)

    async def take_back(self, owner: str | None, id: str, added: Piece) -> None:
        """Forget what ``add`` returned, also in a store that is being left alone."""
        if await self._shelf.direct_delete(batch_key(owner, id, added.number)):
            await self._uncount(owner, id, added.number, _count(added.items), added.size)

    async def extent(self, owner: str | None, id: str) -> Extent:
        """How much there is."""
        return _extent(await self._head(owner, id))

    async def pieces(self, owner: str | None, id: str, *, before: int | None = None) -> list[Piece]:
        """
        What was added so far, or before piece number *before*, oldest first. ``None`` stands in
        the place of an item that was deleted.
        """
        extent = await self.extent(owner, id)
        batches = extent.batches if before is None else min(before, extent.batches)
        return await self.first(owner, id, batches, extent.gaps)

    async def first(self, owner: str | None, id: str, batches: int, gaps: Gaps = ()) -> list[Piece]:
        """As ``pieces``, of a conversation that is there and has so many *batches* and *gaps*."""
        numbers = list(numbers_left(batches, gaps))
        keys = [batch_key(owner, id, number) for number in numbers]
        if not keys:
            return []
        found: list[Piece] = []
        for number, key, value in zip(numbers, keys, await self._shelf.get_all(keys), strict=True):
            if value is None:
                continue  # taken back, or being added
            if self._shelf.is_ageing(value):
                await self._shelf.refresh(key)
            found.append(_piece(id, number, value["items"], value["provider"]))
        return found

    async def items(self, owner: str | None, id: str) -> list[Placed]:
        """All items, oldest first."""
        return placed(await self.pieces(owner, id))

    async def item(self, owner: str | None, id: str, item: str) -> Placed:
        """
        One item by its id.

        Raises:
            NotFound: There is no such item.
        """
        if (found := find(await self.items(owner, id), item)) is None:
            raise no_item(item)
        return found

    async def delete_item(self, owner: str | None, id: str, item: str) -> JSONObject:
        """Forget one item, raising as ``item``; the conversation's object."""
        head = await self._head(owner, id)
        extent = _extent(head)
        pieces = await self.first(owner, id, extent.batches, extent.gaps)
        found = find(placed(pieces), item)
        if found is None or not await self._drop(owner, id, found):
            raise no_item(item)
        return _shown(head)

    async def _drop(self, owner: str | None, id: str, item: Placed) -> bool:
        """
        Leave a gap where *item* is: the ids of its neighbours follow from their places. With the
        last of its items a batch goes. Whether the item was there.
        """

        def change(value: Any) -> tuple[Any, tuple[bool, int] | None]:
            if value is None or value["items"][item.place] is None:
                return value, None
            items = list(value["items"])
            items[item.place] = None
            if any(each is not None for each in items):
                freed = len(dumps(value["items"])) - len(dumps(items))
                return {**value, "items": items}, (False, freed)
            return None, (True, len(dumps(value["items"])))

        dropped = await self._shelf.update(batch_key(owner, id, item.number), change)
        if dropped is None:
            return False
        is_gone, freed = dropped
        shrink = _shrunk(1, freed, item.number if is_gone else None)
        await self._shelf.update(conversation_key(owner, id), shrink)
        return True

    async def _uncount(
        self, owner: str | None, id: str, number: int, items: int, size: int
    ) -> None:
        await self._shelf.direct_update(conversation_key(owner, id), _shrunk(items, size, number))

    def _is_over(self, head: JSONObject) -> bool:
        return bool(head["items"] > self._max_items or head["size"] > self._max_bytes)

    def _full(self, is_paid_for: bool) -> RequestError:
        if is_paid_for:
            return NoRoom("Turns that ran at the same time have filled the conversation.")
        return too_long("conversation", self._max_items, self._max_bytes)

    async def _head(self, owner: str | None, id: str) -> JSONObject:
        key = conversation_key(owner, id)
        head: JSONObject | None = await self._shelf.get(key) if is_id(id) else None
        if head is None:
            raise no_conversation(id)
        if self._shelf.is_ageing(head):
            await self._shelf.refresh(key)
        return head


def _piece(id: str, number: int, items: Sequence[Any], provider: str, size: int = 0) -> Piece:
    container = f"{id}:{number}"
    return Piece(items=items, container=container, provider=provider, number=number, size=size)


def _batch(items: bytes, provider: str, now: float) -> bytes:
    return b'{"items":%b,"provider":%b,"kept_at":%b}' % (items, dumps(provider), dumps(now))


def _count(items: Sequence[Any]) -> int:
    """What *items* count for: a turn of none is one, so that turns are bounded, too."""
    return max(len(items), 1)


def _extent(head: JSONObject) -> Extent:
    return Extent(head["next"], head["items"], head["size"], head.get("gaps", ()))


def _shrunk(items: int, size: int, gone: int | None) -> Callable[[Any], tuple[Any, None]]:
    """The change of a head that so much less is counted in, and that batch *gone* left."""

    def change(head: Any) -> tuple[Any, None]:
        if head is None:
            return None, None
        less = {"items": head["items"] - items, "size": head["size"] - size}
        if gone is not None:
            less["gaps"] = widened(head.get("gaps", ()), gone)
        return {**head, **less}, None

    return change


def _shown(head: JSONObject) -> JSONObject:
    return {
        "id": head["id"],
        "object": "conversation",
        "created_at": head["created_at"],
        "metadata": head["metadata"],
    }
