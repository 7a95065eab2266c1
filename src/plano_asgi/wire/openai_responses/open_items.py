"""Output items of a stream that is being written, from their announcement to their end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import (
    Citation,
    ReasoningPart,
    ToolCallPart,
)
from plano_asgi.stream_events import (
    ReasoningDelta,
    TextDelta,
    ToolCallStarted,
)
from plano_asgi.wire.openai_responses.names import NAME, new_id
from plano_asgi.wire.openai_responses.parts import write_citation
from plano_asgi.wire.openai_responses.reasoning import write_output
from plano_asgi.wire.openai_responses.response import call_item, full_logprob
from plano_asgi.wire.sse import encode
from plano_asgi.wire.tools import Declared, InputStream


class Sink:
    """Where a stream's events are put, its items' and its own, to be sent together."""

    __slots__ = ("_events", "_sequence", "output")

    def __init__(self) -> None:
        self.output: list[JSONObject] = []
        """Every item, as far as it has come."""
        self._sequence = 0
        self._events: list[bytes] = []

    def emit(self, kind: str, **fields: object) -> None:
        """Queue one event with the next sequence number."""
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        self._events.append(encode(dumps(event), kind))

    def add_item(self, item: JSONObject) -> int:
        """Announce *item*; return its output index. The caller completes the object in place."""
        self.output.append(item)
        index = len(self.output) - 1
        self.emit("response.output_item.added", output_index=index, item=item)
        return index

    def take(self) -> bytes:
        """Every event since the last call, encoded."""
        data = b"".join(self._events)
        self._events.clear()
        return data


class OpenItem(ABC):
    """What all items share: their place, and the events that end them."""

    def __init__(self, sink: Sink, item: JSONObject) -> None:
        self._sink = sink
        self._item = item
        self.index = sink.add_item(item)

    @abstractmethod
    def close(self, status: str) -> None:
        """End the item with its closing events; *status* is completed or incomplete."""

    @abstractmethod
    def abandon(self) -> None:
        """Leave in the output what there is: the response failed, no events follow."""

    def _emit(self, kind: str, **fields: object) -> None:
        self._sink.emit(
            f"response.{kind}", item_id=self._item["id"], output_index=self.index, **fields
        )

    def _done(self) -> None:
        self._sink.emit("response.output_item.done", output_index=self.index, item=self._item)


# --------------------------------------------------------------------------- message

_TEXT_FIELDS = {"content": ("output_text", "text"), "refusal": ("refusal", "refusal")}
"""Channel of a delta: the content part's type, and the field that holds its text."""


@dataclass(slots=True)
class _Content:
    number: int
    channel: str
    index: int
    body: JSONObject
    pieces: list[str] = field(default_factory=list)

    def settle(self) -> str:
        """Put the text into the body."""
        text = self.body[_TEXT_FIELDS[self.channel][1]] = "".join(self.pieces)
        return text


class OpenMessage(OpenItem):
    """A message item: text and refusal parts, one open at a time."""

    def __init__(self, sink: Sink) -> None:
        item: JSONObject = {
            "id": new_id("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        super().__init__(sink, item)
        self._contents: list[_Content] = []
        self._current: _Content | None = None

    def add(self, event: TextDelta) -> None:
        """More text; another part number or channel opens the next content part."""
        content = self._current
        if content is None or (content.number, content.channel) != (event.part, event.channel):
            self._close_content()
            content = self._open_content(event)
        content.pieces.append(event.text)
        if event.channel == "refusal":
            self._emit("refusal.delta", content_index=content.index, delta=event.text)
            return
        logprobs = [full_logprob(entry) for entry in event.logprobs or ()]
        content.body["logprobs"] += logprobs
        self._emit(
            "output_text.delta",
            content_index=content.index,
            delta=event.text,
            logprobs=logprobs,
        )

    def cite(self, number: int, citation: Citation) -> None:
        """A source of text part *number*; of the last text if that is not here."""
        texts = [content for content in self._contents if content.channel == "content"]
        content = next((each for each in reversed(texts) if each.number == number), None)
        content = content or (texts[-1] if texts else None)
        if content is None:
            return
        annotation = write_citation(citation, "".join(content.pieces))
        annotations: list[JSONObject] = content.body["annotations"]
        annotations.append(annotation)
        if content is self._current:
            self._emit(
                "output_text.annotation.added",
                content_index=content.index,
                annotation_index=len(annotations) - 1,
                annotation=annotation,
            )

    def close(self, status: str) -> None:
        """See ``OpenItem.close``."""
        self._close_content()
        self._item["status"] = status
        self._done()

    def abandon(self) -> None:
        """See ``OpenItem.abandon``."""
        if self._current is not None:
            self._current.settle()
        self._item["status"] = "incomplete"

    def _open_content(self, event: TextDelta) -> _Content:
        kind, text = _TEXT_FIELDS[event.channel]
        body: JSONObject = {"type": kind, text: ""}
        if event.channel == "content":
            body |= {"annotations": [], "logprobs": []}
        content = _Content(event.part, event.channel, len(self._contents), body)
        self._contents.append(content)
        self._item["content"].append(body)
        self._current = content
        self._emit("content_part.added", content_index=content.index, part=body)
        return content

    def _close_content(self) -> None:
        content, self._current = self._current, None
        if content is None:
            return
        text = content.settle()
        kind, name = _TEXT_FIELDS[content.channel]
        fields: JSONObject = {"content_index": content.index, name: text}
        if content.channel == "content":
            fields["logprobs"] = content.body["logprobs"]
        self._emit(f"{kind}.done", **fields)
        self._emit("content_part.done", content_index=content.index, part=content.body)


# --------------------------------------------------------------------------- reasoning


@dataclass(frozen=True, slots=True)
class _Form:
    """The names of a reasoning item's text events."""

    part: str
    text: str
    index: str
    type: str


_SUMMARY = _Form(
    "reasoning_summary_part", "reasoning_summary_text", "summary_index", "summary_text"
)
_FULL = _Form("content_part", "reasoning_text", "content_index", "reasoning_text")


class OpenReasoning(OpenItem):
    """
    A reasoning item. Other families' thoughts are shown as its summary, the one text of a
    reasoning item that every client knows.
    """

    def __init__(self, sink: Sink, event: ReasoningDelta) -> None:
        own = event.dialect == NAME
        item_id = event.id if own and event.id else new_id("rs")
        super().__init__(sink, {"id": item_id, "type": "reasoning", "summary": []})
        self.part_number = event.part
        self._form = _FULL if own and not event.summary else _SUMMARY
        self._part = ReasoningPart(dialect=event.dialect, summary=event.summary)
        self._pieces: list[str] = []

    def add(self, event: ReasoningDelta) -> None:
        """More text, or the proof at its end."""
        self._part.signature = event.signature or self._part.signature
        self._part.encrypted = event.encrypted or self._part.encrypted
        self._part.id = event.id or self._part.id
        if not event.text:
            return
        if not self._pieces:
            self._emit_part("added", "")
        self._pieces.append(event.text)
        self._emit(f"{self._form.text}.delta", **{self._form.index: 0}, delta=event.text)

    def close(self, status: str) -> None:
        """See ``OpenItem.close``; reasoning items have no status to tell."""
        if text := "".join(self._pieces):
            self._emit(f"{self._form.text}.done", **{self._form.index: 0}, text=text)
            self._emit_part("done", text)
        self.abandon()
        self._done()

    def abandon(self) -> None:
        """See ``OpenItem.abandon``."""
        self._part.text = "".join(self._pieces)
        self._item.update(write_output(self._part) | {"id": self._item["id"]})

    def _emit_part(self, what: str, text: str) -> None:
        part = {"type": self._form.type, "text": text}
        self._emit(f"{self._form.part}.{what}", **{self._form.index: 0}, part=part)


# --------------------------------------------------------------------------- calls


class OpenCall(OpenItem):
    """
    A function or custom tool call, in the shape in which the client *declared* the tool.

    An upstream without custom tools sends their input inside JSON: the client gets the text of it.
    """

    def __init__(self, sink: Sink, event: ToolCallStarted, declared: Declared) -> None:
        # Only this dialect has item ids: with one, the extras are this dialect's too.
        call = ToolCallPart(
            id=event.id,
            name=event.name,
            kind=event.kind,
            item_id=event.item_id,
            extras=event.extras,
        )
        item = call_item(call, declared, own=event.item_id is not None)
        self._custom = item["type"] == "custom_tool_call"
        self._wrapped = InputStream() if self._custom and event.kind != "custom" else None
        self._field = "input" if self._custom else "arguments"
        self._kind = "custom_tool_call_input" if self._custom else "function_call_arguments"
        self._pieces: list[str] = []
        super().__init__(sink, item | {"status": "in_progress", self._field: ""})

    def add(self, arguments: str) -> None:
        """More of the raw arguments."""
        text = arguments if self._wrapped is None else self._wrapped.feed(arguments)
        if text:
            self._pieces.append(text)
            self._emit(f"{self._kind}.delta", delta=text)

    def close(self, status: str) -> None:
        """See ``OpenItem.close``."""
        rest = self._settle()
        if not self._pieces and not self._custom and status == "completed":
            rest = self._item[self._field] = "{}"
        if rest:
            self._emit(f"{self._kind}.delta", delta=rest)
        text = self._item[self._field]
        self._emit(f"{self._kind}.done", **{self._field: text})
        self._item["status"] = status
        self._done()

    def abandon(self) -> None:
        """See ``OpenItem.abandon``."""
        self._settle()
        self._item["status"] = "incomplete"

    def _settle(self) -> str:
        """Put the whole text into the item; return what of it no delta has brought."""
        rest = "" if self._wrapped is None else self._wrapped.finish()
        self._item[self._field] = "".join([*self._pieces, rest])
        return rest
