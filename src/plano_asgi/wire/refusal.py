"""A refusal as a plain answer of the model's, in any client's dialect, whole or streamed."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    ChatRequest,
    ChatResponse,
    Choice,
    FinishReason,
    Part,
    TextPart,
    Usage,
)
from plano_asgi.stream_events import Ended
from plano_asgi.wire.accumulate import response_events
from plano_asgi.wire.base import Dialect


def whole_refusal(
    dialect: Dialect, request: ChatRequest, text: str, reason: FinishReason
) -> JSONObject:
    """
    *text* as the whole answer to *request*, ended by *reason*. No model was asked: its usage is
    zero tokens, marked as estimated.
    """
    return dialect.write_response(_refusal(request, text, reason), request)


def streamed_refusal(
    dialect: Dialect, request: ChatRequest, text: str, reason: FinishReason
) -> bytes:
    """The same as a stream, from its first event to its end mark."""
    writer = dialect.stream_writer(request)
    events = response_events(_refusal(request, text, reason))
    written = writer.write([event for event in events if not isinstance(event, Ended)])
    return written + writer.finish()


def _refusal(request: ChatRequest, text: str, reason: FinishReason) -> ChatResponse:
    parts: list[Part] = [TextPart(text=text)] if text else []
    return ChatResponse(
        model=request.model,
        choices=[Choice(parts=parts, finish_reason=reason)],
        usage=Usage(estimated=True),
    )
