"""The tables of routing, sessions, state and limits: arguments, and what docstrings leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docs import arguments
from docs.guard_tables import Rows
from plano_asgi import limits
from plano_asgi.cache import ResponseCache
from plano_asgi.pricing import Prices
from plano_asgi.routing import balance, prompt_caching, ranking, selectors, sessions
from plano_asgi.routing.preferences import Preferences
from plano_asgi.state import ResponsesState

_ARGUMENTS: Sequence[Callable[..., Any]] = (
    selectors.EmbeddingSelector,
    selectors.TextSelector,
    selectors.ModelSelector,
    selectors.RoutePreference,
    Preferences,
    ranking.Ranking,
    balance.ReplicaGroup,
    balance.Balancer,
    sessions.SessionOptions,
    sessions.RoutingBudget,
    prompt_caching.CacheMarkers,
    ResponsesState,
    limits.RateLimit,
    limits.Selector,
    limits.RateLimits,
    limits.SpendBudget,
    limits.SpendBudgets,
    ResponseCache,
    Prices,
)

_MORE: Mapping[str, Mapping[str, str]] = {
    "RateLimit": {
        "tokens": "Input and output together.",
        "unit": '`"second"`, `"minute"`, `"hour"` or `"day"`: any span of that length.',
    },
    "RateLimits": {
        "limits": "`RateLimit`s.",
        "store": "A `Store`; processes that share one share the limits.",
        "model_of": "What a client's name stands for, where limits are asked before routing.",
    },
    "SpendBudget": {"usd": "In US dollars, more than 0."},
    "SpendBudgets": {
        "budgets": "`SpendBudget`s.",
        "store": "As for `RateLimits`.",
    },
    "ResponseCache": {"store": "A `Store`."},
}


def _rows(target: Callable[..., Any]) -> Callable[[], Rows]:
    return lambda: arguments.rows(target, _MORE.get(target.__name__))


HEADS: Mapping[str, tuple[Sequence[str], Callable[[], Rows]]] = {
    f"args_{target.__name__}": (("argument", "default", "what"), _rows(target))
    for target in _ARGUMENTS
}
"""Table -> its heads, and what makes its rows."""
