"""A chain of filters: what one leaves is what the next one sees; whoever stops, stops all."""

from __future__ import annotations

from collections.abc import Sequence

from plano_asgi.errors import ConfigurationError, FilterRefused
from plano_asgi.exchange import Exchange
from plano_asgi.filters.base import Filter
from plano_asgi.filters.function import FunctionFilter, RequestFunction
from plano_asgi.filters.told import ToldFilter


class FilterChain:
    """
    Run filters on an exchange, in the order given on both sides; a request-side step.

    Args:
        filters: Both sides of each, or coroutine functions (``RequestFunction``).
        input_filters, output_filters: One side only, as listeners of a ``plano_config.yaml``
            name them. They come after *filters*.

    Raises:
        ConfigurationError: Something that is no filter, or no output filter (an MCP tool).
    """

    def __init__(
        self,
        filters: Sequence[Filter | RequestFunction] = (),
        *,
        input_filters: Sequence[Filter | RequestFunction] = (),
        output_filters: Sequence[Filter] = (),
    ) -> None:
        both = tuple(_as_filter(item) for item in filters)
        self.on_the_way_in = (*both, *(_as_filter(item) for item in input_filters))
        self.on_the_way_out = (*both, *(_hearing(_as_filter(item)) for item in output_filters))

    async def __call__(self, exchange: Exchange) -> None:
        """
        Change *exchange*, and register what will change its answer.

        Raises:
            AnswerInstead, PlanoError: What a filter raised; the rest of the chain did not run.
        """
        for item in self.on_the_way_in:
            before = exchange.body
            with exchange.doing("filter", item.name, side="request", **item.facts):
                await item.on_request(exchange)
            if exchange.body is not before:
                _adopt(exchange, item.name)
        for item in self.on_the_way_out:
            if (step := item.on_answer(exchange)) is not None:
                is_watched = exchange.watcher is not None
                exchange.response_filters.append(ToldFilter(item, step) if is_watched else step)

    async def aclose(self) -> None:
        """Close what the filters hold open (connections, sessions)."""
        for item in {*self.on_the_way_in, *self.on_the_way_out}:
            await item.aclose()


def _adopt(exchange: Exchange, name: str) -> None:
    """
    Take over the model from a body that a filter wrote. Whether to stream stays the client's
    choice: the answer goes to the client, not to the filter.
    """
    body = exchange.body
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise FilterRefused(f"The filter {name!r} left a 'model' that is no text.", status=400)
    exchange.model = model or exchange.model
    if "stream" in body or exchange.stream:
        body["stream"] = exchange.stream


def _hearing(item: Filter) -> Filter:
    """*item*, which must have something to do with answers."""
    if type(item).on_answer is Filter.on_answer:
        raise ConfigurationError(
            f"the filter {item.name!r} cannot be an output filter: it does nothing with answers"
        )
    return item


def _as_filter(item: Filter | RequestFunction) -> Filter:
    if isinstance(item, Filter):
        return item
    if callable(item):
        return FunctionFilter(item)
    raise ConfigurationError(f"{item!r} is no filter: give a Filter or a coroutine function")
