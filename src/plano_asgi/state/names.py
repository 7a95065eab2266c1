"""What kept things are called: ids that clients see, keys that the store sees."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_LONGEST_ID = 256
_DIGEST_BYTES = 16
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "compaction": "cmp",
}


def new_id(prefix: str) -> str:
    """A fresh id that nobody can guess: ``resp_`` and 48 hexadecimal digits."""
    return f"{prefix}_{os.urandom(24).hex()}"


def is_id(value: object) -> bool:
    """Whether *value* can be the id of something kept."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_ID
        and value.isascii()
        and value.isprintable()  # in half the time of a pattern
        and " " not in value
        and "/" not in value  # it becomes part of a key
    )


def item_id(item: Any, container: str, index: int) -> str:
    """
    The id of *item*: its own, else one that follows from where it stands. Such ids hold as long as
    the item does and take no room.
    """
    own = item.get("id") if isinstance(item, dict) else None
    if isinstance(own, str) and own:
        return own
    kind = item.get("type") if isinstance(item, dict) else None
    place = f"{container}:{index}".encode()
    digest = hashlib.blake2b(place, digest_size=_DIGEST_BYTES).hexdigest()
    return f"{_PREFIXES.get(str(kind or 'message'), 'item')}_{digest}"


def named(items: Sequence[Any], container: str) -> list[tuple[str, Any]]:
    """*items* with their ids."""
    return [(item_id(item, container, index), item) for index, item in enumerate(items)]


def tenant_key(owner: str | None) -> str:
    """The part of a key that says whose a thing is. ``None``: callers without an identity."""
    if owner is None:
        return "-"
    name = owner.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=_DIGEST_BYTES).hexdigest()


@lru_cache(1024)
def tenant_prefix(owner: str | None) -> str:
    """What every key of *owner* begins with."""
    return f"state/{tenant_key(owner)}/"


def response_key(owner: str | None, id: str) -> str:
    """The key of a response."""
    return f"{tenant_prefix(owner)}r/{id}"


def item_key(owner: str | None, id: str) -> str:
    """The key of the place of one item of an answer."""
    return f"{tenant_prefix(owner)}i/{id}"


def conversation_key(owner: str | None, id: str) -> str:
    """The key of a conversation's head."""
    return f"{tenant_prefix(owner)}c/{id}"


def batch_key(owner: str | None, id: str, number: int) -> str:
    """The key of one of a conversation's batches of items; these sort by number."""
    return f"{tenant_prefix(owner)}b/{id}/{number:012d}"
