"""Limits on length, language and form."""

# ruff: noqa: RUF001 - sentences in other scripts

from __future__ import annotations

from typing import Any

import pytest

from guard_subjects import subject_of
from plano_asgi.errors import ConfigurationError
from plano_asgi.guards.base import Subject
from plano_asgi.guards.language import LANGUAGES, MAX_CHARS, detect
from plano_asgi.guards.limits import Format, Language, Length

SENTENCES = {
    "ar": "كيف سيكون الطقس غدا في القاهرة وما الذي يجب أن آخذه معي؟",
    "bg": "Какво ще бъде времето утре и какво да взема със себе си, или това не е важно?",
    "cs": "Jaké bude zítra počasí a co si mám vzít na výlet, nebo to není dobrý nápad?",
    "da": "Hvordan bliver vejret i morgen, og hvad skal jeg tage med mig?",
    "de": "Wie wird das Wetter morgen in Berlin, und was soll ich anziehen?",
    "el": "Τι καιρό θα κάνει αύριο;",
    "en": "I would like to know how the weather is going to be tomorrow.",
    "es": "¿Qué tiempo hará mañana en el norte de España y cómo puedo llegar?",
    "fa": "فردا هوا چگونه است و من چه چیزی را با خود ببرم؟",
    "fi": "Millainen sää huomenna on ja mitä minun pitäisi ottaa mukaan?",
    "fr": "Quel temps fera-t-il demain dans le sud de la France ?",
    "he": "מה יהיה מזג האוויר מחר?",
    "hi": "कल मौसम कैसा रहेगा?",
    "hu": "Milyen idő lesz holnap, és mit kell vinnem, ha nem esik az eső?",
    "id": "Bagaimana cuaca besok dan apa yang harus saya bawa untuk perjalanan ini?",
    "it": "Che tempo farà domani a Roma e cosa posso visitare con i bambini?",
    "ja": "明日の東京の天気はどうですか。",
    "ko": "내일 날씨는 어때요?",
    "nl": "Wat voor weer wordt het morgen en hoe kan ik naar Amsterdam komen?",
    "no": "Hva blir været i morgen, og hva skal jeg ta med meg?",
    "pl": "Jaka będzie jutro pogoda i co mam zabrać na wycieczkę, czy to jest dobry pomysł?",
    "pt": "Qual será a previsão do tempo para amanhã e o que você recomenda?",
    "ro": "Cum va fi vremea mâine și ce ar trebui să iau cu mine pentru excursie?",
    "ru": "Какая завтра будет погода и что мне взять с собой?",
    "sv": "Vad blir det för väder i morgon och hur kan jag ta mig till Stockholm?",
    "th": "พรุ่งนี้อากาศเป็นอย่างไร",
    "tr": "Yarın hava nasıl olacak ve bu gezi için ne almalıyım?",
    "uk": "Яка завтра буде погода і що мені взяти з собою?",
    "ur": "کل موسم کیسا ہوگا اور مجھے کیا ساتھ لینا ہے؟",
    "vi": "Thời tiết ngày mai thế nào và tôi có thể mang những gì cho chuyến đi này?",
    "zh": "明天的天气怎么样？我想去北京。",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_languages_are_told_apart(code: str) -> None:
    """One everyday sentence is enough."""
    assert detect(SENTENCES[code]) == code
    assert code in LANGUAGES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345 ...",
        "Hello",
        "Berlin Paris Madrid",
        "kubectl get pods -n prod",
        "```\nthe and of to is in that it\n```",
        "https://example.org/the/and/of/what/is/this",
    ],
)
def test_what_is_no_prose_has_no_language(text: str) -> None:
    """Names, code, addresses, single words: not sure."""
    assert detect(text) is None


def test_of_a_long_text_the_ends_count() -> None:
    """Bounded, whatever its length."""
    text = SENTENCES["de"] * 400
    assert len(text) > MAX_CHARS
    assert detect(text) == "de"
    assert detect("`" * 1_000_000) is None


@pytest.mark.parametrize(
    ("options", "text", "rule"),
    [
        ({"allow": ["en", "de"]}, SENTENCES["de"], ""),
        ({"allow": ["en", "de"]}, SENTENCES["fr"], "language:fr"),
        ({"allow": ["en"]}, "Berlin Paris Madrid Rome", ""),
        ({"allow": ["en"], "on_unsure": "block"}, "Berlin Paris Madrid Rome", "language:unsure"),
        ({"allow": ["en"], "on_unsure": "block"}, "Berlin", ""),
    ],
)
@pytest.mark.anyio
async def test_only_allowed_languages_pass(options: Any, text: str, rule: str) -> None:
    """What cannot be told passes unless told otherwise; short texts always do."""
    assert (await Language(**options).check(subject_of(text))).rule == rule


@pytest.mark.parametrize(
    ("options", "texts", "rule", "score"),
    [
        ({"max_chars": 10}, ["12345", "12345"], "", None),
        ({"max_chars": 9}, ["12345", "12345"], "max_chars", 10),
        ({"max_tokens": 3}, ["123456", "123456"], "", None),
        ({"max_tokens": 2}, ["123456", "123456"], "max_tokens", 3),
        ({"max_tokens": 3}, ["明日の天"], "max_tokens", 4),
    ],
)
@pytest.mark.anyio
async def test_what_is_too_long_is_blocked(
    options: Any, texts: list[str], rule: str, score: float | None
) -> None:
    """All texts of a side count together."""
    verdict = await Length(**options).check(subject_of(*texts))
    assert (verdict.rule, verdict.score) == (rule, score)


@pytest.mark.parametrize(
    ("options", "text", "rule"),
    [
        ({"json": True}, '{"a": 1}', ""),
        ({"json": True}, "```json\n{}\n```", "json"),
        ({"json": True}, '{"a": 1', "json"),
        ({"json": True}, "", ""),
        ({"regex": "yes|no"}, "yes", ""),
        ({"regex": "yes|no"}, "yes!", "regex"),
        ({"regex": "a*", "max_chars": 3}, "aaaa", "regex"),
        ({"json": True, "regex": r"\[.*\]"}, "{}", "regex"),
    ],
)
@pytest.mark.anyio
async def test_only_answers_of_the_form_pass(options: Any, text: str, rule: str) -> None:
    """The whole answer has to be of it."""
    assert (await Format(**options).check(subject_of(text, side="answer"))).rule == rule


@pytest.mark.anyio
async def test_the_form_is_that_of_a_choice_not_of_a_part() -> None:
    """Parts of one choice are read together, choices apart."""
    subject = subject_of('{"a":', " 1}", "[1]", side="answer")
    for passage, choice in zip(subject.passages, (0, 0, 1), strict=True):
        passage.choice = choice
    assert (await Format(json=True).check(subject)).action == "allow"
    subject.passages[2].choice = 0
    assert (await Format(json=True).check(subject)).action == "block"
    nothing = Subject(side="answer", passages=[], exchange=subject.exchange)
    assert (await Format(json=True).check(nothing)).action == "allow"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Length, {}),
        (Length, {"max_chars": 0}),
        (Language, {"allow": []}),
        (Language, {"allow": "en"}),
        (Language, {"allow": ["en", "tlh"]}),
        (Language, {"allow": ["en"], "on_unsure": "guess"}),
        (Format, {}),
        (Format, {"regex": "("}),
    ],
    ids=str,
)
def test_impossible_limits_are_refused(kind: Any, options: Any) -> None:
    """Said at construction."""
    with pytest.raises(ConfigurationError):
        kind(**options)
