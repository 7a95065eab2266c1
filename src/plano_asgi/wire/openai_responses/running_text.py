"""The texts of one stream: what came in of each, and what went out."""

from __future__ import annotations

from dataclasses import dataclass, field

from plano_asgi._json import JSONObject
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, Delta, Origin
from plano_asgi.wire.openai_responses.text_events import OUTPUT_TEXT, TextKind

_NOT_KEPT = frozenset(("delta", "logprobs", "obfuscation"))


class TextDelta(Delta):
    """A piece of running text. SDKs want ``logprobs`` to be there: emptied, not dropped."""

    __slots__ = ()

    def replace(self, text: str) -> None:
        """Put *text* in the place of this piece."""
        self.text = text
        self.holder[self.key] = text
        self.holder.pop("obfuscation", None)  # it pads the length that was
        if self.holder.get("logprobs"):
            self.holder["logprobs"] = []


@dataclass(slots=True, eq=False)
class RunningText:
    """One text: of the item at *index* in the output, at *slot* in it."""

    index: int
    slot: str
    channel: Channel
    kind: TextKind | None = None
    """``None`` while it was never streamed."""
    frame: JSONObject = field(default_factory=dict)
    """The last delta event, for the shape of the next."""
    name: str = ""
    """That event's name on the wire."""
    inner_key: str = ""
    """Where the delta is an object: the text's key in it."""
    _received: list[str] = field(default_factory=list)
    _sent: list[str] = field(default_factory=list)

    @property
    def received(self) -> str:
        """What came in so far."""
        return _joined(self._received)

    @property
    def sent(self) -> str:
        """What went out so far."""
        return _joined(self._sent)

    def goes_on_in(self, data: JSONObject) -> bool:
        """Whether *data* is of one more delta event like the last one."""
        frame, kind = self.frame, self.kind
        return (
            kind is not None
            and not self.inner_key
            and isinstance(data.get("delta"), str)
            and bool(data.get("type"))
            and data["type"] == frame.get("type")
            and data.get("output_index") == frame.get("output_index")
            and data.get("item_id") == frame.get("item_id")
            and data.get(kind.index_key) == frame.get(kind.index_key)
        )

    def receive(self, piece: str) -> None:
        """One more piece came in."""
        self._received.append(piece)

    def send(self, piece: str) -> None:
        """One more piece goes out."""
        self._sent.append(piece)

    def receive_whole(self, text: str) -> None:
        """It was told whole, and differs from what was streamed."""
        self._received = [text]

    def send_whole(self, text: str) -> None:
        """It goes out whole."""
        self._sent = [text]

    def delta_data(self, text: str) -> tuple[JSONObject, JSONObject, str]:
        """The data of one more delta event, and where in it *text* stands: holder and key."""
        data = {key: value for key, value in self.frame.items() if key not in _NOT_KEPT}
        if self.kind is OUTPUT_TEXT:
            data["logprobs"] = []
        holder, key = (data, "delta") if not self.inner_key else ({}, self.inner_key)
        if self.inner_key:
            data["delta"] = holder
        holder[key] = text
        return data, holder, key


def _below(prefix: str) -> str:
    return f"{prefix}." if prefix else ""


def _joined(pieces: list[str]) -> str:
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


class RunningTexts:
    """Every text of a stream, by its place. Raises when more than *max_chars* came in."""

    def __init__(self, max_chars: int) -> None:
        self._left = max_chars
        self._by_place: dict[tuple[int, str], RunningText] = {}
        self.by_channel: dict[Channel, RunningText] = {}
        self._open: dict[tuple[int, str], RunningText] = {}
        self._indexes: dict[str, int | None] = {}

    def at(self, index: int, slot: str, origin: Origin, *, is_json: bool) -> RunningText:
        """The text at *slot* of item *index*; *origin* and *is_json* count the first time."""
        text = self._by_place.get((index, slot))
        if text is None:
            channel = Channel(0, origin, f"{index}/{slot}", is_json)
            text = self._by_place[index, slot] = RunningText(index, slot, channel)
            self.by_channel[channel] = text
        return text

    def find(self, index: int, slot: str) -> RunningText | None:
        """The text at *slot* of item *index*, if there was one."""
        return self._by_place.get((index, slot))

    def count(self, chars: int) -> None:
        """
        Say that *chars* more are kept.

        Raises:
            UpstreamProtocolError: The answer is too long to be kept.
        """
        self._left -= chars
        if self._left < 0:
            raise UpstreamProtocolError("the answer's texts are over the configured size")

    def open(self, text: RunningText, kind: TextKind) -> None:
        """Say that *text* is streamed, as a *kind*, and goes on."""
        text.kind = kind
        self._open[text.index, text.slot] = text

    def close(self, index: int | None = None, prefix: str = "") -> list[Channel]:
        """
        End what is open: everything, one item's texts, or those of it at or below *prefix*.
        """
        ended = [
            place
            for place in self._open
            if (index is None or place[0] == index) and f"{place[1]}.".startswith(_below(prefix))
        ]
        return [self._open.pop(place).channel for place in ended]

    # ----------------------------------------------------------------- where an item stands

    def index_of(self, event: JSONObject, item_id: object) -> int:
        """
        Which item *event* speaks of. Where it does not say, the id does: each id that was never
        seen with an index gets a negative one of its own.
        """
        index = event.get("output_index")
        name = item_id if isinstance(item_id, str) and item_id else ""
        if isinstance(index, int):
            if name:
                known = self._indexes.setdefault(name, index)
                if known != index:
                    self._indexes[name] = None  # the upstream gives one id to several items
            return index
        if (known := self._indexes.get(name)) is not None:
            return known
        self._indexes[name] = unknown = -2 - len(self._indexes)  # -1 is no item at all
        return unknown

    def position_of(self, item: object, position: int) -> int:
        """The index under which the item at *position* of a whole output was streamed."""
        item_id = item.get("id") if isinstance(item, dict) else None
        known = self._indexes.get(item_id) if isinstance(item_id, str) else None
        return position if known is None else known
