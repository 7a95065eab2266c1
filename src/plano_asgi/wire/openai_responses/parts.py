"""Content parts: text, refusals, images, files and audio of a message or a tool result."""

from __future__ import annotations

import re
from collections.abc import Callable

from plano_asgi._json import JSONObject
from plano_asgi.conversation import (
    Citation,
    MediaPart,
    OpaquePart,
    Part,
    RefusalPart,
    TextPart,
)
from plano_asgi.errors import RequestError
from plano_asgi.wire.openai_responses.check import optional, required, typed
from plano_asgi.wire.openai_responses.names import NAME

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")


# --------------------------------------------------------------------------- read


def read_content(content: object, param: str, kind: str) -> list[Part]:
    """
    The parts of a ``content`` or ``output`` that is a string or a list.

    A part type that is not modelled travels as it is. *kind* is what text is expected to be here
    (``input_text``, ``output_text``); a part that calls it otherwise keeps its word.
    """
    if isinstance(content, str):
        return [TextPart(text=content)]
    parts: list[Part] = []
    for index, raw in enumerate(typed(content, list, param)):
        path = f"{param}.{index}"
        body = typed(raw, dict, path)
        reader = _READERS.get(required(body, "type", str, path))
        part = reader(body, path) if reader else OpaquePart(dialect=NAME, raw=body)
        if isinstance(part, TextPart) and body["type"] != kind:
            part.extras["type"] = body["type"]
        parts.append(part)
    return parts


def _read_text(part: JSONObject, param: str) -> Part:
    text = required(part, "text", str, param)
    annotations = optional(part, "annotations", list, param)
    rest = _rest(part, "text", *(("annotations",) if annotations else ()))
    citations = [
        read_citation(typed(each, dict, f"{param}.annotations.{index}"))
        for index, each in enumerate(annotations or ())
    ]
    return TextPart(text=text, citations=citations, extras=rest)


def _read_refusal(part: JSONObject, param: str) -> Part:
    return RefusalPart(text=required(part, "refusal", str, param))


def _read_image(part: JSONObject, param: str) -> Part:
    url = optional(part, "image_url", str, param)
    file_id = optional(part, "file_id", str, param)
    if not url and not file_id:
        raise RequestError(
            f"'{param}' needs one of 'image_url' and 'file_id'.", param=f"{param}.image_url"
        )
    detail = optional(part, "detail", str, param)
    media = MediaPart(modality="image", file_id=file_id, detail=detail)
    media.extras = _rest(part, "image_url", "file_id", "detail")
    _set_source(media, url)
    return media


def _read_file(part: JSONObject, param: str) -> Part:
    url = optional(part, "file_url", str, param)
    data = optional(part, "file_data", str, param)
    file_id = optional(part, "file_id", str, param)
    if not (url or data or file_id):
        raise RequestError(
            f"'{param}' needs one of 'file_data', 'file_url' and 'file_id'.",
            param=f"{param}.file_data",
        )
    media = MediaPart(
        modality="document",
        file_id=file_id,
        name=optional(part, "filename", str, param),
        detail=optional(part, "detail", str, param),
        extras=_rest(part, "file_url", "file_data", "file_id", "filename", "detail"),
    )
    if data and not _DATA_URL.match(data):
        media.data = data  # bare base64, which the API takes too
    else:
        _set_source(media, data or url)
    return media


def _read_audio(part: JSONObject, param: str) -> Part:
    audio = required(part, "input_audio", dict, param)
    path = f"{param}.input_audio"
    sound = required(audio, "format", str, path)
    return MediaPart(
        modality="audio",
        mime_type=f"audio/{sound}",
        data=required(audio, "data", str, path),
        extras=_rest(part, "input_audio"),
    )


_READERS: dict[str, Callable[[JSONObject, str], Part]] = {
    "input_text": _read_text,
    "output_text": _read_text,
    "text": _read_text,  # what clients of the chat API send out of habit
    "refusal": _read_refusal,
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
}


def read_citation(raw: JSONObject) -> Citation:
    """An annotation of any type; only URL citations and character ranges have neutral fields."""
    start, end = raw.get("start_index"), raw.get("end_index")
    return Citation(
        url=raw.get("url"),
        title=raw.get("title") or raw.get("filename"),
        start=start if isinstance(start, int) else None,
        end=end if isinstance(end, int) else None,
        raw=raw,
        dialect=NAME,
    )


def _rest(part: JSONObject, *known: str) -> JSONObject:
    """What a neutral part does not model."""
    return {key: value for key, value in part.items() if key != "type" and key not in known}


def _set_source(media: MediaPart, url: str | None) -> None:
    if url and (match := _DATA_URL.match(url)):
        media.mime_type, media.data = match[1], url[match.end() :]
    else:
        media.url = url


# --------------------------------------------------------------------------- write


def write_text(part: TextPart, kind: str, *, own: bool) -> JSONObject:
    """*part* as *kind* (``input_text`` or ``output_text``); *own*: its extras are ours."""
    body: JSONObject = {"type": kind, "text": part.text}
    if own:
        body |= {key: value for key, value in part.extras.items() if key != NAME}
    if own and part.citations:
        body["annotations"] = [write_citation(each, part.text) for each in part.citations]
    return body


def write_citation(citation: Citation, text: str) -> JSONObject:
    """The annotation of *citation* on *text*, verbatim where it came from this dialect."""
    if citation.dialect == NAME and citation.raw:
        return citation.raw
    start = citation.start or 0
    if citation.url is None:
        name = citation.title or "document"
        return {"type": "file_citation", "file_id": "", "filename": name, "index": start}
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title or "",
        "start_index": start,
        "end_index": len(text) if citation.end is None else citation.end,
    }


def write_media(part: MediaPart, *, own: bool) -> JSONObject | None:
    """An input part of *part*; ``None`` for what the API has no part for (video)."""
    writer = _MEDIA_WRITERS.get(part.modality)
    if writer is None:
        return None
    return writer(part) | (part.extras if own else {})


def _write_image(part: MediaPart) -> JSONObject:
    body: JSONObject = {"type": "input_image"}
    if part.file_id:
        body["file_id"] = part.file_id
    if url := _data_url(part, "image/png") or part.url:
        body["image_url"] = url
    return body | ({"detail": part.detail} if part.detail else {})


def _write_document(part: MediaPart) -> JSONObject:
    if part.text is not None:
        # Inline text needs no file: many models only take PDF files.
        return {
            "type": "input_text",
            "text": f"{part.name}\n\n{part.text}" if part.name else part.text,
        }
    body: JSONObject = {"type": "input_file"}
    if part.data is not None:
        body["file_data"] = _data_url(part, None) or part.data
    for key, value in (("file_url", part.url), ("file_id", part.file_id), ("detail", part.detail)):
        if value:
            body[key] = value
    if name := part.name or (part.data is not None and _file_name(part)):
        body["filename"] = name
    return body


def _write_audio(part: MediaPart) -> JSONObject:
    sound = (part.mime_type or "audio/wav").partition("/")[2].removeprefix("x-")
    audio = {"data": part.data or "", "format": "mp3" if sound == "mpeg" else sound}
    return {"type": "input_audio", "input_audio": audio}


_MEDIA_WRITERS: dict[str, Callable[[MediaPart], JSONObject]] = {
    "image": _write_image,
    "document": _write_document,
    "audio": _write_audio,
}


def _data_url(part: MediaPart, default: str | None) -> str | None:
    mime = part.mime_type or default
    return None if part.data is None or mime is None else f"data:{mime};base64,{part.data}"


def _file_name(part: MediaPart) -> str | None:
    # The API wants a name beside inline data and reads the kind of file off it.
    if part.mime_type is None:
        return None
    kind = part.mime_type.partition("/")[2]
    return f"document.{'txt' if kind == 'plain' else kind}"
