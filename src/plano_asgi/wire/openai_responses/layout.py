"""Where the texts of the Responses API's bodies stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin, Passage
from plano_asgi.wire.openai_responses.editor import ResponsesEditor
from plano_asgi.wire.openai_responses.item_texts import (
    REQUEST,
    Place,
    answer_texts,
    is_assistant,
    item_texts,
    leaves,
    one_part,
)
from plano_asgi.wire.texts import all_texts

_NOT_IN_TOOLS = frozenset(
    (
        *("type", "name", "strict", "syntax", "required", "$ref", "$schema", "$id"),
        *("headers", "authorization", "server_url", "server_label", "connector_id"),
        *("container", "environment", "require_approval", "allowed_tools", "defer_loading"),
        *("vector_store_ids", "search_context_size"),
    )
)
"""Of a tool: what names or configures. Credentials of an MCP server are among it."""


class ResponsesLayout:
    """
    ``openai.responses``. Stateless, shared. Any JSON is taken; what has no such texts has none.

    Texts outside of ``input`` (``instructions``, prompt variables, tools, schemas) are new while
    the input holds no earlier answer, as a system message at the head of a chat is.
    """

    def request_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.request_passages``."""
        return all_texts(_request_texts(body)) if isinstance(body, dict) else []

    def answer_passages(self, body: Any, /) -> list[Passage]:
        """See ``Layout.answer_passages``. What a response echoes of its request is left out."""
        return list(answer_texts(body)) if isinstance(body, dict) else []

    def stream_editor(self) -> ResponsesEditor:
        """See ``Layout.stream_editor``."""
        return ResponsesEditor()


def _request_texts(body: JSONObject) -> Iterator[Passage]:
    items = body.get("input")
    answered = _last_answer(items) if isinstance(items, list) else -1
    outside = Place(REQUEST, is_new=answered < 0)
    yield from _string_or_parts(body, "instructions", "system", outside)
    prompt = body.get("prompt")
    if isinstance(prompt, dict) and isinstance(prompt.get("variables"), dict):
        yield from _variables(prompt["variables"], outside)
    elif isinstance(prompt, str):
        yield outside.passage(body, "prompt", "user", "")
    if isinstance(items, list):
        for turn, item in enumerate(items):
            place = Place(REQUEST, turn, turn > answered)
            if isinstance(item, str):
                yield place.passage(items, turn, "user", "input")
            elif isinstance(item, list):  # nothing that the API knows; read by somebody, perhaps
                yield from leaves(item, f"input.{turn}", "user", place)
            else:
                yield from item_texts(item, f"input.{turn}", place)
    else:
        yield from _string_or_parts(body, "input", "user", Place(REQUEST, 0))
    text = body.get("text")
    formats = text.get("format") if isinstance(text, dict) else None
    for value, path in ((body.get("tools"), "tools"), (formats, "text.format")):
        if isinstance(value, dict | list):
            yield from leaves(value, path, "tool_definition", outside, no_words=_NOT_IN_TOOLS)


def _last_answer(items: list[Any]) -> int:
    """
    Index of the last item of an earlier answer; -1 if there is none. Items at the very end that
    only look like one came with this request, as a prefill does.
    """
    followed = False
    for index in range(len(items) - 1, -1, -1):
        if not is_assistant(items[index]):
            followed = True
        elif followed:
            return index
    return -1


def _variables(variables: JSONObject, place: Place) -> Iterator[Passage]:
    for name, value in variables.items():
        if isinstance(value, str):
            yield place.passage(variables, name, "user", "prompt.variables")
        elif isinstance(value, dict):
            yield from one_part(value, f"prompt.variables.{name}", "user", place)
        elif isinstance(value, list):
            yield from leaves(value, f"prompt.variables.{name}", "user", place)


def _string_or_parts(body: JSONObject, key: str, origin: Origin, place: Place) -> Iterator[Passage]:
    value = body.get(key)
    if isinstance(value, str):
        yield place.passage(body, key, origin, "")
    elif isinstance(value, dict | list):
        yield from leaves(value, key, origin, place)
