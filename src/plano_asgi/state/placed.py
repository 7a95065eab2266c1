"""Items of a conversation by ids that name one each, and where they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from plano_asgi.state.items import kind_of
from plano_asgi.state.names import item_id
from plano_asgi.state.pieces import Piece


class Placed(NamedTuple):
    """
    An item of a conversation: the one at *place* of batch *number*. Its *id* is no other one's:
    where several came with the same, the first has it, and *other_id* is what it would be without.
    """

    id: str
    item: Any
    number: int
    place: int
    container: str

    @property
    def other_id(self) -> str:
        """The id that follows from where the item is."""
        return _id_by_place(self.item, self.container, self.place)


def placed(pieces: Iterable[Piece]) -> list[Placed]:
    """The items of *pieces* of one conversation, less those that were deleted."""
    found: list[Placed] = []
    taken: set[str] = set()
    for piece in pieces:
        for place, item in enumerate(piece.items):
            if item is None:
                continue
            id = item_id(item, piece.container, place)
            container = piece.container
            while id in taken:  # a list in pages goes on after an id
                id = _id_by_place(item, container, place)
                container += "'"  # a client may give an item the id that follows for another
            taken.add(id)
            found.append(Placed(id, item, piece.number, place, piece.container))
    return found


def find(items: Sequence[Placed], id: str) -> Placed | None:
    """The one of *items* with *id*; else with that *other_id*: it may be the first one by now."""
    for attribute in ("id", "other_id"):
        for each in items:
            if getattr(each, attribute) == id:
                return each
    return None


def distinct(items: Iterable[tuple[str, Any]], container: str) -> list[tuple[str, Any]]:
    """
    *items* by ids that name one each. Those that come with an id which was there get one that
    follows from *container* and how many came before.
    """
    found: dict[str, Any] = {}
    for place, (id, item) in enumerate(items):
        own = container
        while id in found:
            id = _id_by_place(item, own, place)
            own += "'"
        found[id] = item
    return list(found.items())


def _id_by_place(item: Any, container: str, place: int) -> str:
    return item_id({"type": kind_of(item)}, container, place)
