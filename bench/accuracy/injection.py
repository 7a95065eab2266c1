"""
Measure the injection guard; write its operating points and the page of its figures.

    python -m bench.accuracy.injection [--write]

Needs what ``train_injection.py`` needs, and the extra ``guard`` for the second stage. Without
``--write`` the page goes to standard output and nothing is changed.
"""

from __future__ import annotations

import argparse
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from bench.accuracy.injection_data import Sample
from bench.accuracy.injection_disguises import DISGUISES
from bench.accuracy.injection_measured import evaluation, rare_languages, same_source
from bench.accuracy.injection_page import Figures, page
from bench.accuracy.injection_speed import speed_rows
from plano_asgi.guards.injection import Judgement, LocalClassifier, Scorer
from plano_asgi.guards.injection.detector import SECOND_WINDOWS, combined
from plano_asgi.guards.injection.operating_points import LEVELS

ROOT = Path(__file__).parents[2]
POINTS = ROOT / "src/plano_asgi/guards/injection/operating_points.json"
PAGE = ROOT / "docs/guards-accuracy.md"

TARGET_RATES = {
    "user": {"strict": 0.02, "balanced": 0.01, "lenient": 0.0025},
    "data": {"strict": 0.04, "balanced": 0.02, "lenient": 0.005},
}
"""Share of harmless texts over the threshold, on the half that thresholds are set on."""
GREY_BELOW, GREY_ABOVE = 4.0, 4.0
"""How far around the first stage's threshold the second is asked."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sample, what the first stage says of it, and what the second says of its worst windows."""

    sample: Sample
    judgement: Judgement
    second: tuple[float, ...] = ()

    @property
    def first(self) -> float:
        return self.judgement.score

    def both(self, grey_from: float, grey_to: float) -> float:
        """The score with the second stage asked inside the band; above and below it is final."""
        if self.first >= grey_to:
            return self.first + 100
        if self.first < grey_from:
            return self.first - 100
        return combined(self.first, self.second)


def score_all(samples: Iterable[Sample], scorer: Scorer) -> list[Scored]:
    """First stage only."""
    return [Scored(s, scorer.judge(s.text, is_data=s.is_data)) for s in samples]


def with_second(scored: Sequence[Scored], scorer: Scorer, low: float, high: float) -> list[Scored]:
    """The second stage's word on what lies between *low* and *high*."""
    classifier = LocalClassifier()

    def ask(item: Scored) -> Scored:
        if not low <= item.first < high:
            return item
        windows = scorer.suspicious_windows(item.judgement.view.text, SECOND_WINDOWS)
        return Scored(item.sample, item.judgement, tuple(classifier.log_odds_now(windows)))

    return [ask(item) for item in scored]


# -- figures ----------------------------------------------------------------------------------


def threshold_for(rate: float, harmless: Sequence[float]) -> float:
    """The lowest threshold that at most *rate* of the harmless scores reach."""
    ranked = sorted(harmless, reverse=True)
    allowed = int(rate * len(ranked))
    return ranked[allowed] + 1e-6


def share(scores: Iterable[float], threshold: float) -> float:
    """Which share of *scores* reaches *threshold*."""
    values = list(scores)
    return sum(value >= threshold for value in values) / len(values) if values else 0.0


def roc_area(attacks: Sequence[float], harmless: Sequence[float]) -> float:
    """How often an attack scores higher than a harmless text; a tie counts half."""
    ranked = sorted(harmless)
    wins = sum(bisect_left(ranked, a) + bisect_right(ranked, a) for a in attacks)
    return wins / (2 * len(attacks) * len(ranked))


def headline(scored: Sequence[Scored]) -> list[list[str]]:
    """One row per detector: area under the curve and recall at three rates, on the whole mix."""
    harmless = [s for s in scored if not s.sample.is_attack]
    attacks = [s for s in scored if s.sample.is_attack]
    base = threshold_for(0.01, [s.first for s in harmless])
    grey = base - GREY_BELOW, base + GREY_ABOVE
    detectors: dict[str, Callable[[Scored], float]] = {
        "model only": lambda s: s.judgement.model,
        "rules only": lambda s: s.first - s.judgement.model,
        "rules and model (no extra)": lambda s: s.first,
        "with the second stage (extra `guard`)": lambda s: s.both(*grey),
    }
    rows = []
    for name, value in detectors.items():
        good, bad = [value(s) for s in harmless], [value(s) for s in attacks]
        recalls = [share(bad, threshold_for(rate, good)) for rate in (0.005, 0.01, 0.02)]
        rows.append([name, f"{roc_area(bad, good):.3f}", *(f"{r:.2f}" for r in recalls)])
    return rows


def by_group(
    scored: Sequence[Scored],
    scores: Sequence[float],
    group: Callable[[Sample], str],
    *,
    attack: bool,
) -> list[list[str]]:
    """Per group: how many texts, and the share over the threshold at 0.5 % and 1 % of the mix."""
    harmless = [v for s, v in zip(scored, scores, strict=True) if not s.sample.is_attack]
    thresholds = [threshold_for(rate, harmless) for rate in (0.005, 0.01)]
    groups: dict[str, list[float]] = {}
    for item, value in zip(scored, scores, strict=True):
        if item.sample.is_attack == attack:
            groups.setdefault(group(item.sample), []).append(value)
    digits = 2 if attack else 3
    return [
        [name, str(len(values)), *(f"{share(values, t):.{digits}f}" for t in thresholds)]
        for name, values in sorted(groups.items())
    ]


# -- operating points -------------------------------------------------------------------------


def halves(scored: Sequence[Scored]) -> tuple[list[Scored], list[Scored]]:
    """The half that thresholds are set on, and the half that they are measured on."""
    odd = [s for s in scored if crc32(s.sample.text.encode("utf-8", "replace")) % 2]
    even = [s for s in scored if not crc32(s.sample.text.encode("utf-8", "replace")) % 2]
    return odd, even


def operating_points(scored: Sequence[Scored]) -> list[dict[str, object]]:
    """A row for each channel, level and number of stages."""
    rows: list[dict[str, object]] = []
    for channel, rates in TARGET_RATES.items():
        here = [s for s in scored if s.sample.is_data == (channel == "data")]
        tune, test = halves(here)
        for level in LEVELS:
            first = threshold_for(rates[level], [s.first for s in tune if not s.sample.is_attack])
            rows.append(_point(channel, level, test, lambda s: s.first, first, None))
            grey = first - GREY_BELOW, first + GREY_ABOVE
            both = [s.both(*grey) for s in tune if not s.sample.is_attack]
            second = threshold_for(rates[level], both)
            rows.append(_point(channel, level, test, lambda s, g=grey: s.both(*g), second, grey))  # type: ignore[misc]
    return rows


def _point(
    channel: str,
    level: str,
    test: Sequence[Scored],
    value: Callable[[Scored], float],
    threshold: float,
    grey: tuple[float, float] | None,
) -> dict[str, object]:
    harmless = share((value(s) for s in test if not s.sample.is_attack), threshold)
    recall = share((value(s) for s in test if s.sample.is_attack), threshold)
    return {
        "channel": channel,
        "level": level,
        "second_stage": grey is not None,
        "threshold": round(threshold, 3),
        "grey_from": round(grey[0] if grey else threshold, 3),
        "grey_to": round(grey[1] if grey else threshold, 3),
        "false_positive_rate": round(harmless, 4),
        "recall": round(recall, 4),
    }


def disguised(scored: Sequence[Scored], scorer: Scorer) -> list[list[str]]:
    """Users' texts of 40 to 400 characters in each disguise, at 1 % of the mix."""
    threshold = threshold_for(0.01, [s.first for s in scored if not s.sample.is_attack])
    short = [s.sample for s in scored if not s.sample.is_data and 40 <= len(s.sample.text) <= 400]
    attacks = [s.text for s in short if s.is_attack][::3]
    harmless = [s.text for s in short if not s.is_attack][::3]
    return [
        [
            name,
            *(
                f"{share((scorer.judge(change(t)).score for t in texts), threshold):.2f}"
                for texts in (attacks, harmless)
            ),
        ]
        for name, change in DISGUISES.items()
    ]


def main() -> None:
    """Measure everything; print or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page and the points")
    arguments = parser.parse_args()
    scorer = Scorer()
    scored = with_second(score_all(evaluation(), scorer), scorer, -4.0, 13.0)
    harmless = [s.first for s in scored if not s.sample.is_attack]
    base = threshold_for(0.01, harmless)
    both = [s.both(base - GREY_BELOW, base + GREY_ABOVE) for s in scored]
    first = [s.first for s in scored]
    others = score_all([*same_source(), *rare_languages()], scorer)
    points = operating_points(scored)
    figures = Figures(
        attacks=sum(s.sample.is_attack for s in scored),
        harmless=len(harmless),
        headline=headline(scored),
        recall=by_group(scored, first, lambda s: s.source, attack=True),
        recall_second=by_group(scored, both, lambda s: s.source, attack=True),
        harmless_rate=by_group(scored, first, _kind, attack=False),
        harmless_rate_second=by_group(scored, both, _kind, attack=False),
        elsewhere=[
            [
                source,
                "attacks" if attack else "harmless",
                str(len(values)),
                f"{share(values, base):.2f}",
            ]
            for source, attack, values in _groups(others)
        ],
        disguises=disguised(scored, scorer),
        points=points,
        grey_share=share((s.first for s in scored if not s.sample.is_attack), base - GREY_BELOW)
        - share(harmless, base + GREY_ABOVE),
        speed=speed_rows(scorer),
    )
    text = page(figures)
    if not arguments.write:
        print(text)
        return
    POINTS.write_text(json.dumps(points, indent=1) + "\n")
    PAGE.write_text(text)


def _kind(sample: Sample) -> str:
    return f"{sample.kind} ({sample.source})"


def _groups(scored: Sequence[Scored]) -> list[tuple[str, bool, list[float]]]:
    found: dict[tuple[str, bool], list[float]] = {}
    for s in scored:
        found.setdefault((s.sample.source, s.sample.is_attack), []).append(s.first)
    return [(source, attack, values) for (source, attack), values in sorted(found.items())]


if __name__ == "__main__":
    main()
