"""Middlewares for any ASGI app: guards, memory and tracing in one line each."""

from plano_asgi.middleware.around import ExchangeMiddleware, Identity
from plano_asgi.middleware.guard import PlanoGuard
from plano_asgi.middleware.install import install
from plano_asgi.middleware.memory import PlanoMemory
from plano_asgi.middleware.recognise import Paths, Recogniser
from plano_asgi.middleware.tracing import PlanoTracing

__all__ = [
    "ExchangeMiddleware",
    "Identity",
    "Paths",
    "PlanoGuard",
    "PlanoMemory",
    "PlanoTracing",
    "Recogniser",
    "install",
]
