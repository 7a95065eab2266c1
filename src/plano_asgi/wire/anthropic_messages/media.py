"""Images and documents: Anthropic ``source`` objects and neutral ``MediaPart``s."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import MediaPart, OpaquePart, Part
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire.anthropic_messages.blocks import NAME
from plano_asgi.wire.anthropic_messages.fields import join, optional, require, rest

_MAGIC = {  # the first bytes of a file, in base64
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBER": "application/pdf",
}
_MIME_ALIASES = {"image/jpg": "image/jpeg", "application/x-pdf": "application/pdf"}
_TEXT_MIMES = frozenset({"application/json", "application/xml", "application/yaml"})

# --------------------------------------------------------------------------- reading


def read_image(block: JSONObject, path: str) -> Part:
    """An ``image`` block; ``RequestError`` for a source of the wrong shape."""
    return _read_media(block, path, "image")


def read_document(block: JSONObject, path: str) -> Part:
    """A ``document`` block; title becomes ``name``; context and citations go to ``extras``."""
    return _read_media(block, path, "document")


def _read_media(block: JSONObject, path: str, modality: Any) -> Part:
    source = require(block, "source", dict, path)
    reader = _SOURCES.get(require(source, "type", str, join(path, "source")))
    fields = reader(source, join(path, "source")) if reader else None
    if fields is None:
        return OpaquePart(dialect=NAME, raw=block)
    extras = rest(block, "type", "source", "title") | fields.pop("extras", {})
    name = optional(block, "title", str, path)
    return MediaPart(modality=modality, name=name, extras=extras, **fields)


def _base64_source(source: JSONObject, path: str) -> JSONObject:
    mime = require(source, "media_type", str, path)
    return {"data": require(source, "data", str, path), "mime_type": mime}


def _text_source(source: JSONObject, path: str) -> JSONObject:
    return {"text": require(source, "data", str, path), "mime_type": "text/plain"}


def _content_source(source: JSONObject, path: str) -> JSONObject | None:
    text = _content_text(source)
    return None if text is None else {"text": text, "extras": {"source": source}}


def _content_text(source: Any) -> str | None:
    """The text of a ``content`` source; ``None`` if there is more than text in it."""
    content = source.get("content") if isinstance(source, dict) else None
    if isinstance(content, str) or not isinstance(content, list):
        return content if isinstance(content, str) else None
    texts = [block.get("text") if isinstance(block, dict) else None for block in content]
    known = [text for text in texts if isinstance(text, str)]
    return "\n".join(known) if len(known) == len(texts) else None


_SOURCES: dict[str, Callable[[JSONObject, str], JSONObject | None]] = {
    "base64": _base64_source,
    "text": _text_source,
    "content": _content_source,
    "url": lambda source, path: {"url": require(source, "url", str, path)},
    "file": lambda source, path: {"file_id": require(source, "file_id", str, path)},
}

# --------------------------------------------------------------------------- writing


def media_block(part: MediaPart, path: str, *, native: bool, extras: JSONObject) -> JSONObject:
    """
    An ``image`` or ``document`` block.

    Raises:
        UnsupportedField: Audio, video, a file type the API does not take, or a file id of another
            vendor (*native* is false).
    """
    if part.modality not in ("image", "document"):
        raise UnsupportedField(path, NAME, f"{part.modality} is not taken")
    extras = dict(extras)
    kept = extras.pop("source", None)
    if kept is not None and _content_text(kept) == part.text:
        source = kept  # unchanged since it was read: keep its own cut into citable blocks
    else:
        source = _write_source(part, path, native=native)
    block: JSONObject = {"type": part.modality, "source": source}
    if part.name and part.modality == "document":
        block["title"] = part.name
    return block | extras


def _write_source(part: MediaPart, path: str, *, native: bool) -> JSONObject:
    if part.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    if part.file_id is not None:
        if not native:
            raise UnsupportedField(path, NAME, "a file id only means something to its own vendor")
        return {"type": "file", "file_id": part.file_id}
    mime, data = part.mime_type, part.data
    if part.url is not None and part.url.startswith("data:"):
        head, _, data = part.url.partition(",")
        mime = head.removeprefix("data:").partition(";")[0] or mime
    if data is None:
        return {"type": "url", "url": part.url or ""}
    return _data_source(part, mime or _sniff(data, path), data, path)


def _data_source(part: MediaPart, mime: str, data: str, path: str) -> JSONObject:
    mime = _MIME_ALIASES.get(mime, mime)
    if part.modality == "document" and mime != "application/pdf":
        if not (mime.startswith("text/") or mime in _TEXT_MIMES):
            raise UnsupportedField(path, NAME, f"documents of type {mime} are not taken")
        try:
            text = base64.b64decode(data).decode("utf-8", "replace")
        except binascii.Error as exc:
            raise UnsupportedField(path, NAME, "the data is not base64") from exc
        return {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "base64", "media_type": mime, "data": data}


def _sniff(data: str, path: str) -> str:
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    raise UnsupportedField(path, NAME, "the media type is neither given nor recognised")
