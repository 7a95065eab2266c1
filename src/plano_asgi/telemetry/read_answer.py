"""
What an answer said, read from the copy of its bytes once the last one has gone out.

A stream's runs of like events are made one first (``condense``), and the dialect's ordinary reader
reads what is left. Nothing here raises on what an upstream or an app sent: what can be read is
told, and of the rest nothing is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from plano_asgi._json import loads
from plano_asgi.asgi.tap_headers import guessed_type, header, inflater_for
from plano_asgi.conversation import ChatResponse, Usage
from plano_asgi.errors import PlanoError, UpstreamProtocolError
from plano_asgi.telemetry.condense import condensed
from plano_asgi.telemetry.tee import AnswerTee
from plano_asgi.wire import DIALECTS
from plano_asgi.wire.accumulate import Accumulator
from plano_asgi.wire.answer_facts import facts_of, usage_of
from plano_asgi.wire.upstream_error import read_upstream_error

MAX_DECODED_BYTES = 4 << 20
"""Of a compressed body, once it is not."""
MAX_EVENTS = 50_000
"""Of a stream, once runs of like events are one; of one with more only the edges are read."""
_HEAD_EVENTS, _TAIL_EVENTS = 2, 4
_SNIFFED = 1024  # bytes that tell what a body is
_SSE, _JSON, _TEXT = "text/event-stream", "application/json", "text/plain"
_BLANK = b"\n\n"
_MAX_USAGE_ENDS = 8  # closing braces tried for the end of a usage object


@dataclass(slots=True, kw_only=True)
class ReadAnswer:
    """
    What an answer said.

    Args:
        answer: In neutral form; ``None`` where it is no chat answer, or cannot be read, or was
            not asked for. Of a stream cut short: what had come.
        usage: As reported in it, so far as the answer goes.
        response_id, response_model: "" where it has none.
        finish_reasons: Of each choice, by its index: ``FinishReason``.
        is_whole: It came to its end, and that was no error.
        error_type: The neutral type of the error it is or ends in (``PlanoError.type``), else "".
    """

    answer: ChatResponse | None = None
    usage: Usage | None = None
    response_id: str = ""
    response_model: str = ""
    finish_reasons: tuple[str, ...] = ()
    is_whole: bool = False
    error_type: str = ""


NOTHING = ReadAnswer()


def read_answer(
    dialect: str,
    tee: AnswerTee,
    *,
    deep: bool = True,
    max_decoded_bytes: int = MAX_DECODED_BYTES,
) -> ReadAnswer:
    """
    Read what went through *tee*. Never raises.

    Args:
        dialect: The client's; "" for none: then only what every API has in common is told.
        deep: Whether the texts are wanted. Else, of a stream that came to its end, only the first
            and the last few events are read, in constant time, and ``answer`` is ``None``; of one
            cut short all is: what it said is all that tells what it used.
        max_decoded_bytes: Of a compressed body.
    """
    if dialect not in DIALECTS:
        return ReadAnswer(is_whole=_is_good(tee))
    body = tee.body()
    if body is None:
        return _read_edges(dialect, tee)
    content = _decoded(tee, body, max_decoded_bytes)
    if not _is_good(tee, ended=True):
        return ReadAnswer(error_type=read_upstream_error(tee.status or 502, {}, content).type)
    if _kind(tee, content) != _SSE:
        return _read_document(dialect, tee, content, deep=deep)
    if not deep:
        found = _read_stream(dialect, tee, _edges(content))
        if found.is_whole:
            return replace(found, answer=None)
    return _read_stream(dialect, tee, _without_half(content))


def _is_good(tee: AnswerTee, *, ended: bool = False) -> bool:
    """Whether the answer is no error by its status, and over, which *ended* takes for granted."""
    return (ended or tee.is_ended) and tee.status is not None and tee.status < 400


def _kind(tee: AnswerTee, content: bytes) -> str:
    """By its first bytes, which clients go by as well; the header tells what they do not."""
    guessed = guessed_type(content[:_SNIFFED])
    if guessed in ("", _TEXT):
        return _SSE if tee.is_stream else _JSON
    return guessed


def _decoded(tee: AnswerTee, body: bytes, most: int) -> bytes:
    """*body* without its encoding, as far as that goes: a cut one is read up to the cut."""
    pieces: list[bytes] = []
    try:
        if (inflater := inflater_for(tee.headers)) is None:
            return body
        piece = inflater.feed(body)
        while piece:
            pieces.append(piece)
            most -= len(piece)
            piece = inflater.feed(b"") if inflater.has_more and most > 0 else b""
    except UpstreamProtocolError:  # not so encoded, or in a way nobody here can read
        pass
    return b"".join(pieces)


# ------------------------------------------------------------------- one document


def _read_document(dialect: str, tee: AnswerTee, content: bytes, *, deep: bool) -> ReadAnswer:
    try:
        body = loads(content)
    except ValueError:
        return NOTHING
    if not isinstance(body, dict):
        return ReadAnswer(is_whole=_is_good(tee))
    reader = DIALECTS[dialect]
    if (error := reader.error_in_body(body)) is not None:
        return ReadAnswer(error_type=error.type)
    answer = None
    if deep:
        with suppress(UpstreamProtocolError):  # embeddings and the like
            answer = reader.read_response(body)
    if answer is not None:
        return _told(answer, is_whole=_is_good(tee))
    facts = facts_of(dialect, body)
    return ReadAnswer(
        usage=facts.usage,
        response_id=facts.id,
        response_model=facts.model,
        finish_reasons=facts.finish_reasons,
        is_whole=_is_good(tee),
    )


def _told(answer: ChatResponse, *, is_whole: bool, error_type: str = "") -> ReadAnswer:
    reasons = (choice.finish_reason for choice in answer.choices)
    return ReadAnswer(
        answer=answer,
        usage=answer.usage,
        response_id=answer.id,
        response_model=answer.model,
        finish_reasons=tuple(reason for reason in reasons if reason),
        is_whole=is_whole,
        error_type=error_type,
    )


# ------------------------------------------------------------------- a stream


def _read_stream(dialect: str, tee: AnswerTee, content: bytes) -> ReadAnswer:
    shorter = condensed(dialect, content)
    if shorter.count(_BLANK) > MAX_EVENTS and (edges := _edges(shorter)) != shorter:
        return replace(_read_stream(dialect, tee, edges), answer=None)
    heard = _heard(dialect, shorter)
    if isinstance(heard.error, UpstreamProtocolError) and shorter != content:
        heard = _heard(dialect, content)  # how far it can be read shows only event by event
    answer = heard.response()
    finished = bool(answer.choices) and all(choice.finish_reason for choice in answer.choices)
    is_whole = heard.error is None and _is_good(tee) and (heard.ended or finished)
    error_type = heard.error.type if isinstance(heard.error, PlanoError) else ""
    return _told(answer, is_whole=is_whole, error_type=error_type)


def _heard(dialect: str, content: bytes) -> Accumulator:
    reader, heard = DIALECTS[dialect].stream_reader(), Accumulator(dialect=dialect)
    heard.add(reader.feed(content))
    heard.add(reader.close())
    return heard


def _without_half(content: bytes) -> bytes:
    """*content* less a last event that was cut: it is no error that the upstream told."""
    cut = content.rfind(_BLANK) + len(_BLANK) if _BLANK in content else 0
    last = content[cut:]
    data = last.partition(b"data:")[2].strip()  # the first: a text may say it, too
    if b"\r" in last or not last.strip() or data == b"[DONE]":
        return content
    try:
        loads(data)
    except ValueError:
        return content[:cut]
    return content


def _edges(content: bytes) -> bytes:
    """The first and the last few events: who answers, how it ended, what it used."""
    if b"\r" in content[:_SNIFFED]:
        return content
    start = 0
    for _ in range(_HEAD_EVENTS):
        start = content.find(_BLANK, start) + len(_BLANK)
        if start < len(_BLANK):
            return content
    end = len(content)
    for _ in range(_TAIL_EVENTS + 1):
        end = content.rfind(_BLANK, start, end)
        if end < 0:
            return content
    return content[:start] + content[end + len(_BLANK) :]


# ------------------------------------------------------------------- too large to be kept


def _read_edges(dialect: str, tee: AnswerTee) -> ReadAnswer:
    """Of an answer that was not kept whole: what its beginning and its end tell."""
    head, tail = tee.head(), tee.tail()
    if not _is_good(tee, ended=True) or header(tee.headers, b"content-encoding"):
        return NOTHING
    if _kind(tee, head) != _SSE:
        return ReadAnswer(usage=usage_of(dialect, _usage_in(tail)), is_whole=_is_good(tee))
    first = head[: head.rfind(_BLANK) + len(_BLANK)] if _BLANK in head else b""
    last = tail.partition(_BLANK)[2]
    return replace(_read_stream(dialect, tee, _edges(first + last)), answer=None)


def _usage_in(tail: bytes) -> Any:
    """The last usage object in the end of a JSON document."""
    _, mark, rest = tail.rpartition(b'"usage":')
    end = 0
    for _ in range(_MAX_USAGE_ENDS if mark else 0):
        if (end := rest.find(b"}", end) + 1) == 0:
            break
        try:
            return loads(rest[:end])
        except ValueError:
            continue
    return None
