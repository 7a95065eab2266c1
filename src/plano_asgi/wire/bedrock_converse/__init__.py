"""
Amazon Bedrock's Converse and ConverseStream: ``bedrock.converse``.

One API for the models of every vendor on Bedrock. The model is named in the URL, a stream is AWS
event-stream frames, and binary data is base64 in JSON.
"""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest, ChatResponse
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.base import StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.bedrock_converse.errors import error_in_body, write_error
from plano_asgi.wire.bedrock_converse.names import NAME
from plano_asgi.wire.bedrock_converse.request import write_request
from plano_asgi.wire.bedrock_converse.request_reader import read_request
from plano_asgi.wire.bedrock_converse.response import read_response, write_response
from plano_asgi.wire.bedrock_converse.stream_reader import ConverseStreamReader
from plano_asgi.wire.bedrock_converse.stream_writer import ConverseStreamWriter

__all__ = ["BedrockConverse"]


class BedrockConverse:
    """The dialect; see ``wire.base.Dialect`` for what each method promises."""

    @property
    def name(self) -> str:
        """``bedrock.converse``."""
        return NAME

    @property
    def stream_media_type(self) -> str:
        """AWS event-stream frames."""
        return "application/vnd.amazon.eventstream"

    @property
    def end_marks(self) -> tuple[bytes, ...]:
        """See ``Dialect.end_marks``."""
        return (b"messageStop",)

    def read_request(self, body: JSONObject, /) -> ChatRequest:
        """Read a body; the caller fills in ``model`` and ``stream``, which the URL says."""
        return read_request(body)

    def write_request(self, request: ChatRequest, options: WriteOptions, /) -> JSONObject:
        """Write a body; the caller puts the model into the URL."""
        return write_request(request, options)

    def read_response(self, body: JSONObject, /) -> ChatResponse:
        """Read a whole answer."""
        return read_response(body)

    def write_response(self, response: ChatResponse, request: ChatRequest, /) -> JSONObject:
        """Write a whole answer."""
        return write_response(response)

    def stream_reader(self) -> StreamReader:
        """A fresh reader."""
        return ConverseStreamReader()

    def stream_writer(self, request: ChatRequest, /) -> StreamWriter:
        """A fresh writer."""
        return ConverseStreamWriter()

    def write_error(self, error: PlanoError, request_id: str | None, /) -> JSONObject:
        """``{"message": ...}``; the request id belongs into a header."""
        return write_error(error)

    def write_stream_error(self, error: PlanoError, request_id: str | None, /) -> bytes:
        """An exception frame."""
        return ConverseStreamWriter().fail(error)

    def error_in_body(self, body: JSONObject, /) -> UpstreamStatus | None:
        """The error that hides in a 200 body."""
        return error_in_body(body)

    def without_reasoning(self, body: JSONObject, /) -> JSONObject:
        """Copy of *body* without ``reasoningContent``; turns of nothing else are left out."""
        turns = body.get("messages") or []
        kept = [{**turn, "content": _unreasoned(turn)} for turn in turns]
        if all(
            len(new["content"]) == len(old["content"]) for new, old in zip(kept, turns, strict=True)
        ):
            return body
        return {**body, "messages": [turn for turn in kept if turn["content"]]}


def _unreasoned(turn: JSONObject) -> list[JSONObject]:
    return [block for block in turn["content"] if "reasoningContent" not in block]
