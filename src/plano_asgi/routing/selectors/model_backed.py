"""A selector that asks a model: best at fine lines, and as fast as that model is."""

from __future__ import annotations

from collections.abc import Callable

from plano_asgi.ask import Ask, ask_text
from plano_asgi.errors import ConfigurationError, UpstreamStatus
from plano_asgi.exchange import Exchange
from plano_asgi.routing.selectors.base import RoutePreference, Selection, Unreadable
from plano_asgi.routing.selectors.model_answer import read_routes
from plano_asgi.routing.selectors.model_prompt import DEFAULT_PROMPT, Prompt
from plano_asgi.routing.selectors.token_bound import tokens_at_most
from plano_asgi.routing.selectors.turns import said

_MIN_ROOM = 64
"""Tokens: less of a conversation tells nothing."""
_AROUND = 128
"""Tokens that a chat template puts around a message."""
_REFUSED = frozenset((400, 413, 422))
"""Statuses that are about this one prompt: no client can make the router look dead with its own."""


class ModelSelector:
    """
    Asks a chat model which route fits: Plano-Orchestrator, Arch-Router, or any other.

    Args:
        ask: How to ask.
        model: The routing model's name, as *ask* knows it.
        context_tokens: The model's context. Prompt and answer stay below it: the newest turns are
            kept, and of a long one its head and tail.
        count_tokens: Upper bound of a text's tokens. The default holds for usual tokenizers, and
            takes English for twice as long as it is: the model's own shows it more.
        max_turns: The most messages of a conversation that are shown.
        max_answer_tokens: Bound of the answer; models that think aloud need more.
        temperature: Left out if ``None``: some models refuse any.
        prompt: Other wording, with ``{routes}`` and ``{conversation}`` in it.

    Raises:
        ConfigurationError: No name, bounds that are none, or a prompt without the two slots.
    """

    name = "model"
    is_cacheable = True

    def __init__(
        self,
        ask: Ask,
        model: str,
        *,
        context_tokens: int = 8192,
        count_tokens: Callable[[str], int] = tokens_at_most,
        max_turns: int = 16,
        max_answer_tokens: int = 256,
        temperature: float | None = 0.01,
        prompt: str = DEFAULT_PROMPT,
    ) -> None:
        if not model:
            raise ConfigurationError("ModelSelector needs the name of the routing model")
        if max_turns < 1 or max_answer_tokens < 1:
            raise ConfigurationError("ModelSelector: its bounds are above 0")
        self._ask, self._model = ask, model
        self._prompt = Prompt(prompt, count_tokens=count_tokens)
        self._max_tokens = context_tokens - max_answer_tokens - _AROUND
        self._context_tokens = context_tokens
        self._max_turns = max_turns
        self._max_answer_tokens = max_answer_tokens
        self._temperature = temperature

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """
        Raises:
            ConfigurationError: The routes leave no room for a conversation in the context.
        """
        if self._prompt.room(preferences, self._max_tokens) < _MIN_ROOM:
            raise ConfigurationError(
                f"{len(preferences)} routing preferences do not fit into the routing model's "
                f"context of {self._context_tokens} tokens: shorten them, or take a longer one"
            )

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """
        The first route that the model names, of those it was offered.

        Raises:
            Unreadable: Its answer names none and is no "none", or it refused this prompt.
        """
        text = self._prompt.text(
            said(exchange.request),
            preferences,
            max_tokens=self._max_tokens,
            max_turns=self._max_turns,
        )
        try:
            answer = await ask_text(
                self._ask,
                [("user", text)],
                model=self._model,
                max_output_tokens=self._max_answer_tokens,
                temperature=self._temperature,
            )
        except UpstreamStatus as exc:
            if exc.status in _REFUSED:
                raise Unreadable(f"the routing model refused the prompt ({exc.status})") from exc
            raise
        routes = read_routes(answer, [preference.name for preference in preferences])
        return Selection(route=routes[0] if routes else None)
