"""Record: what was said goes into the store, as it was said, a turn an item."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from plano_asgi.conversation import Message, TextPart
from plano_asgi.embeddings import Embedder
from plano_asgi.exchange import Exchange
from plano_asgi.memory.base import (
    MemoryHook,
    MemoryItem,
    Namespace,
    Provenance,
    Turn,
)

_ROLES = ("user", "assistant")


class Record(MemoryHook):
    """
    Keep the turns of users and the answers to them.

    The same words of the same speaker are one item, however often they are said or replayed.

    Args:
        ttl_s: How long an item is kept; ``None`` for ever.
        answers: Keep the model's answers as well.
        min_chars: Shorter turns ("ok", "thanks") are not worth it.
        max_chars: Of one item; its beginning is kept.
        embedder: Stores a vector with each item, for recall by meaning.
    """

    name = "record"

    def __init__(
        self,
        *,
        ttl_s: float | None = 365 * 86_400.0,
        answers: bool = True,
        min_chars: int = 12,
        max_chars: int = 4000,
        embedder: Embedder | None = None,
        timer: Callable[[], float] = time.time,
    ) -> None:
        self._ttl_s, self._answers = ttl_s, answers
        self._min, self._max = min_chars, max_chars
        self._embedder, self._timer = embedder, timer

    async def record(
        self, turn: Turn, exchange: Exchange, namespace: Namespace, /
    ) -> Sequence[MemoryItem]:
        """What *turn* said, an item for each speaker's turn."""
        return await embedded(list(self._items(turn, exchange)), self._embedder)

    def _items(self, turn: Turn, exchange: Exchange) -> Iterator[MemoryItem]:
        messages = [*turn.asked, *(turn.answered if self._answers else ())]
        now = self._timer()
        for message in messages:
            text = said(message)[: self._max]
            if message.role not in _ROLES or len(text) < self._min:
                continue
            yield MemoryItem(
                id=item_id(message.role, text),
                text=text,
                created_at=now,
                expires_at=None if self._ttl_s is None else now + self._ttl_s,
                provenance=Provenance(request_id=exchange.id, role=message.role),
            )


def said(message: Message) -> str:
    """The text of a turn, its parts on lines of their own."""
    texts = (part.text for part in message.parts if isinstance(part, TextPart))
    return "\n".join(text for text in texts if text).strip()


def item_id(*words: str) -> str:
    """An id that the same words always get, so that nothing is stored twice."""
    joined = "\x00".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]


async def embedded(items: list[MemoryItem], embedder: Embedder | None) -> list[MemoryItem]:
    """*items* with their vectors; as they are without an embedder."""
    if embedder is None or not items:
        return items
    vectors = await embedder.embed([item.text for item in items])
    return [
        replace(item, embedding=vector, embedder=embedder.name)
        for item, vector in zip(items, vectors, strict=True)
    ]
