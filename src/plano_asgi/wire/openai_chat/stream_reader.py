"""
A stream of chat chunks, read into events.

A choice's ``Finished`` is told when the next chunk without content of it comes, or the end: some
upstreams set ``finish_reason`` on the last chunk of *each* tool call, or send it twice.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import (
    FinishReason,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Usage,
)
from plano_asgi.errors import PlanoError, UpstreamProtocolError
from plano_asgi.stream_events import (
    CitationAdded,
    Ended,
    Failed,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    UsageReported,
)
from plano_asgi.wire.openai_chat.errors import error_in_body
from plano_asgi.wire.openai_chat.fields import NAME, present, text_of, unix_time
from plano_asgi.wire.openai_chat.finish import read_finish
from plano_asgi.wire.openai_chat.reasoning import read_reasoning
from plano_asgi.wire.openai_chat.response import read_answer_content, read_citation
from plano_asgi.wire.openai_chat.tool_slots import ToolSlots
from plano_asgi.wire.openai_chat.usage import read_usage
from plano_asgi.wire.sse import DONE, SSEDecoder, SSEEvent
from plano_asgi.wire.upstream_error import read_error_event


class ChatStreamReader:
    """See ``wire.base.StreamReader``."""

    __slots__ = ("_choices", "_decoder", "_over", "_started", "_usage")

    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._choices: dict[int, _ChoiceReader] = {}
        self._started = False
        self._over = False
        self._usage: Usage | None = None

    def feed(self, chunk: bytes, /) -> list[StreamEvent]:
        """Take the next bytes; return the events they complete."""
        if self._over:
            return []
        try:
            return self._read(self._decoder.feed(chunk))
        except UpstreamProtocolError as exc:
            return self._fail(exc)

    def close(self) -> list[StreamEvent]:
        """The upstream closed: read an unterminated last event, tell what is finished."""
        if self._over:
            return []
        try:
            events = self._read(self._decoder.close())
        except UpstreamProtocolError as exc:
            return self._fail(exc)
        if not self._over:
            self._over = True
            events += self._finished()
        return events

    def _read(self, messages: list[SSEEvent]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for message in messages:
            if self._over:
                break
            if message.data.strip():
                events += self._message(message)
        return events

    def _message(self, message: SSEEvent) -> list[StreamEvent]:
        if message.data.strip() == DONE:
            self._over = True
            for choice in self._choices.values():
                choice.note_end()
            return [*self._finished(), Ended(raw=DONE)]
        try:
            chunk = loads(message.data)
        except ValueError:
            chunk = message.data
        if message.event == "error":
            data = message.data.encode("utf-8", "replace")
            return self._fail(read_error_event(chunk, data), chunk)
        if not isinstance(chunk, dict):
            return self._fail(UpstreamProtocolError("the upstream's stream holds no JSON object"))
        if (text := self._plain(chunk)) is not None:
            return [text]
        if (error := error_in_body(chunk)) is not None:
            error.in_stream = True
            return self._fail(error, chunk)
        try:
            events = list(self._chunk(chunk))
        except UpstreamProtocolError as exc:
            return self._fail(exc, chunk)
        if events:
            events[0].raw = chunk
        return events

    def _plain(self, chunk: JSONObject) -> TextDelta | None:
        """
        The one event of the commonest chunk, text and nothing else, in a fraction of the steps;
        ``None`` for every other chunk.
        """
        choices = chunk.get("choices")
        if (
            type(choices) is not list
            or len(choices) != 1
            or type(choice := choices[0]) is not dict
            or (reader := self._choices.get(choice.get("index", 0))) is None
            or any(chunk.get(name) for name in _TELLING_FIELDS)
        ):
            return None
        return reader.plain(choice, chunk)

    def _fail(self, error: PlanoError, raw: Any = None) -> list[StreamEvent]:
        self._over = True
        return [Failed(error=error, raw=raw)]

    def _chunk(self, chunk: JSONObject) -> Iterator[StreamEvent]:
        choices = chunk.get("choices")
        choices = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
        if not self._started and (choices or chunk.get("id")):
            self._started = True
            yield _started(chunk)
        content: list[StreamEvent] = []
        for choice in choices:
            content += self._choice(choice).read(choice)
        if not content:
            yield from self._finished()
        yield from content
        for choice in choices:
            self._choice(choice).note_finish(choice)
        yield from self._count(chunk, choices)

    def _choice(self, choice: JSONObject) -> _ChoiceReader:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        if (reader := self._choices.get(index)) is None:
            reader = self._choices[index] = _ChoiceReader(index)
        return reader

    def _finished(self) -> Iterator[StreamEvent]:
        for choice in self._choices.values():
            yield from choice.finished()

    def _count(self, chunk: JSONObject, choices: list[JSONObject]) -> Iterator[UsageReported]:
        usage = read_usage(chunk.get("usage"))
        if usage is None and isinstance(beside := chunk.get("x_groq"), dict):
            usage = read_usage(beside.get("usage"))
        for choice in choices:  # Moonshot
            usage = usage or read_usage(choice.get("usage"))
        if usage is not None and usage != self._usage:
            self._usage = usage
            yield UsageReported(usage=usage)


def _started(chunk: JSONObject) -> Started:
    return Started(
        id=text_of(chunk.get("id")),
        model=text_of(chunk.get("model")),
        created=unix_time(chunk.get("created")),
        service_tier=text_of(chunk.get("service_tier")) or None,
        extras=present(system_fingerprint=chunk.get("system_fingerprint")),
    )


_TELLING_FIELDS = ("error", "usage", "x_groq", "type")
_PLAIN_CHOICE = frozenset({"index", "delta", "content_filter_results"})
_PLAIN_DELTA = frozenset({"role", "content"})


class _ChoiceReader:
    """One choice: numbers its parts, tells its tool calls apart, holds its finish reason."""

    __slots__ = ("_finish", "_index", "_open", "_part", "_stop", "_told", "_tools")

    def __init__(self, index: int) -> None:
        self._index = index
        self._part = -1
        self._open: object = None
        self._tools = ToolSlots(index)
        self._finish: FinishReason | None = None
        self._stop: str | None = None
        self._told = False

    def read(self, choice: JSONObject) -> Iterator[StreamEvent]:
        """Events of the content in one chunk's *choice*."""
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message")  # a few upstreams close with the whole message
            if not isinstance(delta, dict) or self._part >= 0:
                return
        yield from self._reasoning(read_reasoning(delta))
        yield from self._content(delta, choice.get("logprobs"))
        for annotation in _list(delta.get("annotations")):
            if citation := read_citation(annotation):
                part = self._in_part("text")
                yield CitationAdded(citation=citation, choice=self._index, part=part)
        if isinstance(audio := delta.get("audio"), dict):
            block = OpaquePart(dialect=NAME, raw={"audio": audio})
            yield OpaqueAdded(block=block, choice=self._index, part=self._in_part("audio"))
        for call in _list(delta.get("tool_calls")):
            if isinstance(call, dict):
                yield from self._tools.read(call, self._open_call)
        if isinstance(call := delta.get("function_call"), dict):
            legacy = {"index": "function_call", "function": call}
            yield from self._tools.read(legacy, self._open_call)

    def plain(self, choice: JSONObject, raw: JSONObject) -> TextDelta | None:
        """The event of *choice* if all it says is more of an open text, or the first of it."""
        delta = choice.get("delta")
        if (
            (self._open != "text" and self._part >= 0)
            or type(delta) is not dict
            or type(text := delta.get("content")) is not str
            or not text
            or any(value and name not in _PLAIN_CHOICE for name, value in choice.items())
            or any(value and name not in _PLAIN_DELTA for name, value in delta.items())
        ):
            return None
        return TextDelta(text=text, choice=self._index, part=self._in_part("text"), raw=raw)

    def note_finish(self, choice: JSONObject) -> None:
        """Hold what *choice* says about its end."""
        self._finish = read_finish(choice, called=len(self._tools) > 0) or self._finish
        self._stop = text_of(choice.get("stop_reason")) or self._stop

    def note_end(self) -> None:
        """The stream is whole: a choice whose end the upstream forgot to tell has ended too."""
        self._finish = self._finish or ("tool_calls" if len(self._tools) else "stop")

    def finished(self) -> Iterator[StreamEvent]:
        """The choice's end, once, if the upstream told it."""
        if self._finish is not None and not self._told:
            self._told = True
            yield from self._tools.flush()
            yield Finished(reason=self._finish, choice=self._index, stop_sequence=self._stop)

    def _reasoning(self, parts: list[ReasoningPart]) -> Iterator[StreamEvent]:
        for part in parts:
            number = self._in_part("reasoning")
            yield ReasoningDelta(
                text=part.text,
                choice=self._index,
                part=number,
                summary=part.summary,
                signature=part.signature,
                encrypted=part.encrypted,
                id=part.id,
                dialect=part.dialect,
            )
            if part.signature or part.encrypted:
                self._open = None  # a proof closes its part

    def _content(self, delta: JSONObject, logprobs: Any) -> Iterator[StreamEvent]:
        logprobs = logprobs if isinstance(logprobs, dict) else {}
        content = delta.get("content")
        parts = read_answer_content(content)
        if not parts and _list(logprobs.get("content")):
            parts = [TextPart(text="")]  # a token of half a character
        if refusal := text_of(delta.get("refusal")):
            parts.append(RefusalPart(text=refusal))
        for part in parts:
            if isinstance(part, ReasoningPart):
                yield from self._reasoning([replace(part, raw=None)])
            elif isinstance(part, OpaquePart):
                number = self._in_part("opaque")
                yield OpaqueAdded(block=part, choice=self._index, part=number)
            elif isinstance(part, TextPart | RefusalPart):
                yield self._text(part, logprobs)

    def _text(self, part: TextPart | RefusalPart, logprobs: JSONObject) -> TextDelta:
        refused = isinstance(part, RefusalPart)
        return TextDelta(
            text=part.text,
            choice=self._index,
            part=self._in_part("refusal" if refused else "text"),
            channel="refusal" if refused else "content",
            logprobs=_list(logprobs.get("refusal" if refused else "content")) or None,
        )

    def _in_part(self, key: str) -> int:
        if self._open != key:
            self._open = key
            self._part += 1
        return self._part

    def _open_call(self) -> int:
        self._open = None
        self._part += 1
        return self._part


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
