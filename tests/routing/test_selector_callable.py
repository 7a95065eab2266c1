"""The callable selector."""

from __future__ import annotations

import pytest

from exchanges import chat_exchange
from plano_asgi.exchange import Exchange
from plano_asgi.routing.selectors import CallableSelector, Unreadable
from routing_fakes import preference

ROUTES = (preference("blue"), preference("red"))


async def by_team(exchange: Exchange) -> str | None:
    """The team's header names the route."""
    return exchange.headers.get("x-team")


async def nobody(exchange: Exchange) -> str | None:
    """No route."""
    return None


@pytest.mark.anyio
async def test_function_sees_the_exchange() -> None:
    """Headers, identity, anything; so the answer is not cached."""
    selector = CallableSelector(by_team)
    selector.check(())
    assert (await selector.select(chat_exchange(), ROUTES)).route == "blue"
    assert (await CallableSelector(nobody).select(chat_exchange(), ROUTES)).route is None
    assert not selector.is_cacheable
    assert CallableSelector(by_team, is_cacheable=True).is_cacheable


@pytest.mark.anyio
async def test_unknown_route_is_no_answer() -> None:
    """A name that is not offered is told, not taken for "none"."""
    with pytest.raises(Unreadable, match="not offered"):
        await CallableSelector(by_team).select(chat_exchange(), ROUTES[1:])
