"""
Field paths: where the texts of a JSON body stand that is none of an LLM API's.

``question``, ``history.*.text``, ``choices.0.delta``, ``**.content``: keys joined by dots; ``*`` is
any key or index, ``**`` any depth (none, too), a number an index of a list or a key of that name.
A backslash takes the meaning of a dot, a star or itself: ``a\\.b`` is one key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from plano_asgi.errors import ConfigurationError

MAX_STEPS = 64
"""Steps of one path."""

_STEP = re.compile(r"(?:[^.\\]|\\.)+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE_STAR = re.compile(r"(?:\\.|[^*\\])*\*", re.DOTALL)
_ANY, _DEEP = "*", "**"


class Found(NamedTuple):
    """A string in a document: it is ``holder[key]``."""

    holder: Any
    key: str | int
    path: str


@dataclass(frozen=True, slots=True)
class _Step:
    key: str
    wild: str = ""
    """``*`` or ``**`` where any key will do."""


class FieldPaths:
    """
    Finds the strings at any of *paths* in one walk; every string at most once, in order. An object
    or a list at a path gives all the strings in it. Keys are never texts.

    Raises:
        ConfigurationError: A path cannot be read; names it.
    """

    __slots__ = ("_paths",)

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(_parse(path) for path in paths)

    def find(self, document: Any) -> Iterator[Found]:
        """
        The strings of *document* that the paths name. The time is linear in its size and that of
        the paths.
        """
        start = self._closed({(number, 0) for number in range(len(self._paths))})
        # A stack and no recursion: a client may nest deeper than Python calls.
        stack = [(document, "", start, _pairs(document))]
        while stack:
            holder, path, states, pairs = stack[-1]
            for key, value in pairs:
                is_text = isinstance(value, str)
                if not is_text and not isinstance(value, dict | list):
                    continue
                after = states if states is _ALL else self._step(states, str(key))
                if not after:
                    continue
                place = f"{path}.{key}" if path else str(key)
                if not is_text:
                    stack.append((value, place, after, _pairs(value)))
                    break
                if after is _ALL:
                    yield Found(holder, key, place)
            else:
                stack.pop()

    def plain(self) -> list[list[str]]:
        """The keys of those paths that have no star."""
        return [
            [step.key for step in steps]
            for steps in self._paths
            if not any(step.wild for step in steps)
        ]

    def _step(self, states: frozenset[_State], key: str) -> frozenset[_State]:
        after: set[_State] = set()
        for number, at in states:
            step = self._paths[number][at]
            if step.wild == _DEEP:
                after.add((number, at))
            elif step.wild or step.key == key:
                after.add((number, at + 1))
        return self._closed(after)

    def _closed(self, states: set[_State]) -> frozenset[_State]:
        """*states*, and those that ``**`` reaches by taking nothing."""
        todo = list(states)
        while todo:
            number, at = todo.pop()
            steps = self._paths[number]
            if at == len(steps):
                return _ALL
            if steps[at].wild == _DEEP and (number, at + 1) not in states:
                states.add((number, at + 1))
                todo.append((number, at + 1))
        return frozenset(states)


_State = tuple[int, int]
"""Number of a path, and of the step in it that comes next."""

_ALL: frozenset[_State] = frozenset({(-1, -1)})
"""A path ended here or further up: every string counts."""


def _pairs(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return enumerate(value) if isinstance(value, list) else iter(())


def _parse(path: object) -> tuple[_Step, ...]:
    if not isinstance(path, str) or not path:
        raise ConfigurationError(f"a field path must be a text that is not empty, not {path!r}")
    steps: list[_Step] = []
    at = 0
    while True:
        match = _STEP.match(path, at)
        if match is None:
            raise ConfigurationError(
                f"field path {path!r}: expected a key, * or ** at character {at + 1}"
            )
        steps.append(_step(match[0], path))
        at = match.end() + 1
        if match.end() == len(path):
            break
        if path[match.end()] != ".":
            raise ConfigurationError(f"field path {path!r}: a backslash at its end")
    if len(steps) > MAX_STEPS:
        raise ConfigurationError(f"field path {path!r}: more than {MAX_STEPS} steps")
    return tuple(steps)


def _step(text: str, path: str) -> _Step:
    if text in (_ANY, _DEEP):
        return _Step("", text)
    if _BARE_STAR.match(text):
        raise ConfigurationError(
            f"field path {path!r}: a star stands alone between dots; write \\* for one in a key"
        )
    return _Step(_ESCAPE.sub(r"\1", text))
