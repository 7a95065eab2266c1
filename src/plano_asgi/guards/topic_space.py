"""
Topics as points among vectors, and what counts as near.

A topic is the centroid of its description and examples, and besides each clause of a description
that names several things: a broad domain has no one middle. How near is near differs between
embedders and topics, so it is measured on ordinary talk: likeness is told in standard deviations
above what everyday sentences score on the same topic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from plano_asgi.embeddings.base import Embedder, Vector

ORDINARY = (
    "What time does the train to the city leave tomorrow morning?",
    "Can you help me write a short birthday message for my aunt?",
    "My laptop is slow since the last update.",
    "What is a good recipe for tomato soup?",
    "Who won the football match last night?",
    "Please translate this sentence into French.",
    "How do I remove a red wine stain from a shirt?",
    "Explain how photosynthesis works in simple words.",
    "I would like to change the address of my order.",
    "Write a function that sorts a list of numbers.",
    "What should I see on a weekend in Lisbon?",
    "My dog does not want to eat today.",
    "How much is fifteen percent of eighty?",
    "Tell me a joke about a penguin.",
    "Which book should I read next?",
    "The meeting was moved to Thursday afternoon.",
    "How do I tie a bow tie?",
    "Summarise the following text in two sentences.",
    "What is the capital of Mongolia?",
    "I feel tired and sleep badly.",
    "Is it going to rain this evening?",
    "How do I apply for a parental allowance?",
    "Which plants grow well in the shade?",
    "Draft an e-mail to my landlord about the heating.",
)
"""Everyday sentences on many things: what a text that is on no given topic looks like."""

WINDOW_CHARS = 800
"""About what small sentence models read at once (256 tokens)."""
_MIN_DEVIATION = 0.02
_CLAUSES = re.compile(r"[.;:\n,]| and | or ")
_SENTENCES = re.compile(r"(?<=[.!?\n])\s+")


class Likeness(NamedTuple):
    """How like one topic a text is."""

    topic: str
    cosine: float
    deviations: float
    """Above ordinary talk."""


class _Topic(NamedTuple):
    points: Sequence[Vector]
    mean: float
    deviation: float


class TopicSpace:
    """The topics' points, embedded on first use and kept."""

    def __init__(self, embedder: Embedder, topics: Mapping[str, Sequence[str]]) -> None:
        self._embedder = embedder
        self._texts = topics
        self._topics: dict[str, _Topic] | None = None

    async def likeness(self, text: str) -> list[dict[str, Likeness]]:
        """How like each topic each window of *text* is."""
        if (topics := self._topics) is None:
            # Two first callers at once both do the work; the results are equal.
            topics = self._topics = await self._place()
        vectors = await self._embedder.embed(_windows(text))
        return [
            {name: _likeness(name, topic, vector) for name, topic in topics.items()}
            for vector in vectors
        ]

    async def _place(self) -> dict[str, _Topic]:
        ordinary = await self._embedder.embed(ORDINARY)
        return {
            name: _topic(await self._points(texts), ordinary) for name, texts in self._texts.items()
        }

    async def _points(self, texts: Sequence[str]) -> list[Vector]:
        clauses = [part.strip() for part in _CLAUSES.split(texts[0])]
        clauses = [part for part in clauses if len(part) > 3]
        vectors = await self._embedder.embed([*texts, *clauses])
        points = [_centroid(vectors[: len(texts)])]
        if len(clauses) > 1:
            points.extend(vectors[len(texts) :])
        return points


def _topic(points: Sequence[Vector], ordinary: Iterable[Vector]) -> _Topic:
    scores = [_nearest(points, vector) for vector in ordinary]
    mean = math.fsum(scores) / len(scores)
    variance = math.fsum((score - mean) ** 2 for score in scores) / len(scores)
    return _Topic(points, mean, max(math.sqrt(variance), _MIN_DEVIATION))


def _likeness(name: str, topic: _Topic, vector: Vector) -> Likeness:
    cosine = _nearest(topic.points, vector)
    return Likeness(name, cosine, (cosine - topic.mean) / topic.deviation)


def _nearest(points: Iterable[Vector], vector: Vector) -> float:
    return max(sum(map(_product, point, vector)) for point in points)


def _product(a: float, b: float) -> float:
    return float(a) * float(b)


def _centroid(vectors: Sequence[Vector]) -> Vector:
    sums = [math.fsum(column) for column in zip(*vectors, strict=True)]
    length = math.sqrt(math.fsum(value * value for value in sums)) or 1.0
    return [value / length for value in sums]


def _windows(text: str) -> list[str]:
    """*text* in pieces of whole sentences, none longer than ``WINDOW_CHARS``."""
    windows: list[str] = []
    current = ""
    for sentence in _SENTENCES.split(text):
        while len(current) + len(sentence) + 1 > WINDOW_CHARS:
            if not current:
                current, sentence = sentence[:WINDOW_CHARS], sentence[WINDOW_CHARS:]
            windows.append(current)
            current = ""
        current = f"{current} {sentence}" if current else sentence
    return [*windows, current] if current.strip() or not windows else windows
