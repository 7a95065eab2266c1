"""
OpenAI Chat Completions, which many upstreams speak, each with words of its own.

Source: https://platform.openai.com/docs/api-reference/chat; the words of others are noted where
they are read.
"""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.base import StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.openai_chat.errors import error_in_body, write_error
from plano_asgi.wire.openai_chat.fields import NAME
from plano_asgi.wire.openai_chat.reasoning import without_proof
from plano_asgi.wire.openai_chat.request_reader import read_request
from plano_asgi.wire.openai_chat.request_writer import write_request
from plano_asgi.wire.openai_chat.response import read_response, write_response
from plano_asgi.wire.openai_chat.stream_reader import ChatStreamReader
from plano_asgi.wire.openai_chat.stream_writer import ChatStreamWriter
from plano_asgi.wire.sse import encode

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """The dialect ``openai.chat``; see ``wire.base.Dialect`` for what each method promises."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """``openai.chat``."""
        return NAME

    @property
    def stream_media_type(self) -> str:
        """Content type of a stream."""
        return "text/event-stream"

    @property
    def end_marks(self) -> tuple[bytes, ...]:
        """See ``Dialect.end_marks``."""
        return (b"[DONE]",)

    def read_request(self, body: JSONObject, /) -> ChatRequest:
        """Read a client's body. Raises ``RequestError``."""
        return read_request(body)

    def write_request(self, request: ChatRequest, options: WriteOptions, /) -> JSONObject:
        """Write an upstream body. Raises ``UnsupportedField``."""
        return write_request(request, options)

    def read_response(self, body: JSONObject, /) -> ChatResponse:
        """Read a whole answer. Raises ``UpstreamProtocolError``."""
        return read_response(body)

    def write_response(self, response: ChatResponse, request: ChatRequest, /) -> JSONObject:
        """Write a whole answer for the client of *request*."""
        return write_response(response, request)

    def stream_reader(self) -> StreamReader:
        """A fresh reader for one upstream stream."""
        return ChatStreamReader()

    def stream_writer(self, request: ChatRequest, /) -> StreamWriter:
        """A fresh writer for the stream that answers *request*."""
        return ChatStreamWriter(request)

    def write_error(self, error: PlanoError, request_id: str | None, /) -> JSONObject:
        """The error body; the API names the request in a header, not here."""
        return write_error(error)

    def write_stream_error(self, error: PlanoError, request_id: str | None, /) -> bytes:
        """``data: {"error": ...}``, after which no ``[DONE]`` comes."""
        return encode(dumps(write_error(error)))

    def error_in_body(self, body: JSONObject, /) -> UpstreamStatus | None:
        """The error in a 200 body, if there is one."""
        return error_in_body(body)

    def without_reasoning(self, body: JSONObject, /) -> JSONObject:
        """*body* without signed or encrypted reasoning; *body* itself if there is none."""
        return without_proof(body)
