"""What goes out on an HTTP/1.1 connection: where a URL leads, and a request's head as bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from plano_asgi.providers.transports.shared import DEFAULT_HEADERS

_URL = re.compile(
    r"""(?P<scheme>https?)://
        (?P<host> \[ [0-9a-f:.]+ \] | [^\x00-\x20\x7f/?\#@:\[\]\\]+ ) (?: : (?P<port>[0-9]{1,5}) )?
        (?P<path> / [!-"$->@-~]* )? (?P<query> \? [!-"$-~]* )? (?: \#.* )?""",
    re.IGNORECASE | re.VERBOSE,
)
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINES = re.compile(r"(?:[a-z0-9!#$%&'*+.^_`|~-]++: [^\r\n\0]*+\r\n)*+")  # names, values, ends
_FRAMING = frozenset({"content-length", "transfer-encoding"})  # ours: a second one is smuggling
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Whom to connect to; what connections are shared by."""

    tls: bool
    host: str
    port: int


class Target(NamedTuple):
    """A method and a URL, ready to be written. *bodied*: the method announces an empty body."""

    origin: Origin
    line: str
    host_line: str
    bodied: bool


@lru_cache(maxsize=512)
def target_of(method: str, url: str) -> Target:
    """
    Split *url*, which is encoded already; a fragment stays here.

    Raises:
        ValueError: It is no absolute http URL, it holds credentials, or *method* is no token.
    """
    match = _URL.fullmatch(url)
    if match is None or not _METHOD.fullmatch(method):
        raise ValueError("not a method and an absolute http URL")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 1 << 16:
        raise ValueError("not a port")
    shown = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return Target(
        origin=Origin(scheme == "https", host.strip("[]"), port),
        line=f"{method} {match['path'] or '/'}{match['query'] or ''} HTTP/1.1\r\n",
        host_line=f"host: {shown}\r\n",
        bodied=method in ("POST", "PUT", "PATCH"),
    )


def encode_head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    """
    The head of a request whose body has *length* bytes, up to and with the empty line.

    *headers* (lower-case names) win over the defaults and ``host``, never over the framing.

    Raises:
        ValueError: A name or value cannot be in a header.
    """
    if not _FRAMING.isdisjoint(headers):
        headers = {name: value for name, value in headers.items() if name not in _FRAMING}
    merged = {**DEFAULT_HEADERS, **headers}
    lines = "".join([f"{name}: {value}\r\n" for name, value in merged.items()])
    if lines.count("\n") != len(merged) or not _LINES.fullmatch(lines):
        raise ValueError("a header name or value holds characters none may")
    host = "" if "host" in merged else target.host_line
    size = f"content-length: {length}\r\n" if length or target.bodied else ""
    return f"{target.line}{host}{lines}{size}\r\n".encode("latin-1")
