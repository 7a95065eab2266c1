"""
Reading what a routing model answered: names of routes, in whatever wrapping.

``{"route": ["a"]}`` is asked for. Fences, prose around it, thoughts before it, single quotes,
literal ``\\n``, one name for a list, names inside objects and other cases of a name are accepted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from plano_asgi._json import loads
from plano_asgi.routing.selectors.base import Unreadable

_MAX_CHARS = 4_000
_MAX_BRACES = 16
_MAX_DEPTH = 4
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_KEYS = ("route", "routes")
_NAME_KEYS = ("name", "route", "id")
_MISSING = object()


def read_routes(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """
    The routes that *text* names, best first; those that are not in *names* are left out.

    Raises:
        Unreadable: There is no answer in it.
    """
    text = _THOUGHTS.sub("", text).strip()[-_MAX_CHARS:]
    if not text:
        return ()
    exact = dict.fromkeys(names)
    folded = {name.strip().casefold(): name for name in reversed(names)}
    if (bare := text.strip("`\"' \n")) in exact:
        return (bare,)
    objects = list(_objects(text.replace("\\n", "\n")))
    for value in objects:
        if (answer := _answer(value, 0)) is not _MISSING:
            found = (_known(name, exact, folded) for name in _names(answer, 0))
            return tuple(dict.fromkeys(name for name in found if name))
    if objects or text == "[]":
        return ()
    raise Unreadable("the routing model's answer is not what was asked for")


def _objects(text: str) -> Iterator[Any]:
    """JSON objects in *text*: of those that end last the widest first."""
    starts = [match.start() for match in re.finditer(r"\{", text)][-_MAX_BRACES:]
    ends = [match.end() for match in re.finditer(r"\}", text)][-_MAX_BRACES:]
    for end in reversed(ends):
        for start in starts:
            if start < end and isinstance(value := _parsed(text[start:end]), dict):
                yield value


def _parsed(text: str) -> Any:
    for read in (loads, ast.literal_eval, _with_double_quotes):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _with_double_quotes(text: str) -> Any:
    return loads(text.replace("'", '"'))


def _answer(value: Any, depth: int) -> Any:
    """What stands under ``route``, at whatever depth."""
    if depth > _MAX_DEPTH:
        return _MISSING
    if isinstance(value, str) and "{" in value:
        value = _parsed(value)
    if isinstance(value, dict):
        for key in _KEYS:
            if key in value:
                return value[key]
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return _MISSING
    found = (_answer(item, depth + 1) for item in inner)
    return next((answer for answer in found if answer is not _MISSING), _MISSING)


def _names(answer: Any, depth: int) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif depth > _MAX_DEPTH:
        return
    elif isinstance(answer, list):
        for item in answer:
            yield from _names(item, depth + 1)
    elif isinstance(answer, dict):
        for key in _NAME_KEYS:
            if key in answer:
                yield from _names(answer[key], depth + 1)
                return


def _known(name: str, exact: dict[str, None], folded: dict[str, str]) -> str | None:
    return name if name in exact else folded.get(name.strip().casefold())
