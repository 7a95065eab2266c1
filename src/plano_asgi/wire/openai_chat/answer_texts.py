"""The texts of a chat answer: a whole body, an error, or what a chunk says besides its deltas."""

from __future__ import annotations

from collections.abc import Iterator

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin, Passage
from plano_asgi.wire.openai_chat.logprobs import with_spelling
from plano_asgi.wire.texts import ANSWER

_BESIDE_CHOICES: dict[str, Origin] = {
    "search_results": "citation",
    "citations": "citation",
    "error": "error",
    "message": "error",  # vLLM's and FastAPI's error bodies
    "detail": "error",
}
"""Fields of an answer that the client reads besides its choices."""


def answer_passages(body: JSONObject) -> Iterator[Passage]:
    """Every text of an answer, of an error body."""
    choices = body.get("choices")
    for position, choice in enumerate(choices if isinstance(choices, list) else ()):
        index = choice.get("index") if isinstance(choice, dict) else None
        found = ANSWER.passages(
            choices,
            position,
            "content",
            f"choices.{position}",
            choice=index if isinstance(index, int) else position,
        )
        yield from with_spelling(found, choice)
    yield from beside_choices(body)


def beside_choices(body: JSONObject) -> Iterator[Passage]:
    """The texts of a body or a chunk that belong to no choice."""
    for key, origin in _BESIDE_CHOICES.items():
        if body.get(key):
            yield from ANSWER.passages(body, key, origin, key)
