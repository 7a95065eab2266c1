"""Traced gateways with something on the answer side, and what was told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import anyio.lowlevel
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, get_current_span

from asgi_drive import Exchanged, drive
from gateway_build import gateway
from memory_transport import Chunk, MemoryReply
from plano_asgi import Plano
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.filters import Filter
from plano_asgi.guards.base import ALLOW, Guard, GuardOptions, Subject, Verdict, block
from plano_asgi.passages import StreamEditor, WireEvent
from replies import (
    anthropic_reply,
    anthropic_stream,
    chat_reply,
    chat_stream,
    responses_reply,
    responses_stream,
)
from script import Reply
from tapped import PATHS, QUESTIONS
from telemetry.one_trace import TRACEPARENT, parent_id, span_id
from telemetry.watching import Watching, is_one_trace

MODELS = {"anthropic.messages": "anthropic/claude-sonnet-4-5"}
WHOLE: dict[str, Callable[..., Reply]] = {
    "openai.chat": chat_reply,
    "anthropic.messages": anthropic_reply,
    "openai.responses": responses_reply,
}
STREAMED: dict[str, Callable[..., Reply]] = {
    "openai.chat": chat_stream,
    "anthropic.messages": anthropic_stream,
    "openai.responses": responses_stream,
}
EACH = pytest.mark.parametrize("dialect", list(PATHS))
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Listens(ResponseFilter):
    """Changes nothing; raises *fault*, if any, where there is text."""

    def __init__(self, seen: list[int], fault: Exception | None = None) -> None:
        self._seen, self._fault = seen, fault

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        """Note which span it is called in."""
        return self._noted(body)

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        """The same."""
        found: Sequence[WireEvent] = (event,)
        return self._noted(found) if editor.read(event).deltas else found

    def _noted(self, value: Any) -> Any:
        self._seen.append(get_current_span().get_span_context().span_id)
        if self._fault is not None:
            raise self._fault
        return value


class Ear(Filter):
    """A filter of this process."""

    name = "ear"

    def __init__(self, fault: Exception | None = None) -> None:
        self.seen: list[int] = []
        self._fault = fault

    def on_answer(self, exchange: Exchange, /) -> ResponseFilter:
        """One that listens."""
        return Listens(self.seen, self._fault)


class Windows(Guard):
    """Judges windows of an answer: blocks at *word*, raises at "BOOM"; keeps its spans' ids."""

    name = "windows"
    sides = frozenset(("answer",))

    def __init__(self, word: str = "FORBIDDEN", **options: Unpack[GuardOptions]) -> None:
        super().__init__(**options)
        self.seen: list[int] = []
        self._word = word

    async def check(self, subject: Subject, /) -> Verdict:
        """Look for the word."""
        await anyio.lowlevel.checkpoint()
        self.seen.append(get_current_span().get_span_context().span_id)
        if "BOOM" in subject.text:
            raise ValueError(subject.text)
        return block("word", score=1.0) if self._word in subject.text else ALLOW


def memory_reply(reply: Reply, *more: Chunk) -> MemoryReply:
    """*reply*, out of memory, and *more* behind it."""
    body = reply.body
    parts = [body] if isinstance(body, bytes) else [p for p in body if isinstance(p, bytes)]
    return MemoryReply(reply.status, reply.framed(), [*parts, *more])


def up_to(reply: Reply, mark: str, then: Chunk) -> MemoryReply:
    """*reply* as far as the event that holds *mark*, and *then*."""
    found = memory_reply(reply)
    marks = [mark.encode() in part for part in found.chunks if isinstance(part, bytes)]
    found.chunks = [*found.chunks[: marks.index(True) + 1], then]
    return found


def answered(
    watching: Watching,
    *texts: str,
    dialect: str = "openai.chat",
    stream: bool = True,
    **options: Any,
) -> Plano:
    """A traced gateway whose upstream says *texts*."""
    reply = STREAMED[dialect](texts) if stream else WHOLE[dialect]("".join(texts))
    return gateway(memory_reply(reply), telemetry=watching.telemetry, **options)[0]


async def ask(
    plano: Plano, dialect: str = "openai.chat", *, stream: bool = True, **driving: Any
) -> Exchanged:
    """One question, as a client with a trace of its own asks it."""
    model = MODELS.get(dialect, "openai/gpt-4o")
    body = {**QUESTIONS[dialect], "model": model, "stream": stream}
    headers = {"traceparent": TRACEPARENT, "baggage": "tenant=acme"}
    return await drive(plano, PATHS[dialect], body, headers=headers, **driving)


def told(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes."""
    return dict(span.attributes or {})


def on_answers(watching: Watching, mark: str) -> list[ReadableSpan]:
    """Spans whose name begins with *mark*, of the answer side."""
    return [
        span
        for span in watching.spans.ended
        if span.name.startswith(mark)
        and "answer" in (told(span).get("plano.filter.side"), told(span).get("plano.guard.side"))
    ]


def only(watching: Watching, mark: str) -> ReadableSpan:
    """The only one of them, which ended before the exchange and is part of it."""
    (span,) = on_answers(watching, mark)
    assert parent_id(span) == span_id(watching.chat)
    assert span.end_time is not None
    assert watching.chat.end_time is not None
    assert is_one_trace(watching.spans.ended)
    return span


def error_of(span: ReadableSpan) -> str:
    """``error.type``, agreed with by the status; "" for none."""
    error: str = told(span).get("error.type", "")
    assert (span.status.status_code is StatusCode.ERROR) is bool(error)
    return error
