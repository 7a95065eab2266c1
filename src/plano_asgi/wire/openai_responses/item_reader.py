"""
Output items of an upstream's stream, read.

What an item is called and where it stands is taken from any event that says it, and whatever a
``done`` event, a finished item or the final response holds beyond the deltas is caught up with:
some upstreams leave out ``added`` events, deltas, or everything but the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    OpaquePart,
)
from plano_asgi.errors import RequestError, UpstreamProtocolError
from plano_asgi.stream_events import (
    CitationAdded,
    OpaqueAdded,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from plano_asgi.wire.openai_responses.items import read_call
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.parts import read_citation
from plano_asgi.wire.openai_responses.reasoning import SUMMARY_BREAK, read_reasoning

_CALLS = ("function_call", "custom_tool_call")

_CHANNELS = {"output_text": "text", "refusal": "refusal"}
"""Content part types, and the field that holds their text."""


@dataclass(slots=True)
class _Text:
    """One content part of a message; ``number`` is its neutral part number."""

    number: int
    sent: str = ""
    citations: int = 0


@dataclass(slots=True)
class _Item:
    """One output item under way."""

    kind: str = ""
    id: str | None = None
    number: int | None = None
    texts: dict[tuple[str, int], _Text] = field(default_factory=dict)
    sent: str = ""
    """Of a call's arguments, or of reasoning text."""
    summary: bool | None = None
    last_index: int = 0
    call_index: int | None = None
    done: bool = False


class ItemReader:
    """
    Turn item events into neutral ones, put into ``events``; the caller empties it.

    ``calls`` counts the tool calls so far.
    """

    __slots__ = ("_ids", "_items", "_parts", "calls", "events")

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self.calls = 0
        self._items: dict[object, _Item] = {}
        self._ids: set[object] = set()
        self._parts = 0

    def finish(self, output: object) -> None:
        """Take the final *output*: items of it that were not told are told now."""
        for index, item in enumerate(_objects(output)):
            if not self._is_done(index, item):
                self._finish_item(self._item({"output_index": index}, item), item)

    def _item(self, event: JSONObject, item: JSONObject | None = None) -> _Item:
        index = event.get("output_index")
        key = (
            index if isinstance(index, int) else str(event.get("item_id") or (item or {}).get("id"))
        )
        state = self._items.setdefault(key, _Item())
        if item is not None:
            state.kind = str(item.get("type"))
            item_id = item.get("id")
            state.id = item_id if isinstance(item_id, str) else None
        return state

    def _is_done(self, index: int, item: JSONObject) -> bool:
        known = self._items.get(index)
        return (known is not None and known.done) or bool(self._ids & _identities(item))

    def _on_item_added(self, event: JSONObject) -> None:
        if not (item := object_at(event, "item")):
            return  # an aggregator's empty announcement
        state = self._item(event, item)
        if state.kind != "message":
            self._part(state)  # items that run at the same time keep their order
        if state.kind in _CALLS and item.get("call_id") and item.get("name"):
            self._start_call(state, item)

    def _on_item_done(self, event: JSONObject) -> None:
        if item := object_at(event, "item"):
            self._finish_item(self._item(event, item), item)

    def _finish_item(self, state: _Item, item: JSONObject) -> None:
        if state.done:
            return
        state.done = True
        self._ids |= _identities(item)
        finisher = _FINISHERS.get(state.kind)
        if finisher is not None:
            finisher(self, state, item)
        else:
            block = OpaquePart(dialect=NAME, raw=item)
            self.events.append(OpaqueAdded(block=block, part=self._part(state)))

    def _part(self, state: _Item) -> int:
        if state.number is None:
            state.number = self._next_part()
        return state.number

    def _next_part(self) -> int:
        self._parts += 1
        return self._parts - 1

    # ----------------------------------------------------------------- text

    def _text(self, state: _Item, channel: str, index: object) -> _Text:
        key = (channel, index if isinstance(index, int) else 0)
        if key not in state.texts:
            state.texts[key] = _Text(self._next_part())
        return state.texts[key]

    def _add_text(
        self, text: _Text, delta: str, channel: str, logprobs: list[JSONObject] | None
    ) -> None:
        if not delta and not logprobs:
            return
        text.sent += delta
        event = TextDelta(text=delta, part=text.number, logprobs=logprobs or None)
        event.channel = "refusal" if channel == "refusal" else "content"
        self.events.append(event)

    def _on_text(self, event: JSONObject) -> None:
        text = self._text(self._item(event), "text", event.get("content_index"))
        logprobs = _objects(event.get("logprobs"))
        if "delta" in event:
            self._add_text(text, _string(event, "delta"), "text", logprobs)
        else:
            rest = _beyond(text.sent, _string(event, "text"))
            self._add_text(text, rest, "text", None if text.sent else logprobs)

    def _on_refusal(self, event: JSONObject) -> None:
        text = self._text(self._item(event), "refusal", event.get("content_index"))
        delta = event.get("delta")
        if not isinstance(delta, str):
            delta = _beyond(text.sent, _string(event, "refusal"))
        self._add_text(text, delta, "refusal", None)

    def _on_annotation(self, event: JSONObject) -> None:
        text = self._text(self._item(event), "text", event.get("content_index"))
        if annotation := object_at(event, "annotation"):
            self._add_citation(text, annotation)

    def _add_citation(self, text: _Text, annotation: JSONObject) -> None:
        text.citations += 1
        self.events.append(CitationAdded(citation=read_citation(annotation), part=text.number))

    def _finish_message(self, state: _Item, item: JSONObject) -> None:
        # By position among its kind: some upstreams count ``content_index`` on from other items.
        streamed = sorted(state.texts.items())
        for index, part in enumerate(_objects(item.get("content"))):
            if (channel := _CHANNELS.get(str(part.get("type")))) is None:
                continue
            place = next((at for at, (key, _) in enumerate(streamed) if key[0] == channel), None)
            text = self._text(state, channel, index) if place is None else streamed.pop(place)[1]
            logprobs = None if text.sent else _objects(part.get("logprobs"))
            self._add_text(text, _beyond(text.sent, _string(part, channel)), channel, logprobs)
            for annotation in _objects(part.get("annotations"))[text.citations :]:
                self._add_citation(text, annotation)

    # ----------------------------------------------------------------- reasoning

    def _on_summary(self, event: JSONObject) -> None:
        self._add_reasoning(event, summary=True)

    def _on_reasoning(self, event: JSONObject) -> None:
        self._add_reasoning(event, summary=False)

    def _add_reasoning(self, event: JSONObject, *, summary: bool) -> None:
        state = self._item(event)
        if state.summary is None:
            state.summary = summary
        delta = event.get("delta")
        if state.summary is not summary or not isinstance(delta, str):
            return  # an item's text is told once, as a summary or in full
        index = event.get("summary_index", 0)
        if summary and index != state.last_index and state.sent:
            delta = SUMMARY_BREAK + delta
        state.last_index = index
        self._send_reasoning(state, delta)

    def _send_reasoning(self, state: _Item, text: str, encrypted: str | None = None) -> None:
        if not text and encrypted is None:
            return
        state.sent += text
        self.events.append(
            ReasoningDelta(
                text=text,
                part=self._part(state),
                summary=bool(state.summary),
                encrypted=encrypted,
                id=state.id,
                dialect=NAME,
            )
        )

    def _finish_reasoning(self, state: _Item, item: JSONObject) -> None:
        part = read_reasoning(item)
        if part.dialect != NAME:
            self.events.append(
                ReasoningDelta(
                    text=_beyond(state.sent, part.text),
                    part=self._part(state),
                    summary=part.summary,
                    signature=part.signature,
                    encrypted=part.encrypted,
                    id=part.id,
                    dialect=part.dialect,
                )
            )
            return
        if state.summary is None:
            state.summary = part.summary
        self._send_reasoning(state, _beyond(state.sent, part.text), part.encrypted)

    # ----------------------------------------------------------------- calls

    def _start_call(self, state: _Item, item: JSONObject) -> None:
        if state.call_index is not None:
            return
        text = "input" if state.kind == "custom_tool_call" else "arguments"
        try:
            call = read_call({text: ""} | item, "item")
        except RequestError as exc:
            raise UpstreamProtocolError(f"the upstream's call is malformed: {exc}") from exc
        state.call_index, self.calls = self.calls, self.calls + 1
        self.events.append(
            ToolCallStarted(
                index=state.call_index,
                id=call.id,
                name=call.name,
                part=self._part(state),
                kind=call.kind,
                item_id=call.item_id,
                extras={k: v for k, v in call.extras.items() if k != "status"},
            )
        )

    def _on_arguments(self, event: JSONObject) -> None:
        state = self._item(event)
        delta = event.get("delta")
        if not isinstance(delta, str):
            whole = event.get("arguments", event.get("input"))
            delta = _beyond(state.sent, whole) if isinstance(whole, str) else ""
        self._add_arguments(state, delta)

    def _add_arguments(self, state: _Item, delta: str) -> None:
        if state.call_index is None or not delta:
            return  # not announced: the finished item will tell its name and all arguments
        state.sent += delta
        self.events.append(
            ToolCallDelta(index=state.call_index, arguments=delta, part=self._part(state))
        )

    def _finish_call(self, state: _Item, item: JSONObject) -> None:
        self._start_call(state, item)
        whole = item.get("input" if state.kind == "custom_tool_call" else "arguments")
        if isinstance(whole, str):
            self._add_arguments(state, _beyond(state.sent, whole))


_FINISHERS: dict[str, Callable[[ItemReader, _Item, JSONObject], None]] = {
    "message": ItemReader._finish_message,
    "reasoning": ItemReader._finish_reasoning,
    "function_call": ItemReader._finish_call,
    "custom_tool_call": ItemReader._finish_call,
}

HANDLERS: dict[str, Callable[[ItemReader, JSONObject], None]] = {
    "response.output_item.added": ItemReader._on_item_added,
    "response.output_item.done": ItemReader._on_item_done,
    "response.output_text.delta": ItemReader._on_text,
    "response.output_text.done": ItemReader._on_text,
    "response.output_text.annotation.added": ItemReader._on_annotation,
    "response.refusal.delta": ItemReader._on_refusal,
    "response.refusal.done": ItemReader._on_refusal,
    "response.reasoning_summary_text.delta": ItemReader._on_summary,
    "response.reasoning_text.delta": ItemReader._on_reasoning,
    "response.function_call_arguments.delta": ItemReader._on_arguments,
    "response.function_call_arguments.done": ItemReader._on_arguments,
    "response.custom_tool_call_input.delta": ItemReader._on_arguments,
    "response.custom_tool_call_input.done": ItemReader._on_arguments,
}
"""What is done with an event, by its type."""


def _beyond(sent: str, whole: str) -> str:
    """What *whole* has more than *sent*; nothing if they disagree: deltas are not taken back."""
    return whole[len(sent) :] if whole.startswith(sent) else ""


def _identities(item: JSONObject) -> set[object]:
    """What tells *item* from its siblings wherever it stands."""
    return {key for key in (item.get("id"), item.get("call_id")) if isinstance(key, str)}


def object_at(event: JSONObject, key: str) -> JSONObject:
    """``event[key]``, empty where it is no object."""
    value = event.get(key)
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JSONObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _string(event: JSONObject, key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""
