"""
Which strings of a JSON document are texts that somebody reads, and whose they are.

A ``Reading`` is a table of keys and block types; what it does not know it shows. Ids, types,
signatures, base64 and addresses are no texts: to change one would break the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.errors import BodyTooLarge
from plano_asgi.passages import Origin, Passage

_Mode: TypeAlias = Literal["turn", "document", "names", "values", "json"]
_Item: TypeAlias = tuple[Any, str | int, str, Origin, _Mode]

NOT_TEXT = frozenset(
    {
        *("type", "role", "name", "object", "model", "index", "status", "code", "param"),
        *("id", "tool_call_id", "tool_use_id", "call_id", "item_id", "file_id", "container"),
        *("url", "uri", "image_url", "video_url", "document_url", "input_audio"),
        *("data", "file_data", "media_type", "mime_type", "format", "detail"),
        *("signature", "thought_signature", "extra_content", "encrypted_content"),
        *("encrypted_index", "encrypted_stdout", "cache_control", "caller", "error_code"),
        *("finish_reason", "finish_details", "stop_reason", "stop_sequence", "usage"),
        *("native_finish_reason", "matched_stop", "channel", "provider_metadata"),
        *("logprobs", "token_ids", "content_filter_results", "content_filter_result"),
    }
)
"""Keys below which nothing is text, in requests and answers alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    How to find the texts of one kind of document.

    Args:
        open: Origins that a key or a block's type may narrow; any other stays as it is, so that
            what stands inside a tool's result is the tool's.
        by_key, by_type: The narrower origin below a key, or inside an object of that ``type``.
        results: The origin inside a block whose type ends with ``_tool_result``.
        models_own: Narrower origins that only an assistant's words can have. A user who labels
            his words so, or signs them, still speaks as himself.
        skip: Keys below which nothing is text.
        values: Keys below which every string is text, whatever its key.
        names: Keys of objects whose own keys are names that somebody chose.
    """

    open: frozenset[Origin]
    by_key: Mapping[str, Origin] = field(default_factory=dict)
    by_type: Mapping[str, Origin] = field(default_factory=dict)
    results: Origin | None = None
    models_own: frozenset[Origin] = frozenset()
    skip: frozenset[str] = NOT_TEXT
    values: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def passages(
        self,
        holder: Any,
        key: str | int,
        origin: Origin,
        path: str,
        *,
        turn: int = -1,
        is_new: bool = True,
        choice: int = 0,
        is_turn: bool = False,
    ) -> Iterator[Passage]:
        """
        Every text in ``holder[key]``, in the document's order; *path* is its place. Of a turn it
        is the role alone that says whose it is, whatever type or signature it claims to have.
        """
        first: _Item = (holder, key, path, origin, "turn" if is_turn else self._mode(key))
        stack = [iter((first,))]
        while stack:
            for holder, key, path, origin, mode in stack[-1]:
                value = holder[key]
                if isinstance(value, str):
                    if value:
                        is_json = mode == "json"
                        yield Passage(
                            value, origin, path, holder, key, turn, is_new, is_json, choice
                        )
                elif isinstance(value, dict):
                    stack.append(iter(self._inside(value, path, origin, mode)))
                    break
                elif isinstance(value, list):
                    stack.append(_elements(value, path, origin, mode))
                    break
            else:
                stack.pop()

    def _inside(self, value: JSONObject, path: str, origin: Origin, mode: _Mode) -> list[_Item]:
        if mode in ("values", "json"):
            return [(value, key, f"{path}.{key}", origin, "values") for key in value]
        if mode == "turn":
            mode = "document"
        elif origin in self.open:
            origin = self._allowed(self._narrowed(value, origin), origin)
        is_open = origin in self.open
        is_text_source = value.get("type") == "text"
        found: list[_Item] = []
        for key in value:
            if mode == "document" and key in self.skip and not (is_text_source and key == "data"):
                continue
            inner = self._allowed(self.by_key.get(key, origin), origin) if is_open else origin
            below: _Mode = self._mode(key) if mode == "document" else "document"
            found.append((value, key, f"{path}.{key}", inner, below))
        return found

    def _allowed(self, narrower: Origin, origin: Origin) -> Origin:
        return origin if narrower in self.models_own and origin != "assistant" else narrower

    def _mode(self, key: str | int) -> _Mode:
        if key == "arguments":
            return "json"
        if key in self.values:
            return "values"
        return "names" if key in self.names else "document"

    def _narrowed(self, block: JSONObject, origin: Origin) -> Origin:
        kind = block.get("type")
        if isinstance(kind, str):
            if (narrower := self.by_type.get(kind)) is not None:
                return narrower
            if self.results is not None and kind.endswith("_tool_result"):
                return self.results
        return "reasoning" if block.get("signature") else origin


def _elements(values: list[Any], path: str, origin: Origin, mode: _Mode) -> Iterator[_Item]:
    mode = "values" if mode == "json" else mode
    for index in range(len(values)):
        yield values, index, f"{path}.{index}", origin, mode


_CALLS: dict[str, Origin] = {
    "arguments": "tool_call",
    "input": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
}
_CALL_TYPES: dict[str, Origin] = {
    "tool_use": "tool_call",
    "server_tool_use": "tool_call",
    "mcp_tool_use": "tool_call",
}
_REASONING: dict[str, Origin] = dict.fromkeys(
    ("reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks"),
    "reasoning",
)

REQUEST = Reading(
    open=frozenset(("system", "user", "assistant")),
    by_key={**_CALLS, "filename": "media"},
    by_type={
        **_CALL_TYPES,
        "tool_result": "tool_result",
        "search_result": "tool_result",
        "document": "media",
        "file": "media",
    },
    results="tool_result",
    models_own=frozenset(("tool_call", "reasoning")),
    values=frozenset(("input",)),
)
"""Turns of a request. What is signed (thinking) is "reasoning": changed, its proof is void."""

ANSWER = Reading(
    open=frozenset(("content",)),
    by_key={
        **_CALLS,
        **_REASONING,
        "refusal": "refusal",
        "annotations": "citation",
        "citations": "citation",
        "citation": "citation",
        "error": "error",
    },
    by_type={**_CALL_TYPES, "thinking": "reasoning"},
    values=frozenset(("input",)),
)
"""Messages and content blocks of an answer, whole or as one event tells them."""

DEFINITIONS = Reading(
    open=frozenset(),
    skip=NOT_TEXT - {"format"}
    | {
        *("$ref", "$id", "$schema", "$anchor", "$dynamicRef", "pattern", "required", "syntax"),
        *("authorization", "authorization_token", "headers", "server_url", "server_label"),
    },
    values=frozenset(("enum", "const", "default", "examples", "example", "input_examples")),
    names=frozenset(
        ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
    ),
)
"""Tools and JSON schemas: descriptions, titles and values, no structure and no names."""


MAX_TEXTS = 100_000
"""Of one request: more than any conversation has, and all of them are looked at."""


def all_texts(passages: Iterable[Passage]) -> list[Passage]:
    """
    *passages* of a request as a list.

    Raises:
        BodyTooLarge: There are more than ``MAX_TEXTS``.
    """
    found = list(islice(passages, MAX_TEXTS + 1))
    if len(found) > MAX_TEXTS:
        raise BodyTooLarge(f"The request holds over {MAX_TEXTS} texts.")
    return found


def last_answer(turns: list[Any]) -> int:
    """
    Index of the last assistant turn that something came after; -1 if there is none.

    Assistant turns at the very end are not it: they are the beginning of the answer asked for (a
    prefill), sent with this request and as new as the turn before them.
    """
    followed = False
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if not (isinstance(turn, dict) and turn.get("role") == "assistant"):
            followed = True
        elif followed:
            return index
    return -1
