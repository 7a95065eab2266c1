"""The full-text selector: words of examples, and no more."""

from __future__ import annotations

import pytest

from exchanges import chat_exchange
from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.selectors import TextSelector, Unreadable
from routing_fakes import preference

ROUTES = (
    preference("travel", examples=("book a flight to Boston", "find hotels near the station")),
    preference("code", examples=("fix the bug in my function", "write unit tests for it")),
    preference("語", description="", examples=("この文を翻訳してください",)),
)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("book me a flight to Paris", "travel"),
        ("is there a hotel near me", "travel"),
        ("fix this function", "code"),
        ("FIX THIS BUG", "code"),
        ("文を翻訳して", "語"),
        ("who won the championship yesterday", None),
    ],
)
async def test_route_with_the_telling_words_is_chosen(text: str, route: str | None) -> None:
    """Rare words decide; a question that no route covers has none."""
    found = await TextSelector().select(chat_exchange(text), ROUTES)
    assert found.route == route
    assert found.score is not None
    assert 0 <= found.score <= 1.5


@pytest.mark.anyio
async def test_text_without_words_cannot_be_judged() -> None:
    """Only signs: no answer, rather than any."""
    with pytest.raises(Unreadable, match="no words"):
        await TextSelector().select(chat_exchange("?!"), ROUTES)


def test_description_only_routes_are_refused() -> None:
    """Says which routes, and the ways out."""
    bare = preference("vague")
    with pytest.raises(ConfigurationError, match=r"\(vague\).*examples.*plano-asgi\[embed\]"):
        TextSelector().check((*ROUTES, bare))
    TextSelector().check(ROUTES)


@pytest.mark.parametrize(
    "options", [{"min_score": 2.0}, {"min_examples": 0}, {"max_chars": 1}, {"max_route_sets": 0}]
)
def test_bounds_are_checked(options: dict[str, float]) -> None:
    """A bound that is none is refused."""
    with pytest.raises(ConfigurationError, match="TextSelector"):
        TextSelector(**options)  # type: ignore[arg-type]
