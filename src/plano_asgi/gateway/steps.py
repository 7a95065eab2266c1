"""The request side in its order: plain steps, filters, guards, memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from plano_asgi.asgi.tap_run import RequestStep
from plano_asgi.exchange import Exchange
from plano_asgi.filters import Filter, FilterChain, RequestFunction
from plano_asgi.guards.base import Guard
from plano_asgi.guards.chain import GuardChain
from plano_asgi.memory.memory import Memory


class RequestSide:
    """
    Everything that happens to a request before it is routed.

    Requests pass *steps*, *filters*, *guards* and *memory*, in this order: what a filter writes
    is guarded, and what is guarded is remembered. Answers pass guards first, then filters in the
    order given, then the memory's ear, and at the very end whoever puts real values in the place
    of placeholders.
    """

    def __init__(
        self,
        *,
        steps: Sequence[RequestStep] = (),
        filters: FilterChain | Sequence[Filter | RequestFunction] = (),
        guards: GuardChain | Sequence[Guard | GuardChain] = (),
        memory: Memory | None = None,
    ) -> None:
        self._filters = filters if isinstance(filters, FilterChain) else FilterChain(filters)
        self._guards = _chains((guards,) if isinstance(guards, GuardChain) else guards)
        self._memory = memory
        self.steps: tuple[RequestStep, ...] = tuple(steps)
        if self._filters.on_the_way_in or self._filters.on_the_way_out or self._guards:
            self.steps += (self._filter_and_guard,)
        if memory is not None:
            self.steps += (memory,)

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """What the memory needs around a served app, and the end of what filters hold open."""
        try:
            if self._memory is None:
                yield
            else:
                async with self._memory.lifespan():
                    yield
        finally:
            await self._filters.aclose()

    async def aclose(self) -> None:
        """Close what filters and memory hold open."""
        await self._filters.aclose()
        if self._memory is not None:
            await self._memory.aclose()

    async def _filter_and_guard(self, exchange: Exchange) -> None:
        first = len(exchange.response_filters)
        await self._filters(exchange)
        # Guards see the answer before filters do: a filter may be somebody else's service.
        behind = exchange.response_filters[first:]
        del exchange.response_filters[first:]
        try:
            for chain in self._guards:
                await chain(exchange)
        finally:
            exchange.response_filters.extend(behind)


def _chains(guards: Sequence[Guard | GuardChain]) -> tuple[GuardChain, ...]:
    """*guards* as chains, in their order; those that come without one share one."""
    chains: list[GuardChain] = []
    loose: list[Guard] = []
    for item in (*guards, None):
        if isinstance(item, Guard):
            loose.append(item)
            continue
        if loose:
            chains.append(GuardChain(loose))
            loose = []
        if item is not None:
            chains.append(item)
    return tuple(chain for chain in chains if chain.guards)
