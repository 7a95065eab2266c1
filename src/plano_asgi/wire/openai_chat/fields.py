"""Checked reading of a client's JSON: the right type, or a ``RequestError`` that names the path."""

from __future__ import annotations

import secrets
from collections.abc import Container
from typing import Any, TypeVar

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError

NAME = "openai.chat"

_T = TypeVar("_T")

_WORDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def fits(value: object, kind: type[_T]) -> bool:
    """Whether *value* is JSON's *kind*: an integer is a number, a boolean is neither."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def wrong_type(path: str, kind: type) -> RequestError:
    """The error for a value that is not *kind*."""
    return RequestError(f"'{path}' must be {_WORDS[kind]}", param=path, code="invalid_type")


def optional(obj: JSONObject, key: str, kind: type[_T], path: str = "") -> _T | None:
    """
    ``obj[key]``, or ``None`` where it is absent or null. *path* is where *obj* stands, with a dot.

    Raises:
        RequestError: It is of another type.
    """
    value: _T | None = obj.get(key)
    if value is not None and not fits(value, kind):
        raise wrong_type(path + key, kind)
    return value


def required(obj: JSONObject, key: str, kind: type[_T], path: str = "") -> _T:
    """Like ``optional``, but absent or null is an error too."""
    value = optional(obj, key, kind, path)
    if value is None:
        raise RequestError(
            f"'{path}{key}' is required", param=path + key, code="missing_required_parameter"
        )
    return value


def element(value: object, path: str) -> JSONObject:
    """*value* as the JSON object that an array must hold at *path*."""
    if not isinstance(value, dict):
        raise wrong_type(path, dict)
    return value


def rest(obj: JSONObject, known: Container[str]) -> JSONObject:
    """The fields of *obj* that are not *known*: what ``extras`` keeps."""
    return {key: value for key, value in obj.items() if key not in known}


def present(**fields: Any) -> JSONObject:
    """An object of those *fields* that are not ``None``."""
    return {key: value for key, value in fields.items() if value is not None}


def text_of(value: object) -> str:
    """*value* if it is text, else "": upstream objects are read without complaint."""
    return value if isinstance(value, str) else ""


def unix_time(value: object) -> int | None:
    """*value* as Unix seconds, if it is a time; some upstreams send 0, some fractions."""
    return int(value) if isinstance(value, int | float) and value > 0 else None


def new_id(prefix: str) -> str:
    """An id for what an upstream left without one."""
    return prefix + secrets.token_hex(12)
