"""Which requests carry texts for a model: known APIs by path and shape, routes told by fields."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from posixpath import normpath
from typing import TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.asgi.known_paths import KNOWN_PATHS, KnownPath
from plano_asgi.asgi.request import json_value
from plano_asgi.errors import ConfigurationError, RequestError
from plano_asgi.wire import LAYOUTS
from plano_asgi.wire.field_layout import FieldLayout

Paths: TypeAlias = Sequence[str] | Mapping[str, "str | FieldLayout"]
"""
Path patterns (``fnmatch``, on the whole path): a list of them, read by ``fields``; or each with a
dialect's name (``"openai.chat"``) or a ``FieldLayout`` of its own.
"""

ROUTE = "route"
"""``Exchange.operation`` of a foreign route."""

_SUFFIXES = tuple(KNOWN_PATHS)
_BY_LENGTH = sorted(KNOWN_PATHS, key=len, reverse=True)
_JSON_STARTS = (b"{", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_LONGEST_START = 3


class Recogniser:
    """
    Tells which requests are looked at.

    Args:
        paths: Besides the known APIs; see ``Paths``.
        fields, answer_fields: As for ``FieldLayout``, for *paths* given as a list.
        exclude: Patterns of paths that are not looked at, whatever they look like: a route of
            the host's own that ends in ``/messages``, say.

    Raises:
        ConfigurationError: Paths that nobody could read, or an unknown dialect.
    """

    def __init__(
        self,
        paths: Paths = (),
        *,
        fields: Sequence[str] = (),
        answer_fields: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        if isinstance(paths, str) or isinstance(exclude, str):
            raise ConfigurationError("paths must be a list or a mapping of path patterns")
        if not isinstance(paths, Mapping):
            if bool(paths) != bool(fields):
                raise ConfigurationError("paths and fields belong together: give both or neither")
            layout = FieldLayout(fields, answer_fields=answer_fields) if fields else None
            paths = {pattern: layout for pattern in paths if layout is not None}
        elif fields or answer_fields is not None:
            raise ConfigurationError("with a mapping of paths, fields are given in a FieldLayout")
        self._excluded = [_pattern(path) for path in exclude]
        self._routes = [(_pattern(path), _route(what)) for path, what in paths.items()]

    def find(self, path: str) -> KnownPath | None:
        """
        What a request to *path* is, if its body has the right shape. Doubled slashes and dots in
        it are resolved: an app that relays paths to a server behind it leaves that to the server.
        """
        if "//" in path or "/." in path:
            path = normpath(f"/{path.lstrip('/')}")
        if self._excluded and any(pattern.match(path) for pattern in self._excluded):
            return None
        for pattern, route in self._routes:
            if pattern.match(path) or (path.endswith("/") and pattern.match(path.rstrip("/"))):
                return route
        if path.endswith("/"):
            path = path.rstrip("/")
        if not path.endswith(_SUFFIXES):
            return None
        return next(KNOWN_PATHS[suffix] for suffix in _BY_LENGTH if path.endswith(suffix))


def may_be_json(start: bytes, *, is_all: bool) -> bool:
    """
    Whether a body of some other content type that begins with *start* may still be read as a JSON
    object: servers that parse without a look at the header are common, UTF-16 included.
    """
    start = start.lstrip(b" \t\r\n\0")
    return start.startswith(_JSON_STARTS) or (len(start) < _LONGEST_START and not is_all)


def read_object(known: KnownPath, content: bytes) -> JSONObject | None:
    """
    The JSON object that *content* is; ``None`` where it is somebody else's body.

    Raises:
        RequestError: Nobody can tell what it says, and so it cannot be judged.
    """
    body = json_value(content)
    if not known.marks:
        if not isinstance(body, dict):
            raise RequestError("The request body must be a JSON object.")
        return body
    if not isinstance(body, dict) or not any(mark in body for mark in known.marks):
        return None
    if not isinstance(body.get("messages", []), list):
        raise RequestError("'messages' must be a list.", param="messages")
    return body


def _pattern(path: str) -> re.Pattern[str]:
    if not isinstance(path, str) or not path.startswith(("/", "*")):
        raise ConfigurationError(f"a path pattern begins with '/': {path!r} does not")
    return re.compile(fnmatch.translate(path))


def _route(what: str | FieldLayout) -> KnownPath:
    if isinstance(what, FieldLayout):
        return KnownPath(ROUTE, "", what, ())
    known = {entry.dialect: entry for entry in KNOWN_PATHS.values() if entry.operation == "chat"}
    if what not in known:
        raise ConfigurationError(
            f"a path is read by a FieldLayout or one of {sorted(LAYOUTS)}, not by {what!r}"
        )
    return known[what]
