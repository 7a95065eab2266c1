"""
plano-asgi: delivery infrastructure for agentic apps, inside any ASGI service.

    app.mount("/v1", Plano.from_yaml("plano_config.yaml"))
"""

from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.config import ConfigError, Model, Plano
from plano_asgi.errors import ConfigurationError, PlanoError
from plano_asgi.exchange import Exchange, ResponseFilter
from plano_asgi.gateway import ApiKeys, Limits
from plano_asgi.providers import AzureOpenAI, Bedrock, Provider, ProviderProfile
from plano_asgi.providers.client import Timeouts
from plano_asgi.routing import Alias, Route, RouteRule, Target

__version__ = "0.1.0"

__all__ = [
    "Alias",
    "ApiKeys",
    "AzureOpenAI",
    "Bedrock",
    "BreakerPolicy",
    "ConfigError",
    "ConfigurationError",
    "Exchange",
    "Limits",
    "Model",
    "Plano",
    "PlanoError",
    "Provider",
    "ProviderProfile",
    "ResponseFilter",
    "RetryPolicy",
    "Route",
    "RouteRule",
    "Target",
    "Timeouts",
    "__version__",
]
