"""
Latency as this gateway sees it (``provider: self``): time to the first token of streamed answers.

Whole answers are not counted: how long they take says more about their length.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import TypeAlias

from cachetools import LRUCache

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Exchange

_Samples: TypeAlias = deque[tuple[float, float]]


class MeasuredLatency:
    """
    A finalizer that notes how long streams took to begin, and a ``LatencySource``: the median, in
    seconds from the successful try's start to the first content the client got.

    Args:
        samples: Latest ones that count, per model.
        max_age_s: Older ones do not: a model unused for that long is unknown again.
        max_models: Models that are kept; the least recently used goes.
        timer: Monotonic seconds.
    """

    learns = True

    def __init__(
        self,
        *,
        samples: int = 64,
        max_age_s: float = 3600.0,
        max_models: int = 1000,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(samples, max_models) < 1 or max_age_s <= 0:
            raise ConfigurationError("MeasuredLatency: its bounds are above 0")
        self._samples, self._max_age_s, self._timer = samples, max_age_s, timer
        self._models: LRUCache[str, _Samples] = LRUCache(max_models)

    async def __call__(self, exchange: Exchange) -> None:
        """The finalizer."""
        served, first_byte = exchange.served_by, exchange.timings.first_byte
        if served is None or first_byte is None or not exchange.stream:
            return
        tries = [a for a in exchange.attempts if a.candidate == served and a.started <= first_byte]
        if tries:
            self.record(served.name, first_byte - tries[-1].started)

    def record(self, model: str, seconds: float) -> None:
        """Note one answer of *model* (``provider/model``)."""
        if (kept := self._models.get(model)) is None:
            kept = self._models[model] = deque(maxlen=self._samples)
        kept.append((self._timer(), seconds))

    def latency(self, model: str, /) -> float | None:
        """The median of the latest samples of *model*, in seconds; ``None`` if there are none."""
        kept: _Samples | None = self._models.get(model)
        if kept is None:
            return None
        oldest = self._timer() - self._max_age_s
        while kept and kept[0][0] < oldest:
            kept.popleft()
        return median(seconds for _, seconds in kept) if kept else None
