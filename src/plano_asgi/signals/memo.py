"""What was made of texts, kept: a conversation comes back whole with every turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Memo(Generic[Made]):
    """
    Makes something of texts, and of a text that comes again the same. Threads may share it.

    Args:
        make: Makes it of several different texts, in their order; never ``None``.
        limit: How many are kept at most; 0 keeps none. The half of them that was asked for last
            is among those kept.
    """

    def __init__(self, make: Callable[[Sequence[str]], Iterable[Made]], limit: int) -> None:
        self._make, self._half = make, (limit + 1) // 2
        self._young: dict[str, Made] = {}
        self._old: dict[str, Made] = {}

    def of(self, texts: Sequence[str]) -> Sequence[Made]:
        """What is made of each of *texts*."""
        found = [*map(self._young.get, texts)]
        kept = [made for made in found if made is not None]
        if len(kept) == len(found):
            return kept
        old = self._old
        asked = dict.fromkeys(text for text, made in zip(texts, found, strict=True) if made is None)
        known = {text: old[text] for text in asked if text in old}
        if len(known) < len(asked):
            new = [text for text in asked if text not in known]
            known.update(zip(new, self._make(new), strict=True))
        self._keep(known)
        return [
            known[text] if made is None else made for text, made in zip(texts, found, strict=True)
        ]

    def _keep(self, known: dict[str, Made]) -> None:
        """Add what the young half did not have; if there is no room, it is the old half now."""
        if len(self._young) + len(known) > self._half:
            self._old, self._young = self._young, {}
        self._young.update(islice(known.items(), max(0, len(known) - self._half), None))
