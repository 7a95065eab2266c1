"""
What can be told of a regular expression without running it: how long a match gets, which
characters it is made of, how far it looks to either side.

Read from the parse tree of the standard library (``re._parser``), which is private but has had this
shape since Python 3.11; whatever is not understood counts as "any character".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from plano_asgi.errors import ConfigurationError

ANY = r"[\s\S]"
"""A class of every character."""

_CATEGORIES = {
    _constants.CATEGORY_DIGIT: r"\d",
    _constants.CATEGORY_NOT_DIGIT: r"\D",
    _constants.CATEGORY_SPACE: r"\s",
    _constants.CATEGORY_NOT_SPACE: r"\S",
    _constants.CATEGORY_WORD: r"\w",
    _constants.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
_ASSERTIONS = (_constants.ASSERT, _constants.ASSERT_NOT)
_MOST_LITERALS = 512
_GROUPS = (_constants.BRANCH, _constants.SUBPATTERN)
_AT_ENDS = (_constants.AT_END, _constants.AT_END_STRING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """
    ``width``: most characters of a match, ``None`` if there is no most. ``before``, ``after``: how
    far it looks past a match's start and end. ``alphabet``, ``head``, ``rest``: a pattern of one
    character each: any of a match, its first, and those that a match goes on with at its end.
    ``prefixes``: literals, with one of which every match begins; empty if that cannot be said.
    """

    width: int | None
    before: int
    after: int
    alphabet: str
    head: str
    rest: str
    prefixes: tuple[str, ...]
    flags: str
    """The flags that matter for the above, as ``(?flags:...)`` takes them; often empty."""


def shape_of(regex: re.Pattern[str]) -> Shape:
    """
    The shape of *regex*.

    Raises:
        ConfigurationError: It looks ahead without a limit, or matches the empty text only.
    """
    tree = _parser.parse(regex.pattern, regex.flags)
    width = _width(tree)
    if width == 0:
        raise ConfigurationError(f"the regex {regex.pattern!r} matches nothing but empty text")
    before, after = _looks(tree, regex.pattern)
    local = _local_flags(tree)
    flags = regex.flags | local
    is_ascii = flags & re.ASCII and not local
    alphabet = _one_of(_consumed(tree, flags))
    return Shape(
        width=width,
        before=max(1, before),
        after=max(1, after),
        alphabet=alphabet,
        head=_one_of(_first(tree, flags)),
        rest=_one_of(_last(tree, flags)) or alphabet,
        prefixes=_literals(tree),
        flags=("i" if flags & re.IGNORECASE else "") + ("a" if is_ascii else ""),
    )


def _width(tree: Any) -> int | None:
    most = int(tree.getwidth()[1])
    return None if most >= int(_constants.MAXREPEAT) else most


def _looks(tree: Any, pattern: str) -> tuple[int, int]:
    before = after = 0
    for op, value in tree:
        if op is _constants.AT:
            before = max(before, 1)
            # "$" also matches before a line feed that ends the text: one more to see.
            after = max(after, 2 if value in _AT_ENDS else 1)
        elif op in _ASSERTIONS:
            direction, inner = value
            width = _width(inner)
            if width is None:
                raise ConfigurationError(f"the regex {pattern!r} looks ahead without a limit")
            inner_before, inner_after = _looks(inner, pattern)
            if direction < 0:
                before, after = max(before, width + inner_before), max(after, inner_after)
            else:
                before, after = max(before, inner_before), max(after, width + inner_after)
        else:
            for inner in _inner_trees(value):
                inner_before, inner_after = _looks(inner, pattern)
                before, after = max(before, inner_before), max(after, inner_after)
    return before, after


def _local_flags(tree: Any) -> int:
    """Flags that are on somewhere inside: ``(?i:...)``. They count for all, which only widens."""
    found = 0
    for op, value in tree:
        if op is _constants.SUBPATTERN:
            found |= value[1]
        for inner in _inner_trees(value):
            found |= _local_flags(inner)
    return found


def _inner_trees(value: Any) -> Iterator[Any]:
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _inner_trees(item)


def _consumed(tree: Any, flags: int) -> list[str]:
    """A class of one character for everything that *tree* can consume."""
    found: list[str] = []
    for op, value in tree:
        if op is _constants.AT or op in _ASSERTIONS:
            continue
        found += _item(op, value, flags, _consumed)
    return found


def _first(tree: Any, flags: int) -> list[str]:
    found: list[str] = []
    for op, value in tree:
        if op is _constants.AT or op in _ASSERTIONS:
            continue
        found += _item(op, value, flags, _first)
        if _least(op, value) > 0:
            break
    return found


def _last(tree: Any, flags: int) -> list[str]:
    """What an endless repetition at the very end of *tree* consumes; empty if there is none."""
    for op, value in reversed(list(tree)):
        if op is _constants.AT or op in _ASSERTIONS:
            continue
        if op in _REPEATS:
            return _consumed(value[2], flags) if value[1] is _constants.MAXREPEAT else []
        inner = list(_inner_trees(value))
        if op is _constants.SUBPATTERN or op is _constants.ATOMIC_GROUP:
            return _last(inner[0], flags)
        return []
    return []


def _item(op: Any, value: Any, flags: int, of: Any) -> list[str]:
    inner = list(_inner_trees(value))
    if inner:
        return [one for tree in inner for one in of(tree, flags)]
    if op is _constants.LITERAL:
        return [f"[{_char(value)}]"]
    if op is _constants.NOT_LITERAL:
        return [f"[^{_char(value)}]"]
    if op is _constants.IN:
        return [_class(value)]
    if op is _constants.ANY and not flags & re.DOTALL:
        return [r"[^\n]"]
    return [ANY]


def _least(op: Any, value: Any) -> int:
    if op in _REPEATS and value[0] == 0:
        return 0
    widths = [int(tree.getwidth()[0]) for tree in _inner_trees(value)]
    return min(widths, default=1)


def _class(items: Iterable[tuple[Any, Any]]) -> str:
    negated, inside = "", ""
    for op, value in items:
        if op is _constants.NEGATE:
            negated = "^"
        elif op is _constants.LITERAL:
            inside += _char(value)
        elif op is _constants.RANGE:
            inside += f"{_char(value[0])}-{_char(value[1])}"
        else:
            inside += _CATEGORIES[value]
    return f"[{negated}{inside}]"


def _char(code: int) -> str:
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def _one_of(classes: list[str]) -> str:
    """One pattern of one character for several classes; empty for none."""
    if ANY in classes:
        return ANY
    plain = dict.fromkeys(one[1:-1] for one in classes if not one.startswith("[^"))
    parts = [f"[{''.join(plain)}]"] if plain else []
    parts += dict.fromkeys(one for one in classes if one.startswith("[^"))
    # Atomic: classes overlap, and a run of them must not be tried in every way to choose.
    return f"(?>{'|'.join(parts)})" if len(parts) > 1 else "".join(parts)


def _literals(tree: Any) -> tuple[str, ...]:
    """Literals, with one of which every match begins; none if some match need not."""
    begun = {""}
    for op, value in tree:
        if op in _ASSERTIONS or op is _constants.AT:
            continue
        inner = list(_inner_trees(value)) if op in _GROUPS else []
        found = [_literals(one) for one in inner]
        if op is not _constants.LITERAL and not (found and all(found)):
            break
        ends = [end for one in found for end in one] or [chr(value)]
        if len(begun) * len(ends) > _MOST_LITERALS:
            break
        begun = {one + end for one in begun for end in ends}
        if not all(map(_is_literal, inner)):
            break
    return tuple(sorted(begun)) if all(begun) else ()


def _is_literal(tree: Any) -> bool:
    return all(op is _constants.LITERAL for op, _ in tree)
