"""
The contract of memory: items under a namespace, a store that keeps them, hooks that use it.

A namespace is a tuple of names that the host app vouches for, ``(tenant, user)`` or longer. It
never comes from a request body, and nothing crosses it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from plano_asgi.conversation import Message
from plano_asgi.exchange import Exchange

Namespace: TypeAlias = tuple[str, ...]
"""One or more names, none empty. Operations on a namespace never see a longer or shorter one."""

Kind: TypeAlias = Literal["turn", "fact", "summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where an item came from: the exchange that it was recorded from, and how."""

    request_id: str = ""
    role: str = ""
    """user, assistant, or "" for what was derived."""
    by: str = "record"
    """record, extract, summarise, or the name of a program of the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryItem:
    """
    One thing remembered. Times are Unix seconds; past ``expires_at`` a store never returns the
    item, and ``purge`` deletes it. ``score`` is set by a search: 0 to 1, more is nearer.
    """

    id: str
    text: str
    kind: Kind = "turn"
    created_at: float = field(default_factory=time.time)
    expires_at: float | None = None
    provenance: Provenance = field(default_factory=Provenance)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    embedding: Sequence[float] | None = field(default=None, repr=False)
    embedder: str = ""
    """``Embedder.name`` of *embedding*: vectors of different ones are never compared."""
    score: float | None = None


class MemoryStore(Protocol):
    """
    Keeps items under namespaces. Instances are shared by all exchanges; open lazily on first use,
    and again after ``aclose``.

    Every method raises ``MemoryUnavailable`` when the store cannot be reached.
    """

    async def add(self, namespace: Namespace, items: Sequence[MemoryItem], /) -> None:
        """Keep *items*; one with a known id replaces it."""
        ...

    async def search(
        self,
        namespace: Namespace,
        query: str,
        /,
        *,
        limit: int = 8,
        threshold: float = 0.0,
        filters: Mapping[str, Any] | None = None,
        vector: Sequence[float] | None = None,
        embedder: str = "",
    ) -> list[MemoryItem]:
        """
        The items nearest to *query*, best first, none scored under *threshold*. *filters* are
        equalities on ``kind`` and on metadata keys. With *vector* the ranking is hybrid: dense
        score weighted above full text.
        """
        ...

    async def get(self, namespace: Namespace, id: str, /) -> MemoryItem | None:
        """One item, or ``None``."""
        ...

    async def list(
        self,
        namespace: Namespace,
        /,
        *,
        limit: int = 100,
        offset: int = 0,
        filters: Mapping[str, Any] | None = None,
    ) -> Sequence[MemoryItem]:
        """Items, newest first."""
        ...

    async def delete(self, namespace: Namespace, id: str, /) -> bool:
        """Forget one item; whether it was there."""
        ...

    async def delete_all(self, namespace: Namespace, /) -> int:
        """Forget everything under exactly *namespace*; how many items that were."""
        ...

    async def purge(self) -> int:
        """Delete what has expired, in every namespace; how many items that were."""
        ...

    async def aclose(self) -> None:
        """Close files and connections of the running event loop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What a recall puts in front of the model. ``items`` are the ids that went into ``text``."""

    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one exchange added to a conversation: the new messages, and the answer to them."""

    asked: Sequence[Message]
    answered: Sequence[Message]


class MemoryHook:
    """
    One way to remember. Subclass and write ``recall``, ``record`` or both; the base class does
    neither. ``prepare`` may change the request itself (trim it, say).
    """

    name = "memory"

    async def prepare(self, exchange: Exchange, namespace: Namespace, /) -> None:
        """Change the request before anything is recalled."""

    async def recall(self, exchange: Exchange, namespace: Namespace, /) -> Injection | None:
        """What the model should know besides; ``None`` for nothing. Bounded in time."""
        return None

    async def record(
        self, turn: Turn, exchange: Exchange, namespace: Namespace, /
    ) -> Sequence[MemoryItem]:
        """What of *turn* is worth keeping. Runs in the background, after the answer."""
        return ()

    async def forget(self, namespace: Namespace, /) -> Mapping[str, int]:
        """Delete everything this hook keeps under *namespace*; counts by what it was."""
        return {}

    async def aclose(self) -> None:
        """Finish what is on its way and close what is open, in bounded time."""
