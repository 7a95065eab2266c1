"""Images, documents, videos and audio: media types to Converse's formats and back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.conversation import MediaPart

Modality: TypeAlias = Literal["image", "document", "video", "audio"]
MODALITIES: tuple[Modality, ...] = ("image", "document", "video", "audio")

_FORMATS: dict[Modality, tuple[str, ...]] = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
    "audio": (
        *("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a"),
        *("mpeg", "mpga", "pcm", "webm"),
    ),
}

_OOXML = "application/vnd.openxmlformats-officedocument"
_FORMAT_OF_TYPE = {  # only where the format is not the subtype
    "image/jpg": "jpeg",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/msword": "doc",
    f"{_OOXML}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OOXML}.spreadsheetml.sheet": "xlsx",
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
    "audio/mpeg": "mp3",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/x-m4a": "m4a",
    "audio/x-flac": "flac",
    "audio/x-matroska": "mka",
    "audio/l16": "pcm",
}
_PREFIX: dict[Modality, str] = {"document": "application"}
_TEXT_FORMATS = {"csv", "html"}
_TYPE_OF_FORMAT = {fmt: mime for mime, fmt in _FORMAT_OF_TYPE.items() if mime != "image/jpg"}

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z()\[\]-]+")
_MAX_NAME = 200


@dataclass(slots=True)
class DocumentNames:
    """
    Names for the documents of one request: each must be unique and of few characters.

    *keep*: the names are Converse's already, so they are left alone.
    """

    keep: bool = False
    used: set[str] = field(default_factory=set)

    def name(self, wanted: str | None) -> str:
        """A name that Bedrock takes, as near to *wanted* as can be."""
        if self.keep and wanted:
            return wanted
        stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", wanted or "")
        base = _NOT_IN_NAMES.sub(" ", stem).strip()[: _MAX_NAME - 8] or "document"
        name, count = base, 1
        while name in self.used:
            count += 1
            name = f"{base} {count}"
        self.used.add(name)
        return name


def write_media(part: MediaPart, names: DocumentNames) -> JSONObject:
    """
    One content block of *part*.

    Raises:
        ValueError: Converse cannot express it; the message says why.
    """
    source = _source(part)
    block: JSONObject = {"format": _format(part), "source": source}
    if part.modality == "document":
        block["name"] = names.name(part.name)
        for key, kind in (("context", str), ("citations", dict)):
            if isinstance(value := part.extras.get(key), kind) and value:
                block[key] = value
    return {part.modality: block}


def read_media(modality: Modality, block: JSONObject) -> MediaPart | None:
    """The part of a media *block*; ``None`` for a source that the neutral form cannot hold."""
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    fmt = block.get("format")
    part = MediaPart(
        modality=modality,
        mime_type=_mime_type(modality, fmt) if isinstance(fmt, str) else None,
        name=block.get("name"),
        extras={key: block[key] for key in ("context", "citations") if key in block},
    )
    location = source.get("s3Location")
    if isinstance(data := source.get("bytes"), str):
        part.data = data
    elif isinstance(text := source.get("text"), str):
        part.text = text
    elif isinstance(location, dict) and isinstance(uri := location.get("uri"), str):
        part.url = uri
        if owner := location.get("bucketOwner"):
            part.extras["bucketOwner"] = owner
    else:
        return None
    return part


def _format(part: MediaPart) -> str:
    formats = _FORMATS[part.modality]
    if part.text is not None:
        return "txt"
    mime = (part.mime_type or "").partition(";")[0].strip().lower()
    extension = (part.name or part.url or "").rpartition(".")[2].lower()
    candidates = (_FORMAT_OF_TYPE.get(mime), mime.rpartition("/")[2], extension)
    found = next((fmt for fmt in candidates if fmt in formats), None)
    if found is None and part.modality == "document" and mime.startswith("text/"):
        return "txt"
    if found is None:
        raise ValueError(f"no {part.modality} format for the media type '{mime}'")
    return found


def _source(part: MediaPart) -> JSONObject:
    if part.data is not None:
        return {"bytes": part.data}
    if part.text is not None:
        return {"text": part.text}
    if part.url is not None and part.url.startswith("s3://"):
        owner = part.extras.get("bucketOwner")
        return {"s3Location": {"uri": part.url, **({"bucketOwner": owner} if owner else {})}}
    raise ValueError("only inline data and s3:// locations can be sent")


def _mime_type(modality: Modality, fmt: str) -> str:
    if "/" in fmt:
        return fmt
    plain = "text" if fmt in _TEXT_FORMATS else _PREFIX.get(modality, modality)
    known = _TYPE_OF_FORMAT.get(fmt)
    matches = known and (modality == "document" or known.startswith(modality))
    return known if known and matches else f"{plain}/{fmt}"
