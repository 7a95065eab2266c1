"""Filters as a configuration spells them, made into objects."""

from __future__ import annotations

from typing import Any

from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_traffic import FilterService
from plano_asgi.filters import Filter, FilterChain, HTTPFilter, MCPFilter


def build_filters(config: PlanoConfig) -> FilterChain | None:
    """
    The chain of the model listener's ``input_filters`` and ``output_filters``; ``None`` where it
    has none. Agents may stand in a chain too, as in Plano: they are HTTP filters then.
    """
    listener = config.model_listener
    if listener is None or not (listener.input_filters or listener.output_filters):
        return None
    services = {service.id: service for service in config.filters}
    agents = {agent.id: agent for agent in config.agents}
    built: dict[str, Filter] = {}
    for ident in (*listener.input_filters, *listener.output_filters):
        if ident not in built:
            service = services.get(ident)
            built[ident] = (
                _filter(service) if service else HTTPFilter(ident, str(agents[ident].url))
            )
    return FilterChain(
        input_filters=[built[ident] for ident in listener.input_filters],
        output_filters=[built[ident] for ident in listener.output_filters],
    )


def _filter(service: FilterService) -> Filter:
    given = {"timeout_s": service.timeout_s, "on_error": service.on_error}
    options: Any = {name: value for name, value in given.items() if value is not None}
    if service.type == "mcp":
        return MCPFilter(service.id, service.url, tool=service.tool_name, **options)
    return HTTPFilter(
        service.id, service.url, forward_credentials=service.forward_credentials, **options
    )
