"""
The OpenAI Responses API: typed items in, typed items out, state on the server or none at all.

Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.base import StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.openai_chat.errors import write_error
from plano_asgi.wire.openai_responses import (
    errors,
    request,
    request_writer,
    response,
    without_reasoning,
)
from plano_asgi.wire.openai_responses.names import NAME
from plano_asgi.wire.openai_responses.stream_reader import ResponsesStreamReader
from plano_asgi.wire.openai_responses.stream_writer import ResponsesStreamWriter
from plano_asgi.wire.sse import encode

__all__ = ["OpenAIResponses"]


class OpenAIResponses:
    """
    ``openai.responses``. What belongs to this API alone travels in ``extras`` and opaque parts;
    see the modules for what is normalised. Stateless, shared.
    """

    name = NAME
    stream_media_type = "text/event-stream"

    @property
    def end_marks(self) -> tuple[bytes, ...]:
        """See ``Dialect.end_marks``."""
        return (b"response.completed", b"response.incomplete", b"response.failed")

    def read_request(self, body: JSONObject, /) -> ChatRequest:
        """See ``Dialect.read_request``."""
        return request.read_request(body)

    def write_request(self, chat: ChatRequest, options: WriteOptions, /) -> JSONObject:
        """See ``Dialect.write_request``."""
        return request_writer.write_request(chat, options)

    def read_response(self, body: JSONObject, /) -> ChatResponse:
        """See ``Dialect.read_response``."""
        return response.read_response(body)

    def write_response(self, answer: ChatResponse, chat: ChatRequest, /) -> JSONObject:
        """See ``Dialect.write_response``."""
        return response.write_response(answer, chat)

    def stream_reader(self) -> StreamReader:
        """See ``Dialect.stream_reader``."""
        return ResponsesStreamReader()

    def stream_writer(self, chat: ChatRequest, /) -> StreamWriter:
        """See ``Dialect.stream_writer``."""
        return ResponsesStreamWriter(chat)

    def write_error(self, error: PlanoError, request_id: str | None, /) -> JSONObject:
        """See ``Dialect.write_error``: as in the chat API; the request id is only in a header."""
        return write_error(error)

    def write_stream_error(self, error: PlanoError, request_id: str | None, /) -> bytes:
        """
        An ``error`` event. Besides its own flat fields it has the ``error`` object of an error
        body: by that one the official SDK raises instead of passing the event on.
        """
        body = write_error(error)
        detail = {name: body["error"][name] for name in ("code", "message", "param")}
        return encode(dumps({"type": "error", **detail, **body}), "error")

    def error_in_body(self, body: JSONObject, /) -> UpstreamStatus | None:
        """See ``Dialect.error_in_body``."""
        return errors.error_in_body(body)

    def without_reasoning(self, body: JSONObject, /) -> JSONObject:
        """See ``Dialect.without_reasoning``."""
        return without_reasoning.without_reasoning(body)
