"""What the client saw of a stream, where steps have changed it on the way."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Layout, StreamEditor, WireEvent

_ITEM_DONE = "response.output_item.done"
_OUTPUT = "output."

_Place = tuple[int | str, str]
"""An item, by its position in the output or else its id, and a text's path inside it."""


class SeenTexts:
    """
    Collects the texts of a stream as they go out. The final event repeats them all, and whoever
    encodes the stream rewrites those repetitions later; a copy is corrected here.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pieces: dict[_Place, list[str]] = {}
        self._wholes: dict[_Place, str] = {}

    def note(self, event: WireEvent, editor: StreamEditor) -> None:
        """Note the texts of one event."""
        for delta in editor.read(event).deltas:
            _, _, slot = delta.channel.part.partition("/")
            self._pieces.setdefault((_item_of(event.data), slot), []).append(delta.text)
        if event.data.get("type") == _ITEM_DONE and isinstance(event.data.get("item"), dict):
            self._note_item(_item_of(event.data), event.data["item"])

    def correct(self, response: JSONObject) -> None:
        """Put the texts that went out in the place of those that *response* repeats, in place."""
        output = response.get("output")
        items: list[Any] = output if isinstance(output, list) else []
        for passage in self._layout.answer_passages({"output": items}):
            position, _, slot = passage.path.removeprefix(_OUTPUT).partition(".")
            said = self._said(int(position), items[int(position)], slot)
            if said is not None and said != passage.text:
                passage.replace(said)

    def _said(self, position: int, item: JSONObject, slot: str) -> str | None:
        for place in ((position, slot), (str(item.get("id")), slot)):
            if (pieces := self._pieces.get(place)) is not None:
                return "".join(pieces)
            if (whole := self._wholes.get(place)) is not None:
                return whole
        return None

    def _note_item(self, item: int | str, body: JSONObject) -> None:
        for passage in self._layout.answer_passages({"output": [body]}):
            slot = passage.path.removeprefix(f"{_OUTPUT}0.")
            self._wholes[item, slot] = passage.text


def _item_of(data: JSONObject) -> int | str:
    index = data.get("output_index")
    if isinstance(index, int):
        return index
    item = data.get("item")
    return str(data.get("item_id") or (item.get("id") if isinstance(item, dict) else ""))
