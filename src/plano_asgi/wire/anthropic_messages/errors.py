"""Error objects: ours written for a client, the upstream's read from a body or a stream."""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.upstream_error import read_error_event

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Error types and the status each comes with. Source: https://docs.anthropic.com/en/api/errors"""

_TYPES = {status: kind for kind, status in _STATUS.items()} | {
    408: "timeout_error",
    503: "overloaded_error",
}


def write_error(error: PlanoError, request_id: str | None) -> JSONObject:
    """``{"type": "error", "error": {"type", "message"}, "request_id"}``; the last where known."""
    kind = error.type
    if kind not in _STATUS:
        fallback = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
        kind = _TYPES.get(error.status, fallback)
    message = error.message
    if error.param and error.param not in message:
        message = f"{error.param}: {message}"  # the shape has no field for it
    body: JSONObject = {"type": "error", "error": {"type": kind, "message": message}}
    if request_id is not None:
        body["request_id"] = request_id
    return body


def read_error(body: JSONObject) -> UpstreamStatus | None:
    """The error that a body or an event of a 200 is; ``None`` for anything else."""
    if not isinstance(body.get("error"), dict) or body.get("type", "error") != "error":
        return None
    return read_error_event(body, dumps(body))
