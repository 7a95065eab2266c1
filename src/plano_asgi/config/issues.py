"""
What is wrong with a configuration: every problem at once, none of its secrets.

An ``Issue`` names the place (``model_providers.0.access_key``), what stands there and what is
allowed. The place is written as the user wrote it, and the value as it stands in the file: a
variable shows as ``$NAME``, never as its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias

from plano_asgi.errors import ConfigurationError

Severity = Literal["error", "refuse", "warn"]
"""``error``: cannot be read. ``refuse``: reads well, but leaving it out would be unsafe or change
what the gateway does. ``warn``: works, with the difference the message tells."""

_SECRET_WORDS = re.compile(
    r"(_keys?|apikeys?|token|secrets?|passw(or)?d|authorization|credentials?|cookie"
    r"|connection_string)$"
)
_HEADER_MAPS = frozenset({"headers", "http_headers"})
_USER_INFO = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"[?#].*", re.DOTALL)  # keys travel there
_MAX_SHOWN_CHARS = 80


Place: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the root of a document."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A problem at a place of the migrated document, before it is put in the user's terms.

    Args:
        show: Whether what stands there helps the reader; not so where a key is unknown or absent.
    """

    place: Place
    message: str
    severity: Severity = "error"
    show: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """
    One thing to change in a configuration.

    Args:
        path: Dotted place, list positions from 0; "" is the document itself.
        message: What is wrong and what is allowed.
        value: What stands there, shortened and free of secrets; "" where nothing helps.
    """

    path: str
    message: str
    value: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f" (got {self.value})" if self.value else "")


class ConfigError(ConfigurationError):
    """
    A configuration that cannot be used; ``issues`` holds everything that is wrong with it.

    Args:
        issues: At least one.
        source: Where the configuration came from, for the first line.
    """

    def __init__(self, issues: Sequence[Issue], *, source: str = "configuration") -> None:
        self.issues = tuple(issues)
        self.source = source
        count = "1 problem" if len(self.issues) == 1 else f"{len(self.issues)} problems"
        lines = [f"{source}: {count}", *(f"  - {issue}" for issue in self.issues)]
        super().__init__("\n".join(lines))


def is_secret_name(name: str) -> bool:
    """Whether a key or header of this name holds a credential: ``access_key``, ``X-Api-Key``."""
    return _SECRET_WORDS.search(name.lower().replace("-", "_")) is not None


def shown(value: object, place: Place = ()) -> str:
    """
    *value* for an error message: short, on one line, nothing below a secret-like key.

    Collections show as their size only, since their parts may hold secrets.
    """
    if any(isinstance(part, str) and is_secret_name(part) for part in place):
        return "a hidden value"
    if _HEADER_MAPS.intersection(place):
        return "a hidden value"
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, str) and "://" in value:
        value = _QUERY.sub("...", _USER_INFO.sub("***@", value))
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."


def dotted(parts: Place) -> str:
    """``("a", 0, "b")`` as ``a.0.b``."""
    return ".".join(str(part) for part in parts)


def near(word: str, known: Iterable[str]) -> str:
    """A hint for a word that may be a slip of one of *known*: ``; did you mean 'x'?`` or ""."""
    matches = get_close_matches(word, sorted(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def listed(names: Iterable[str]) -> str:
    """The allowed names for a message, sorted; ``none`` if there are none."""
    return ", ".join(sorted(names)) or "none"
