"""The mountable gateway: endpoints, the one pipeline, and its door."""

from plano_asgi.asgi.tap_run import RequestStep
from plano_asgi.gateway.auth import ApiKeys, Auth
from plano_asgi.gateway.gateway import Gateway, Limits
from plano_asgi.gateway.pipeline import Finalizer

__all__ = ["ApiKeys", "Auth", "Finalizer", "Gateway", "Limits", "RequestStep"]
