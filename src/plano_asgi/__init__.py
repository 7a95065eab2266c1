"""
plano-asgi: delivery infrastructure for agentic apps, inside any ASGI service.

    app.mount("/v1", Plano.from_yaml("plano_config.yaml"))
    app.add_middleware(PlanoGuard)
"""

from plano_asgi.asgi.doing import doing
from plano_asgi.attempts import BreakerPolicy, RetryPolicy
from plano_asgi.cache import ResponseCache
from plano_asgi.config import ConfigError, Model, Plano
from plano_asgi.errors import ConfigurationError, PlanoError
from plano_asgi.exchange import AnswerInstead, AnswerStopped, Exchange, ResponseFilter
from plano_asgi.filters import Filter, FilterChain, HTTPFilter, MCPFilter
from plano_asgi.gateway import ApiKeys, Limits
from plano_asgi.guards import Guard, Subject, Verdict, default_guards, guard
from plano_asgi.guards.chain import GuardChain
from plano_asgi.limits import RateLimit, RateLimits, Selector, SpendBudget, SpendBudgets
from plano_asgi.memory import ForgetRoute, Memory
from plano_asgi.middleware import PlanoGuard, PlanoMemory, PlanoTracing, install
from plano_asgi.pricing import Prices
from plano_asgi.providers import AzureOpenAI, Bedrock, Provider, ProviderProfile
from plano_asgi.providers.client import Timeouts
from plano_asgi.routing import Alias, Route, RouteRule, Target
from plano_asgi.routing.preferences import Preferences, RoutePreference
from plano_asgi.stores.open_store import open_store
from plano_asgi.telemetry import Metrics, MetricsApp, Outcome, PrometheusMeters, Telemetry

__version__ = "0.1.0"

__all__ = [
    "Alias",
    "AnswerInstead",
    "AnswerStopped",
    "ApiKeys",
    "AzureOpenAI",
    "Bedrock",
    "BreakerPolicy",
    "ConfigError",
    "ConfigurationError",
    "Exchange",
    "Filter",
    "FilterChain",
    "ForgetRoute",
    "Guard",
    "GuardChain",
    "HTTPFilter",
    "Limits",
    "MCPFilter",
    "Memory",
    "Metrics",
    "MetricsApp",
    "Model",
    "Outcome",
    "Plano",
    "PlanoError",
    "PlanoGuard",
    "PlanoMemory",
    "PlanoTracing",
    "Preferences",
    "Prices",
    "PrometheusMeters",
    "Provider",
    "ProviderProfile",
    "RateLimit",
    "RateLimits",
    "ResponseCache",
    "ResponseFilter",
    "RetryPolicy",
    "Route",
    "RoutePreference",
    "RouteRule",
    "Selector",
    "SpendBudget",
    "SpendBudgets",
    "Subject",
    "Target",
    "Telemetry",
    "Timeouts",
    "Verdict",
    "__version__",
    "default_guards",
    "doing",
    "guard",
    "install",
    "open_store",
]
