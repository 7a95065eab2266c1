"""Selectors: a model, an embedder in this process, full text, or a function chooses the route."""

from plano_asgi.routing.selectors.base import (
    Prefer,
    RoutePreference,
    Selection,
    Selector,
    Unreadable,
)
from plano_asgi.routing.selectors.callable import CallableSelector
from plano_asgi.routing.selectors.embedding_backed import EmbeddingSelector
from plano_asgi.routing.selectors.model_backed import ModelSelector
from plano_asgi.routing.selectors.text_backed import TextSelector

__all__ = [
    "CallableSelector",
    "EmbeddingSelector",
    "ModelSelector",
    "Prefer",
    "RoutePreference",
    "Selection",
    "Selector",
    "TextSelector",
    "Unreadable",
]
