"""
What an exchange cost, in USD, and what it used where nobody has counted.

An estimate is ours: a quarter of a token for a letter, see ``wire.token_estimate``. It is made for
answers that were cut short and for upstreams that report nothing, and says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plano_asgi._json import dumps
from plano_asgi.conversation import ChatRequest, ChatResponse, Message, Usage
from plano_asgi.errors import PlanoError
from plano_asgi.exchange import Exchange
from plano_asgi.pricing import Prices
from plano_asgi.telemetry.outcome import Cost
from plano_asgi.wire.token_estimate import MESSAGE_TOKENS, estimate_input_tokens

_BYTES_PER_TOKEN = 4
_DECIMALS = 10  # a single token of the cheapest model still shows


class CostBook:
    """
    Prices exchanges.

    Args:
        prices: What tokens cost; ``None``: nothing has a price.
        count_tokens: Counts the input tokens of a request where no upstream has. Of an answer, it
            is asked for a request that holds nothing else.
    """

    def __init__(
        self,
        prices: Prices | None,
        *,
        count_tokens: Callable[[ChatRequest], int] = estimate_input_tokens,
    ) -> None:
        self._prices = prices
        self._count_tokens = count_tokens

    def cost(self, provider: str, model: str, usage: Usage | None) -> Cost | None:
        """
        What *usage* of *model* at *provider* costs: cached input, cache writes, reasoning and
        larger requests at their own prices. ``None`` if it has no price, or nothing was used.
        """
        if self._prices is None or usage is None or not (usage.input_tokens or usage.output_tokens):
            return None
        price = self._prices.price(provider, model)
        if price is None:
            return None
        rates = price.for_input(usage.input_tokens)
        total = rates.usd(usage)
        output = rates.usd(_output_of(usage)) - rates.per_request
        return Cost(
            input_usd=max(0.0, total - output), output_usd=output, is_estimated=usage.estimated
        )

    def estimated_usage(
        self, exchange: Exchange, answer: ChatResponse | None, *, reported: Usage | None = None
    ) -> Usage | None:
        """
        What *exchange* has used, estimated: its request's tokens, and those of what *answer*
        holds, or had come of it.

        Args:
            reported: What the upstream had told by then (an Anthropic stream begins with its input
                tokens): it counts, and output does where it is more.

        Returns:
            ``None`` where nothing was produced and nothing reported: an error costs nothing.
        """
        produced = self._produced(answer)
        if reported is None:
            if not produced:
                return None
            return Usage(input_tokens=self._asked(exchange), output_tokens=produced, estimated=True)
        return replace(
            reported,
            input_tokens=reported.input_tokens or self._asked(exchange),
            output_tokens=max(reported.output_tokens, produced),
            estimated=True,
        )

    def _produced(self, answer: ChatResponse | None) -> int:
        choices = [choice for choice in answer.choices if choice.parts] if answer else []
        said = [Message(role="assistant", parts=choice.parts) for choice in choices]
        if not said:
            return 0
        counted = self._count_tokens(
            ChatRequest(model=answer.model if answer else "", messages=said)
        )
        return max(1, counted - MESSAGE_TOKENS * len(said))

    def _asked(self, exchange: Exchange) -> int:
        try:
            return self._count_tokens(exchange.request)
        except (PlanoError, ValueError, TypeError):  # a body that is no chat: by its size
            return -(-len(dumps(exchange.body)) // _BYTES_PER_TOKEN)


def _output_of(usage: Usage) -> Usage:
    return Usage(
        output_tokens=usage.output_tokens, reasoning_output_tokens=usage.reasoning_output_tokens
    )


def format_cost(usd: float) -> str:
    """
    *usd* as the ``x-plano-cost`` header has it: ``0.000123``. Ten decimals at most, no exponent,
    no currency sign; a price too small to show is ``0.0``, like none.
    """
    text = f"{usd:.{_DECIMALS}f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
