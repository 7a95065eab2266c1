"""
Which conversation a request belongs to: named by the client, or told by how its prompt begins.

The hashes are FNV-1a over the chunks that Plano takes, with two differences: a long text enters
as its digest (a byte loop over a whole prompt would hold the event loop up), and the tools'
definitions count in the prefix, because a prompt cache keeps them too. The prefix of a session that
the client names is a checksum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from zlib import crc32

from plano_asgi._json import dumps
from plano_asgi.conversation import ChatRequest, Message, TextPart, Tool
from plano_asgi.identities import identity_name

AFFINITY_HEADER = "x-model-affinity"
"""Names the conversation."""
CACHE_HEADER = "x-plano-cache"
"""With ``off`` there are no implicit session and no cache markers for this request."""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_END = 0x1F
_LONGEST_HASHED = 32  # bytes; of a longer text another digest enters the hash
_INSTRUCTING = ("system", "developer")
_IMPLICIT = "implicit:"
_MAX_MIXED = 4096  # remembered: a byte loop each, and a conversation's are always the same
# Claude Code's first system block; part of it is another one on every request.
_VOLATILE = "x-anthropic-billing-header:"

_LONGEST_IN_KEY = 128  # characters of each part: three of them stay far below a store's bound
_SAFE = "/@+"
_PLAIN = re.compile(rf"[A-Za-z0-9_.~{_SAFE}-]{{0,{_LONGEST_IN_KEY}}}")
_PLAIN_KEY = re.compile(rf"session:{_PLAIN.pattern}:[ei]\.{_PLAIN.pattern}:{_PLAIN.pattern}")


@dataclass(slots=True)
class Session:
    """
    One conversation of one tenant, as this request tells it.

    ``id`` is the client's header, or ``implicit:`` and 16 hex digits. ``key`` is the store's: other
    tenants and other *lanes* (models asked for) of the same id have another one.
    """

    id: str
    key: str
    lane: str
    is_explicit: bool
    prefix_hash: int | None = None


@dataclass(slots=True)
class Fingerprint:
    """
    How a prompt begins. ``prefix_hash``: what a prompt cache holds of it, as far as all its
    conversations share it. ``session_id`` adds the first thing the user said; ``None`` if nobody
    said anything.
    """

    prefix_hash: int
    session_id: str | None


def fingerprint(
    request: ChatRequest, tenant: str = "", *, is_named: bool = False
) -> Fingerprint | None:
    """
    The fingerprint of *request*; ``None`` without a user's turn.

    Args:
        is_named: The client names the session: no id is looked for, and the prefix is another one
            than without a name. Takes half of the time.
    """
    instructions, first = _beginning(request.messages)
    if first is None:
        return None
    if is_named:
        # To see that a prompt is not the one it was takes less than to tell all of them apart.
        beside = dumps([tenant, *_told(request.tools)])
        return Fingerprint(_checksum(instructions.encode("utf-8", "surrogatepass"), beside), None)
    names = ",".join([tool.name for tool in request.tools])
    shared = _chunk(tenant), _chunk(instructions), _chunk(names)
    prefix_hash = _mixed(_SALTED, (*shared, *_definitions(request.tools)))
    if not (said := text_of(first)):
        return Fingerprint(prefix_hash, None)
    id = _mixed(_SALTED, (*shared, _chunk(said)))
    return Fingerprint(prefix_hash, f"{_IMPLICIT}{id:016x}")


def tenant_of(identity: Any, headers: Mapping[str, str], tenant_header: str | None) -> str:
    """
    Whose session it is: who was authenticated, else what *tenant_header* says, else nobody ("").
    The first letter tells which, so that a header cannot spell somebody authenticated.
    """
    if (name := identity_name(identity)) is not None:
        return f"a.{name}"
    if tenant_header and (name := headers.get(tenant_header.lower(), "").strip()):
        return f"h.{name}"
    return ""


def session_key(tenant: str, id: str, lane: str, *, is_explicit: bool) -> str:
    """The key in the store; no part of it can spell another's place."""
    named = f"e.{id}" if is_explicit else f"i.{id.removeprefix(_IMPLICIT)}"
    key = f"session:{tenant}:{named}:{lane}"
    if _PLAIN_KEY.fullmatch(key):
        return key
    named = f"e.{_escaped(id)}" if is_explicit else named
    return f"session:{_escaped(tenant)}:{named}:{_escaped(lane)}"


def is_opted_out(headers: Mapping[str, str]) -> bool:
    """Whether the client wants no caching help for this request."""
    return headers.get(CACHE_HEADER, "").strip().lower() == "off"


def text_of(message: Message) -> str:
    """All text parts, a line each."""
    return "\n".join(part.text for part in message.parts if isinstance(part, TextPart))


def _beginning(messages: Sequence[Message]) -> tuple[str, Message | None]:
    """
    The instructions in front, and the first thing that the user said. Later instructions come and
    go while a conversation grows.
    """
    texts: list[str] = []
    is_front = True
    for message in messages:
        role = message.role
        if role == "user":
            return "\n".join(texts), message
        if is_front := is_front and role in _INSTRUCTING:
            parts = [
                part.text
                for part in message.parts
                if isinstance(part, TextPart) and not part.text.startswith(_VOLATILE)
            ]
            texts.append("\n".join(parts))
    return "\n".join(texts), None


def _told(tools: Sequence[Tool]) -> list[Any]:
    told: list[Any] = []
    for tool in tools:
        told += (tool.name, tool.description, tool.parameters, tool.raw)
    return told


def _definitions(tools: Sequence[Tool]) -> tuple[bytes, ...]:
    """What tools are beside their names, as one chunk; no chunk where names are all there is."""
    if not any(tool.description or tool.parameters or tool.raw for tool in tools):
        return ()
    return (_digest(dumps(_told(tools))),)


def _chunk(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return data if len(data) <= _LONGEST_HASHED else _digest(data)


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()[:8]


def _checksum(first: bytes, second: bytes) -> int:
    """64 bits, in a third of a digest's time."""
    return (len(first) + len(second) & 0xFFFFFFFF) << 32 | crc32(second, crc32(first))


@lru_cache(_MAX_MIXED)
def _mixed(state: int, chunks: tuple[bytes, ...]) -> int:
    """FNV-1a, 64 bits, with an end mark after each chunk."""
    for chunk in chunks:
        for byte in chunk:
            state = ((state ^ byte) * _PRIME) & _MASK
        state = ((state ^ _END) * _PRIME) & _MASK
    return state


def _escaped(text: str) -> str:
    """*text* without colons and in bounds; two texts never become one."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = quote(text, safe=_SAFE, errors="surrogatepass")
    if len(escaped) <= _LONGEST_IN_KEY:
        return escaped
    return "=" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_SALTED = _mixed(_OFFSET, (b"plano-affinity-v1",))
