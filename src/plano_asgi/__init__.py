"""plano-asgi: delivery infrastructure for agentic apps, inside any ASGI service."""

__version__ = "0.1.0"

__all__ = ["__version__"]
