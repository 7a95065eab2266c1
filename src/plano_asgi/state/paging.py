"""Lists in pages, as the API cuts them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError

MAX_LIMIT = 100
_NUMBER = re.compile(r"[0-9]{1,3}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which page: at most *limit* items that come after the one with id *after*."""

    limit: int = 20
    after: str | None = None
    is_descending: bool = True


def read_paging(query: Mapping[str, str]) -> Paging:
    """
    Read ``limit``, ``after`` and ``order`` of a query.

    Raises:
        RequestError: One of them cannot be.
    """
    limit = query.get("limit", "20")
    if not _NUMBER.match(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise RequestError(f"'limit' must be 1 to {MAX_LIMIT}.", param="limit")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise RequestError("'order' must be 'asc' or 'desc'.", param="order")
    return Paging(limit=int(limit), after=query.get("after"), is_descending=order == "desc")


def read_flag(query: Mapping[str, str], name: str) -> bool:
    """
    Read a parameter that is ``true`` or ``false``, which is also what it is by default.

    Raises:
        RequestError: It is something else.
    """
    given = query.get(name, "false")
    if given not in ("true", "false"):
        raise RequestError(f"'{name}' must be true or false.", param=name)
    return given == "true"


def page(items: Sequence[JSONObject], paging: Paging) -> JSONObject:
    """
    One page of *items*, given oldest first, each with an ``id`` of its own.

    Raises:
        RequestError: None of them has the id ``after``.
    """
    ordered = list(reversed(items)) if paging.is_descending else list(items)
    start = 0
    if paging.after is not None:
        ids = [item["id"] for item in ordered]
        if paging.after not in ids:
            raise RequestError("'after' is the id of no item of this list.", param="after")
        start = ids.index(paging.after) + 1
    shown = ordered[start : start + paging.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + paging.limit < len(ordered),
    }
