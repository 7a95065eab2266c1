"""What a JSON result says of how it went: flags, status numbers, exit codes, error fields."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from plano_asgi._json import JSONObject, loads
from plano_asgi.signals import text_results
from plano_asgi.signals.text_results import Said

MAX_DEPTH = 4
MAX_ITEMS = 5
"""Errors of a list that are read."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ERRORS = _names(
    "error errors exception exceptions err fault failure errormessage errormsg errortype"
    " errordescription errordetails errormessages errorcode iserror haserror __type"
)
_FLAGS = frozenset({"ok", "success", "succeeded", "successful", "issuccess"})
_FAILURES = frozenset({"iserror", "haserror", "failed", "isfailed"})
_STATUSES = _names(
    "status statuscode httpstatus httpstatuscode httpcode code responsecode state outcome"
)
_EXITS = frozenset({"exitcode", "returncode", "exitstatus", "exit"})
_NUMBERS = _STATUSES | {"errorcode"}
_TELLING = _ERRORS | _FLAGS | _FAILURES | _STATUSES | _EXITS
_BAD = _names(
    "error err failed failure fail exception denied unauthorized forbidden unauthenticated rejected"
    " timeout timedout unavailable throttled ratelimited invalid aborted crashed"
)
_GOOD = _names("ok success successful succeeded completed complete done fine")
_WORDS = _names(
    "message msg detail details title reason description errordescription errormessage errormsg"
    " errordetails errortype errorcode code status statuscode type name hint cause error errors"
    " exception err fault failure issues stderr __type info category kind statustext"
)
_BESIDE = _names(
    "requestid documentationurl statuscode code status timestamp traceid hint help path docs link"
    " helpurl moreinfo type title instance method url id"
)
"""What may stand beside a lone message that is an error."""
_CARRIERS = ("result", "response", "body", "data", "output", "content", "text", "results")
_ENVELOPE = _names(
    "type text content result output response body data statuscode status id name role annotations"
    " meta structuredcontent callid toolcallid tool toolname duration durationms elapsed"
)
"""What may stand beside a text that is the whole result; beside other fields it is data."""
_NOTHING = frozenset({"", "none", "null", "no", "0", "false", "ok", "success", "n/a"})


def said_in(value: Any, depth: int = 0) -> Said | None:
    """What *value* says went wrong; ``None`` where it says nothing of the kind."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return _in_text(value, depth)
    if isinstance(value, list):
        return _in_list(value, depth)
    return _in_object(value, depth) if isinstance(value, dict) else None


def all_words(value: Any) -> str:
    """The words of *value* that may say what went wrong; for one that is an error for sure."""
    return " . ".join(_words(value, whole=not isinstance(value, dict)))


def _in_text(text: str, depth: int) -> Said | None:
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            return said_in(loads(stripped), depth + 1)
        except ValueError:
            return text_results.said_in(stripped, only_heads=True)
    return text_results.said_in(stripped, only_heads=depth > 0)


def _in_list(value: list[Any], depth: int) -> Said | None:
    """Content blocks of a tool are one text; of other lists only a single item may be an error."""
    texts = [item.get("text") for item in value if isinstance(item, dict) and "text" in item]
    if texts and len(texts) == len(value) and all(isinstance(text, str) for text in texts):
        return _in_text("\n".join(map(str, texts)), depth)
    return said_in(value[0], depth + 1) if len(value) == 1 else None


def _in_object(value: JSONObject, depth: int) -> Said | None:
    fields = {_name(key): item for key, item in value.items()}
    if telling := {key: item for key, item in fields.items() if key in _TELLING}:
        status = _status(telling)
        verdict = _verdict(telling, status)
        if verdict is True:
            return None
        if verdict is False:
            words = " . ".join(_words(value))
            is_marked = not any(_picked(telling, _EXITS))
            return Said(words, True, status or _deep_status(fields), is_marked=is_marked)
    if lone := _lone_message(fields):
        said = text_results.said_in(lone)
        return None if depth and said is not None and said.speaks_of_errors else said
    if fields.keys().isdisjoint(_CARRIERS):
        return None
    for key in _CARRIERS:
        carried = fields.get(key)
        if isinstance(carried, str) and fields.keys() - _ENVELOPE:
            continue
        if isinstance(carried, (dict, str)) or (isinstance(carried, list) and len(carried) == 1):
            said = said_in(carried, depth + 1)
            if said is not None:
                return said
    return None


@lru_cache(maxsize=1024)
def _name(key: str) -> str:
    """A field's name however it is spelt: ``is_error``, ``isError``, ``is-error``."""
    return key if key == "__type" else key.lower().replace("_", "").replace("-", "")


def _verdict(fields: JSONObject, status: int | None) -> bool | None:
    """Whether it went well, by what it says of itself; ``None`` where it does not say."""
    flags = [flag for flag in map(_flag, _picked(fields, _FLAGS)) if flag is not None]
    if True in flags:
        return True
    if False in flags or any(_flag(v) is True for v in _picked(fields, _FAILURES)):
        return False
    if any(_tells(value) for value in _picked(fields, _ERRORS)):
        return False
    exits = [code for code in _picked(fields, _EXITS) if isinstance(code, int)]
    if exits:
        return not any(exits)
    if status is not None and (status < 0 or status >= 400):
        return False
    said = {word for v in _picked(fields, _STATUSES) if (word := _word(v))}
    if said & _BAD:
        return False
    return True if said & _GOOD or status is not None else None


def _picked(fields: JSONObject, names: frozenset[str]) -> list[Any]:
    return [value for key, value in fields.items() if key in names]


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _tells(value: Any) -> bool:
    """Whether an error field holds an error; a count or a list of numbers is none."""
    if isinstance(value, str):
        return value.strip().lower() not in _NOTHING
    if isinstance(value, list):
        return any(isinstance(item, (str, dict)) and bool(item) for item in value)
    if isinstance(value, dict):
        return bool(value) and not all(map(str.isdecimal, value))  # what each status stands for
    return value is True


def _word(value: Any) -> str:
    return value.lower().replace("_", "").replace(" ", "") if isinstance(value, str) else ""


def _status(fields: JSONObject) -> int | None:
    """An HTTP status or a JSON-RPC code; another number called code is none."""
    for value in _picked(fields, _NUMBERS):
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, int) and (200 <= number < 600 or -32800 < number <= -32600):
            return number
    return None


def _deep_status(fields: JSONObject) -> int | None:
    for value in _picked(fields, _ERRORS | {"extensions"}):
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            return _status({_name(key): item for key, item in first.items()})
    return None


def _lone_message(fields: JSONObject) -> str | None:
    """``{"message": ...}`` or ``{"detail": ...}`` and nothing that would be data."""
    for key in ("message", "detail", "msg"):
        value = fields.get(key)
        if value and fields.keys() - {key} <= _BESIDE:
            if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                return "validation error: " + " . ".join(_words(value, whole=True))
            return value if isinstance(value, str) else None
    return None


def _words(value: Any, *, whole: bool = False, depth: int = 0) -> Iterator[str]:
    """The strings of the fields that speak; all of them inside an error field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth <= MAX_DEPTH:
        for item in value[:MAX_ITEMS]:
            yield from _words(item, whole=whole, depth=depth + 1)
    elif isinstance(value, dict) and depth <= MAX_DEPTH:
        for key, item in value.items():
            name = _name(key)
            if whole or name in _WORDS or name in _ERRORS or name == "type":
                inside = whole or name in _ERRORS or name == "detail"
                yield from _words(item, whole=inside, depth=depth + 1)
        if not whole:
            for key in _CARRIERS:
                carried = value.get(key)
                yield from _words(carried, whole=isinstance(carried, list), depth=depth + 1)
