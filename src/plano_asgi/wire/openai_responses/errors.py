"""Errors: those that hide in a 200, and the words of a failed response."""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import PlanoError, RequestError, UpstreamStatus
from plano_asgi.wire.upstream_error import read_error_event

_CLIENTS_CAUSE = frozenset(
    {
        "bio_policy",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "misalignment_policy_violation",
        "unsupported_image_media_type",
    }
)
"""Codes of a failed response that another attempt would only get again."""

_UNDER_WAY = ("completed", "incomplete", "in_progress", "queued")


def failure(error: PlanoError) -> JSONObject:
    """
    The ``error`` of a failed response.

    Clients act on known codes (``rate_limit_exceeded``, ``context_length_exceeded``), so the
    upstream's own code and a refused request's are kept; anything else is a ``server_error``.
    """
    code = error.code if isinstance(error, UpstreamStatus | RequestError) else None
    if code is None:
        code = "rate_limit_exceeded" if error.type == "rate_limit_error" else "server_error"
    return {"code": code, "message": error.message}


def error_in_body(body: JSONObject) -> UpstreamStatus | None:
    """The error of a failed or cancelled response, or of an error body under a 200."""
    status = body.get("status")
    if status in ("failed", "cancelled"):
        error = read_failure(body, dumps(body))
    elif body.get("error") and status not in _UNDER_WAY:
        error = read_error(body, dumps(body))
    else:
        return None
    error.in_stream = False
    return error


def read_failure(response: JSONObject, data: bytes) -> UpstreamStatus:
    """The error of a failed *response* object; *data* is what it came in."""
    default = {"message": f"The response ended with status '{response.get('status')}'."}
    return read_error({"error": response.get("error") or default}, data)


def read_error(document: JSONObject, data: bytes) -> UpstreamStatus:
    """An error body, or an ``error`` event."""
    error = read_error_event(document, data)
    if error.code in _CLIENTS_CAUSE:
        error.status, error.type = 400, "invalid_request_error"
    return error
