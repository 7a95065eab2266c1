"""
What came of an exchange, read off it and the copies of its bodies once all is over.

A plain function without I/O: for long bodies it runs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.trace import Span

from plano_asgi._json import JSONObject, loads
from plano_asgi.conversation import Message, Part, Usage
from plano_asgi.errors import PlanoError
from plano_asgi.exchange import EARLIER_KEY, Exchange
from plano_asgi.passages import Layout, Passage
from plano_asgi.signals.base import Row, RowKind, SignalReport
from plano_asgi.signals.rows import rows_of
from plano_asgi.telemetry.attributes import provider_name
from plano_asgi.telemetry.outcome import Cost, Outcome
from plano_asgi.telemetry.read_answer import ReadAnswer, read_answer
from plano_asgi.telemetry.spans import error_word
from plano_asgi.telemetry.tee import AnswerTee, RequestTee
from plano_asgi.telemetry.telemetry import Telemetry
from plano_asgi.wire import DIALECTS

CLIENT_LEFT = "client_disconnect"
_CHAT = "chat"
_MAX_LENGTH_DIGITS = 16
_ROW_KINDS: dict[str, RowKind] = {
    "user": "human",
    "assistant": "gpt",
    "content": "gpt",
    "refusal": "gpt",
    "tool_call": "function_call",
    "tool_result": "observation",
}


@dataclass(slots=True, kw_only=True)
class Copies:
    """
    What was seen from the outside.

    Args:
        layout: Where the texts stand, if nobody inside has read the body.
        ended: When the last byte went out, or the client had left; monotonic seconds.
        error: What the app raised.
        was_read: A middleware outside has read the request: what goes by here is what it left.
        is_deep: Whether the texts of the answer are wanted, too.
        span: The exchange's own.
    """

    request: RequestTee
    answer: AnswerTee
    layout: Layout | None
    ended: float
    error: BaseException | None
    was_read: bool
    is_deep: bool
    span: Span | None


def conclude(telemetry: Telemetry, exchange: Exchange, copies: Copies) -> Outcome:
    """The ``Outcome`` of *exchange*; of what cannot be read, nothing is said."""
    answer = copies.answer
    asked = _asked(exchange, copies)
    is_cached = exchange.facts.get("cache") == "hit"
    read = _read(exchange, copies)
    provider, model = _served(exchange, read.response_model)
    usage = None if is_cached else _usage(telemetry, exchange, read, answer)
    return Outcome(
        exchange=exchange,
        provider=provider,
        model=model,
        status=answer.status,
        error_type=_error_type(exchange, copies) or read.error_type,
        usage=usage,
        cost=_cost(telemetry, exchange, provider, model, usage),
        answer=read.answer,
        response_id=read.response_id,
        response_model=read.response_model,
        finish_reasons=read.finish_reasons,
        request_bytes=request_bytes(exchange, copies.request, was_read=copies.was_read),
        response_bytes=answer.size,
        chunks=answer.chunks,
        duration_s=copies.ended - exchange.timings.started,
        first_chunk_s=_first_chunk_s(exchange, answer),
        signals=_signals(telemetry, exchange, asked, read) if copies.is_deep else None,
        span=copies.span,
    )


def bare_outcome(exchange: Exchange, copies: Copies) -> Outcome:
    """What is known of *exchange* without a look into what was said."""
    answer = copies.answer
    provider, model = _served(exchange, "")
    return Outcome(
        exchange=exchange,
        provider=provider,
        model=model,
        status=answer.status,
        error_type=_error_type(exchange, copies),
        request_bytes=request_bytes(exchange, copies.request, was_read=copies.was_read),
        response_bytes=answer.size,
        chunks=answer.chunks,
        duration_s=copies.ended - exchange.timings.started,
        first_chunk_s=_first_chunk_s(exchange, answer),
        span=copies.span,
    )


def told_outcome(
    telemetry: Telemetry, exchange: Exchange, answer: AnswerTee, ended: float
) -> Outcome | None:
    """
    The ``Outcome`` of a whole, good answer which the gateway has read, without looking at a byte
    of it; ``None`` of any other. Its ``error_type``, ``request_bytes`` and ``span`` are left to
    whoever knows them.
    """
    if exchange.answered is None or exchange.error is not None:
        return None
    if answer.ended is None or answer.status != 200:
        return None
    answer_id, model_said, reasons, usage = exchange.answered()
    if usage is None:
        return None
    provider, model = _served(exchange, model_said)
    usage = None if exchange.facts.get("cache") == "hit" else exchange.usage or usage
    started, first = exchange.timings.started, answer.first_chunk
    return Outcome(
        exchange=exchange,
        provider=provider,
        model=model,
        status=200,
        usage=usage,
        cost=_cost(telemetry, exchange, provider, model, usage),
        response_id=answer_id,
        response_model=model_said,
        finish_reasons=reasons,
        response_bytes=answer.size,
        chunks=answer.chunks,
        duration_s=ended - started,
        first_chunk_s=None if first is None else first - started,
    )


def _read(exchange: Exchange, copies: Copies) -> ReadAnswer:
    """What the answer said, off its bytes."""
    answer, is_chat = copies.answer, exchange.operation == _CHAT
    read = read_answer(exchange.dialect, answer, deep=copies.is_deep and is_chat)
    if read.usage is None and read.is_whole and is_chat and exchange.served_by is not None:
        return read_answer(exchange.dialect, answer)  # what it used is told by its text alone
    return read


def request_bytes(exchange: Exchange, copy: RequestTee, *, was_read: bool) -> int:
    """
    As they went by; where a middleware outside has read them (*was_read*), as the client said.
    """
    if was_read:
        told = exchange.headers.get("content-length", "")
        if told.isdecimal() and len(told) < _MAX_LENGTH_DIGITS:
            return int(told)
    return copy.size


def _first_chunk_s(exchange: Exchange, answer: AnswerTee) -> float | None:
    return None if answer.first_chunk is None else answer.first_chunk - exchange.timings.started


def _asked(exchange: Exchange, copies: Copies) -> JSONObject | None:
    """
    The body as the client sent it: filters and memory have changed that of the exchange since.
    Where nobody inside has read it, the exchange gets what it says.
    """
    wants_body = copies.is_deep or not exchange.is_read
    content = copies.request.body() if wants_body else None
    if not content:
        return None
    with suppress(ValueError):
        body = loads(content)
        if isinstance(body, dict):
            if not exchange.is_read:
                _take_over(exchange, body, copies.layout)
            return body
    return None


def _take_over(exchange: Exchange, body: JSONObject, layout: Layout | None) -> None:
    exchange.body, exchange.layout, exchange.is_read = body, layout, True
    model = body.get("model")
    exchange.model = model if isinstance(model, str) else None
    exchange.stream = body.get("stream") is True


def _served(exchange: Exchange, model_said: str) -> tuple[str, str]:
    """Provider key and upstream model: who served, was asked last, or would have been asked."""
    candidate = exchange.served_by
    if candidate is None and exchange.attempts:
        candidate = exchange.attempts[-1].candidate
    if candidate is not None:
        return candidate.provider, candidate.model
    return "", model_said or exchange.model or ""


def _cost(
    telemetry: Telemetry, exchange: Exchange, provider: str, model: str, usage: Usage | None
) -> Cost | None:
    if usage is None:
        return None
    priced_at = provider or provider_name("", exchange.dialect)
    return telemetry.cost(priced_at, model, usage, exchange.id)


def _usage(
    telemetry: Telemetry, exchange: Exchange, read: ReadAnswer, answer: AnswerTee
) -> Usage | None:
    """As reported, else estimated from what was produced."""
    reported = exchange.usage or read.usage
    if reported is not None and read.is_whole:
        return reported
    if answer.status != 200 or not answer.chunks or exchange.operation != _CHAT:
        return reported
    if read.is_whole and exchange.served_by is None:
        return reported  # an answer of our own, or of an app that tells nothing of its model's use
    return telemetry.costs.estimated_usage(exchange, read.answer, reported=reported)


def _error_type(exchange: Exchange, copies: Copies) -> str:
    answer = copies.answer
    if exchange.error is not None:
        return error_word(exchange.error)
    if (exchange.disconnected or copies.request.has_left) and not _is_over(exchange, answer):
        return CLIENT_LEFT
    if copies.error is not None:
        return error_word(copies.error)
    if answer.status is None:
        return "no_response"
    return str(answer.status) if answer.status >= 400 else ""


def _is_over(exchange: Exchange, answer: AnswerTee) -> bool:
    """Whether all was said: many clients hang up at the end mark, without waiting for the end."""
    if answer.is_ended:
        return True
    marks = DIALECTS[exchange.dialect].end_marks if exchange.dialect in DIALECTS else ()
    tail = answer.tail() if marks else b""
    return any(mark in tail for mark in marks)


def _signals(
    telemetry: Telemetry, exchange: Exchange, asked: JSONObject | None, read: ReadAnswer
) -> SignalReport | None:
    if telemetry.analyzer is None or exchange.facts.get("endpoint") == "decision":
        return None
    if exchange.operation == _CHAT:
        earlier = exchange.state.get(EARLIER_KEY, ())
        rows = rows_of(
            _messages(exchange, asked, earlier),
            _parts(read),
            dialect=exchange.dialect,
            start=-len(earlier),
        )
    else:
        rows = _route_rows(exchange)
    if telemetry.content.on_spans:
        rows = _scrubbed(rows, exchange)
    return telemetry.report(rows, exchange.id)


def _scrubbed(rows: list[Row], exchange: Exchange) -> list[Row]:
    """Before anything is cut out of them: half a value is not known for one."""
    for scrub in exchange.scrubbers:
        rows = [replace(row, text=scrub(row.text)) for row in rows]
    return rows


def _messages(
    exchange: Exchange, asked: JSONObject | None, earlier: Sequence[Any]
) -> Sequence[Message]:
    """What the client said, and what was said before and is kept here."""
    body = asked if asked is not None else exchange.body
    if earlier:
        said = body.get("input")
        items = said if isinstance(said, list) else [{"role": "user", "content": said}]
        body = {**body, "input": [*earlier, *items]}
    try:
        return exchange.read_request(body).messages
    except (PlanoError, ValueError, TypeError, KeyError, AttributeError):
        return ()  # whoever serves it says so


def _parts(read: ReadAnswer) -> Sequence[Part] | None:
    choices = read.answer.choices if read.answer is not None else []
    return choices[0].parts if choices else None


def _route_rows(exchange: Exchange) -> list[Row]:
    """Of a foreign route: its texts, in order."""
    return [
        Row(kind=kind, text=passage.text, index=index)
        for index, passage in enumerate(_passages(exchange))
        if (kind := _ROW_KINDS.get(passage.origin)) is not None
    ]


def _passages(exchange: Exchange) -> list[Passage]:
    try:
        return exchange.passages()
    except (PlanoError, TypeError):
        return []
