"""Both stages together: what is said of a text at most once, and off the event loop when long."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from cachetools import LRUCache

from plano_asgi.guards.injection.operating_points import OperatingPoint
from plano_asgi.guards.injection.scoring import Judgement, Scorer
from plano_asgi.guards.injection.second_stage import SecondStage
from plano_asgi.loops import Threads

SECOND_WEIGHT = 0.7
"""How much a log-odds of the second stage counts beside one of the first."""
SECOND_LIMIT = 10.0
SECOND_WINDOWS = 2


class Finding(NamedTuple):
    """What was found out about one text, and whether that is too much."""

    judgement: Judgement
    score: float
    is_attack: bool


class Detector:
    """
    Judges texts. What was judged before is known by its hash; no text is kept.

    Args:
        second_stage: Asked about scores in an operating point's grey band, ``None`` for nobody.
        worker_chars: Texts that together are longer are judged in a worker thread.
        cache_size: How many texts' judgements are kept.
    """

    def __init__(
        self,
        second_stage: SecondStage | None = None,
        *,
        worker_chars: int = 8_000,
        cache_size: int = 4_096,
    ) -> None:
        self._scorer = Scorer()
        self._second = second_stage
        self._worker_chars = worker_chars
        self._workers = Threads()
        self._known: LRUCache[bytes, Finding] = LRUCache(cache_size)

    async def find(self, texts: Sequence[tuple[str, OperatingPoint]], /) -> list[Finding]:
        """A finding for each text, in order."""
        keys = [_key(text, point) for text, point in texts]
        fresh = {key: item for key, item in zip(keys, texts, strict=True) if key not in self._known}
        found = {key: self._known[key] for key in keys if key not in fresh}
        judgements = await self._judge(list(fresh.values()))
        for (key, (_, point)), judgement in zip(fresh.items(), judgements, strict=True):
            found[key] = await self._decide(judgement, point)
        for key in fresh:
            self._known[key] = found[key]
        return [found[key] for key in keys]

    async def _judge(self, items: list[tuple[str, OperatingPoint]]) -> list[Judgement]:
        if sum(len(text) for text, _ in items) > self._worker_chars:
            return await self._workers.run(self._judge_now, items)
        return self._judge_now(items)

    def _judge_now(self, items: list[tuple[str, OperatingPoint]]) -> list[Judgement]:
        return [self._scorer.judge(text, is_data=point.channel == "data") for text, point in items]

    async def _decide(self, judgement: Judgement, point: OperatingPoint) -> Finding:
        score = judgement.score
        if self._second is None or not point.grey_from <= score < point.grey_to:
            return Finding(judgement, score, score >= point.grey_to)
        windows = self._scorer.suspicious_windows(judgement.view.text, SECOND_WINDOWS)
        score = combined(score, await self._second.log_odds(windows))
        return Finding(judgement, score, score >= point.threshold)


def combined(score: float, second: Sequence[float]) -> float:
    """The first stage's score and the worst that the second said of a window, weighed together."""
    return score + SECOND_WEIGHT * max(-SECOND_LIMIT, min(SECOND_LIMIT, max(second)))


def _key(text: str, point: OperatingPoint) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16, person=point.channel.encode()).digest()
