"""Write an answer down: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from plano_asgi._json import dumps, loads
from plano_asgi.errors import NotFound
from plano_asgi.state.conversations import Conversations
from plano_asgi.state.items import output_of
from plano_asgi.state.keeper import Asked, Undo
from plano_asgi.state.names import is_id, item_key, response_key
from plano_asgi.state.pieces import Piece
from plano_asgi.state.records import Head, Records
from plano_asgi.state.references import References
from plano_asgi.state.shelf import Shelf
from plano_asgi.state.undo import Step
from plano_asgi.stores.brief_store import StoreResting


class Writer:
    """Keeps answers on *shelf*, as records, references and in conversations."""

    def __init__(
        self, shelf: Shelf, records: Records, references: References, conversations: Conversations
    ) -> None:
        self.shelf, self.conversations = shelf, conversations
        self._records, self._references = records, references

    async def keep(self, asked: Asked, head: Head, content: bytes, items: Sequence[str]) -> Undo:
        """
        Keep an answer: by itself first, then in its conversation, which may be gone or full by
        then; ``asked.is_outside`` says so. See ``Keep``.

        Raises:
            StoreUnavailable: It cannot be kept. What was written of it is taken back, also from a
                store that is being left alone for this very failure.
        """
        owner, conversation = asked.owner, asked.wish.conversation
        written = _Written(self, owner, head)
        try:
            await self._records.put(owner, head, asked.input, content)
            written.items = items
            await self._references.note(owner, head.id, items)
            if conversation is not None:
                said = [*loads(asked.input), *output_of(loads(content))]
                try:
                    written.added = await self.conversations.add(
                        owner, conversation, said, provider=head.provider, is_paid_for=True
                    )
                except NotFound:  # it was deleted while the model spoke, or filled by others
                    asked.is_outside = True
                    alone = dumps({**loads(content), "conversation": None})
                    await self._records.put(owner, head, asked.input, alone)
        except BaseException as exc:
            # A store that was left alone from the start was not asked.
            if written.items is not None or not isinstance(exc, StoreResting):
                await written()
            raise
        return written


@dataclass(slots=True)
class _Written:
    """
    What there may be of an answer by now; called, it takes that back.

    ``items``: the ids that are noted, or being noted. ``added``: what its conversation has got.
    """

    writer: Writer
    owner: str | None
    head: Head
    items: Sequence[str] | None = None
    added: Piece | None = None

    async def __call__(self) -> None:
        owner, head, shelf = self.owner, self.head, self.writer.shelf
        keys = [item_key(owner, id) for id in self.items or () if is_id(id)]
        steps: list[Step] = [
            partial(shelf.direct_delete, key) for key in (response_key(owner, head.id), *keys)
        ]
        if self.added is not None and head.conversation is not None:
            conversations = self.writer.conversations
            steps.append(partial(conversations.take_back, owner, head.conversation, self.added))
        await shelf.take_back(steps, response=head.id)
