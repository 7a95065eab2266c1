"""
What remembering costs: ``python bench/memory.py [--items 100000] [--store sqlite:///bench.db]``.

Items are made-up sentences of 10 to 40 words from a vocabulary of 20,000 with Zipf's frequencies,
all in one namespace. A query is a sentence of eight such words plus four function words, as a turn
of a chat has them. Each figure is the median over all queries; recall's target is 8 ms at 100,000.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from pathlib import Path

import anyio

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # may not be installed

from plano_asgi.memory.base import MemoryItem, MemoryStore
from plano_asgi.memory.open_store import open_store

NAMESPACE = ("bench", "user")
_BATCH = 500
_VOCABULARY = 20_000
_FUNCTION_WORDS = ["what", "is", "the", "of", "my", "and", "do", "you", "have", "in", "to", "it"]


class Sentences:
    """Made-up text, the same for the same *seed*."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        letters = "bcdfghjklmnprtvw"
        self._words = [
            letters[n % 16]
            + "aeiou"[n // 16 % 5]
            + letters[n // 80 % 16]
            + "aeiou"[n // 1280 % 5]
            + letters[n // 6400 % 16]
            for n in range(_VOCABULARY)
        ]
        self._random.shuffle(self._words)
        self._heap = [*accumulate(1 / (rank + 10) for rank in range(_VOCABULARY))]

    def sentence(self, least: int, most: int) -> str:
        """*least* to *most* words, and a third as many function words between them."""
        count = self._random.randint(least, most)
        words = self._random.choices(self._words, cum_weights=self._heap, k=count)
        words += self._random.choices(_FUNCTION_WORDS, k=count // 3)
        self._random.shuffle(words)
        return " ".join(words)

    def vector(self, size: int) -> list[float]:
        """A random direction of length 1."""
        raw = [self._random.gauss(0, 1) for _ in range(size)]
        length = sum(x * x for x in raw) ** 0.5
        return [x / length for x in raw]


async def fill(store: MemoryStore, sentences: Sentences, count: int, vectors: int) -> float:
    """Add *count* items, the last *vectors* with a vector; items per second."""
    items = [
        MemoryItem(
            id=f"item-{n}",
            text=sentences.sentence(10, 40),
            created_at=1.0 + n,
            kind="fact" if n % 10 == 0 else "turn",
            embedding=sentences.vector(384) if n >= count - vectors else None,
            embedder="bench" if n >= count - vectors else "",
        )
        for n in range(count)
    ]
    began = time.perf_counter()
    for start in range(0, count, _BATCH):
        await store.add(NAMESPACE, items[start : start + _BATCH])
    return count / (time.perf_counter() - began)


async def median_ms(call: Callable[[str], Awaitable[object]], queries: Sequence[str]) -> float:
    """Milliseconds of one call, after a round that does not count."""
    for query in queries[:10]:
        await call(query)
    took = list[float]()
    for query in queries:
        began = time.perf_counter()
        await call(query)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


async def measure(store: MemoryStore, items: int, queries: int) -> None:
    """Fill *store*, then print a line per figure."""
    sentences = Sentences(seed=7)
    rate = await fill(store, sentences, items, min(items, 2048))
    print(f"{f'add, items/s in batches of {_BATCH}':40}{rate:10.0f}")
    asked = [sentences.sentence(8, 8) for _ in range(queries)]
    vector = sentences.vector(384)

    async def hybrid(query: str) -> object:
        return await store.search(NAMESPACE, query, vector=vector, embedder="bench")

    async def one_more(query: str) -> None:
        await store.add(NAMESPACE, [MemoryItem(id=query, text=query)])

    rows: dict[str, Callable[[str], Awaitable[object]]] = {
        "recall, ms": lambda query: store.search(NAMESPACE, query),
        "recall of facts only, ms": lambda query: store.search(
            NAMESPACE, query, filters={"kind": "fact"}
        ),
        "recall, hybrid over 2048 vectors, ms": hybrid,
        "newest 20, ms": lambda query: store.list(NAMESPACE, limit=20),
        "add one, ms": one_more,
    }
    for name, call in rows.items():
        print(f"{name:40}{await median_ms(call, asked):10.2f}")
    began = time.perf_counter()
    await store.delete(NAMESPACE, "item-0")
    print(f"{'delete one, ms':40}{(time.perf_counter() - began) * 1e3:10.2f}")
    began = time.perf_counter()
    count = await store.delete_all(NAMESPACE)
    print(f"{f'delete all {count}, ms':40}{(time.perf_counter() - began) * 1e3:10.2f}")
    await store.aclose()


def main() -> None:
    """Measure one store."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--store", help="a URL as open_store takes it; default a temporary file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(options.store or f"sqlite:///{directory}/bench.db")
        anyio.run(measure, store, options.items, options.queries)


if __name__ == "__main__":
    main()
