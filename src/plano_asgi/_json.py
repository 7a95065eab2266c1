"""
The one JSON codec: orjson, and the standard library for the few documents orjson refuses.

orjson rejects lone surrogates (``"\\ud83d"``: a JavaScript client that cut an emoji in two sends
them) and integers past 64 bits on output. Both are legal, so they take the slow path instead of
failing. NaN and Infinity are not JSON and are refused. One limit stays: an integer past 64 bits is
read as a float, as JavaScript reads it.
"""

from __future__ import annotations

import json  # noqa: TID251 - the slow path lives here and nowhere else
import math
from typing import Any, TypeAlias

import orjson

JSONObject: TypeAlias = dict[str, Any]
"""A decoded JSON object. ``Any`` stands for JSON: str, int, float, bool, None, list, dict."""


def loads(data: bytes | str) -> Any:
    """
    Decode one JSON document.

    Raises:
        ValueError: Not JSON, or nested too deeply; the message says where.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        if b"\\u" not in data if isinstance(data, bytes) else "\\u" not in data:
            raise
        try:
            return json.loads(data, parse_constant=_refuse, parse_float=_finite)
        except RecursionError:
            raise exc from None


def dumps(value: object) -> bytes:
    """
    Encode *value* compactly as UTF-8.

    Raises:
        TypeError: *value* holds something that is not JSON.
        ValueError: It is nested too deeply.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        except RecursionError:
            raise ValueError("nested too deeply") from None


def dumps_str(value: object) -> str:
    """Encode *value* compactly as text, for JSON carried inside JSON (tool arguments)."""
    return dumps(value).decode()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large a number")
    return number
