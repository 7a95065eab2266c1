"""Topics, by likeness and by asking."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from guard_subjects import answering, subject_of
from plano_asgi.conversation import ChatRequest
from plano_asgi.embeddings.base import Vector
from plano_asgi.errors import ConfigurationError, GuardUnavailable
from plano_asgi.guards.topic_space import WINDOW_CHARS, TopicSpace
from plano_asgi.guards.topics import Topics


class WordBags:
    """Embeds a text as the bag of its longer words: texts are alike that share some."""

    name = "word-bags"
    dimensions = 512

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str], /) -> list[Vector]:
        """One bag for each text."""
        self.asked.extend(texts)
        return [self._bag(text) for text in texts]

    def _bag(self, text: str) -> Vector:
        bag = [0.01] * self.dimensions
        for word in re.findall(r"[a-z]{4,}", text.lower()):
            bag[zlib.crc32(word.encode()) % self.dimensions] += 1
        length = math.sqrt(sum(value * value for value in bag))
        return [value / length for value in bag]


BANKING = [
    "questions about bank accounts, transfers and credit cards",
    "How do I block my credit card?",
    "Show the transfers on my bank account.",
]
MEDICINE = ["medical advice, medicines and dosage", "Which medicines help against headache?"]


@pytest.mark.parametrize(
    ("options", "text", "rule"),
    [
        ({"allow": {"banking": BANKING}}, "Please block the credit card of my account.", ""),
        ({"allow": {"banking": BANKING}}, "Write a poem about autumn leaves.", "off_topic"),
        ({"allow": {"banking": BANKING}}, "yes, please", ""),
        ({"deny": {"medicine": MEDICINE}}, "Write a poem about autumn leaves.", ""),
        ({"deny": {"medicine": MEDICINE}}, "Which dosage of medicines?", "deny:medicine"),
        (
            {"allow": {"banking": BANKING}, "deny": {"medicine": MEDICINE}},
            "Which medicines do you advise?",
            "deny:medicine",
        ),
        (
            {"allow": {"banking": BANKING}, "deny": {"medicine": MEDICINE}},
            "May I pay medicines with the credit card of my bank account?",
            "",
        ),
    ],
)
@pytest.mark.anyio
async def test_topics_by_likeness(options: Any, text: str, rule: str) -> None:
    """Near a denied one, or near no allowed one."""
    verdict = await Topics(embedder=WordBags(), **options).check(subject_of(text))
    assert verdict.rule == rule
    assert (verdict.score is not None) == bool(rule)


@pytest.mark.anyio
async def test_a_denied_topic_in_a_long_text_is_found() -> None:
    """Each window is judged for what is denied."""
    padding = "We walked along the river and talked about nothing in particular. " * 30
    guard = Topics(deny={"medicine": MEDICINE}, embedder=WordBags())
    assert (await guard.check(subject_of(padding))).action == "allow"
    asking = f"{padding}\n{'Which medicines and dosage? ' * 20}\n{padding}"
    assert (await guard.check(subject_of(asking))).rule == "deny:medicine"


@pytest.mark.anyio
async def test_topics_are_embedded_once_and_texts_in_windows() -> None:
    """None longer than what small models read; nothing is left out."""
    bags = WordBags()
    space = TopicSpace(bags, {"banking": BANKING})
    await space.likeness("a text")
    before = len(bags.asked)
    text = "x" * (WINDOW_CHARS * 2) + " Then a sentence. " + "And more. " * 100
    windows = await space.likeness(text)
    asked = bags.asked[before:]
    assert len(windows) == len(asked) > 3
    assert all(len(window) <= WINDOW_CHARS for window in asked)
    assert "".join("".join(asked).split()) == "".join(text.split())
    assert len(await space.likeness("")) == 1


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ('{"topic": "banking"}', ""),
        ('{"topic": "medicine"}', "deny:medicine"),
        ('The topic is {"topic": null}', "off_topic"),
        ('{"topic": "none"}', "off_topic"),
    ],
)
@pytest.mark.anyio
async def test_topics_by_asking_a_model(answer: str, rule: str) -> None:
    """It names one of the list, or none; the text is delimited as data."""
    asked: list[ChatRequest] = []
    guard = Topics(
        allow={"banking": BANKING},
        deny={"medicine": MEDICINE},
        ask=answering(answer, asked=asked),
        model="small",
    )
    assert (await guard.check(subject_of("a question of four words"))).rule == rule
    system, user = asked[0].messages
    word = user.text.split("\n", 1)[0]
    assert word in system.text
    assert "- medicine: medical advice" in system.text


@pytest.mark.parametrize("answer", ["no idea", '{"topic": 3}', '{"topic": "weather"}', "{}"])
@pytest.mark.anyio
async def test_a_model_that_names_no_topic_is_no_verdict(answer: str) -> None:
    """Unable to judge, so nothing passes."""
    guard = Topics(allow={"banking": BANKING}, ask=answering(answer), model="small")
    with pytest.raises(GuardUnavailable):
        await guard.check(subject_of("a question of four words"))


@pytest.mark.anyio
async def test_denying_only_lets_everything_else_pass() -> None:
    """No topic is no offence."""
    guard = Topics(deny={"medicine": "Medicine."}, ask=answering('{"topic": null}'), model="m")
    assert (await guard.check(subject_of("a question of four words"))).action == "allow"


@pytest.mark.anyio
async def test_a_text_that_is_too_long_is_not_judged() -> None:
    """Unable to judge, so nothing passes."""
    guard = Topics(allow={"banking": BANKING}, embedder=WordBags(), max_chars=20)
    with pytest.raises(GuardUnavailable):
        await guard.check(subject_of("far too many words for this"))


@pytest.mark.parametrize(
    "options",
    [
        {"embedder": WordBags()},
        {"allow": {"a": "x"}},
        {"allow": {"a": "x"}, "ask": answering()},
        {"allow": {"a": "x"}, "embedder": WordBags(), "ask": answering(), "model": "m"},
        {"allow": {"a": "x"}, "deny": {"a": "x"}, "embedder": WordBags()},
        {"allow": {"a": " "}, "embedder": WordBags()},
        {"allow": {"": "x"}, "embedder": WordBags()},
    ],
    ids=["nothing", "no-judge", "no-model", "two-judges", "both", "blank", "no-name"],
)
def test_impossible_topics_are_refused(options: dict[str, Any]) -> None:
    """Said at construction."""
    with pytest.raises(ConfigurationError):
        Topics(**options)
