"""How much may be used: tokens in a time, money in a period; reserved before, settled after."""

from plano_asgi.limits.meter import LimitReached
from plano_asgi.limits.rate_limits import RateLimit, RateLimits, Selector
from plano_asgi.limits.spend import BudgetSpent, SpendBudget, SpendBudgets

__all__ = [
    "BudgetSpent",
    "LimitReached",
    "RateLimit",
    "RateLimits",
    "Selector",
    "SpendBudget",
    "SpendBudgets",
]
