"""Take the proofs of one model family out of a body that goes to another one."""

from __future__ import annotations

from plano_asgi._json import JSONObject

_MADE_WITH_IT = frozenset({"message", "function_call", "custom_tool_call"})


def without_reasoning(body: JSONObject) -> JSONObject:
    """
    Copy of *body* without reasoning items that carry ciphertext; *body* itself if it has none.

    What followed such an item in the same turn loses its id: the API refuses an item it knows by
    id "without its required reasoning item", and takes the same item without id.
    """
    items = body.get("input")
    if not isinstance(items, list) or not any(map(_is_encrypted, items)):
        return body
    kept: list[object] = []
    bereft = False
    for item in items:
        if _is_encrypted(item):
            bereft = True
            continue
        if isinstance(item, dict):
            made = _is_made_by_model(item)
            bereft = bereft and made
            if bereft and "id" in item and item.get("type") in _MADE_WITH_IT:
                item = {key: value for key, value in item.items() if key != "id"}
        kept.append(item)
    return body | {"input": kept}


def _is_encrypted(item: object) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    return bool(item.get("encrypted_content"))


def _is_made_by_model(item: JSONObject) -> bool:
    kind = str(item.get("type") or "message")
    if kind == "message":
        return item.get("role") == "assistant"
    return not kind.endswith("_output")
