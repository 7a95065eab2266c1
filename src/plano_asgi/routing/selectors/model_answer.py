"""
Reading what a routing model answered: names of routes, in whatever wrapping.

``{"route": ["a"]}`` is asked for. Fences, prose around it, thoughts before it, single quotes,
literal ``\\n``, one name for a list, names inside objects, a bare list and other cases of a name
are accepted; so are JSON with broken quotes, and prose that concludes with one name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from plano_asgi._json import loads
from plano_asgi.routing.selectors.base import Unreadable
from plano_asgi.routing.selectors.mentions import Mentions

_MAX_CHARS = 4_000
_MAX_BRACES = 16
_MAX_DEPTH = 4
_THOUGHTS = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNFINISHED = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_KEYS = ("route", "routes")
_NAME_KEYS = ("name", "route", "id")
_QUOTES = "`\"'*. \n"
_WRAPPING = f"{_QUOTES}[](){{}}:,"
_NO_ROUTE = frozenset(("", "none", "null", "no route"))
_MISSING = object()


def read_routes(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """
    The routes that *text* names, best first; those that are not in *names* are left out.

    Raises:
        Unreadable: There is no answer in it.
    """
    text = _THOUGHTS.sub("", text).strip()[-_MAX_CHARS:]
    if _UNFINISHED.search(text):
        raise _unreadable()
    known = _Known(names)
    bare = text.strip(_WRAPPING)
    if (name := known.name(text) or known.name(bare)) is not None:
        return (name,)
    if text.strip(_QUOTES).casefold() in _NO_ROUTE:
        return ()
    values = list(_values(text.replace("\\n", "\n")))
    if (found := _told(values, known)) is not None:
        return found
    mentions = Mentions(names)
    is_json = any(sign in text for sign in "{[")  # cut short, a name may be the half of one
    found = mentions.in_broken_json(text) if is_json else mentions.concluded(text)
    if not found and not values:
        raise _unreadable()
    return found


class _Known:
    """The names that were offered, in whatever case."""

    def __init__(self, names: Sequence[str]) -> None:
        self._exact = frozenset(names)
        self._folded = {name.strip().casefold(): name for name in reversed(names)}

    def name(self, said: str) -> str | None:
        """The offered name that *said* is, if it is one."""
        return said if said in self._exact else self._folded.get(said.strip().casefold())

    def among(self, answer: Any) -> tuple[str, ...]:
        """The offered names in *answer*: a text, with commas between several, or texts in it."""
        found = (name for said in _names(answer, 0) for name in self._all(said))
        return tuple(dict.fromkeys(found))

    def _all(self, said: str) -> Iterator[str]:
        one = self.name(said)
        parts = (self.name(part) for part in re.split(r"[,;|]", said))
        yield from (one,) if one is not None else filter(None, parts)


def _unreadable() -> Unreadable:
    return Unreadable("the routing model's answer is not what was asked for")


def _told(values: Sequence[Any], known: _Known) -> tuple[str, ...] | None:
    """The names in the first of *values* that has an answer; ``None`` if none has."""
    for value in values:
        if (answer := _answer(value, 0)) is not _MISSING:
            return known.among(answer)
    # A list of names, or an object of the form in which the routes are shown.
    return next((found for value in values if (found := known.among(value))), None)


def _values(text: str) -> Iterator[Any]:
    """JSON objects and lists in *text*: of those that end last the widest first."""
    for opening, closing, kind in ((r"\{", r"\}", dict), (r"\[", r"\]", list)):
        starts = [match.start() for match in re.finditer(opening, text)][-_MAX_BRACES:]
        ends = [match.end() for match in re.finditer(closing, text)][-_MAX_BRACES:]
        for end in reversed(ends):
            for start in starts:
                if start < end and isinstance(value := _parsed(text[start:end]), kind):
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
