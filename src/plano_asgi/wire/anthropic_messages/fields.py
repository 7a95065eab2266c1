"""Typed access to a client's JSON: what is missing or of the wrong type is named by its path."""

from __future__ import annotations

from typing import Any, TypeVar

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError

T = TypeVar("T")

_WORDS: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "an array",
}
_ACCEPTED: dict[type, tuple[type, ...]] = {float: (int, float)}


def check(value: Any, kind: type[T], path: str) -> T:
    """
    *value* if it is a JSON *kind* (str, int, float, bool, dict, list).

    Raises:
        RequestError: It is not; ``param`` is *path*.
    """
    wrong_bool = isinstance(value, bool) and kind is not bool  # JSON's true is no number
    if wrong_bool or not isinstance(value, _ACCEPTED.get(kind, kind)):
        raise RequestError(f"{path}: must be {_WORDS[kind]}", param=path)
    return value  # type: ignore[return-value]  # an int where a float is asked for is JSON's number


def require(body: JSONObject, key: str, kind: type[T], path: str = "") -> T:
    """``body[key]``, which must be there. Raises ``RequestError`` like ``check``."""
    full = join(path, key)
    if key not in body:
        raise RequestError(f"{full}: field required", param=full)
    return check(body[key], kind, full)


def optional(body: JSONObject, key: str, kind: type[T], path: str = "") -> T | None:
    """``body[key]``, ``None`` where absent or null. Raises ``RequestError`` like ``check``."""
    value = body.get(key)
    return None if value is None else check(value, kind, join(path, key))


def objects(value: Any, path: str) -> list[JSONObject]:
    """*value* as an array of objects. Raises ``RequestError`` like ``check``."""
    items = check(value, list, path)
    return [check(item, dict, f"{path}.{index}") for index, item in enumerate(items)]


def rest(body: JSONObject, *known: str) -> JSONObject:
    """The fields of *body* that are not *known*, verbatim."""
    return {key: value for key, value in body.items() if key not in known}


def join(path: str, key: str) -> str:
    """``path.key``."""
    return f"{path}.{key}" if path else key
