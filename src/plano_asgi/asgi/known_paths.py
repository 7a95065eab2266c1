"""The APIs known by their paths: where the texts of each stand, and how a body of it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plano_asgi.passages import Layout
from plano_asgi.wire import LAYOUTS
from plano_asgi.wire.field_layout import FieldLayout

_CHAT, _MESSAGES, _RESPONSES = "openai.chat", "anthropic.messages", "openai.responses"
_CHAT_MARKS = ("messages", "input", "prompt")  # OpenRouter's takes a prompt for messages
_RESPONSES_MARKS = ("input", "instructions", "prompt", "previous_response_id", "conversation")


@dataclass(frozen=True, slots=True)
class KnownPath:
    """
    One API.

    ``operation`` is ``Exchange.operation``; ``dialect`` shapes its errors, and its answers where
    the operation is "chat". A body that has none of the fields ``marks`` is somebody else's.
    """

    operation: str
    dialect: str
    layout: Layout
    marks: tuple[str, ...]


def _other(*fields: str, answers: tuple[str, ...] = ()) -> tuple[Layout, tuple[str, ...]]:
    """A layout by fields, and the first names of them."""
    marks = tuple(dict.fromkeys(field.partition(".")[0] for field in fields))
    return FieldLayout(fields, answer_fields=(*answers, "error.message")), marks


_OTHERS = {
    "/embeddings": _other("input"),
    "/completions": _other("prompt", "suffix", answers=("choices.*.text",)),
    "/moderations": _other("input"),
    "/rerank": _other("query", "documents", answers=("results.*.document",)),
    "/images/generations": _other("prompt", answers=("data.*.revised_prompt",)),
    "/images/edits": _other("prompt", answers=("data.*.revised_prompt",)),
    "/images/variations": _other("prompt"),
    "/audio/speech": _other("input", "instructions"),
    "/audio/transcriptions": _other("prompt", answers=("text", "segments.*.text")),
    "/audio/translations": _other("prompt", answers=("text", "segments.*.text")),
}

KNOWN_PATHS: Mapping[str, KnownPath] = {
    "/chat/completions": KnownPath("chat", _CHAT, LAYOUTS[_CHAT], _CHAT_MARKS),
    "/responses": KnownPath("chat", _RESPONSES, LAYOUTS[_RESPONSES], _RESPONSES_MARKS),
    "/messages": KnownPath("chat", _MESSAGES, LAYOUTS[_MESSAGES], ("messages",)),
    **{
        path: KnownPath(path, dialect, LAYOUTS[dialect], marks)
        for path, dialect, marks in (
            ("/messages/count_tokens", _MESSAGES, ("messages", "system")),
            ("/responses/compact", _RESPONSES, _RESPONSES_MARKS),
            ("/responses/input_tokens", _RESPONSES, _RESPONSES_MARKS),
        )
    },
    **{path: KnownPath(path, _CHAT, layout, marks) for path, (layout, marks) in _OTHERS.items()},
}
"""By the end of the path, below whatever the API is mounted at."""


def request_layout(known: KnownPath, body: Mapping[str, object]) -> Layout:
    """
    Where the texts of *body* stand.

    Agents send Responses bodies to chat completions, and gateways take them: such a body is read
    as what it is, its answer as the path has it.
    """
    if known is KNOWN_PATHS["/chat/completions"] and "input" in body and "messages" not in body:
        return _Mixed(LAYOUTS[_RESPONSES], known.layout)
    return known.layout


class _Mixed:
    """One layout for requests, another for answers."""

    def __init__(self, request: Layout, answer: Layout) -> None:
        self.request_passages = request.request_passages
        self.answer_passages = answer.answer_passages
        self.stream_editor = answer.stream_editor
