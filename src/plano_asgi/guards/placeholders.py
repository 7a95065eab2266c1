"""
Placeholders as models write them: ``<EMAIL_1>``, and what they make of it.

A name is a kind in capitals, an underscore, and a number or a short hash. Models copy it almost
always as it is; now and then with the brackets escaped or lost, in lower case, or with a Markdown
backslash before the underscore. All of these are found, and nothing whose name nobody issued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from plano_asgi._json import dumps_str
from plano_asgi.guards.matching import Match

KIND = re.compile(r"[A-Z][A-Z_]{0,22}[A-Z]\Z")
"""What a kind may be: it is part of every placeholder."""

LONGEST = 64
"""Characters of the longest spelling of a placeholder, its brackets escaped."""

_OPEN = r"(?:\\?<|&lt;|\\u003c|%3c)"
_CLOSE = r"(?:\\?>|&gt;|\\u003e|%3e)"
_NAME = r"[A-Z](?:[A-Z]|\\?_){1,23}\\?_[0-9A-Za-z]{1,16}"
_FOUND = re.compile(
    rf"(?i:(?P<open>{_OPEN}) {{0,2}}(?P<quoted>{_NAME}) {{0,2}}{_CLOSE})"
    rf"|(?<!\w)(?P<bare>{_NAME})(?!\w)"
)
_CLOSE_PART = r"\\(?:u(?:0(?:03?)?)?)?|&(?:gt?)?|%3?"
_NAME_REST = r"(?:[A-Z]|\\?_){0,23}\\?[0-9A-Za-z]{0,16}"
_INNER_PART = rf" {{0,2}}(?:[A-Z]{_NAME_REST} {{0,2}}(?:{_CLOSE_PART})?)?"
_BRACKET_PART = re.compile(
    rf"(?:<{_INNER_PART}"
    rf"|\\(?:<{_INNER_PART}|u(?:0(?:0(?:3(?:c{_INNER_PART})?)?)?)?)?"
    rf"|&(?:l(?:t(?:;{_INNER_PART})?)?)?"
    rf"|%(?:3(?:c{_INNER_PART})?)?)\Z",
    re.IGNORECASE,
)
_BARE_PART = re.compile(rf"[A-Z](?<!\w.){_NAME_REST}\Z")
"""A text's end that more text could make a placeholder of. Each begins with a plain set of
characters, which is what makes a search for it cheap."""

_ESCAPES = {
    "%3C": lambda value: quote(value, safe="@"),
    "\\U003C": lambda value: dumps_str(value)[1:-1],
}
"""Brackets written so stand in a URL, or in JSON: there the value has to be written so too."""


def canonical(spelling: str, /) -> str:
    """The name that a spelling (without brackets) stands for."""
    return spelling.replace("\\", "").upper()


def names_in(text: str, /) -> Iterator[str]:
    """The canonical name of everything in *text* that looks like a placeholder."""
    for found in _FOUND.finditer(text):
        yield canonical(found["quoted"] or found["bare"])


class PlaceholderMatcher:
    """
    A ``Matcher`` of the placeholders in *values*: what stands there instead is the value.

    Args:
        values: Canonical name (``EMAIL_1``, capitals) to value. May grow while in use.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def find(self, text: str, /) -> list[Match]:
        """Every placeholder of *text* that was issued."""
        return list(self._matches(text))

    def _matches(self, text: str) -> Iterator[Match]:
        if "_" not in text:
            return
        for found in _FOUND.finditer(text):
            name = canonical(found["quoted"] or found["bare"])
            value = self._values.get(name)
            if value is not None:
                escape = _ESCAPES.get((found["open"] or "").upper())
                yield Match(*found.span(), name, escape(value) if escape else value)

    def settled(self, text: str, /) -> int:
        """Up to where no more text changes what ``find`` says."""
        start = max(0, len(text) - LONGEST)
        end = len(text)
        for part in (_BRACKET_PART.search(text, start), _BARE_PART.search(text, start)):
            if part is not None:
                end = min(end, part.start())
        return end
