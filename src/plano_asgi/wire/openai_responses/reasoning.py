"""Reasoning items: summary or full text, ciphertext, and other families' reasoning inside them."""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ReasoningPart
from plano_asgi.wire.openai_responses.names import NAME, new_id
from plano_asgi.wire.reasoning_pack import pack, unpack

SUMMARY_BREAK = "\n\n"
"""Between two summary parts of one item, in neutral text."""


def read_reasoning(item: JSONObject) -> ReasoningPart:
    """
    A reasoning item, of a request or an answer.

    A ciphertext that is ours (``reasoning_pack``) gives back the part it was made of.
    """
    encrypted = item.get("encrypted_content")
    encrypted = encrypted if isinstance(encrypted, str) and encrypted else None
    if encrypted and (foreign := unpack(encrypted)):
        return foreign
    text, summary = reasoning_text(item)
    item_id = item.get("id")
    return ReasoningPart(
        text=text,
        summary=summary,
        encrypted=encrypted,
        id=item_id if isinstance(item_id, str) else None,
        dialect=NAME,
        raw=item,
    )


def reasoning_text(item: JSONObject) -> tuple[str, bool]:
    """The text of a reasoning item, and whether it is a summary made for people."""
    if summary := _texts(item.get("summary")):
        return SUMMARY_BREAK.join(summary), True
    return "".join(_texts(item.get("content"))), False


def _texts(parts: object) -> list[str]:
    if not isinstance(parts, list):
        return []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str) and text]


def write_replay(part: ReasoningPart) -> JSONObject | None:
    """
    The input item of *part* for an upstream; ``None`` where it means nothing to one.

    Other families' reasoning does not, nor does an item without ciphertext that is not in the
    form it was received in: the upstream would look for its id in a store that never had it.
    """
    if part.dialect != NAME:
        return None
    if part.raw is not None:
        text, _ = reasoning_text(part.raw)
        return part.raw if text == part.text else part.raw | _written_text(part)
    if part.encrypted is None:
        return None
    return _item(part, part.encrypted)


def write_output(part: ReasoningPart) -> JSONObject:
    """The output item that shows *part* to a client, and lets it replay it."""
    if part.dialect == NAME and part.raw is not None:
        text, _ = reasoning_text(part.raw)
        return part.raw if text == part.text else part.raw | _written_text(part)
    return {"id": new_id("rs")} | _item(part, proof(part))


def proof(part: ReasoningPart) -> str | None:
    """The ``encrypted_content`` of *part*: its own, or another family's packed."""
    if part.dialect in (NAME, ""):
        return part.encrypted
    return pack(part)


def _item(part: ReasoningPart, encrypted: str | None) -> JSONObject:
    item: JSONObject = {"type": "reasoning"}
    if part.id and part.dialect == NAME:
        item["id"] = part.id
    item |= _written_text(part)
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


def _written_text(part: ReasoningPart) -> JSONObject:
    if part.dialect == NAME and not part.summary and part.text:
        return {"summary": [], "content": [{"type": "reasoning_text", "text": part.text}]}
    return {"summary": [{"type": "summary_text", "text": part.text}] if part.text else []}
