"""Filters: steps of your own in front of the model and behind it, in process or remote."""

from plano_asgi.filters.base import Filter
from plano_asgi.filters.chain import FilterChain
from plano_asgi.filters.function import RequestFunction
from plano_asgi.filters.http import HTTPFilter
from plano_asgi.filters.mcp import MCPFilter

__all__ = ["Filter", "FilterChain", "HTTPFilter", "MCPFilter", "RequestFunction"]
