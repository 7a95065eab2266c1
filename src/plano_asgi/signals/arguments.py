"""Arguments of calls, compared as JSON: the same, or another try at the same thing."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

from plano_asgi._json import dumps, loads

MAX_DEPTH = 32
SHUFFLED_SHARE = 0.6
_NUMBERS = (int, float)
_TUNED = re.compile(
    r"limit|top_?k|threshold|timeout|radius|min|max|size|depth|tolerance|temperature|count|price|retries|fuzz",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\w+")
_HANDLE = re.compile(r"[/\\@]|^[\w-]*\d[\w-]*$|\.\w{1,5}$")
"""Paths, addresses, ids, file names: another one is another thing, however alike they look."""


def read_arguments(text: str) -> Any:
    """The arguments as JSON; free text as it is, none as an empty object."""
    stripped = text.strip()
    if not stripped:
        return {}
    try:
        return loads(stripped)
    except ValueError:
        return stripped


def canonical(value: Any, depth: int = 0) -> Hashable:
    """A key that is equal for equal JSON: order of keys, white space and 1 or 1.0 do not count."""
    if isinstance(value, bool):
        return ("bool", value)
    if not isinstance(value, (dict, list)):
        scalar: Hashable = value
        return scalar
    if depth >= MAX_DEPTH:
        return dumps(value)
    if isinstance(value, list):
        return ("list", *[canonical(item, depth + 1) for item in value])
    return frozenset([(key, canonical(item, depth + 1)) for key, item in value.items()])


def is_variation(one: Any, two: Any) -> bool:
    """
    Whether *two* is *one* tried again in other words or with other settings.

    A search widened, narrowed or reordered, an option added, left out, flipped or tuned is; the
    next file, id, page or city is not.
    """
    if isinstance(one, str) and isinstance(two, str):
        return _is_reworded(one, two)
    if not isinstance(one, dict) or not isinstance(two, dict):
        return False
    changed = [key for key in one.keys() & two.keys() if one[key] != two[key]]
    same = len(one.keys() & two.keys()) - len(changed)
    options = one.keys() ^ two.keys()
    if not changed:
        return bool(options) and (same > 0 or min(len(one), len(two)) == 0)
    return len(changed) + len(options) <= same + 1 and all(
        _is_varied(key, one[key], two[key], beside=same > 0) for key in changed
    )


def _is_varied(key: str, one: Any, two: Any, *, beside: bool) -> bool:
    if isinstance(one, str) and isinstance(two, str):
        return _is_reworded(one, two)
    if isinstance(one, bool) and isinstance(two, bool):
        return beside
    if isinstance(one, _NUMBERS) and isinstance(two, _NUMBERS):
        return beside and bool(_TUNED.search(key))
    return type(one) is not type(two)  # "5" for 5: the same once more, in another form


def _is_reworded(one: str, two: str) -> bool:
    """One holds the other's words, or begins with it, or has them in another order or case."""
    one, two = one.strip().lower(), two.strip().lower()
    if _HANDLE.search(one) or _HANDLE.search(two):
        return False
    if one.startswith(two) or two.startswith(one):
        return one.strip("0123456789") != two.strip("0123456789")
    mine, theirs = set(_WORDS.findall(one)), set(_WORDS.findall(two))
    common = len(mine & theirs)
    if not common:
        return False
    if common == min(len(mine), len(theirs)):
        return True
    return common >= 3 and _is_shuffled(one, two, common)


def _is_shuffled(one: str, two: str, common: int) -> bool:
    """Most words are common and stand elsewhere: not one template filled in twice."""
    mine: list[str] = _WORDS.findall(one)
    theirs: list[str] = _WORDS.findall(two)
    if common / max(len(mine), len(theirs)) < SHUFFLED_SHARE:
        return False
    ahead = sum(a == b for a, b in zip(mine, theirs, strict=False))
    behind = sum(a == b for a, b in zip(mine[::-1], theirs[::-1], strict=False))
    return ahead + behind < common
