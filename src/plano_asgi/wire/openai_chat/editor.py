"""
A stream of chat chunks, read and changed in place.

Running texts are the content, refusals, reasoning in each of its spellings, the arguments of tool
calls and the transcript of speech, of every choice. A client adds each of them up to one string,
so it goes on until another kind makes an end of it: content ends reasoning, a new call ends all
that was before it, the finish reason ends the choice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import FinishReason
from plano_asgi.errors import UpstreamProtocolError
from plano_asgi.passages import Channel, StreamParts, WireEvent
from plano_asgi.wire.openai_chat.answer_texts import beside_choices
from plano_asgi.wire.openai_chat.call_texts import placed
from plano_asgi.wire.openai_chat.chunk_cut import cut_chunk, without_repetitions
from plano_asgi.wire.openai_chat.chunk_texts import ChoiceTexts, Found, RunningTexts
from plano_asgi.wire.openai_chat.fields import new_id
from plano_asgi.wire.openai_chat.finish import write_finish
from plano_asgi.wire.openai_chat.logprobs import SpelledDelta
from plano_asgi.wire.sse import DONE
from plano_asgi.wire.texts import ANSWER
from plano_asgi.wire.wire_events import data_passage

MAX_CHANNELS = 4096

_PLAIN_HEAD = frozenset(
    {
        *("id", "object", "created", "model", "choices", "provider", "obfuscation"),
        *("system_fingerprint", "service_tier"),
    }
)
_QUIET_HEAD = _PLAIN_HEAD | {"usage"}
_NOT_HEAD = frozenset({"obfuscation", "error", "message", "detail"})


class ChatEditor:
    """
    ``StreamEditor`` of ``openai.chat``.

    Args:
        max_channels: How many choices, and how many running texts, one answer may have.

    Raises (from ``read``):
        UpstreamProtocolError: It has more.
    """

    __slots__ = ("_choices", "_finished", "_head", "_is_over", "_max", "_running", "_spoken")

    def __init__(self, *, max_channels: int = MAX_CHANNELS) -> None:
        self._max = max_channels
        self._head: JSONObject = {}
        self._choices: dict[int, ChoiceTexts] = {}
        self._running = RunningTexts(max_channels)
        self._spoken: set[int] = set()
        self._finished: set[int] = set()
        self._is_over = False

    def split(self, event: WireEvent, /) -> Sequence[WireEvent]:
        """
        See ``StreamEditor.split``: reasoning, text, each call and the finish on their own. What
        repeats streamed text whole goes: nobody could keep it true to what was changed.
        """
        if event.parts is None:
            event.parts = self._more(event.data)
        if event.parts is not None:
            return (event,)
        spoken = [index for index, choice in self._choices.items() if choice.has_spoken]
        return cut_chunk(without_repetitions(event, spoken))

    def read(self, event: WireEvent, /) -> StreamParts:
        """See ``StreamEditor.read``."""
        if event.parts is None:
            event.parts = self._read(event)
        return event.parts

    def delta(self, channel: Channel, text: str, /) -> WireEvent:
        """See ``StreamEditor.delta``."""
        delta: JSONObject = {}
        (_, holder, key), *others = [
            placed(path, text, delta) for path in self._running.paths(channel)
        ]
        event = self._chunk(channel.choice, delta)
        twins = [(place.holder, place.key) for place in others]
        piece = SpelledDelta(channel, text, holder, key, twins=twins)
        event.parts = StreamParts(deltas=[piece], is_pure=True)
        return event

    def seal(self, event: WireEvent, /) -> WireEvent:
        """See ``StreamEditor.seal``: notes who spoke and who finished, for ``stop``."""
        data, parts = event.data, event.parts
        if parts is not None and parts.is_pure and len(parts.deltas) == 1:
            self._spoken.add(parts.deltas[0].channel.choice)
        elif isinstance(data, dict):
            for index, choice in _choices(data):
                self._spoken.add(index)
                if choice.get("finish_reason"):
                    self._finished.add(index)
        elif data == DONE:
            self._is_over = True
        return event

    def stop(self, reason: FinishReason, text: str, /) -> list[WireEvent]:
        """
        See ``StreamEditor.stop``: *text* as the refusal of each choice that is not finished, its
        finish reason, the end mark.
        """
        if self._is_over:
            return []
        events: list[WireEvent] = []
        for index in sorted({*self._choices, *self._spoken} or {0}):
            if index in self._finished:
                continue
            said = {} if index in self._spoken else {"role": "assistant", "content": ""}
            if text:
                said["refusal"] = text
            if said:
                events.append(self._chunk(index, said))
            events.append(self._chunk(index, {}, write_finish(reason)))
        return [*events, WireEvent(DONE)]

    def _chunk(self, index: int, delta: JSONObject, finish: str | None = None) -> WireEvent:
        if not self._head:
            self._head = {
                "id": new_id("chatcmpl-"),
                "object": "chat.completion.chunk",
                "created": int(time.time()),
                "model": "",
            }
        head = {
            key: value
            for key, value in self._head.items()
            if key not in _NOT_HEAD and not isinstance(value, dict | list)
        }
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return WireEvent({**head, "choices": [choice]})

    def _more(self, data: Any) -> StreamParts | None:
        """The commonest chunk: one choice, and nothing but more of the text it is at."""
        if type(data) is not dict or data.get("usage") or not data.keys() <= _QUIET_HEAD:
            return None
        choices = data.get("choices")
        if type(choices) is not list or len(choices) != 1 or type(choice := choices[0]) is not dict:
            return None
        index = choice.get("index", 0)
        known = self._choices.get(index) if type(index) is int else None
        delta = known.more(choice) if known is not None else None
        if delta is None:
            return None
        self._head = data
        return StreamParts(deltas=(delta,), is_pure=True)

    def _read(self, event: WireEvent) -> StreamParts:
        found, data = Found(), event.data
        if not isinstance(data, dict):
            self._read_other(event, found)
            return found.parts()
        choices = _choices(data)
        if choices:
            self._head = data
        for index, choice in choices:
            self._choice(index).read(choice, found)
        if not data.keys() <= _PLAIN_HEAD:
            self._read_beside(event, found, has_choices=bool(choices))
        if found.is_last:
            self._end_all(found)
        return found.parts()

    def _choice(self, index: int) -> ChoiceTexts:
        if (known := self._choices.get(index)) is not None:
            return known
        if len(self._choices) >= self._max:
            raise UpstreamProtocolError(f"the answer has over {self._max} choices")
        choice = self._choices[index] = ChoiceTexts(index, self._running)
        return choice

    def _read_beside(self, event: WireEvent, found: Found, *, has_choices: bool) -> None:
        """What a chunk says beside its choices: usage, sources, an error."""
        data = event.data
        if any(data[key] for key in data.keys() - _PLAIN_HEAD):
            found.is_pure = False
        if event.name == "error" or "error" in (data.get("type"), data.get("object")):
            found.tell(ANSWER.passages([data], 0, "error", ""))
            found.is_last = True
            return
        found.alone += beside_choices(data)
        if data.get("error"):
            found.is_last = True
        elif data.get("usage") and not has_choices:
            self._end_all(found)

    def _read_other(self, event: WireEvent, found: Found) -> None:
        """The end mark; anything else that is no object is shown whole."""
        data = event.data
        if data == DONE:
            found.is_last = True
            self._end_all(found)
        elif isinstance(data, list):
            found.tell(ANSWER.passages([data], 0, "content", ""))
        else:
            found.tell(data_passage(event, "content"))

    def _end_all(self, found: Found) -> None:
        for choice in self._choices.values():
            found.end(choice, choice.open)


def _choices(data: JSONObject) -> list[tuple[int, JSONObject]]:
    """The choices of a chunk with their indexes; by position where an upstream left them out."""
    choices = data.get("choices")
    if not isinstance(choices, list):
        return []
    return [
        (index if isinstance(index := choice.get("index"), int) else position, choice)
        for position, choice in enumerate(choices)
        if isinstance(choice, dict)
    ]
