"""
The contract of a wire dialect: bytes and JSON objects on one side, neutral forms on the other.

A dialect is pure: no I/O, no clock beyond ``created``, no provider names. N dialects, never
N x M translators. Adding one is a file here and a row in ``wire/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
)
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.stream_events import (
    StreamEvent,
)

STATE_FIELDS = ("previous_response_id", "conversation", "background", "prompt", "container")
"""Request fields that mean something kept elsewhere: without it the conversation is another one.

Never dropped on the way to another dialect, whatever ``WriteOptions.on_unsupported`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What the chosen upstream adds to the writing of a request."""

    default_max_output_tokens: int = 8192
    """Sent where the dialect demands a limit and the client gave none (Anthropic)."""
    on_unsupported: Literal["error", "drop"] = "error"
    """A field the dialect cannot express: refuse with ``UnsupportedField``, or leave it out."""


class StreamReader(Protocol):
    """
    Decode one upstream stream. Made per response; never raises on what the upstream sends: a
    stream error or bytes that make no sense become one ``Failed``, after which nothing is yielded.
    """

    def feed(self, chunk: bytes, /) -> list[StreamEvent]:
        """Take the next bytes, cut anywhere; return the events they complete (often none)."""
        ...

    def close(self) -> list[StreamEvent]:
        """Say that the upstream closed; return what a last unterminated event still held."""
        ...


class StreamWriter(Protocol):
    """
    Encode one client stream. Made per response. Call order: ``write`` any number of times, then
    exactly one of ``finish`` or ``fail``.

    ``Started`` may be missing or come late; the writer then opens the stream by itself. ``Failed``
    and ``Ended`` are never passed to ``write``: the owner of the stream turns them into ``fail``
    and ``finish``.
    """

    def write(self, events: Sequence[StreamEvent], /) -> bytes:
        """Encode *events*; empty bytes if the client sees nothing of them yet."""
        ...

    def finish(self) -> bytes:
        """The clean end: closing events, usage, the dialect's end mark."""
        ...

    def fail(self, error: PlanoError, /) -> bytes:
        """An in-band error in the client's dialect, and never a clean end after it."""
        ...


class Dialect(Protocol):
    """One wire format. Instances are stateless and shared."""

    @property
    def name(self) -> str:
        """``openai.chat``, ``openai.responses``, ``anthropic.messages``, ``bedrock.converse``."""
        ...

    @property
    def stream_media_type(self) -> str:
        """Content type of a stream, without parameters."""
        ...

    @property
    def end_marks(self) -> tuple[bytes, ...]:
        """One of these stands in the last event of every whole stream."""
        ...

    def read_request(self, body: JSONObject, /) -> ChatRequest:
        """
        Read a client's body.

        Raises:
            RequestError: A field of the wrong type; ``param`` is its path (``messages.0.role``).
        """
        ...

    def write_request(self, request: ChatRequest, options: WriteOptions, /) -> JSONObject:
        """
        Write an upstream body; ``model`` is ``request.model``.

        Raises:
            UnsupportedField: See ``WriteOptions.on_unsupported``.
        """
        ...

    def read_response(self, body: JSONObject, /) -> ChatResponse:
        """
        Read a whole upstream answer.

        Raises:
            UpstreamProtocolError: It is not one.
        """
        ...

    def write_response(self, response: ChatResponse, request: ChatRequest, /) -> JSONObject:
        """Write a whole answer for the client whose *request* it answers."""
        ...

    def stream_reader(self) -> StreamReader:
        """A fresh reader for one upstream stream."""
        ...

    def stream_writer(self, request: ChatRequest, /) -> StreamWriter:
        """A fresh writer for one client stream."""
        ...

    def write_error(self, error: PlanoError, request_id: str | None, /) -> JSONObject:
        """The error body a client of this dialect expects, ours and the upstream's alike."""
        ...

    def write_stream_error(self, error: PlanoError, request_id: str | None, /) -> bytes:
        """
        One error event that stands alone, for a relayed stream that broke off (a rebuilt one ends
        with ``StreamWriter.fail``, which knows what is open).
        """
        ...

    def error_in_body(self, body: JSONObject, /) -> UpstreamStatus | None:
        """The error that hides in a 200 JSON body, if there is one."""
        ...

    def without_reasoning(self, body: JSONObject, /) -> JSONObject:
        """
        Copy of a request *body* of this dialect without signed or encrypted reasoning.

        Used when a failover moves a conversation to another model family, which would refuse it.
        Returns *body* itself where there is nothing to remove.
        """
        ...
