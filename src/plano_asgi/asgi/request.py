"""What every owner of a request reads of it: an id, a JSON object; and a bug's error for it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from random import getrandbits

import structlog

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import PlanoError, RequestError
from plano_asgi.wire.reasoning_pack import PREFIX

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_PACKED = PREFIX.encode()
_log = structlog.get_logger("plano_asgi")


def request_id_of(headers: Mapping[str, str]) -> str:
    """The client's own ``x-request-id`` if it is a sane one, else a new one. Not a secret."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else f"req_{getrandbits(128):032x}"


def json_object(body: bytes) -> JSONObject:
    """
    Parse a request body.

    Raises:
        RequestError: Empty, not JSON, or not an object.
    """
    if not body.strip():
        raise RequestError("The request body is empty; a JSON object is expected.")
    try:
        value = loads(body)
    except ValueError as exc:
        raise RequestError(f"The request body is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise RequestError("The request body must be a JSON object.")
    return value


def has_packed_reasoning(dialect: str, body: bytes) -> bool:
    """Whether a *body* of *dialect* replays reasoning that we packed for the client."""
    # Chat has fields of its own for foreign reasoning; looking through 20 KB takes 10 us.
    return dialect != "openai.chat" and _PACKED in body


def unexpected(error: Exception, request_id: str) -> PlanoError:
    """A bug as an error the client may see; the log gets the trace, nobody the content."""
    trace = "".join(traceback.format_exception(error))  # as text: a renderer might show locals
    _log.error("internal_error", request_id=request_id, trace=trace)
    return PlanoError("Internal error; the request id identifies it in the gateway's log.")
