"""Errors of the Converse API, which are a message; the status and a header say the rest."""

from __future__ import annotations

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import PlanoError, UpstreamStatus
from plano_asgi.wire.upstream_error import read_error_event

_MARKS = ("message", "Message", "__type")


def write_error(error: PlanoError) -> JSONObject:
    """The body that AWS's SDKs read the message from."""
    return {"message": error.message}


def error_in_body(body: JSONObject) -> UpstreamStatus | None:
    """The error in a 200 *body*, if it is one: it has no output, but a message or a type."""
    output = body.get("output", body.get("Output"))
    inner = output if isinstance(output, dict) else {}
    if "message" in inner or not any(mark in body or mark in inner for mark in _MARKS):
        return None
    error = read_error_event({**inner, **body}, dumps(body))
    error.in_stream = False
    return error
