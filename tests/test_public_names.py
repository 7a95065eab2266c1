"""The public names, and that importing does nothing."""

from __future__ import annotations

import subprocess
import sys

import plano_asgi

NAMES = """
Alias AnswerInstead AnswerStopped ApiKeys AzureOpenAI Bedrock BreakerPolicy ConfigError
ConfigurationError Exchange Filter FilterChain ForgetRoute Guard GuardChain HTTPFilter Limits
MCPFilter Memory Metrics MetricsApp Model Outcome Plano PlanoError PlanoGuard PlanoMemory
PlanoTracing Preferences Prices PrometheusMeters Provider ProviderProfile RateLimit RateLimits
ResponseCache ResponseFilter RetryPolicy Route RoutePreference RouteRule Selector SpendBudget
SpendBudgets Subject Target Telemetry Timeouts Verdict __version__ default_guards doing guard
install open_store
"""


def test_public_names_are_pinned_and_sorted() -> None:
    """A new name is a promise: it is made here on purpose."""
    assert plano_asgi.__all__ == sorted(NAMES.split())
    assert all(hasattr(plano_asgi, name) for name in plano_asgi.__all__)


def test_importing_opens_nothing_and_reads_nothing() -> None:
    """No socket, no environment, no optional dependency; also for the standalone module."""
    script = (
        "import os, socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('touched at import')\n"
        "socket.socket = type('socket', (socket.socket,), {'__init__': refuse})\n"
        "before = dict(os.environ)\n"
        "import plano_asgi.standalone\n"
        "assert dict(os.environ) == before\n"
        "assert not {'aiohttp', 'uvicorn', 'yaml', 'openai'} & set(sys.modules), 'optional'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
