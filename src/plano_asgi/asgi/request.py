"""What every owner of a request reads of it: an id, a JSON object; and a bug's error for it."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Collection, Mapping
from random import getrandbits
from types import FrameType, TracebackType
from typing import Any

import structlog

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import BodyTooLarge, PlanoError, RequestError
from plano_asgi.exchange import AnswerStopped
from plano_asgi.wire.reasoning_pack import PREFIX

MAX_VALUES = 1_000_000
"""Of one request body: a conversation of a million tokens has some thousands."""

_MAX_TRACE_LINES = 500
_PACKAGE = __name__.partition(".")[0]
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
        BodyTooLarge: As ``json_value``.
    """
    if not body.strip():
        raise RequestError("The request body is empty; a JSON object is expected.")
    value = json_value(body)
    if not isinstance(value, dict):
        raise RequestError("The request body must be a JSON object.")
    return value


def json_value(body: bytes, *, max_values: int = MAX_VALUES) -> Any:
    """
    Parse a request body of any JSON.

    Raises:
        RequestError: It is not JSON.
        BodyTooLarge: It holds more than *max_values* values: each costs whoever walks through it
            far more than its few bytes.
    """
    try:
        value = loads(body)
    except ValueError as exc:
        raise RequestError(f"The request body is not valid JSON: {exc}") from exc
    # A value and what parts it from the next are two bytes at least.
    if len(body) > 2 * max_values and _holds_over(value, max_values):
        raise BodyTooLarge(f"The request body holds over {max_values} values.")
    return value


def _holds_over(value: Any, most: int) -> bool:
    todo = [value]
    while todo:
        held = todo.pop()
        inner = held.values() if isinstance(held, dict) else held
        if isinstance(inner, str) or not isinstance(inner, Collection):
            continue
        most -= len(inner)
        if most < 0:
            return True
        todo += [each for each in inner if isinstance(each, dict | list)]
    return False


def has_packed_reasoning(dialect: str, body: bytes) -> bool:
    """Whether a *body* of *dialect* replays reasoning that we packed for the client."""
    # Chat has fields of its own for foreign reasoning; looking through 20 KB takes 10 us.
    return dialect != "openai.chat" and _PACKED in body


def unexpected(error: Exception, request_id: str) -> PlanoError:
    """A bug as an error the client may see; the log gets the trace, nobody the content."""
    _log.error("internal_error", request_id=request_id, trace=trace_of(error))
    return PlanoError("Internal error; the request id identifies it in the gateway's log.")


def as_stopped(error: Exception, request_id: str) -> AnswerStopped:
    """What *error* of a filter or a check comes to: unless it says otherwise, a failure."""
    if isinstance(error, AnswerStopped):
        return error
    failure = error if isinstance(error, PlanoError) else unexpected(error, request_id)
    return AnswerStopped(failure, reason="error")


def forget_frames(error: BaseException) -> None:
    """
    Take the traceback off *error*, and off what raised it, once the exchange that failed with it
    is over: an error that is kept keeps every frame it passed, and these keep the exchange, which
    keeps the error. What holds itself is left to the garbage collector, with both bodies.

    What else it was raised beside is left as it is where it was not caught here, or is still on
    its way out: a host that asks us while it handles an error of its own, or whose error passes us
    by, will want to see where that came from.
    """
    todo: list[BaseException | None] = [error]
    running = _running_frames()
    while todo:
        found = todo.pop()
        trace = found.__traceback__ if found is not None else None
        if found is None or trace is None or not _is_ours(trace):
            continue
        if found is not error and trace.tb_frame in running:
            continue
        found.__traceback__ = None  # which also says that it was seen
        todo += (found.__cause__, found.__context__, *getattr(found, "exceptions", ()))


def _running_frames() -> set[FrameType]:
    """Those of whoever asked our caller, and further out: our own would hold themselves."""
    found: set[FrameType] = set()
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        found.add(frame)
        frame = frame.f_back
    return found


def _is_ours(trace: TracebackType) -> bool:
    """Whether the frame that caught it last is one of this package."""
    return str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def trace_of(error: BaseException) -> str:
    """
    Where *error* was raised, and what raised it, as text: a log's renderer might show locals. Of
    each error its type alone: a message (``invalid literal for int(): '...'``) may quote content.
    """
    lines: list[str] = []
    found: BaseException | None = error
    while found is not None and len(lines) < _MAX_TRACE_LINES:
        inner = [trace_of(each) for each in getattr(found, "exceptions", ())]
        name = f"{type(found).__module__}.{type(found).__qualname__}\n"
        lines[:0] = [*traceback.format_tb(found.__traceback__), name, *inner]
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return "".join(lines)
