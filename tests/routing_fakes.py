"""Stand-ins of preference routing for its tests: names, selectors, embedders."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from plano_asgi.conversation import ChatRequest, ChatResponse, Choice, TextPart
from plano_asgi.embeddings.base import Vector
from plano_asgi.exchange import Exchange
from plano_asgi.routing.names import ModelEntry, Names
from plano_asgi.routing.selectors import RoutePreference, Selection


def names_of(*models: str, default: str | None = None) -> Names:
    """Names of ``provider/model`` each; *default* is one of them."""
    entries = []
    for name in models:
        prefix, _, model = name.partition("/")
        entries.append(
            ModelEntry(
                name=name, provider=prefix, model=model, prefix=prefix, default=name == default
            )
        )
    return Names(entries)


def preference(name: str, *models: str, **options: object) -> RoutePreference:
    """A preference with a description, for *models* or one that is always there."""
    given = {"description": f"all about {name}", **options}
    return RoutePreference(name=name, models=models or ("openai/gpt-4o",), **given)  # type: ignore[arg-type]


class FixedSelector:
    """Answers with one route, or runs *act* first; counts how often it was asked."""

    name = "fixed"

    def __init__(
        self,
        route: str | None = None,
        *,
        act: Callable[[], Awaitable[None]] | None = None,
        is_cacheable: bool = True,
    ) -> None:
        self.route, self.act, self.is_cacheable = route, act, is_cacheable
        self.asked = 0

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """Any routes will do."""

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """The fixed answer."""
        self.asked += 1
        if self.act is not None:
            await self.act()
        return Selection(route=self.route)


class RoutingModel:
    """A routing model that answers *text*; keeps the requests it got."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.requests: list[ChatRequest] = []

    async def __call__(self, request: ChatRequest) -> ChatResponse:
        """One answer."""
        self.requests.append(request)
        parts = [] if self.text is None else [TextPart(text=self.text)]
        return ChatResponse(choices=[Choice(parts=list(parts))])

    @property
    def prompt(self) -> str:
        """What it was asked last."""
        return self.requests[-1].messages[0].text


class WordEmbedder:
    """One dimension per known word: texts are alike as far as they share words."""

    name = "words"

    def __init__(self, *words: str) -> None:
        self.words = words
        self.dimensions = len(words) + 1
        self.calls: list[list[str]] = []

    async def embed(self, texts: Sequence[str], /) -> list[Vector]:
        """One vector per text."""
        self.calls.append(list(texts))
        return [self._vector(text.lower().split()) for text in texts]

    def _vector(self, said: list[str]) -> Vector:
        known = [float(said.count(word)) for word in self.words]
        vector = [*known, 1.0 if not any(known) else 0.0]
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector]
