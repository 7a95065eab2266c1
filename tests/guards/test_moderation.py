"""The moderation endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guard_subjects import subject_of
from plano_asgi._json import JSONObject
from plano_asgi.errors import ConfigurationError, GuardUnavailable
from plano_asgi.guards.moderation import Moderate, Moderation, moderation_call

CLEAN: JSONObject = {"flagged": False, "categories": {}, "category_scores": {"violence": 0.1}}
VIOLENT: JSONObject = {
    "flagged": True,
    "categories": {"violence": True, "hate": False},
    "category_scores": {"violence": 0.8, "hate": 0.3},
}


def _endpoint(*results: JSONObject, texts: list[str] | None = None) -> Moderate:
    async def call(asked: list[str]) -> Sequence[JSONObject]:
        if texts is not None:
            texts.extend(asked)
        return results

    return call


@pytest.mark.parametrize(
    ("thresholds", "results", "rule", "score"),
    [
        (None, [CLEAN], "", None),
        (None, [VIOLENT], "violence", 0.8),
        (None, [{"flagged": True}], "flagged", 1.0),
        ({"violence": 0.9}, [VIOLENT], "", None),
        ({"violence": 0.8}, [VIOLENT], "violence", 0.8),
        ({"hate": 0.2}, [VIOLENT], "hate", 0.3),
        ({"*": 0.05, "hate": 0.9}, [CLEAN], "violence", 0.1),
    ],
)
@pytest.mark.anyio
async def test_what_is_flagged_or_over_its_threshold_is_blocked(
    thresholds: dict[str, float] | None, results: list[JSONObject], rule: str, score: float | None
) -> None:
    """Thresholds take the place of the endpoint's own flag."""
    guard = Moderation(_endpoint(*results), thresholds=thresholds)
    verdict = await guard.check(subject_of("some text"))
    assert (verdict.action, verdict.rule, verdict.score) == (
        "block" if rule else "allow",
        rule,
        score,
    )


@pytest.mark.anyio
async def test_every_text_is_sent_long_ones_in_pieces() -> None:
    """One call for all; nothing is left out, blanks aside."""
    texts: list[str] = []
    guard = Moderation(_endpoint(CLEAN, CLEAN, VIOLENT, texts=texts), max_chars=4)
    verdict = await guard.check(subject_of("abcdef", "  ", ("tool_result", "xyz")))
    assert texts == ["abcd", "ef", "xyz"]
    assert verdict.rule == "violence"
    assert (await guard.check(subject_of(" "))).action == "allow"


@pytest.mark.parametrize(
    "results",
    [[], [CLEAN, CLEAN], [{}], [{"flagged": "yes"}]],
    ids=["none", "too-many", "empty", "no-flag"],
)
@pytest.mark.anyio
async def test_an_answer_that_does_not_fit_is_no_verdict(results: list[JSONObject]) -> None:
    """Unable to judge, so nothing passes."""
    with pytest.raises(GuardUnavailable):
        await Moderation(_endpoint(*results)).check(subject_of("a text"))


@pytest.mark.anyio
async def test_scores_that_are_missing_and_texts_that_are_too_many_are_no_verdict() -> None:
    """Unable to judge, so nothing passes."""
    with pytest.raises(GuardUnavailable):
        await Moderation(_endpoint({"flagged": False}), thresholds={"*": 0.5}).check(
            subject_of("a text")
        )
    with pytest.raises(GuardUnavailable):
        await Moderation(_endpoint(), max_texts=1).check(subject_of("one", "two"))


@pytest.mark.anyio
async def test_the_call_posts_what_the_endpoint_takes() -> None:
    """Model and inputs; ``results`` come back."""
    posted: list[JSONObject] = []

    async def post(body: JSONObject) -> JSONObject:
        posted.append(body)
        return {"results": [CLEAN]}

    assert list(await moderation_call(post, model="m")(["a"])) == [CLEAN]
    assert posted == [{"model": "m", "input": ["a"]}]

    async def broken(body: JSONObject) -> JSONObject:
        return {"error": {}}

    with pytest.raises(GuardUnavailable):
        await moderation_call(broken)(["a"])


@pytest.mark.parametrize("options", [{"thresholds": {"hate": 2.0}}, {"max_chars": 0}], ids=str)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    """Said at construction."""
    with pytest.raises(ConfigurationError):
        Moderation(_endpoint(), **options)
