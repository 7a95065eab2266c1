"""
Events, written as a stream of chat chunks.

Each choice opens with its role and closes with its finish reason. Reasoning is shown as
``reasoning_content``; that of a dialect which proves it also as pieces of ``reasoning_details``,
the proof last: a client sends them back, merged by ``index`` or one by one. Usage comes last, in a
chunk without choices, for clients that asked for it.

An upstream without custom tools sends their input inside JSON: the client gets the text of it.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import (
    ChatRequest,
    ReasoningPart,
    Usage,
)
from plano_asgi.errors import PlanoError
from plano_asgi.stream_events import (
    CitationAdded,
    Finished,
    OpaqueAdded,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from plano_asgi.wire.openai_chat.errors import write_error
from plano_asgi.wire.openai_chat.fields import NAME, new_id, present
from plano_asgi.wire.openai_chat.finish import write_finish
from plano_asgi.wire.openai_chat.reasoning import write_details
from plano_asgi.wire.openai_chat.response import is_audio, write_citation
from plano_asgi.wire.openai_chat.tools import is_legacy
from plano_asgi.wire.openai_chat.usage import write_usage
from plano_asgi.wire.sse import DONE, encode
from plano_asgi.wire.tools import Declared, InputStream, declared_tools

_KEPT_EXTRAS = ("extra_content",)
"""Fields of a tool call that clients must send back (Gemini's thought signatures)."""


class ChatStreamWriter:
    """See ``wire.base.StreamWriter``."""

    __slots__ = ("_choices", "_declared", "_head", "_include_usage", "_legacy", "_model", "_usage")

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._include_usage = request.include_usage
        self._legacy = is_legacy(request)
        self._declared = declared_tools(request)
        self._head: JSONObject = {}
        self._choices: dict[int, _ChoiceWriter] = {}
        self._usage: Usage | None = None

    def write(self, events: Sequence[StreamEvent], /) -> bytes:
        """Encode *events*."""
        return b"".join(chunk for event in events for chunk in self._event(event))

    def finish(self) -> bytes:
        """Close choices that are still open, report usage, end."""
        if not self._choices:
            self._choices[0] = self._choice(0)
        chunks = [
            self._chunk(choice) for writer in self._choices.values() for choice in writer.close()
        ]
        if self._include_usage and self._usage is not None:
            usage = write_usage(self._usage)
            chunks.append(encode(dumps(self._opened() | {"choices": [], "usage": usage})))
        return b"".join([*chunks, encode(DONE.encode())])

    def fail(self, error: PlanoError, /) -> bytes:
        """An error event; the stream ends without its end mark."""
        return encode(dumps(write_error(error)))

    def _event(self, event: StreamEvent) -> Iterator[bytes]:
        if isinstance(event, Started):
            self._opened(event)
        elif isinstance(event, UsageReported):
            self._usage = event.usage
        elif (write := _WRITERS.get(type(event))) is not None:
            index: int = event.choice  # type: ignore[union-attr]  # those in _WRITERS have one
            if index not in self._choices:
                self._choices[index] = self._choice(index)
            for choice in write(self._choices[index], event):
                yield self._chunk(choice)

    def _choice(self, index: int) -> _ChoiceWriter:
        return _ChoiceWriter(index, legacy=self._legacy, declared=self._declared)

    def _opened(self, started: Started | None = None) -> JSONObject:
        """What every chunk begins with; the first event decides it."""
        if not self._head:
            started = started or Started()
            created = started.created
            self._head = {
                "id": started.id or new_id("chatcmpl-"),
                "object": "chat.completion.chunk",
                "created": int(time.time()) if created is None else created,
                "model": started.model or self._model,
            } | present(
                service_tier=started.service_tier,
                system_fingerprint=started.extras.get("system_fingerprint"),
            )
        return self._head

    def _chunk(self, choice: JSONObject) -> bytes:
        chunk = self._opened() | {"choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return encode(dumps(chunk))


class _ChoiceWriter:
    """The chunks of one choice, as objects of ``choices``."""

    __slots__ = (
        "_called",
        "_declared",
        "_finished",
        "_index",
        "_last_thought",
        "_legacy",
        "_length",
        "_opened",
        "_text_part",
        "_text_start",
        "_thoughts",
        "_wrapped",
    )

    def __init__(self, index: int, *, legacy: bool, declared: Mapping[str, Declared]) -> None:
        self._index = index
        self._legacy = legacy
        self._declared = declared
        self._wrapped: dict[int, InputStream] = {}
        self._opened = self._finished = False
        self._called: dict[int, bool] = {}
        self._length = self._text_start = 0
        self._text_part = -1
        self._thoughts: dict[int, int] = {}
        self._last_thought: int | None = None

    def close(self) -> Iterator[JSONObject]:
        """The end of a choice that the upstream left open."""
        if not self._finished:
            yield from self.finish(Finished(reason="tool_calls" if self._called else "stop"))

    def text(self, event: TextDelta) -> Iterator[JSONObject]:
        key = "refusal" if event.channel == "refusal" else "content"
        logprobs = None
        if event.logprobs is not None:
            logprobs = {"content": None, "refusal": None, key: event.logprobs}
        if key == "content":
            self._in_text(event.part)
            self._length += len(event.text)
        if event.text or logprobs:
            yield from self._delta({key: event.text}, logprobs)

    def citation(self, event: CitationAdded) -> Iterator[JSONObject]:
        self._in_text(event.part)
        annotation = write_citation(event.citation, self._text_start, self._length)
        if annotation is not None:
            yield from self._delta({"annotations": [annotation]})

    def reasoning(self, event: ReasoningDelta) -> Iterator[JSONObject]:
        number = self._thoughts.setdefault(event.part, len(self._thoughts))
        delta: JSONObject = {}
        if event.text:
            gap = "\n\n" if self._last_thought not in (None, number) else ""
            delta["reasoning_content"] = gap + event.text
            self._last_thought = number
        if event.signature or event.encrypted or event.dialect not in ("", NAME):
            piece = ReasoningPart(
                text=event.text,
                summary=event.summary,
                signature=event.signature,
                encrypted=event.encrypted,
                id=event.id,
                dialect=event.dialect,
            )
            delta |= present(reasoning_details=write_details([piece], number) or None)
        if delta:
            yield from self._delta(delta)

    def tool_call(self, event: ToolCallStarted) -> Iterator[JSONObject]:
        declared = self._declared.get(event.name, Declared())
        custom = event.kind == "custom" or declared.custom
        if event.kind != "custom" and declared.custom:
            self._wrapped[event.index] = InputStream()
        self._called[event.index] = custom
        if self._legacy:  # its clients know one call
            if event.index == 0:
                yield from self._delta({"function_call": {"name": event.name, "arguments": ""}})
            return
        begun = {"name": event.name, "input" if custom else "arguments": ""}
        kind = "custom" if custom else "function"
        call = {"index": event.index, "id": event.id, "type": kind, kind: begun}
        kept = {key: event.extras[key] for key in _KEPT_EXTRAS if key in event.extras}
        yield from self._delta({"tool_calls": [call | kept]})

    def arguments(self, event: ToolCallDelta) -> Iterator[JSONObject]:
        if self._legacy:
            if event.index == 0:
                yield from self._delta({"function_call": {"arguments": event.arguments}})
            return
        if not self._called.get(event.index):
            inner = {"function": {"arguments": event.arguments}}
            yield from self._delta({"tool_calls": [{"index": event.index} | inner]})
            return
        wrapped = self._wrapped.get(event.index)
        text = event.arguments if wrapped is None else wrapped.feed(event.arguments)
        if text or wrapped is None:
            yield from self._input(event.index, text)

    def opaque(self, event: OpaqueAdded) -> Iterator[JSONObject]:
        if is_audio(event.block):
            yield from self._delta({"audio": event.block.raw["audio"]})

    def finish(self, event: Finished) -> Iterator[JSONObject]:
        if not self._finished:
            self._finished = True
            for index, wrapped in self._wrapped.items():
                if text := wrapped.finish():
                    yield from self._input(index, text)
            reason = write_finish(event.reason, legacy=self._legacy)
            yield from self._delta({}, finish_reason=reason)

    def _input(self, index: int, text: str) -> Iterator[JSONObject]:
        yield from self._delta({"tool_calls": [{"index": index, "custom": {"input": text}}]})

    def _in_text(self, part: int) -> None:
        if part != self._text_part:
            self._text_part, self._text_start = part, self._length

    def _delta(
        self,
        delta: JSONObject,
        logprobs: JSONObject | None = None,
        finish_reason: str | None = None,
    ) -> Iterator[JSONObject]:
        if not self._opened:
            self._opened = True
            yield self._choice({"role": "assistant", "content": ""}, None, None)
        yield self._choice(delta, logprobs, finish_reason)

    def _choice(
        self, delta: JSONObject, logprobs: JSONObject | None, finish_reason: str | None
    ) -> JSONObject:
        return {
            "index": self._index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }


_WRITERS: dict[type, Callable[[_ChoiceWriter, Any], Iterator[JSONObject]]] = {
    TextDelta: _ChoiceWriter.text,
    CitationAdded: _ChoiceWriter.citation,
    ReasoningDelta: _ChoiceWriter.reasoning,
    ToolCallStarted: _ChoiceWriter.tool_call,
    ToolCallDelta: _ChoiceWriter.arguments,
    OpaqueAdded: _ChoiceWriter.opaque,
    Finished: _ChoiceWriter.finish,
}
