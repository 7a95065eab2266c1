"""Converse content blocks to neutral parts, in requests and answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from plano_asgi._json import JSONObject, dumps_str
from plano_asgi.conversation import (
    Citation,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from plano_asgi.wire.bedrock_converse.media import MODALITIES, Modality, read_media
from plano_asgi.wire.bedrock_converse.names import NAME, SERVER_TOOL, blob_to_text, objects
from plano_asgi.wire.bedrock_converse.tools import cache_control


def read_answer(blocks: Sequence[object]) -> list[Part]:
    """
    The parts of an answer. Server tools and media stay whole, as the stream reader leaves them.
    """
    parts: list[Part] = []
    for block in blocks:
        if isinstance(block, dict):
            part = _read_known(block, _ANSWER)
            if isinstance(part, TextPart) and not part.text:
                _attach(part, parts)  # a citation of its own belongs to the text before it
            else:
                parts.append(part)
    return parts


def read_turn(blocks: Sequence[JSONObject]) -> list[Part]:
    """The parts of a request's turn; cache points become ``cache_control`` of the part before."""
    parts: list[Part] = []
    for block in blocks:
        point = block.get("cachePoint")
        extras = getattr(parts[-1], "extras", None) if parts else None
        if isinstance(point, dict) and isinstance(extras, dict) and "cache_control" not in extras:
            extras["cache_control"] = cache_control(point)
        else:
            parts.append(_read_known(block, _TURN))
    return parts


def read_citation(raw: JSONObject) -> Citation:
    """A citation, whole or from a stream."""
    location = raw.get("location")
    web = location.get("web") if isinstance(location, dict) else None
    url = web.get("url") if isinstance(web, dict) else None
    source = raw.get("source")
    if url is None and isinstance(source, str) and source.startswith(("http://", "https://")):
        url = source
    quotes = [
        item["text"]
        for item in objects(raw.get("sourceContent"))
        if isinstance(item.get("text"), str)
    ]
    title = raw.get("title")
    return Citation(
        url=url,
        title=title if isinstance(title, str) else None,
        quote="".join(quotes) or None,
        raw=raw,
        dialect=NAME,
    )


def _attach(part: TextPart, parts: list[Part]) -> None:
    before = next((p for p in reversed(parts) if isinstance(p, TextPart)), None)
    if before is not None:
        before.citations += part.citations
    elif part.citations:
        parts.append(part)


_Reader = Callable[[Any, JSONObject], Part | None]


def _read_known(block: JSONObject, readers: dict[str, _Reader]) -> Part:
    for name, value in block.items():
        if (reader := readers.get(name)) and (part := reader(value, block)) is not None:
            return part
    return OpaquePart(dialect=NAME, raw=block)


def _read_text(value: Any, block: JSONObject) -> Part | None:
    return TextPart(text=value) if isinstance(value, str) else None


def _read_cited(value: Any, block: JSONObject) -> Part | None:
    if not isinstance(value, dict):
        return None
    texts = [item.get("text") for item in objects(value.get("content"))]
    return TextPart(
        text="".join(text for text in texts if isinstance(text, str)),
        citations=[read_citation(item) for item in objects(value.get("citations"))],
    )


def _read_reasoning(value: Any, block: JSONObject) -> Part | None:
    if not isinstance(value, dict):
        return None
    if isinstance(blob := value.get("redactedContent"), str):
        return ReasoningPart(encrypted=blob_to_text(blob), dialect=NAME)
    text = value.get("reasoningText")
    if not isinstance(text, dict):
        return None
    return ReasoningPart(text=text.get("text") or "", signature=text.get("signature"), dialect=NAME)


def _read_call(value: Any, block: JSONObject) -> Part | None:
    if not isinstance(value, dict) or value.get("type") == SERVER_TOOL:
        return None
    return ToolCallPart(
        id=str(value.get("toolUseId", "")),
        name=str(value.get("name", "")),
        arguments=dumps_str(value.get("input", {})),
    )


def _read_result(value: Any, block: JSONObject) -> Part | None:
    if not isinstance(value, dict):
        return None
    return ToolResultPart(
        call_id=str(value.get("toolUseId", "")),
        content=[_read_known(item, _RESULT) for item in objects(value.get("content"))],
        is_error=value.get("status") == "error",
    )


def _read_json(value: Any, block: JSONObject) -> Part | None:
    return TextPart(text=dumps_str(value), extras={"json": True})


def _media_reader(modality: Modality) -> _Reader:
    def read(value: Any, block: JSONObject) -> Part | None:
        return read_media(modality, value) if isinstance(value, dict) else None

    return read


_ANSWER: dict[str, _Reader] = {
    "text": _read_text,
    "citationsContent": _read_cited,
    "reasoningContent": _read_reasoning,
    "toolUse": _read_call,
}
_MEDIA: dict[str, _Reader] = {name: _media_reader(name) for name in MODALITIES}
_TURN: dict[str, _Reader] = {**_ANSWER, **_MEDIA, "toolResult": _read_result}
_RESULT: dict[str, _Reader] = {**_MEDIA, "text": _read_text, "json": _read_json}
