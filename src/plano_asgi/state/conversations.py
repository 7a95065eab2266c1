"""
Conversations: lists of items that responses are added to.

A conversation is a head (its metadata, and how many batches there are) and batches of items, one
for each time that something was added. Only the head is counted up, atomically, so that turns
added at the same time are all kept, in the order in which they were finished. It says by which
keys the batches are read: no store is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from plano_asgi._json import JSONObject, dumps
from plano_asgi.state.names import batch_key, conversation_key, is_id, named, new_id
from plano_asgi.state.pieces import Piece
from plano_asgi.state.refusals import no_conversation, no_item, too_long
from plano_asgi.state.shelf import Shelf

Added = Literal["added", "missing", "full"]


class Extent(NamedTuple):
    """How much a conversation holds: batches that were ever added, items, bytes of JSON."""

    batches: int
    items: int
    size: int


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
        """Begin a conversation; its object as the API has it."""
        now = self._shelf.timer()
        head: JSONObject = {"id": new_id("conv"), "created_at": int(now), "metadata": metadata}
        head |= {"next": 0, "items": 0, "size": 0, "kept_at": now}
        await self._shelf.put(conversation_key(owner, head["id"]), dumps(head))
        if items:
            await self.add(owner, head["id"], items)
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

        def take(head: Any) -> tuple[None, int | None]:
            return None, None if head is None else head["next"]

        found = await self._shelf.update(conversation_key(owner, id), take) if is_id(id) else None
        if found is None:
            raise no_conversation(id)
        await self._shelf.delete_all([batch_key(owner, id, number) for number in range(found)])

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

        Args:
            is_paid_for: It is a turn whose request was within the bounds: its answer may be over.

        Raises:
            NotFound: There is no such conversation.
            RequestError: It would be over its bounds.
        """
        content = dumps({"items": items, "provider": provider, "kept_at": self._shelf.timer()})
        size, count = len(content), len(items)

        def change(head: Any) -> tuple[Any, tuple[Added, int]]:
            if head is None:
                return None, ("missing", 0)
            is_over = (
                head["items"] + count > self._max_items or head["size"] + size > self._max_bytes
            )
            if is_over and not is_paid_for:
                return head, ("full", 0)
            grown = {"items": head["items"] + count, "size": head["size"] + size}
            grown |= {"next": head["next"] + 1, "kept_at": self._shelf.timer()}
            return {**head, **grown}, ("added", head["next"])

        outcome: tuple[Added, int] = ("missing", 0)
        if is_id(id):
            outcome = await self._shelf.update(conversation_key(owner, id), change)
        word, number = outcome
        if word == "missing":
            raise no_conversation(id)
        if word == "full":
            raise too_long("conversation", self._max_items, self._max_bytes)
        key = batch_key(owner, id, number)
        try:
            await self._shelf.put(key, content)
        except BaseException:
            uncount = partial(self._uncount, owner, id, count, size)
            await self._shelf.take_back([partial(self._shelf.direct_delete, key), uncount])
            raise
        return _piece(id, number, items, provider, size)

    async def take_back(self, owner: str | None, id: str, added: Piece) -> None:
        """Forget what ``add`` returned, also in a store that is being left alone."""
        if await self._shelf.direct_delete(batch_key(owner, id, added.number)):
            await self._uncount(owner, id, len(added.items), added.size)

    async def extent(self, owner: str | None, id: str) -> Extent:
        """How much there is."""
        head = await self._head(owner, id)
        return Extent(head["next"], head["items"], head["size"])

    async def pieces(self, owner: str | None, id: str, *, before: int | None = None) -> list[Piece]:
        """
        What was added so far, or before piece number *before*, oldest first. ``None`` stands in
        the place of an item that was deleted.
        """
        batches = (await self.extent(owner, id)).batches
        return await self.first(owner, id, batches if before is None else min(before, batches))

    async def first(self, owner: str | None, id: str, batches: int) -> list[Piece]:
        """As ``pieces``, of a conversation that is there and has so many *batches*."""
        keys = [batch_key(owner, id, number) for number in range(batches)]
        found: list[Piece] = []
        for number, value in enumerate(await self._shelf.get_all(keys)):
            if value is None:
                continue  # taken back, or being added
            if self._shelf.is_ageing(value):
                await self._shelf.refresh(keys[number])
            found.append(_piece(id, number, value["items"], value["provider"]))
        return found

    async def delete_item(self, owner: str | None, id: str, item: str) -> JSONObject:
        """Forget one item; the conversation's object."""
        head = await self._head(owner, id)
        for piece in await self.pieces(owner, id):
            if any(name == item for name, _ in piece.named):
                await self._drop(owner, id, piece.number, item)
                return _shown(head)
        raise no_item(item)

    async def _drop(self, owner: str | None, id: str, number: int, item: str) -> None:
        """Leave a gap where *item* was: the ids of its neighbours follow from their places."""

        def change(value: Any) -> tuple[Any, int]:
            if value is None:
                return None, 0
            ids = named(value["items"], f"{id}:{number}")
            kept = [None if name == item else each for name, each in ids]
            return {**value, "items": kept}, len(dumps(value["items"])) - len(dumps(kept))

        freed = await self._shelf.update(batch_key(owner, id, number), change)

        await self._shelf.update(conversation_key(owner, id), _shrunk(1, freed))

    async def _uncount(self, owner: str | None, id: str, items: int, size: int) -> None:
        await self._shelf.direct_update(conversation_key(owner, id), _shrunk(items, size))

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


def _shrunk(items: int, size: int) -> Callable[[Any], tuple[Any, None]]:
    """The change of a head that so much less is counted in."""

    def change(head: Any) -> tuple[Any, None]:
        if head is None:
            return None, None
        return {**head, "items": head["items"] - items, "size": head["size"] - size}, None

    return change


def _shown(head: JSONObject) -> JSONObject:
    return {
        "id": head["id"],
        "object": "conversation",
        "created_at": head["created_at"],
        "metadata": head["metadata"],
    }
