"""Write an answer down: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from plano_asgi._json import loads
from plano_asgi.errors import NotFound
from plano_asgi.state.conversations import Conversations
from plano_asgi.state.keeper import Asked, Undo
from plano_asgi.state.names import is_id, item_key, response_key
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
        self._shelf, self._records = shelf, records
        self._references, self._conversations = references, conversations

    async def keep(self, asked: Asked, head: Head, content: bytes, items: Sequence[str]) -> Undo:
        """
        Keep an answer: by itself first, then in its conversation. See ``Keep``.

        Raises:
            StoreUnavailable: It cannot be kept. What was written of it is taken back, also from a
                store that is being left alone for this very failure.
        """
        owner, conversation, shelf = asked.owner, asked.conversation, self._shelf
        steps: list[Step] = [partial(shelf.direct_delete, response_key(owner, head.id))]

        async def undo() -> None:
            await shelf.take_back(steps, response=head.id)

        is_begun = False
        try:
            await self._records.put(owner, head, asked.input, content)
            is_begun = True
            steps += [
                partial(shelf.direct_delete, item_key(owner, id)) for id in items if is_id(id)
            ]
            await self._references.note(owner, head.id, items)
            if conversation is not None:
                said = [*loads(asked.input), *loads(content)["output"]]
                with suppress(NotFound):  # it was deleted while the model spoke
                    added = await self._conversations.add(
                        owner, conversation, said, provider=head.provider, is_paid_for=True
                    )
                    steps.append(partial(self._conversations.take_back, owner, conversation, added))
        except BaseException as exc:
            if is_begun or not isinstance(exc, StoreResting):  # else nobody was asked
                await undo()
            raise
        return undo
