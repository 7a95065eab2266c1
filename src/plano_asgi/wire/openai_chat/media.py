"""
Content parts: text, images, audio, files and video, both ways.

=================  ========================================================================
``text``           ``TextPart``
``image_url``      ``MediaPart`` image; a ``data:`` URL becomes ``data`` and ``mime_type``
``input_audio``    ``MediaPart`` audio; some upstreams take a URL in ``data``
``file``           ``MediaPart`` document: ``file_id``, or ``file_data`` (data URL, URL, base64)
``video_url``      ``MediaPart`` video (not OpenAI's; several compatible upstreams take it)
``refusal``        ``RefusalPart``
``thinking``       ``ReasoningPart`` (Mistral's models)
anything else      ``OpaquePart``
=================  ========================================================================

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Callable

from plano_asgi._json import JSONObject
from plano_asgi.conversation import MediaPart, OpaquePart, Part, RefusalPart, TextPart
from plano_asgi.wire.openai_chat.fields import (
    NAME,
    element,
    optional,
    present,
    required,
    rest,
    wrong_type,
)
from plano_asgi.wire.openai_chat.reasoning import read_thinking_part

_MIME_OF_AUDIO = {"mp3": "audio/mpeg", "pcm16": "audio/pcm"}
_AUDIO_OF_MIME = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/pcm": "pcm16",
}
_DEFAULT_MIME = {"image": "image/png", "document": "application/pdf"}


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a plain ``data:<type>;base64,<text>`` URL, else ``None``."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    mime = head[5:-7]
    return None if not mime or ";" in mime else (mime, data)


def read_content(content: object, path: str) -> list[Part]:
    """
    Parts of a message's ``content``: text, an array, or null. Empty text is no part.

    Raises:
        RequestError: A part of the wrong shape.
    """
    if isinstance(content, str):
        return [TextPart(text=content)] if content else []
    if content is None:
        return []
    if not isinstance(content, list):
        raise wrong_type(path, list)
    return [
        read_part(element(item, f"{path}.{i}"), f"{path}.{i}.") for i, item in enumerate(content)
    ]


def read_part(part: JSONObject, path: str) -> Part:
    """One content part; *path* ends with a dot."""
    kind = required(part, "type", str, path)
    reader = _READERS.get(kind)
    return reader(part, path) if reader else OpaquePart(dialect=NAME, raw=part)


def _read_text(part: JSONObject, path: str) -> Part:
    return TextPart(text=required(part, "text", str, path), extras=rest(part, ("type", "text")))


def _read_refusal(part: JSONObject, path: str) -> Part:
    return RefusalPart(text=required(part, "refusal", str, path))


def _read_image(part: JSONObject, path: str) -> Part:
    image = part.get("image_url")
    if isinstance(image, str):  # not the reference API's, but common
        image = {"url": image}
    image = required({"image_url": image}, "image_url", dict, path)
    media = _media("image", required(image, "url", str, f"{path}image_url."))
    media.detail = optional(image, "detail", str, f"{path}image_url.")
    return _with_extras(media, part, "image_url", ("url", "detail"))


def _read_video(part: JSONObject, path: str) -> Part:
    video = required(part, "video_url", dict, path)
    media = _media("video", required(video, "url", str, f"{path}video_url."))
    return _with_extras(media, part, "video_url", ("url",))


def _read_audio(part: JSONObject, path: str) -> Part:
    audio = required(part, "input_audio", dict, path)
    data = required(audio, "data", str, f"{path}input_audio.")
    form = optional(audio, "format", str, f"{path}input_audio.")
    media = MediaPart(modality="audio")
    if form is not None:
        media.mime_type = _MIME_OF_AUDIO.get(form, f"audio/{form}")
    if data.startswith(("http://", "https://", "data:")):
        media.url = data
    else:
        media.data = data
    return _with_extras(media, part, "input_audio", ("data", "format"))


def _read_file(part: JSONObject, path: str) -> Part:
    file = required(part, "file", dict, path)
    inner = f"{path}file."
    media = MediaPart(modality="document", file_id=optional(file, "file_id", str, inner))
    if (data := optional(file, "file_data", str, inner)) is not None:
        media = _media("document", data)
        if media.url is not None and not data.startswith(("http://", "https://", "data:")):
            media.url, media.data = None, data
    media.name = optional(file, "filename", str, inner)
    return _with_extras(media, part, "file", ("file_id", "file_data", "filename"))


def _media(modality: str, url: str) -> MediaPart:
    media = MediaPart(modality=modality)  # type: ignore[arg-type]  # literals of the callers above
    if split := split_data_url(url):
        media.mime_type, media.data = split
    else:
        media.url = url
    return media


def _with_extras(media: MediaPart, part: JSONObject, key: str, known: tuple[str, ...]) -> MediaPart:
    media.extras = rest(part, ("type", key))
    if inner := rest(part[key], known) if isinstance(part[key], dict) else {}:
        media.extras[key] = inner
    return media


_READERS: dict[str, Callable[[JSONObject, str], Part]] = {
    "text": _read_text,
    "refusal": _read_refusal,
    "image_url": _read_image,
    "video_url": _read_video,
    "input_audio": _read_audio,
    "file": _read_file,
    "thinking": read_thinking_part,
}


def write_media(part: MediaPart, *, own: bool, shares_files: bool) -> JSONObject | None:
    """
    One content part, or ``None`` where chat cannot express *part*.

    Args:
        part: Media that a user or a tool gave.
        own: It was read from a chat request: extras and conventions of compatible upstreams are
            written back.
        shares_files: Its ``file_id`` names a file the upstream's vendor knows.
    """
    if part.file_id is not None and not (own or shares_files):
        return None
    written = _WRITERS[part.modality](part, own)
    if written is None or not own:
        return written
    extras = dict(part.extras)
    kind = written["type"]
    inner = extras.pop(kind, None)
    if inner and kind in written:
        written[kind] |= inner
    return written | extras


def _write_image(part: MediaPart, own: bool) -> JSONObject | None:
    if (url := _url(part)) is None:
        return None
    return {"type": "image_url", "image_url": {"url": url} | present(detail=part.detail)}


def _write_video(part: MediaPart, own: bool) -> JSONObject | None:
    url = _url(part)
    return None if url is None else {"type": "video_url", "video_url": {"url": url}}


def _write_audio(part: MediaPart, own: bool) -> JSONObject | None:
    data = part.data if part.data is not None else (part.url if own else None)
    if data is None:
        return None
    mime = part.mime_type
    form = None if mime is None else _AUDIO_OF_MIME.get(mime, mime.partition("/")[2])
    audio = {"data": data} | present(format=form or (None if own else "wav"))
    return {"type": "input_audio", "input_audio": audio}


def _write_document(part: MediaPart, own: bool) -> JSONObject | None:
    if part.text is not None:
        return {"type": "text", "text": f"{part.name}\n\n{part.text}" if part.name else part.text}
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id} | present(filename=part.name)}
    data = _url(part) if own or part.data is not None else None
    if own and part.data is not None and part.mime_type is None:
        data = part.data  # came as bare base64
    if data is None:
        return None
    name = part.name if own else part.name or "document"  # the reference API demands one
    return {"type": "file", "file": {"file_data": data} | present(filename=name)}


def _url(part: MediaPart) -> str | None:
    if part.data is None:
        return part.url
    mime = part.mime_type or _DEFAULT_MIME.get(part.modality, "application/octet-stream")
    return f"data:{mime};base64,{part.data}"


_WRITERS: dict[str, Callable[[MediaPart, bool], JSONObject | None]] = {
    "image": _write_image,
    "video": _write_video,
    "audio": _write_audio,
    "document": _write_document,
}
