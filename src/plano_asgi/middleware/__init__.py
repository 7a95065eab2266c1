"""Middlewares for any ASGI app: guards and memory in one line each."""

from plano_asgi.middleware.around import ExchangeMiddleware, Identity
from plano_asgi.middleware.guard import PlanoGuard
from plano_asgi.middleware.install import install
from plano_asgi.middleware.memory import PlanoMemory
from plano_asgi.middleware.recognise import Paths, Recogniser

__all__ = [
    "ExchangeMiddleware",
    "Identity",
    "Paths",
    "PlanoGuard",
    "PlanoMemory",
    "Recogniser",
    "install",
]
