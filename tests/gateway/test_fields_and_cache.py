"""A request that brings its own routes, and the response cache."""

from __future__ import annotations

import pytest

from asgi_drive import drive
from gateway_build import KEY, gateway
from memory_transport import answer
from plano_asgi import Model
from plano_asgi.cache import ResponseCache
from plano_asgi.stores.local_store import LocalStore
from tapped import WHOLE
from wrapping import CHAT, HI

pytestmark = pytest.mark.anyio

ROUTES = [{"name": "all", "description": "anything", "models": ["two"], "examples": ["hi"]}]


async def test_routes_of_a_request_are_part_of_what_was_asked() -> None:
    """The same words without them are another request: another model may answer."""
    models = [
        Model("openai/gpt-4o", api_key=KEY),
        Model("openai/gpt-4o-mini", name="two", api_key=KEY),
    ]
    plano, upstream = gateway(
        answer(WHOLE),
        answer(WHOLE),
        models=models,
        cache=ResponseCache(LocalStore(), shared=True),
        auth=None,
    )
    ask = {**HI, "model": "openai/gpt-4o", "temperature": 0}
    for body in ({**ask, "routing_preferences": ROUTES}, ask):
        assert (await drive(plano, CHAT, body)).status == 200
    assert len(upstream.requests) == 2
    assert all("routing_preferences" not in upstream.body(n) for n in range(2))
