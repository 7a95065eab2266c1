"""A response as it is kept: what came with its request, the answer, and what both follow."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from plano_asgi._json import JSONObject, dumps
from plano_asgi.exchange import Candidate
from plano_asgi.state.items import output_of
from plano_asgi.state.names import is_id, response_key
from plano_asgi.state.shelf import Shelf

UNFINISHED = frozenset(("queued", "in_progress"))
TRAIL = 32
"""How many earlier responses a head names at most: so many are read at once."""


class Head(NamedTuple):
    """
    What is known of a response beside its content.

    *previous* is the response it follows, or *conversation* the conversation, of which it saw the
    batches before number *before*. *items* and *size* (bytes) count it and everything it follows.
    Kept by place: what another version adds stands at the end, with a default.
    """

    id: str
    previous: str | None = None
    conversation: str | None = None
    thread: str = ""
    """The conversation, or the response that its chain began with. "" of older versions."""
    before: int = 0
    provider: str = ""
    """Who answered: the key under which the gateway holds the provider."""
    model: str = ""
    """The upstream's own model id."""
    asked_model: str | None = None
    is_home: bool = False
    """That upstream keeps the response itself, by this id."""
    items: int = 0
    size: int = 0
    trail: str = ""
    """
    Ids of what it follows, *previous* first, to be read at once; with spaces between them, for a
    list takes twice as long to decode. Only a hint: what it follows is what each head says of
    *previous*. "" of older versions.
    """

    @property
    def next_trail(self) -> str:
        """
        The trail of what follows this. A full one is begun anew: the head that it ends at has the
        next full one, so no more reads are needed than with the last ``TRAIL`` ids in every head,
        and half of the room.
        """
        is_begun = len(self.trail) > 0 and self.trail.count(" ") < TRAIL - 1
        return f"{self.id} {self.trail}" if is_begun else self.id

    @property
    def home(self) -> Candidate | None:
        """The upstream that keeps the response itself, if one does."""
        return Candidate(provider=self.provider, model=self.model) if self.is_home else None


_FIELDS = Head._fields
_DEFAULTS = Head(id="")


@dataclass(slots=True)
class Record:
    """A kept response. *response* is its body as the client has seen it."""

    head: Head
    input: Sequence[Any] = field(repr=False)
    response: JSONObject = field(repr=False)

    @property
    def provider(self) -> str:
        """Who answered."""
        return self.head.provider

    @property
    def output(self) -> list[Any]:
        """The items of the answer."""
        return output_of(self.response)

    @property
    def is_finished(self) -> bool:
        """Whether the answer is whole: one made in the background may not be yet."""
        return self.response.get("status") not in UNFINISHED


class Records:
    """Responses on a shelf, each by its owner and id."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def get(self, owner: str | None, id: str) -> Record | None:
        """The response that *owner* knows as *id*; one in use is kept for longer."""
        if not is_id(id):
            return None
        key = response_key(owner, id)
        record = _record(value := await self._shelf.get(key))
        if record is not None and self._shelf.is_ageing(value):
            await self._shelf.refresh(key)
        return record

    async def get_all(self, owner: str | None, ids: Sequence[str]) -> dict[str, Record | None]:
        """As ``get``, of many, by their *ids*: in as few round trips as the store can do with."""
        found: dict[str, Record | None] = dict.fromkeys(ids)
        known = list(filter(is_id, found))
        prefix, is_ageing = response_key(owner, ""), self._shelf.is_ageing
        values = await self._shelf.get_all([prefix + id for id in known])
        for id, value in zip(known, values, strict=True):
            record = found[id] = _record(value)
            if record is not None and is_ageing(value):
                await self._shelf.refresh(prefix + id)
        return found

    def put(self, owner: str | None, head: Head, input: bytes, response: bytes) -> Awaitable[None]:
        """Keep a response; *input* and *response* are encoded JSON, a list and an object."""
        known = dumps({"kept_at": self._shelf.timer(), "head": tuple(head)})[:-1]
        plain = b"".join((known, b',"input":', input, b',"response":', response, b"}"))
        return self._shelf.put(response_key(owner, head.id), plain)

    async def finish(self, owner: str | None, record: Record, response: JSONObject) -> None:
        """Keep the newer state of an answer made in the background, if it was not deleted since."""

        def change(kept: Any) -> tuple[Any, None]:
            return (None if kept is None else {**kept, "response": response}), None

        await self._shelf.update(response_key(owner, record.head.id), change)

    async def delete(self, owner: str | None, id: str) -> bool:
        """Forget a response; whether it was there."""
        return is_id(id) and await self._shelf.store.delete(response_key(owner, id))


def _record(value: Any) -> Record | None:
    if not isinstance(value, dict):
        return None
    return Record(_head(value["head"]), value["input"], value["response"])


def _head(fields: JSONObject | list[Any]) -> Head:
    """
    The head with *fields*, by place or by name; another version may have kept more, or fewer.
    """
    if isinstance(fields, dict):
        return Head._make(map(fields.get, _FIELDS, _DEFAULTS))
    if len(fields) != len(_FIELDS):
        fields = [*fields, *_DEFAULTS[len(fields) :]][: len(_FIELDS)]
    return Head._make(fields)
