"""Ours: budgets in money, and answers given again; ``ratelimits`` are in ``schema_traffic``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plano_asgi.config.schema_base import ConfigModel, Name, Number, Seconds, Secret, Whole


class LimitStore(ConfigModel):
    """Where limits and budgets are counted; several processes share one that is not memory."""

    url: Secret | None = None
    """``memory://`` by default; ``redis://``, ``postgresql://``, ``sqlite:///``."""
    on_outage: Literal["allow", "refuse"] | None = None
    """Default: limits allow, budgets refuse."""
    unknown_price: Literal["refuse", "zero"] | None = None
    """What budgets do with a model whose price is not known; default: refuse it."""


class Spend(ConfigModel):
    """USD in a period, for each identity or for one."""

    usd: Number = Field(gt=0)
    period: Literal["day", "month"] = "day"
    model: Name = "*"
    identity: Name | None = "*"
    """``*``: each has its own."""


class Cache(ConfigModel):
    """Exact answers given again; off unless written down."""

    url: Secret | None = None
    """As for limits; ``memory://`` by default."""
    ttl_s: Seconds | None = Field(default=None, alias="ttl", gt=0)
    max_entry_bytes: Whole | None = Field(default=None, ge=1)
    shared: bool = False
    """Whether callers without identity share answers."""
