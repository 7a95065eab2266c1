"""When two requests are the same, and which of them may be answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import dumps
from plano_asgi.exchange import Exchange
from plano_asgi.wire.base import STATE_FIELDS

_ANONYMOUS = "shared"
_DEPTH = 200  # of a body; beyond it nothing is compared


@dataclass(frozen=True, slots=True)
class CacheControl:
    """What a client's ``cache-control`` asks for. ``max_age_s``: ``None`` for any age."""

    may_read: bool = True
    may_write: bool = True
    max_age_s: float | None = None


def cache_control(header: str) -> CacheControl:
    """
    Read ``no-store``, ``no-cache`` and ``max-age`` (RFC 9111, section 5.2.1); the rest asks for
    nothing here.
    """
    directives = [part.strip().lower() for part in header.split(",")]
    age: float | None = None
    for directive in directives:
        name, _, value = directive.partition("=")
        if name == "max-age" and (digits := value.strip('" ')).isdecimal():
            age = float(digits)
    no_store = "no-store" in directives
    return CacheControl(
        may_read=not no_store and "no-cache" not in directives,
        may_write=not no_store,
        max_age_s=age,
    )


def is_stateless(exchange: Exchange) -> bool:
    """
    Whether the answer depends on the body alone and nobody keeps it by its id: no conversation
    goes on from it elsewhere.
    """
    body = exchange.body
    if any(body.get(name) for name in STATE_FIELDS) or body.get("store"):
        return False
    return exchange.dialect != "openai.responses" or body.get("store") is False


def request_key(exchange: Exchange, identity: str | None, vary: Sequence[str]) -> str | None:
    """
    The key of the answer to *exchange*: its caller, API, body and the headers *vary*. Object keys
    have no order, numbers are compared as they are written. ``None`` for a body nested too deeply.
    """
    try:
        body = _sorted(exchange.body, _DEPTH)
    except RecursionError:
        return None
    who = [_ANONYMOUS] if identity is None else ["identity", identity]
    headers = [exchange.headers.get(name) for name in vary]
    digest = hashlib.blake2b(
        dumps([who, exchange.operation, exchange.dialect, headers, body]), digest_size=24
    )
    return f"answer:{digest.hexdigest()}"


def _sorted(value: Any, depth: int) -> Any:
    """
    *value* with every object's keys in order.

    Raises:
        RecursionError: It is nested more than *depth* deep.
    """
    if not depth:
        raise RecursionError
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth - 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth - 1) for item in value]
    return value
