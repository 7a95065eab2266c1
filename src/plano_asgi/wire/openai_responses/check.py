"""Type checks of a client's body: every failure names the field's path."""

from __future__ import annotations

from typing import Any, TypeVar

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError

T = TypeVar("T")

_WORDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def typed(value: Any, kind: type[T], param: str) -> T:
    """*value*, which has to be a *kind*; ``float`` takes integers, numbers never take booleans."""
    number = kind in (int, float)
    if number and isinstance(value, bool):
        raise _wrong(kind, value, param)
    if kind is float and isinstance(value, int):
        return value  # type: ignore[return-value] # an int is a float here, as in PEP 484
    if not isinstance(value, kind):
        raise _wrong(kind, value, param)
    return value


def optional(body: JSONObject, key: str, kind: type[T], param: str = "") -> T | None:
    """``body[key]``, ``None`` where it is absent or null; *param* is the path of *body*."""
    value = body.get(key)
    return None if value is None else typed(value, kind, f"{param}.{key}" if param else key)


def required(body: JSONObject, key: str, kind: type[T], param: str) -> T:
    """``body[key]``, which has to be there."""
    if key not in body:
        raise RequestError(
            f"Missing required parameter: '{param}.{key}'.",
            param=f"{param}.{key}",
            code="missing_required_parameter",
        )
    return typed(body[key], kind, f"{param}.{key}")


def _wrong(kind: type, value: object, param: str) -> RequestError:
    got = "null" if value is None else _WORDS.get(type(value), type(value).__name__)
    return RequestError(
        f"Invalid type for '{param}': expected {_WORDS[kind]}, but got {got} instead.",
        param=param,
        code="invalid_type",
    )
