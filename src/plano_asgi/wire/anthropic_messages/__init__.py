"""The Anthropic Messages API, as a client's and as an upstream's."""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.anthropic_messages.blocks import NAME
from plano_asgi.wire.anthropic_messages.errors import read_error, write_error
from plano_asgi.wire.anthropic_messages.request_reader import read_request
from plano_asgi.wire.anthropic_messages.request_writer import write_request
from plano_asgi.wire.anthropic_messages.response import read_response, write_response
from plano_asgi.wire.anthropic_messages.stream_reader import MessagesStreamReader
from plano_asgi.wire.anthropic_messages.stream_writer import MessagesStreamWriter
from plano_asgi.wire.base import StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.sse import encode

__all__ = ["AnthropicMessages"]

_REASONING = ("thinking", "redacted_thinking")


class AnthropicMessages:
    """
    The dialect ``anthropic.messages``.

    Source: https://docs.anthropic.com/en/api/messages,
    https://docs.anthropic.com/en/docs/build-with-claude/streaming
    """

    name = NAME
    stream_media_type = "text/event-stream"

    @property
    def end_marks(self) -> tuple[bytes, ...]:
        """See ``Dialect.end_marks``."""
        return (b"message_stop",)

    def read_request(self, body: JSONObject, /) -> ChatRequest:
        """See ``Dialect.read_request``."""
        return read_request(body)

    def write_request(self, request: ChatRequest, options: WriteOptions, /) -> JSONObject:
        """See ``Dialect.write_request``."""
        return write_request(request, options)

    def read_response(self, body: JSONObject, /) -> ChatResponse:
        """See ``Dialect.read_response``."""
        return read_response(body)

    def write_response(self, response: ChatResponse, request: ChatRequest, /) -> JSONObject:
        """See ``Dialect.write_response``."""
        return write_response(response, request)

    def stream_reader(self) -> StreamReader:
        """See ``Dialect.stream_reader``."""
        return MessagesStreamReader()

    def stream_writer(self, request: ChatRequest, /) -> StreamWriter:
        """See ``Dialect.stream_writer``."""
        return MessagesStreamWriter(request)

    def write_error(self, error: PlanoError, request_id: str | None, /) -> JSONObject:
        """See ``Dialect.write_error``."""
        return write_error(error, request_id)

    def write_stream_error(self, error: PlanoError, request_id: str | None, /) -> bytes:
        """``event: error``."""
        return encode(dumps(write_error(error, request_id)), "error")

    def error_in_body(self, body: JSONObject, /) -> UpstreamStatus | None:
        """See ``Dialect.error_in_body``."""
        return read_error(body)

    def without_reasoning(self, body: JSONObject, /) -> JSONObject:
        """See ``Dialect.without_reasoning``; an assistant turn of thinking alone goes as well."""
        messages = body.get("messages")
        if not isinstance(messages, list):
            return body
        kept = [_without_thinking(message) for message in messages]
        if all(new is old for new, old in zip(kept, messages, strict=True)):
            return body
        return {**body, "messages": [message for message in kept if message is not None]}


def _without_thinking(message: object) -> object | None:
    """*message* itself where it has no thinking, ``None`` where it has nothing else."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, list):
        return message
    kept = [b for b in content if not (isinstance(b, dict) and b.get("type") in _REASONING)]
    if len(kept) == len(content):
        return message
    return {**message, "content": kept} if kept else None
