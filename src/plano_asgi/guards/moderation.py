"""A moderation endpoint (``POST /v1/moderations`` of OpenAI's API, and whoever speaks it)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, Unpack

from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError, GuardUnavailable
from plano_asgi.guards.base import ALLOW, Guard, GuardOptions, Subject, Verdict, block

Moderate: TypeAlias = Callable[[list[str]], Awaitable[Sequence[JSONObject]]]
"""Texts -> the endpoint's ``results``, one for each text, in order."""

PostJSON: TypeAlias = Callable[[JSONObject], Awaitable[JSONObject]]
"""Posts a body to the endpoint and returns its answer; raises on any other status than 200."""


def moderation_call(post: PostJSON, *, model: str = "omni-moderation-latest") -> Moderate:
    """
    The call that ``Moderation`` takes, made of one that posts JSON.

    Source: https://platform.openai.com/docs/api-reference/moderations
    """

    async def moderate(texts: list[str]) -> Sequence[JSONObject]:
        answer = await post({"model": model, "input": texts})
        results = answer.get("results")
        if not isinstance(results, list):
            raise GuardUnavailable("The moderation endpoint gave no results.")
        return results

    return moderate


class Moderation(Guard):
    """
    Block what a moderation endpoint flags. The rule is the category, the score the endpoint's.

    Args:
        call: Asks the endpoint; see ``Moderate`` and ``moderation_call``.
        thresholds: Blocks from this score on, by category; only these count, and ``flagged`` is
            not looked at. ``"*"`` is for every category that is not named. If ``None``, what the
            endpoint flags is blocked.
        max_chars: The most characters in one text; longer ones are judged in pieces.
        max_texts: The most texts of one check; more cannot be judged.
    """

    name = "moderation"
    needs_whole = True

    def __init__(
        self,
        call: Moderate,
        *,
        thresholds: Mapping[str, float] | None = None,
        max_chars: int = 8_000,
        max_texts: int = 64,
        **options: Unpack[GuardOptions],
    ) -> None:
        for category, threshold in (thresholds or {}).items():
            if not 0 < threshold <= 1:
                raise ConfigurationError(
                    f"moderation threshold of {category!r} must be more than 0 and at most 1"
                )
        if max_chars < 1 or max_texts < 1:
            raise ConfigurationError("moderation's max_chars and max_texts must be 1 or more")
        super().__init__(**options)
        self._call = call
        self._thresholds = None if thresholds is None else dict(thresholds)
        self._max_chars = max_chars
        self._max_texts = max_texts

    async def check(self, subject: Subject, /) -> Verdict:
        """
        Ask about every text of *subject* in one call.

        Raises:
            GuardUnavailable: Too many texts, or an answer that does not fit them.
        """
        texts = [piece for passage in subject.passages for piece in self._pieces(passage.text)]
        if not texts:
            return ALLOW
        if len(texts) > self._max_texts:
            raise GuardUnavailable("There are too many texts for one moderation call.")
        results = await self._call(texts)
        if len(results) != len(texts):
            raise GuardUnavailable("The moderation endpoint did not answer for every text.")
        found = [hit for result in results for hit in self._hits(result)]
        if not found:
            return ALLOW
        score, category = max(found)
        return block(category, score=score)

    def _pieces(self, text: str) -> Iterator[str]:
        if text.strip():
            for start in range(0, len(text), self._max_chars):
                yield text[start : start + self._max_chars]

    def _hits(self, result: JSONObject) -> Iterator[tuple[float, str]]:
        if self._thresholds is None:
            yield from _flagged(result)
            return
        for category, score in _mapping(result, "category_scores").items():
            limit = self._thresholds.get(category, self._thresholds.get("*"))
            if limit is not None and score >= limit:
                yield float(score), category


def _flagged(result: JSONObject) -> Iterator[tuple[float, str]]:
    flagged = result.get("flagged")
    if not isinstance(flagged, bool):
        raise GuardUnavailable("The moderation endpoint's answer has no 'flagged'.")
    if flagged:
        scores = result.get("category_scores") or {}
        hits = [name for name, hit in (result.get("categories") or {}).items() if hit is True]
        yield max(((float(scores.get(name, 1.0)), name) for name in hits), default=(1.0, "flagged"))


def _mapping(result: JSONObject, key: str) -> Mapping[str, Any]:
    value = result.get(key)
    if not isinstance(value, dict):
        raise GuardUnavailable(f"The moderation endpoint's answer has no '{key}'.")
    return value
