"""The embedding selector: routes as points, and when none is near."""

from __future__ import annotations

import pytest
from bench.accuracy.routing_data import INTENTS, OUT_OF_SCOPE

from exchanges import chat_exchange
from plano_asgi.embeddings.minilm import MiniLM
from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.selectors import EmbeddingSelector, RoutePreference, Unreadable
from routing_fakes import WordEmbedder, preference

ROUTES = (
    preference("travel", description="flight, hotel"),
    preference("code", description="bug; function", examples=("fix the bug", "repair")),
)


def embedder() -> WordEmbedder:
    """Knows the words of the routes, and two others."""
    return WordEmbedder("flight", "hotel", "bug", "function", "repair", "travel", "code", "song")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "route"),
    [("hotel and flight", "travel"), ("repair it", "code"), ("sing a song", None)],
)
async def test_nearest_route_is_chosen(text: str, route: str | None) -> None:
    """The cosine decides; below the threshold none fits."""
    found = await EmbeddingSelector(embedder()).select(chat_exchange(text), ROUTES)
    assert found.route == route
    assert (found.note == "below the threshold") is (route is None)


@pytest.mark.anyio
async def test_name_clauses_and_examples_are_embedded_once() -> None:
    """All texts of all routes in one call, at the first request, and then kept."""
    words = embedder()
    selector = EmbeddingSelector(words)
    for text in ("hotel", "bug"):
        await selector.select(chat_exchange(text), ROUTES)
    assert words.calls == [
        [
            *("travel", "flight, hotel", "flight", "hotel"),
            *("code", "bug; function", "function", "fix the bug", "repair"),
        ],
        ["hotel"],
        ["bug"],
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(("max_texts", "times"), [(1024, 1), (0, 2)])
async def test_a_turn_said_again_is_not_embedded_again(max_texts: int, times: int) -> None:
    """Its vector is kept, where any are."""
    words = embedder()
    selector = EmbeddingSelector(words, max_texts=max_texts)
    for _ in range(2):
        await selector.select(chat_exchange("hotel"), ROUTES)
    assert words.calls.count(["hotel"]) == times


@pytest.mark.anyio
async def test_of_a_long_turn_head_and_tail_are_read() -> None:
    """What was pasted in between neither costs time nor drowns the question."""
    words = embedder()
    selector = EmbeddingSelector(words)
    pasted = "blah " * 1000
    for text in (f"hotel or flight?\n{pasted}", f"{pasted}\nhotel or flight?"):
        assert (await selector.select(chat_exchange(text), ROUTES)).route == "travel"
    assert max(len(text) for call in words.calls for text in call) < 330


@pytest.mark.anyio
async def test_threshold_can_be_set() -> None:
    """With -1 the nearest route always fits."""
    selector = EmbeddingSelector(embedder(), threshold=-1)
    assert (await selector.select(chat_exchange("song"), ROUTES)).route is not None


@pytest.mark.anyio
async def test_scores_are_told_by_name() -> None:
    """For setting a threshold of one's own."""
    scores = await EmbeddingSelector(embedder()).scores("hotel", ROUTES)
    assert list(scores) == ["travel", "code"]
    assert scores["travel"] > 0.5 > scores["code"]


@pytest.mark.anyio
async def test_picture_without_words_cannot_be_judged() -> None:
    """No text, no answer."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    exchange = chat_exchange(messages=[{"role": "user", "content": [image]}])
    with pytest.raises(Unreadable, match="no text"):
        await EmbeddingSelector(embedder()).select(exchange, ROUTES)


@pytest.mark.parametrize(
    "options", [{"threshold": 2.0}, {"max_chars": 1}, {"max_route_sets": 0}, {"max_texts": -1}]
)
def test_bounds_are_checked(options: dict[str, float]) -> None:
    """A bound that is none is refused."""
    with pytest.raises(ConfigurationError, match="EmbeddingSelector"):
        EmbeddingSelector(embedder(), **options)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_local_model_tells_everyday_intents_apart() -> None:
    """A sample of what the bench measures: mostly right, mostly silent where nothing fits."""
    selector = EmbeddingSelector(MiniLM())
    routes = tuple(
        RoutePreference(name=i.name, description=i.description, models=("m",)) for i in INTENTS
    )
    right = 0
    for intent in INTENTS:
        for text in intent.requests[:3]:
            found = await selector.select(chat_exchange(text), routes)
            right += found.route == intent.name
    silent = 0
    for text in OUT_OF_SCOPE[:20]:
        silent += (await selector.select(chat_exchange(text), routes)).route is None
    assert right >= 50
    assert silent >= 18
