"""Errors: those that hide in a 200, and the body a client of this dialect expects."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.openai_chat.finish import read_finish
from plano_asgi.wire.upstream_error import read_error_event

_TYPES = {
    "authentication_error": "invalid_request_error",  # what the reference API answers a wrong key
    "permission_error": "invalid_request_error",
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "invalid_request_error": "invalid_request_error",
    "billing_error": "insufficient_quota",
    "rate_limit_error": "rate_limit_error",
    "timeout_error": "server_error",
    "overloaded_error": "server_error",
    "api_error": "server_error",
}


def write_error(error: PlanoError) -> JSONObject:
    """``{"error": {"message", "type", "param", "code"}}``; code and param are the error's own."""
    return {
        "error": {
            "message": error.message,
            "type": _TYPES.get(error.type, "server_error"),
            "param": error.param,
            "code": error.code,
        }
    }


def error_in_body(body: JSONObject) -> UpstreamStatus | None:
    """The error in a body or a chunk that came with status 200."""
    document = _error_in(body)
    if document is None:
        return None
    error = read_error_event(document, dumps(body))
    error.in_stream = False
    return error


def _error_in(body: JSONObject) -> Any:
    if body.get("error"):
        return body
    if body.get("object") == "error" or body.get("type") == "error":  # vLLM, Anthropic's envelope
        return body
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        if choice.get("error"):
            return choice
        if read_finish(choice, called=False) == "error":
            word = choice["finish_reason"]
            return {
                "error": {"message": f"The upstream broke its answer off: {word}", "code": word}
            }
    return None
