"""Sequence numbers of a stream's events, without gaps after events were added or left out."""

from __future__ import annotations

from plano_asgi._json import JSONObject

KEY = "sequence_number"


class Numbering:
    """
    Numbers events on their way out. An upstream that does not count by one itself is left as it
    is: only events of our own are numbered then, and none where it does not number at all.
    """

    __slots__ = ("_first", "_is_regular", "_last_in", "_last_out")

    def __init__(self) -> None:
        self._first: int | None = None
        self._last_in: int | None = None
        self._last_out: int | None = None
        self._is_regular = True

    def receive(self, data: JSONObject) -> None:
        """An event came in."""
        number = data.get(KEY)
        if type(number) is not int:
            return
        if self._last_in is None:
            self._first = number
        elif number != self._last_in + 1:
            self._is_regular = False
        self._last_in = number

    def send(self, data: JSONObject, *, is_ours: bool) -> bool:
        """An event goes out: number it in place; say whether that changed it."""
        number = data.get(KEY)
        is_numbered = type(number) is int
        if not (is_numbered or (is_ours and self._first is not None)):
            return False
        if is_ours or self._is_regular:
            after = (self._first or 0) - 1 if self._last_out is None else self._last_out
            data[KEY] = after + 1
        self._last_out = data[KEY]
        return bool(data[KEY] != number)

    def number_from_here(self, events: list[JSONObject]) -> None:
        """Number the last *events*. They may still be sent, which gives them the same numbers."""
        if self._first is None and self._last_out is None and self._last_in is None:
            self._first = 0
        start = (self._first or 0) if self._last_out is None else self._last_out + 1
        for number, data in enumerate(events, start):
            data[KEY] = number
