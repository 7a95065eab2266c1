"""The texts in the chunks of a stream, choice by choice: what runs on, what ends, what is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, Delta, Origin, Passage, StreamParts
from plano_asgi.wire.openai_chat.call_texts import CallNumbers, Path, Place, is_whole
from plano_asgi.wire.openai_chat.logprobs import SpelledDelta, spells_again, with_spelling
from plano_asgi.wire.openai_chat.thought_texts import LISTS, PLAIN, has_proof, thoughts
from plano_asgi.wire.texts import ANSWER, NOT_TEXT

_SILENT = frozenset({"index", "delta"})
_PLAIN_CHOICE = frozenset({"index", "delta", "logprobs", "token_ids"})
_THOUGHTS = frozenset((*PLAIN, *LISTS))


class Found:
    """What is being found in one chunk. ``choice`` is the one being read."""

    __slots__ = ("alone", "choice", "deltas", "ends", "is_last", "is_pure")

    def __init__(self) -> None:
        self.ends: dict[Channel, ChoiceTexts] = {}
        self.deltas: list[Delta] = []
        self.alone: list[Passage] = []
        self.choice: JSONObject = {}
        self.is_pure = True
        self.is_last = False

    def end(self, choice: ChoiceTexts, channels: Iterable[Channel]) -> None:
        """These channels have ended before this chunk, unless it adds to them."""
        for channel in channels:
            self.ends[channel] = choice

    def tell(self, passages: Iterable[Passage]) -> None:
        """Texts that stand for themselves."""
        self.alone += passages
        self.is_pure = False

    def parts(self) -> StreamParts:
        """The finding, final: what has ended is closed."""
        if self.ends:
            for delta in self.deltas:
                self.ends.pop(delta.channel, None)
            for channel, choice in self.ends.items():
                choice.close(channel)
        is_pure = self.is_pure and bool(self.deltas)
        return StreamParts(tuple(self.ends), self.deltas, self.alone, is_pure, self.is_last)


class RunningTexts:
    """
    Where the last delta of each channel stood.

    Args:
        most: Channels an answer may have; more are an ``UpstreamProtocolError``.
    """

    __slots__ = ("_most", "_paths")

    def __init__(self, most: int) -> None:
        self._most = most
        self._paths: dict[Channel, tuple[Path, ...]] = {}

    def paths(self, channel: Channel) -> tuple[Path, ...]:
        """The places for more of *channel*; a field of its own for one never seen."""
        fields = {"refusal": "refusal", "reasoning": "reasoning_content"}
        return self._paths.get(channel) or ((fields.get(channel.origin, "content"),),)

    def note(self, channel: Channel, places: Sequence[Place]) -> None:
        """*channel* goes on at *places*."""
        if len(self._paths) >= self._most and channel not in self._paths:
            raise UpstreamProtocolError(f"the answer has over {self._most} running texts")
        self._paths[channel] = tuple([place.path for place in places])


class ChoiceTexts:
    """
    One choice of a stream. ``open`` holds its channels that may go on; ``has_spoken`` says that
    some text has run.
    """

    __slots__ = (
        "_calls",
        "_has_role",
        "_index",
        "_last",
        "_name",
        "_running",
        "has_spoken",
        "open",
    )

    def __init__(self, index: int, running: RunningTexts) -> None:
        self._index = index
        self._running = running
        self._calls = CallNumbers()
        self._has_role = False
        self._last: Channel | None = None
        self._name = ""
        self.has_spoken = False
        self.open: dict[Channel, None] = {}

    def close(self, channel: Channel) -> None:
        """*channel* has ended."""
        del self.open[channel]
        self._last = None

    def more(self, choice: JSONObject) -> Delta | None:
        """
        The piece of text that *choice* holds, if that is all it says, and the last one belonged
        to the same channel: the commonest chunk, in a fraction of the steps. Else ``None``.
        """
        channel, name = self._last, self._name
        delta = choice.get("delta")
        if channel is None or type(delta) is not dict:
            return None
        text = delta.get(name)
        if type(text) is not str or not text:
            return None
        for key in delta:
            if key != name and delta[key] and not (key == "role" and self._has_role):
                return None
        for key in choice:
            if key not in _SILENT and choice[key]:
                return None
        return Delta(channel, text, delta, name)

    def read(self, choice: JSONObject, found: Found) -> None:
        """Find the texts of *choice*, this one's part of a chunk."""
        found.choice = choice
        delta = choice.get("delta")
        if isinstance(delta, dict):
            if not _THOUGHTS.isdisjoint(delta):
                self._read_thoughts(delta, found)
            for name, value in delta.items():
                if value and name not in _THOUGHTS:
                    self._read_value(delta, name, value, found)
        for name, value in choice.items():
            if name not in _PLAIN_CHOICE and value:
                self._read_beside(choice, name, found)

    def _read_value(self, delta: JSONObject, name: str, value: Any, found: Found) -> None:
        if (read := _READERS.get((name, type(value)))) is not None:
            read(self, delta, found)
        elif isinstance(value, str) and name not in NOT_TEXT:
            origin = ANSWER.by_key.get(name, "content")
            channel = Channel(self._index, origin, "" if name in ("content", "refusal") else name)
            self._goes_on(channel, (Place((name,), delta, name),), found)
            self._last, self._name = channel, name
        else:
            self._tell(delta, name, found)

    def _read_beside(self, choice: JSONObject, name: str, found: Found) -> None:
        """What a choice has beside its delta; a few upstreams close with the whole message."""
        found.is_pure = False
        if name in ("finish_reason", "finish_details"):
            found.end(self, self.open)
        else:
            self._tell(choice, name, found)
            found.is_last = found.is_last or name == "error"

    def _tell(
        self, holder: JSONObject, name: str, found: Found, origin: Origin | None = None
    ) -> None:
        """Texts below a field that has none that run on: each whole, by itself."""
        found.is_pure = False
        if name not in NOT_TEXT:
            origin = origin or ANSWER.by_key.get(name, "content")
            texts = ANSWER.passages(holder, name, origin, name, choice=self._index)
            found.tell(with_spelling(texts, found.choice))

    def _goes_on(self, channel: Channel, places: Sequence[Place], found: Found) -> None:
        """
        One more piece of *channel*, at *places*. It ends no other: nothing keeps an upstream from
        coming back to reasoning, content or an earlier call, and clients add all of it up.
        """
        self._running.note(channel, places)
        self.open[channel] = None
        self._last, self.has_spoken = None, True
        (_, holder, key), *others = places
        if others or spells_again(found.choice):
            twins = [(place.holder, place.key) for place in others]
            spelled = SpelledDelta(
                channel, holder[key], holder, key, owner=found.choice, twins=twins
            )
            found.deltas.append(spelled)
        else:
            found.deltas.append(Delta(channel, holder[key], holder, key))

    # ----------------------------------------------------------------- fields of a delta

    def _read_role(self, delta: JSONObject, found: Found) -> None:
        """Said once; some upstreams repeat it in each chunk."""
        found.is_pure = found.is_pure and self._has_role
        self._has_role = True

    def _read_parts(self, delta: JSONObject, found: Found) -> None:
        """Content in parts (Mistral): text, and thinking that is text in parts again."""
        parts = delta["content"]
        for number, part in enumerate(parts):
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                path: Path = ("content", {"type": "text"}, "text")
                self._goes_on(Channel(self._index, "content"), (Place(path, part, "text"),), found)
            elif kind == "thinking" and _are_texts(part.get("thinking")):
                channel = Channel(self._index, "reasoning", "thinking")
                path = ("content", {"type": "thinking"}, "thinking", {"type": "text"}, "text")
                for item in part["thinking"]:
                    self._goes_on(channel, (Place(path, item, "text"),), found)
            else:
                where = f"content.{number}"
                texts = ANSWER.passages(parts, number, "content", where, choice=self._index)
                found.tell(with_spelling(texts, found.choice))

    def _read_thoughts(self, delta: JSONObject, found: Found) -> None:
        """Entries of one index are one part; the next index ends it, and so does its proof."""
        for part, places in thoughts(delta):
            _, dot, number = part.rpartition(".")
            if dot:
                found.end(
                    self, [k for k in self._in_entries() if not k.part.endswith(dot + number)]
                )
            channel = Channel(self._index, "reasoning", part)
            self._goes_on(channel, places, found)
            if len(places) == 1 and not dot:
                self._last, self._name = channel, part
        if has_proof(delta):
            found.end(self, self._in_entries())
            found.is_pure = False

    def _in_entries(self) -> list[Channel]:
        return [known for known in self.open if known.origin == "reasoning" and "." in known.part]

    def _read_calls(self, delta: JSONObject, found: Found) -> None:
        for entry in delta["tool_calls"]:
            if isinstance(entry, dict):
                self._read_call(entry, found)

    def _read_call(self, entry: JSONObject, found: Found) -> None:
        is_custom = isinstance(entry.get("custom"), dict)
        kind, key = ("custom", "input") if is_custom else ("function", "arguments")
        inner = entry.get(kind)
        inner = inner if isinstance(inner, dict) else {}
        call, is_new = self._calls.number(entry, inner.get("name"))
        for name in entry.keys() - {"index", "type", kind}:
            self._tell(entry, name, found, "tool_call")
        if is_new or inner.keys() - {key}:
            found.is_pure = False
        text = inner.get(key)
        if not isinstance(text, str):  # the decoded object
            self._tell(inner, key, found, "tool_call") if text else None
        elif text and is_new and "index" not in entry and is_whole(text):
            # Whole in one chunk, without an index by which a client could add to it.
            self._tell(inner, key, found, "tool_call")
        elif text:
            channel = Channel(self._index, "tool_call", str(call), not is_custom)
            index = {"index": entry["index"]} if "index" in entry else {}
            place = Place(("tool_calls", index, kind, key), inner, key)
            self._goes_on(channel, (place,), found)

    def _read_function(self, delta: JSONObject, found: Found) -> None:
        """The legacy call: one, without an index."""
        call = delta["function_call"]
        channel = Channel(self._index, "tool_call", "function_call", True)
        if call.get("name"):
            found.is_pure = False
        text = call.get("arguments")
        if isinstance(text, str) and text:
            place = Place(("function_call", "arguments"), call, "arguments")
            self._goes_on(channel, (place,), found)
        elif text:
            self._tell(call, "arguments", found, "tool_call")

    def _read_audio(self, delta: JSONObject, found: Found) -> None:
        audio, key = delta["audio"], "transcript"
        found.is_pure = False
        if isinstance(audio.get(key), str) and audio[key]:
            channel = Channel(self._index, "content", "audio")
            self._goes_on(channel, (Place(("audio", key), audio, key),), found)


_READERS: dict[tuple[str, type], Callable[[ChoiceTexts, JSONObject, Found], None]] = {
    ("role", str): ChoiceTexts._read_role,
    ("content", list): ChoiceTexts._read_parts,
    ("tool_calls", list): ChoiceTexts._read_calls,
    ("function_call", dict): ChoiceTexts._read_function,
    ("audio", dict): ChoiceTexts._read_audio,
}


def _are_texts(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, dict) and isinstance(item.get("text"), str) for item in items
    )
