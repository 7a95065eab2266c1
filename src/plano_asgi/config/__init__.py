"""
Reading Plano's ``plano_config.yaml``, versions v0.1 to v0.4.0, and building from it.

``load_config`` reads and checks; ``unsupported`` says what this release leaves out.
"""

from plano_asgi.config.compose import Model
from plano_asgi.config.environment import providers_from_environment
from plano_asgi.config.issues import ConfigError, Issue
from plano_asgi.config.load import load_config
from plano_asgi.config.plano import Plano
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.support import unsupported

__all__ = [
    "ConfigError",
    "Issue",
    "Model",
    "Plano",
    "PlanoConfig",
    "load_config",
    "providers_from_environment",
    "unsupported",
]
