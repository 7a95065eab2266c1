"""A JSON route that speaks no LLM API: its texts are told by field paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError
from plano_asgi.passages import Origin, Passage
from plano_asgi.wire.field_editor import FieldEditor
from plano_asgi.wire.field_paths import FieldPaths
from plano_asgi.wire.texts import all_texts


class FieldLayout:
    """
    Texts at *fields* (see ``field_paths``). Stateless, shared.

    Request texts are the "user"'s, answer texts are "content". A body of any other shape has no
    texts; nor has one that is a bare string.

    Args:
        fields: Paths in the request, and in the answer and the data of its events, too, unless
        answer_fields: names those.

    Raises:
        ConfigurationError: A path cannot be read; names it.
    """

    def __init__(
        self, fields: Sequence[str], *, answer_fields: Sequence[str] | None = None
    ) -> None:
        self._request = _paths("fields", fields)
        self._answer = self._request
        if answer_fields is not None:
            self._answer = _paths("answer_fields", answer_fields)

    def request_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.request_passages``."""
        return all_texts(_passages(self._request, body, "user"))

    def answer_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.answer_passages``."""
        return list(_passages(self._answer, body, "content"))

    def stream_editor(self) -> FieldEditor:
        """See ``Layout.stream_editor``; for events of JSON, of text, and of both."""
        return FieldEditor(self._answer, self.refusal_body)

    def text_editor(self) -> FieldEditor:
        """An editor for a stream that is one plain text."""
        return FieldEditor(self._answer, None)

    def refusal_body(self, text: str, /) -> JSONObject:
        """An answer that says *text*: in the first answer field without a star, else a message."""
        for keys in self._answer.plain():
            body = _filled(keys, text)
            if isinstance(body, dict):
                return body
        return {"message": text}


def _paths(option: str, fields: object) -> FieldPaths:
    if isinstance(fields, str) or not isinstance(fields, Sequence):
        raise ConfigurationError(f"{option} must be a list of field paths, not {fields!r}")
    return FieldPaths(fields)


def _passages(paths: FieldPaths, body: Any, origin: Origin) -> Iterator[Passage]:
    for holder, key, path in paths.find(body):
        yield Passage(holder[key], origin, path, holder, key)


def _filled(keys: Sequence[str], text: str) -> Any:
    """The smallest document with *text* at *keys*; only the first place of a list can be filled."""
    document: Any = text
    for key in reversed(keys):
        if key.isdigit() and key != "0":
            return None
        document = [document] if key == "0" else {key: document}
    return document
