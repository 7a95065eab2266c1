"""Texts as vectors, in this process or wherever the user's own embedder runs."""

from plano_asgi.embeddings.base import Embedder, Vector
from plano_asgi.embeddings.minilm import MiniLM

__all__ = ["Embedder", "MiniLM", "Vector"]
