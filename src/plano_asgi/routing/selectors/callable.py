"""A selector that is a function of the host app: it sees the whole exchange."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from plano_asgi.exchange import Exchange
from plano_asgi.routing.selectors.base import RoutePreference, Selection, Unreadable

Choose: TypeAlias = Callable[[Exchange], Awaitable[str | None]]
"""The name of a route, or ``None`` if none fits."""


class CallableSelector:
    """
    Asks *choose*. It may look at identity and headers, so its answers are not cached unless
    *is_cacheable* says that it looks at nothing but the conversation.
    """

    name = "callable"

    def __init__(self, choose: Choose, *, is_cacheable: bool = False) -> None:
        self._choose = choose
        self.is_cacheable = is_cacheable

    def check(self, preferences: tuple[RoutePreference, ...], /) -> None:
        """Any routes will do."""

    async def select(
        self, exchange: Exchange, preferences: tuple[RoutePreference, ...], /
    ) -> Selection:
        """
        Raises:
            Unreadable: The function names a route that was not offered.
        """
        route = await self._choose(exchange)
        if route is not None and all(route != preference.name for preference in preferences):
            raise Unreadable("the callable names a route that is not offered")
        return Selection(route=route)
