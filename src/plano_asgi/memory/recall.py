"""Recall: what is known about the user's last words, found by full text, or by meaning besides."""

from __future__ import annotations

import time
from collections.abc import Sequence

from plano_asgi.embeddings import Embedder
from plano_asgi.exchange import Exchange
from plano_asgi.memory.base import Injection, Kind, MemoryHook, MemoryItem, MemoryStore, Namespace
from plano_asgi.wire.turns import TURNS


class Recall(MemoryHook):
    """
    Look up long-term items and put the nearest in front of the model.

    Args:
        store: Where to look.
        limit: Items at most.
        threshold: Of an item's score, 0 to 1; below it an item is left out.
        kinds: What to recall; summaries belong to their conversation.
        embedder: Ranks by meaning besides full text; must be the one that recorded.
        max_query_chars: Of the user's last turn; its end counts.
        max_item_chars: Of one item.
    """

    name = "recall"

    def __init__(
        self,
        store: MemoryStore,
        *,
        limit: int = 6,
        threshold: float = 0.15,
        kinds: Sequence[Kind] = ("turn", "fact"),
        embedder: Embedder | None = None,
        max_query_chars: int = 2000,
        max_item_chars: int = 600,
    ) -> None:
        self._store, self._limit, self._threshold = store, limit, threshold
        self._kinds = frozenset(kinds)
        self._embedder = embedder
        self._max_query, self._max_item = max_query_chars, max_item_chars

    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        """The items nearest to what the user just said, and not said in this conversation."""
        query = self._query(exchange)
        if not query:
            return None
        vector = None
        if self._embedder is not None:
            (vector,) = await self._embedder.embed([query])
        found = await self._store.search(
            namespace,
            query,
            limit=self._limit * 3,
            threshold=self._threshold,
            vector=vector,
            embedder=self._embedder.name if self._embedder else "",
        )
        present = {passage.text.strip() for passage in exchange.passages()}
        chosen = [
            item for item in found if item.kind in self._kinds and item.text.strip() not in present
        ][: self._limit]
        if not chosen:
            return None
        text = "\n".join(self._line(item) for item in chosen)
        return Injection(text=text, items=tuple(item.id for item in chosen))

    def _query(self, exchange: Exchange) -> str:
        shape = TURNS.get(exchange.dialect)
        if shape is None:
            return ""
        index = shape.last_user_turn(exchange.body)
        return shape.text(exchange.body, index)[-self._max_query :].strip()

    def _line(self, item: MemoryItem) -> str:
        day = time.strftime("%Y-%m-%d", time.gmtime(item.created_at))
        who = f" {item.provenance.role}" if item.provenance.role else ""
        text = " ".join(item.text.split())[: self._max_item]
        return f"- [{day}{who}] {text}"
