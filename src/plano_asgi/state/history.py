"""Everything that was said before: a chain of responses, or a conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.errors import NotFound, RequestError
from plano_asgi.state.conversations import Conversations
from plano_asgi.state.pieces import Piece
from plano_asgi.state.records import Head, Record, Records
from plano_asgi.state.refusals import no_earlier_turn, too_long

Earlier: TypeAlias = Callable[[str | None, str], Awaitable[Sequence[JSONObject] | None]]
"""Looks a response of another program up, by its owner and id: all items of its conversation."""


class History:
    """
    Reads what a request goes on from. Bounded: what is over is not gone on from, never cut in
    silence.

    Args:
        max_items: Of one conversation.
        max_bytes: The same, in bytes of JSON.
        earlier: Asked for responses that are not among *records*.
    """

    def __init__(
        self,
        records: Records,
        conversations: Conversations,
        *,
        max_items: int,
        max_bytes: int,
        earlier: Earlier | None = None,
    ) -> None:
        self._records, self._conversations = records, conversations
        self._max_items, self._max_bytes = max_items, max_bytes
        self._earlier = earlier

    async def find(self, owner: str | None, id: str) -> Record | None:
        """The response that *owner* knows as *id*, ours or one of an earlier program."""
        return await self._records.get(owner, id) or await self._find_earlier(owner, id)

    async def _find_earlier(self, owner: str | None, id: str) -> Record | None:
        items = await self._earlier(owner, id) if self._earlier is not None else None
        if items is None:
            return None
        head = Head(id=id, items=len(items))
        return Record(head, items, {"id": id, "output": []})

    async def up_to(self, owner: str | None, record: Record) -> list[Piece]:
        """
        All items up to and with *record*, oldest first.

        Raises:
            NotFound: As ``before``.
            RequestError: Its answer is still being made.
        """
        if not record.is_finished:
            raise RequestError(
                f"Response '{record.head.id}' is still in progress.", param="previous_response_id"
            )
        own, head = [input_of(record), _output(record)], record.head
        if head.previous is None and head.conversation is None:
            return own
        return [*await self.before(owner, record), *own]

    async def before(self, owner: str | None, record: Record) -> list[Piece]:
        """
        All items that *record* follows, oldest first.

        Raises:
            NotFound: Something that it follows was deleted or has expired.
        """
        chain = await self._chain(owner, record)
        first = chain[-1].head if chain else record.head
        pieces: list[Piece] = []
        if first.conversation is not None:
            try:
                pieces = await self._conversations.pieces(
                    owner, first.conversation, before=first.before
                )
            except NotFound:
                raise no_earlier_turn(record.head.id) from None
        for earlier in reversed(chain):
            pieces += (input_of(earlier), _output(earlier))
        return pieces

    async def _chain(self, owner: str | None, record: Record) -> list[Record]:
        """The responses that *record* follows, newest first. A trail is read at once."""
        chain: dict[str, Record] = {}
        found: dict[str, Record | None] = {}
        head = record.head
        while (id := head.previous) is not None:
            if id not in found and " " in head.trail:
                found = await self._records.get_all(owner, head.trail.split())
            if id in found:
                earlier = found[id] or await self._find_earlier(owner, id)
            else:
                earlier = await self.find(owner, id)
            if earlier is None or id in chain:  # an upstream that keeps its own may name one twice
                raise no_earlier_turn(record.head.id)
            chain[id] = earlier
            head = earlier.head
        return list(chain.values())

    def check(self, items: int, size: int, param: str) -> None:
        """
        Refuse to go on from what is over the bounds.

        Raises:
            RequestError: It is.
        """
        if items > self._max_items or size > self._max_bytes:
            raise too_long(param, self._max_items, self._max_bytes)


def input_of(record: Record) -> Piece:
    """The items that came with the request of *record*."""
    head = record.head
    return Piece(record.input, head.id, head.provider)


def _output(record: Record) -> Piece:
    head = record.head
    return Piece(record.output, f"{head.id}:output", head.provider)
