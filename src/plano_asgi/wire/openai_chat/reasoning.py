"""
Reasoning in chat messages, which the reference API does not have and everybody else spells anew.

=========================  ======================================================================
``reasoning_content``      plain text (DeepSeek, Qwen, vLLM, ...)
``reasoning``              the same (Groq, Ollama, OpenRouter, Cerebras, ...)
``reasoning_details``      entries ``reasoning.text`` (+ signature), ``reasoning.summary`` and
                           ``reasoning.encrypted``, with the ``format`` of who made the proof
``thinking_blocks``        Anthropic's own blocks (LiteLLM)
content part ``thinking``  Mistral's models
=========================  ======================================================================

The richest of them is read into parts. What a client of ours is shown of another dialect's
reasoning is ``reasoning_content`` and, where there is proof to give back next turn,
``reasoning_details``: the one convention that has a place for each kind of proof.

Source: https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ReasoningPart
from plano_asgi.wire.openai_chat.fields import NAME, present, text_of

REASONING_KEYS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Message fields that reasoning is read from."""

_DIALECT_OF_FORMAT = {
    "anthropic-claude-v1": "anthropic.messages",
    "openai-responses-v1": "openai.responses",
    "google-gemini-v1": "gemini.generate",
}
_FORMAT_OF_DIALECT = {dialect: form for form, dialect in _DIALECT_OF_FORMAT.items()} | {
    "": "unknown",
    NAME: "unknown",
}


def read_reasoning(message: JSONObject) -> list[ReasoningPart]:
    """What *message* (a request's, an answer's, a stream's delta) shows of the model's thoughts."""
    details = _objects(message.get("reasoning_details"))
    parts = _merge(details) if details else _blocks(_objects(message.get("thinking_blocks")))
    if any(part.text for part in parts):
        return parts
    text = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    return [ReasoningPart(text=text, dialect=NAME), *parts] if text else parts


def write_reasoning(parts: Sequence[ReasoningPart], kept: JSONObject) -> JSONObject:
    """
    Message fields for *parts*: as they came (*kept*) if they are what was read from there.

    Anything else, also after a filter changed the text, is spelled anew.
    """
    if kept and read_reasoning(kept) == list(parts):
        return kept
    text = "\n\n".join(part.text for part in parts if part.text)
    proven = any(part.signature or part.encrypted for part in parts)
    return present(
        reasoning_content=text or None,
        reasoning_details=write_details(parts) if proven else None,
    )


def write_details(parts: Sequence[ReasoningPart], start: int = 0) -> list[JSONObject]:
    """``reasoning_details`` entries; those of one part share an ``index``, from *start* on."""
    return [entry for i, part in enumerate(parts, start) for entry in _entries(part, i)]


def _entries(part: ReasoningPart, index: int) -> list[JSONObject]:
    common = present(
        id=part.id,
        format=_FORMAT_OF_DIALECT.get(part.dialect, part.dialect),
        index=index,
    )
    entries = []
    if part.text or part.signature:
        kind, key = ("reasoning.summary", "summary") if part.summary else ("reasoning.text", "text")
        entries.append({"type": kind, key: part.text} | present(signature=part.signature) | common)
    if part.encrypted:
        entries.append({"type": "reasoning.encrypted", "data": part.encrypted} | common)
    return entries


def _entry_part(entry: JSONObject) -> ReasoningPart:
    form = text_of(entry.get("format"))
    # A dialect's own name stands where the convention has no format for it.
    dialect = _DIALECT_OF_FORMAT.get(form) or (form if "." in form else NAME)
    return ReasoningPart(
        text=text_of(entry.get("text")) or text_of(entry.get("summary")),
        summary=entry.get("type") == "reasoning.summary",
        signature=text_of(entry.get("signature")) or None,
        encrypted=text_of(entry.get("data")) or None,
        id=text_of(entry.get("id")) or None,
        dialect=dialect,
    )


def _merge(entries: list[JSONObject]) -> list[ReasoningPart]:
    """Neighbours of one index are one part; a client may also send back a stream's pieces."""
    parts: list[ReasoningPart] = []
    index: object = None
    for entry in entries:
        part = _entry_part(entry)
        if entry.get("index") is not None and entry["index"] == index and _joins(parts[-1], part):
            last = parts[-1]
            last.text += part.text
            last.summary = last.summary or part.summary
            last.signature = last.signature or part.signature
            last.encrypted = last.encrypted or part.encrypted
            last.id = last.id or part.id
        else:
            parts.append(part)
        index = entry.get("index")
    return parts


def _joins(last: ReasoningPart, part: ReasoningPart) -> bool:
    if last.dialect != part.dialect or (last.id and part.id and last.id != part.id):
        return False
    if part.text:  # a proof closes its part
        return not (last.signature or last.encrypted) and last.summary == part.summary
    return not (last.encrypted if part.encrypted else last.signature and part.signature)


def _blocks(blocks: list[JSONObject]) -> list[ReasoningPart]:
    return [
        ReasoningPart(
            text=text_of(block.get("thinking")),
            signature=text_of(block.get("signature")) or None,
            encrypted=text_of(block.get("data")) or None,
            dialect="anthropic.messages",
        )
        for block in blocks
    ]


def read_thinking_part(part: JSONObject, path: str) -> ReasoningPart:
    """Mistral's content part: ``{"type": "thinking", "thinking": [{"type": "text", ...}]}``."""
    return ReasoningPart(text=_thinking_text(part), dialect=NAME, raw=part)


def write_thinking_part(part: ReasoningPart) -> JSONObject:
    """The content part again, unless its text was changed meanwhile."""
    if part.raw is not None and _thinking_text(part.raw) == part.text:
        return part.raw
    return {"type": "thinking", "thinking": [{"type": "text", "text": part.text}]}


def _thinking_text(part: JSONObject) -> str:
    thinking = part.get("thinking")
    if isinstance(thinking, str):
        return thinking
    return "".join(text_of(item.get("text")) for item in _objects(thinking))


def _objects(value: Any) -> list[JSONObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def without_proof(body: JSONObject) -> JSONObject:
    """
    A request *body* without reasoning that is signed or encrypted, for another model family.

    Plain ``reasoning_content`` stays: it proves nothing, and some upstreams demand it back. Returns
    *body* itself where there is nothing to remove.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    cleaned = [_unproven(message) for message in messages]
    if all(new is old for new, old in zip(cleaned, messages, strict=True)):
        return body
    return {**body, "messages": cleaned}


def _unproven(message: Any) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    changed: JSONObject = {}
    for key in ("reasoning_details", "thinking_blocks"):
        if isinstance(entries := message.get(key), list):
            kept = [e for e in entries if not _has_any(e, ("signature", "data"))]
            if len(kept) < len(entries):
                changed[key] = kept
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(_has_any(call, _GOOGLE_PROOF) for call in calls):
        changed["tool_calls"] = [_drop(call, _GOOGLE_PROOF) for call in calls]
    if not changed and not _has_any(message, _GOOGLE_PROOF):
        return message
    emptied = [key for key, value in changed.items() if not value]
    return _drop({**message, **changed}, (*_GOOGLE_PROOF, *emptied))


_GOOGLE_PROOF = ("extra_content", "thought_signature")


def _has_any(value: Any, keys: Sequence[str]) -> bool:
    return isinstance(value, dict) and any(value.get(key) for key in keys)


def _drop(value: Any, keys: Sequence[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if key not in keys}
