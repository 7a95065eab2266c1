"""
What spells a choice's text again: token probabilities, token ids, speech, a second field for the
same words. When the text changes it goes or changes too, or it would tell what was taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import Delta, Passage

SPELLED_AGAIN = ("logprobs", "token_ids")
"""Fields of a choice: the reference API's, and vLLM's."""


def spells_again(choice: JSONObject) -> bool:
    """Whether *choice* repeats its text in other fields."""
    return bool(choice.get("logprobs") or choice.get("token_ids"))


def _forget(choice: JSONObject) -> None:
    for key in SPELLED_AGAIN:
        if choice.get(key):
            choice[key] = None


@dataclass(slots=True, eq=False)
class SpelledPassage(Passage):
    """A passage of *owner*, a choice that ``spells_again``."""

    owner: JSONObject = field(default_factory=dict)

    def replace(self, text: str) -> None:
        """Put *text* in the place of this one; what spelled it again becomes null."""
        Passage.replace(self, text)
        _forget(self.owner)


@dataclass(slots=True, eq=False)
class SpelledDelta(Delta):
    """A delta of *owner*, a chunk's choice, that stands at *twins* (holder, key) as well."""

    owner: JSONObject = field(default_factory=dict)
    twins: Sequence[tuple[JSONObject, str]] = ()

    def replace(self, text: str) -> None:
        """Put *text* in all places of this piece; what spelled it otherwise becomes null."""
        Delta.replace(self, text)
        for holder, key in self.twins:
            holder[key] = text
        _forget(self.owner)


@dataclass(slots=True, eq=False)
class Transcript(Passage):
    """What ``audio`` says. ``holder`` has the sound, too."""

    def replace(self, text: str) -> None:
        """Put *text* in the place of the transcript; the sound becomes silence."""
        Passage.replace(self, text)
        self.holder["data"] = ""


def with_spelling(passages: Iterable[Passage], choice: Any) -> Iterator[Passage]:
    """*passages* of *choice*, as ones that take along what spells them again."""
    again = isinstance(choice, dict) and spells_again(choice)
    for passage in passages:
        place = (passage.text, passage.origin, passage.path, passage.holder, passage.key)
        rest = (passage.turn, passage.is_new, passage.is_json, passage.choice)
        if passage.key == "transcript" and isinstance(passage.holder.get("data"), str):
            yield Transcript(*place, *rest)
        elif again:
            yield SpelledPassage(*place, *rest, owner=choice)
        else:
            yield passage
