"""The answer of ``POST /routing/v1/...``."""

from __future__ import annotations

import re

import pytest

from exchanges import chat_exchange
from plano_asgi.exchange import Candidate, Exchange, Route
from plano_asgi.routing.decision import decision
from plano_asgi.routing.preferences import Preferences
from routing_fakes import FixedSelector, names_of, preference

NAMES = names_of("openai/gpt-4o", "openai/gpt-5", "anthropic/claude")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def routed(choice: str | None) -> tuple[Exchange, Route | None]:
    """An exchange, and where the preferences send it."""
    exchange = chat_exchange()
    exchange.headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    rule = Preferences(
        [preference("code", "anthropic/claude", "gpt-5")], FixedSelector(choice), names=NAMES
    )
    return exchange, await rule(exchange)


@pytest.mark.anyio
async def test_route_lists_its_models() -> None:
    """As the preference names them, best first, without the request's own."""
    exchange, route = await routed("code")
    assert decision(exchange, route) == {
        "models": ["anthropic/claude", "gpt-5"],
        "route": "code",
        "trace_id": TRACE,
        "pinned": False,
        "switched": False,
    }
    assert decision(exchange, None)["models"] == ["anthropic/claude", "gpt-5"]


@pytest.mark.anyio
async def test_no_route() -> None:
    """``none``, as Plano says it: the client's own model is the one to use."""
    told = decision(*await routed(None))
    assert (told["models"], told["route"]) == (["none"], None)


@pytest.mark.anyio
async def test_session_is_told() -> None:
    """With its id, and whether it was bound or moved."""
    exchange, route = await routed("code")
    told = decision(exchange, route, session_id="s1", pinned=True, switched=True)
    assert (told["session_id"], told["pinned"], told["switched"]) == ("s1", True, True)
    assert list(told) == ["models", "route", "trace_id", "session_id", "pinned", "switched"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "models"),
    [
        ("openai/gpt-5", ["gpt-5", "anthropic/claude"]),
        ("openai/gpt-4o", ["openai/gpt-4o", "anthropic/claude", "gpt-5"]),
    ],
)
async def test_sessions_choice_is_in_front(first: str, models: list[str]) -> None:
    """Moved there if the route has it, put there if not."""
    exchange, _ = await routed("code")
    provider, _, model = first.partition("/")
    route = Route(candidates=(Candidate(provider=provider, model=model),))
    assert decision(exchange, route, session_id="s", pinned=True)["models"] == models


@pytest.mark.anyio
async def test_bound_session_without_a_route_tells_its_model() -> None:
    """A session stays with a real model, never with "none"."""
    exchange, route = await routed(None)
    told = decision(exchange, route, session_id="s", pinned=True)
    assert (told["models"], told["route"]) == (["openai/gpt-4o"], None)


@pytest.mark.anyio
@pytest.mark.parametrize("header", [None, "", "junk", "00-xyz-1-01"])
async def test_trace_id_is_made_where_none_came(header: str | None) -> None:
    """32 hex digits, also instead of a header that is none."""
    exchange, route = await routed("code")
    exchange.headers = {} if header is None else {"traceparent": header}
    assert re.fullmatch(r"[0-9a-f]{32}", decision(exchange, route)["trace_id"])
