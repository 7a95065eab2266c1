"""What must hold for every layout, whatever the body or the stream."""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from plano_asgi.passages import Channel, Layout, Passage, StreamEditor, StreamParts, WireEvent
from plano_asgi.wire.wire_events import EventDecoder, encode


def check_passages(passages: Sequence[Passage], body: Any) -> None:
    """Each says what stands at its place, once, and put back changes nothing."""
    before = copy.deepcopy(body)
    places = [(id(passage.holder), passage.key) for passage in passages]
    assert len(places) == len(set(places))
    for passage in passages:
        assert passage.text
        assert passage.holder[passage.key] == passage.text
        passage.holder[passage.key] = passage.text
    assert body == before


def cut(data: bytes, pieces: int = 40) -> list[bytes]:
    """*data* in random pieces, the same ones each time."""
    dice = random.Random(len(data))
    at = sorted(dice.randrange(len(data) + 1) for _ in range(pieces))
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


def decoded(stream: bytes) -> list[WireEvent]:
    """The events of *stream*, cut at random."""
    decoder = EventDecoder()
    return [*(event for piece in cut(stream) for event in decoder.feed(piece)), *decoder.close()]


class Reading:
    """One stream read as filters do: what each channel said, what stood alone, what ended."""

    def __init__(self, layout: Layout, stream: bytes, *, split: bool = True) -> None:
        self.editor: StreamEditor = layout.stream_editor()
        self.texts: dict[Channel, str] = defaultdict(str)
        self.alone: list[Passage] = []
        self.parts: list[StreamParts] = []
        self.events: list[WireEvent] = []
        open_: set[Channel] = set()
        for event in decoded(stream):
            for piece in self.editor.split(event) if split else (event,):
                parts = self.editor.read(piece)
                assert self.editor.read(piece) is parts
                assert open_.issuperset(parts.ends)
                open_.difference_update(parts.ends)
                for delta in parts.deltas:
                    assert delta.holder[delta.key] == delta.text
                    assert not split or delta.channel not in parts.ends
                    self.texts[delta.channel] += delta.text
                    open_.add(delta.channel)
                self.alone += parts.alone
                self.parts.append(parts)
                self.events.append(self.editor.seal(piece))
        self.still_open = open_

    @property
    def written(self) -> bytes:
        """What the client gets."""
        return b"".join(map(encode, self.events))


def anything(*keys: str, words: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Any JSON, with *keys* and *words* in it more often than others."""
    names = st.sampled_from([*keys, "type", "index", "other"])
    leaves = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "text", *words])
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=20,
    )


def nested(levels: int, *, key: str = "content", **fields: Any) -> dict[str, Any]:
    """An object inside an object, *levels* deep."""
    inner: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(levels):
        inner = {**fields, key: [inner]}
    return inner
