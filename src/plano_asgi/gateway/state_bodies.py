"""
What clients put into a conversation, read strictly: what is kept comes back with every turn.

Items of kinds that are not known here are kept as they are.

Source: https://platform.openai.com/docs/api-reference/conversations
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.errors import RequestError
from plano_asgi.state.items import kind_of
from plano_asgi.state.names import is_id
from plano_asgi.state.refusals import wrong_type

MAX_ITEMS_AT_ONCE = 20
MAX_PAIRS = 16
MAX_KEY_LENGTH = 64
MAX_VALUE_LENGTH = 512

_ROLES = frozenset(
    ("user", "assistant", "system", "developer", "tool", "unknown", "critic", "discriminator")
)


def read_items(given: Any) -> list[Any]:
    """
    The items to add; ``None`` is none.

    Raises:
        RequestError: They are no items, or more than ``MAX_ITEMS_AT_ONCE``; names the first one.
    """
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise wrong_type("items", "a list of objects")
    if len(given) > MAX_ITEMS_AT_ONCE:
        raise RequestError(
            f"At most {MAX_ITEMS_AT_ONCE} items can be added at once.",
            param="items",
            code="array_above_max_length",
        )
    for number, item in enumerate(given):
        _check(item, f"items[{number}]")
    return given


def read_metadata(given: Any) -> JSONObject:
    """
    Metadata; ``None`` is none.

    Raises:
        RequestError: It is no object of texts, or over the bounds.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong_type("metadata", "an object")
    if len(given) > MAX_PAIRS:
        raise RequestError(
            f"'metadata' holds at most {MAX_PAIRS} pairs.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in given.items():
        if not isinstance(value, str):
            raise wrong_type("metadata", "an object whose values are strings")
        if len(key) > MAX_KEY_LENGTH or len(value) > MAX_VALUE_LENGTH:
            raise RequestError(
                f"In 'metadata', keys have at most {MAX_KEY_LENGTH} characters and values "
                f"{MAX_VALUE_LENGTH}.",
                param="metadata",
                code="string_above_max_length",
            )
    return given


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_content(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in value)
    return isinstance(value, str)


def _is_role(value: Any) -> bool:
    return isinstance(value, str) and value in _ROLES


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


_Field: TypeAlias = tuple[Callable[[Any], bool], str]
_TEXT: _Field = (_is_text, "a string")
_CONTENT: _Field = (_is_content, "a string or a list of objects with a 'type'")
_LIST: _Field = (_is_list, "a list")
_ROLE: _Field = (_is_role, "the role of a message")

_FIELDS: Mapping[str, Mapping[str, _Field]] = {
    "message": {"role": _ROLE, "content": _CONTENT},
    "reasoning": {"summary": _LIST},
    "function_call": {"call_id": _TEXT, "name": _TEXT, "arguments": _TEXT},
    "function_call_output": {"call_id": _TEXT, "output": _CONTENT},
    "custom_tool_call": {"call_id": _TEXT, "name": _TEXT, "input": _TEXT},
    "custom_tool_call_output": {"call_id": _TEXT, "output": _CONTENT},
}
"""What an item has to have, by its kind."""


def _check(item: JSONObject, path: str) -> None:
    id, kind = item.get("id"), item.get("type")
    if kind is not None and not isinstance(kind, str):
        raise wrong_type(f"{path}.type", "a string")
    if kind == "item_reference":
        raise RequestError(
            "An item_reference cannot be added to a conversation; add the item itself.",
            param=path,
            code="unsupported_value",
        )
    if id is not None and not is_id(id):
        raise wrong_type(f"{path}.id", "at most 256 printable characters without '/' and space")
    for name, (is_right, expected) in _FIELDS.get(kind_of(item), {}).items():
        if not is_right(item.get(name)):
            raise wrong_type(f"{path}.{name}", expected)
