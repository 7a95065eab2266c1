"""CPU time of the injection guard's stages."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib.resources import files

from bench.accuracy.injection_measured import evaluation
from plano_asgi.guards import injection
from plano_asgi.guards.injection import LocalClassifier, Scorer
from plano_asgi.guards.injection.ngrams import NgramModel

_SIZES = (20, 200, 2_000, 20_000)
_CHARS_PER_TOKEN = 4.5


def speed_rows(scorer: Scorer) -> list[list[str]]:
    """Per length: milliseconds for prose (again, first), unknown words, and the second stage."""
    prose = " ".join(s.text for s in evaluation() if not s.is_attack and s.kind.startswith("users"))
    classifier = LocalClassifier()
    rows = []
    for size in _SIZES:
        text = (prose * (1 + int(size * _CHARS_PER_TOKEN) // len(prose)))[
            : int(size * _CHARS_PER_TOKEN)
        ]
        runs = max(3, 40_000 // size)
        known = _milliseconds(lambda t=text: scorer.judge(t), runs)  # type: ignore[misc]
        first_time = iter([Scorer(_new_model()) for _ in range(20)])
        cold = _milliseconds(lambda t=text, it=first_time: next(it).judge(t), 20)  # type: ignore[misc]
        fresh = iter([_unseen(size, n) for n in range(min(runs, 200))])
        new = _milliseconds(lambda it=fresh: scorer.judge(next(it)), min(runs, 200))  # type: ignore[misc]
        windows = scorer.suspicious_windows(text.lower(), 2)
        second = _milliseconds(lambda w=windows: classifier.log_odds_now(w), 10)  # type: ignore[misc]
        rows.append([f"{size:,}", f"{known:.2f}", f"{cold:.2f}", f"{new:.2f}", f"{second:.0f}"])
    return rows


def _new_model() -> NgramModel:
    return NgramModel(files(injection).joinpath("injection.bin").read_bytes())


def _unseen(size: int, seed: int) -> str:
    rng = random.Random(seed)
    letters = "etaoinshrdlu"
    words = ("".join(rng.choices(letters, k=rng.randint(2, 7))) for _ in range(size))
    return " ".join(words)[: int(size * _CHARS_PER_TOKEN)]


def _milliseconds(call: Callable[[], object], runs: int) -> float:
    """CPU time of one call, the best of five series."""
    series = 5 if runs > 50 else 1
    best = float("inf")
    for _ in range(series):
        count = max(1, runs // series)
        started = time.process_time()
        for _ in range(count):
            call()
        best = min(best, (time.process_time() - started) / count)
    return best * 1_000
