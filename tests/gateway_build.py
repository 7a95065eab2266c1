"""Gateways over an in-memory upstream, for tests of one ASGI exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memory_transport import MemoryTransport, Outcome
from plano_asgi.attempts import RetryPolicy
from plano_asgi.config import Model, Plano
from plano_asgi.providers.transports import TransportPool
from plano_asgi.routing.names import Alias

_KEPT: list[Plano] = []  # trio warns of a pool that goes before its loop does
KEY = "sk-the-gateways-own-key"
ONCE = RetryPolicy(attempts_per_candidate=1)


def gateway(
    *outcomes: Outcome,
    models: Sequence[str | Model] = (),
    aliases: Mapping[str, str | Alias] | None = None,
    **options: Any,
) -> tuple[Plano, MemoryTransport]:
    """A gateway with one OpenAI, one Anthropic and one plain chat provider, and its upstream."""
    transport = MemoryTransport(*outcomes)
    options.setdefault("retry", ONCE)
    plano = Plano(
        models
        or (
            Model("openai/gpt-4o", api_key=KEY),
            Model("anthropic/claude-sonnet-4-5", api_key=KEY),
            Model("mistral/*", api_key=KEY),
        ),
        aliases=aliases,
        environ={},
        transports=TransportPool(lambda: transport),
        **options,
    )
    _KEPT.append(plano)
    return plano, transport
