"""Items of the Responses API as they are taken in, kept, replayed and listed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import RequestError
from plano_asgi.wire.reasoning_pack import PREFIX

_HAVE_STATUS = frozenset(
    (
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
    )
)
_MADE_BY_MODEL = frozenset(("message", "function_call", "custom_tool_call"))


def output_of(response: JSONObject) -> list[Any]:
    """The items of an answer; none where it has no list of them."""
    output = response.get("output")
    return output if isinstance(output, list) else []


def encoded(items: Any) -> bytes:
    """
    *items* of a client's as JSON.

    Raises:
        RequestError: They are nested too deeply.
    """
    try:
        return dumps(items)
    except ValueError as exc:
        raise RequestError("The items are nested too deeply.") from exc


def input_items(given: Any) -> list[Any]:
    """The ``input`` of a body as a list of items: a text is a user's message."""
    if given is None:
        return []
    if isinstance(given, str):
        return [user_message(given)]
    return given if isinstance(given, list) else [given]


def user_message(text: str) -> JSONObject:
    """A user's message of one text."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


def kind_of(item: Any) -> str:
    """The type of an item; a message may leave it out. "" for what is no item."""
    return str(item.get("type") or "message") if isinstance(item, dict) else ""


def kinds_of(items: Iterable[Any]) -> set[str]:
    """What ``kind_of`` says of *items*."""
    return {str(item.get("type") or "message") if isinstance(item, dict) else "" for item in items}


def item_ids(items: Iterable[Any]) -> list[str]:
    """The ids that *items* have of their own."""
    return [
        id for item in items if isinstance(item, dict) and isinstance(id := item.get("id"), str)
    ]


def replayed(items: Iterable[Any], *, same_maker: bool) -> list[Any]:
    """
    Kept *items* as input for an upstream that knows nothing of them.

    Reasoning without proof only meant something to the upstream that kept it, and proof only to
    its maker (*same_maker*; what we packed is taken apart by the writers). Ids of what the model
    made go: an upstream would look for them, or for the reasoning that belongs to them.
    """
    kept: list[Any] = []
    for item in items:
        if not isinstance(item, dict):
            if item is not None:  # as where one was deleted
                kept.append(item)
            continue
        kind = kind_of(item)
        if kind == "reasoning" and not _has_proof(item, same_maker):
            continue
        if None in item.values():
            item = {k: v for k, v in item.items() if v is not None}
        if "id" in item and kind in _MADE_BY_MODEL:
            item = item.copy()
            del item["id"]
        kept.append(item)
    return kept


def _has_proof(item: JSONObject, same_maker: bool) -> bool:
    proof = item.get("encrypted_content")
    return isinstance(proof, str) and bool(proof) and (same_maker or proof.startswith(PREFIX))


def is_packed(item: Any) -> bool:
    """Whether *item* is reasoning of another dialect that we packed."""
    proof = item.get("encrypted_content") if kind_of(item) == "reasoning" else None
    return isinstance(proof, str) and proof.startswith(PREFIX)


def listed(item: Any, id: str) -> Any:
    """*item* as lists show it: with an id and a status, a message's content in parts."""
    if not isinstance(item, dict):
        return item
    shown: JSONObject = {"id": id, "type": "message"} | item | {"id": id}
    kind, text = kind_of(shown), shown.get("content")
    if kind in _HAVE_STATUS:
        shown.setdefault("status", "completed")
    if kind == "message" and isinstance(text, str):
        answered = shown.get("role") == "assistant"
        part: JSONObject = {"type": "output_text" if answered else "input_text", "text": text}
        shown["content"] = [part | {"annotations": []} if answered else part]
    return shown
