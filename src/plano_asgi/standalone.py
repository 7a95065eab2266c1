"""``uvicorn plano_asgi.standalone:app``: the gateway as a server of its own; see ``server.app``."""

from plano_asgi.server.app import Standalone

app = Standalone()
"""Reads its environment when the server starts, not when it is imported."""

__all__ = ["app"]
