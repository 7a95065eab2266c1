"""
What a tool's result says of itself: nothing wrong, or trouble, and in which words.

Asked in this order: the tool's own mark (``is_error``), the fields of a JSON result (flags, status
numbers, exit codes, error fields), then how a plain text begins. A text that only mentions an
error (documents, search results, code, logs that were read) is no trouble.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from plano_asgi._json import loads
from plano_asgi.signals import json_results, text_results
from plano_asgi.signals.base import Row
from plano_asgi.signals.text_patterns import NOTHING_FOUND
from plano_asgi.signals.text_results import Said
from plano_asgi.signals.trouble_phrases import Words

MAX_SAID = 600
"""Characters of a result that are looked at for what went wrong."""
_SNIPPET = 160


@dataclass(slots=True)
class Trouble:
    """
    A result that is an error, or may be one.

    Args:
        said: What it says of it.
        is_sure: An error for sure; else only a short text that may be one.
    """

    said: Said
    is_sure: bool

    @property
    def words(self) -> Words:
        """What it says, word by word."""
        return Words(self.said.text[:MAX_SAID])

    @property
    def snippet(self) -> str:
        """The same as it stands, short and on one line."""
        return " ".join(self.said.text[:_SNIPPET].split())


def trouble_of(text: str, is_error: bool | None = None) -> Trouble | None:
    """What is wrong by a result (see ``Row``); ``None``: nothing, as far as it says."""
    if is_error is False:
        return None
    is_sure = is_error is True
    said = _said(text.strip(), is_sure)
    return Trouble(said, said.is_sure or is_sure) if said is not None else None


def positions_of_trouble(rows: Sequence[Row]) -> Set[int]:
    """Where in *rows* results are that are errors for sure."""
    results = ((at, row) for at, row in enumerate(rows) if row.kind == "observation")
    found = ((at, trouble_of(row.text, row.is_error)) for at, row in results)
    return {at for at, trouble in found if trouble is not None and trouble.is_sure}


def _said(text: str, is_sure: bool) -> Said | None:
    if text[:1] in ("{", "[", '"'):
        try:
            value = loads(text)
        except ValueError:
            return text_results.said_in(text, is_sure=is_sure, only_heads=True)
        said = json_results.said_in(value)
        if is_sure and (said is None or said.speaks_of_errors):
            return text_results.said_in(json_results.all_words(value) or text, is_sure=True)
        return said
    return text_results.said_in(text, is_sure=is_sure)


def answered_calls(rows: Sequence[Row]) -> Mapping[int, int]:
    """
    The position of each result's call: by its id, else the oldest call still without a result.

    Results whose call is not among *rows* are left out.
    """
    by_id: dict[str, int] = {}
    waiting: deque[int] = deque()
    taken: set[int] = set()
    found: dict[int, int] = {}
    for at, row in enumerate(rows):
        if row.kind == "function_call":
            waiting.append(at)
            if row.call_id:
                by_id[row.call_id] = at
        elif row.kind == "observation":
            call = by_id.get(row.call_id) if row.call_id else None
            while call is None and waiting:
                oldest = waiting.popleft()
                call = None if oldest in taken else oldest
            if call is not None:
                taken.add(call)
                found[at] = call
    return found


def metadata_of(
    rows: Sequence[Row], at: int, calls: Mapping[int, int], **more: Any
) -> dict[str, Any]:
    """Which call the result at *at* is of: ``tool_name`` and ``call_index``, and *more*."""
    call = calls.get(at)
    if call is None:
        return {"tool_name": "unknown", "call_index": rows[at].index, **more}
    return {"tool_name": rows[call].name or "unknown", "call_index": rows[call].index, **more}


_LISTS = ("results", "items", "data", "hits", "rows", "records", "matches", "documents", "result")
_COUNTS = ("count", "total", "total_results", "totalcount", "num_results", "found")


def is_fruitless(row: Row) -> bool:
    """Whether the result *row* brings nothing, trouble apart."""
    text = row.text.strip()
    return bool(row.is_error) or bool(text and _is_empty(text))


def _is_empty(text: str) -> bool:
    if len(text) <= MAX_SAID and text[0] in "{[":
        try:
            return _holds_nothing(loads(text))
        except ValueError:
            return False
    return len(text) <= MAX_SAID and bool(NOTHING_FOUND.match(text))


def _holds_nothing(value: Any) -> bool:
    if not isinstance(value, dict):
        return not value
    lowered = {str(key).lower(): item for key, item in value.items()}
    if any(key in lowered and lowered[key] in (0, "0") for key in _COUNTS):
        return True
    return not value or any(key in lowered and lowered[key] in ([], {}, None) for key in _LISTS)
