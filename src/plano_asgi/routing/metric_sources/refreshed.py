"""
A table that is fetched at the start and again in the background.

A fetch that fails keeps the last good table; the log says so, and ``stale_since`` since when.
Nothing is fetched without a lifespan: the log says that, too, when a table is first wanted.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

import anyio
import structlog

from plano_asgi.errors import ConfigurationError
from plano_asgi.routing.metric_sources.base import Fetch, Rates, by_name
from plano_asgi.routing.metric_sources.catalogues import (
    DIGITALOCEAN_URL,
    MODELS_DEV_URL,
    read_digitalocean,
    read_models_dev,
)
from plano_asgi.routing.metric_sources.prometheus import query_url, read_prometheus

V = TypeVar("V")

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})
_log = structlog.get_logger("plano_asgi")


class Refreshed(Generic[V]):
    """
    A table by model name, with the fetching of it.

    Args:
        label: Names the source in logs.
        fetch: Gets the body behind a URL.
        url: Where.
        read: Makes the table of the body. Raises ``ValueError`` if it is none.
        interval_s: Between two fetches; each wait is drawn from 0.9 to 1.1 of it, so that
            processes started together do not stay together. ``None``: fetched once, at the start
            (and again after *retry_s* until that has succeeded).
        retry_s: After a failure the next try comes this soon, or after *interval_s* if sooner.
        timeout_s: Of one fetch.
        clock: Unix seconds.

    Attributes:
        stale_since: Unix seconds of the first failure since the last good table; ``None`` while
            all is well.
        fetched_at: Unix seconds of the last good table; ``None`` before the first.
    """

    def __init__(
        self,
        label: str,
        fetch: Fetch,
        url: str,
        read: Callable[[bytes], Mapping[str, V]],
        *,
        interval_s: float | None = None,
        retry_s: float = 60.0,
        timeout_s: float = 30.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if min(interval_s or 1, retry_s, timeout_s) <= 0:
            raise ConfigurationError(f"{label}: its times are above 0")
        self.label = label
        self.table: Mapping[str, V] = {}
        self.stale_since: float | None = None
        self.fetched_at: float | None = None
        self._fetch, self._url, self._read = fetch, url, read
        self._interval_s, self._retry_s, self._timeout_s = interval_s, retry_s, timeout_s
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._is_kept = False

    def look_up(self, name: str) -> V | None:
        """What the table has under *name*."""
        if not self._is_kept:
            self._is_kept = True  # said once
            _log.warning(
                "metrics_never_fetched",
                source=self.label,
                detail="its lifespan was not entered: compose the gateway's into the host app's, "
                "FastAPI(lifespan=plano.lifespan)",
            )
        return self.table.get(name)

    async def refresh(self) -> bool:
        """Fetch once; whether that gave a table. Never raises for what the source does."""
        self._is_kept = True
        try:
            with anyio.fail_after(self._timeout_s):
                table = self._read(await self._fetch(self._url))
        except Exception as exc:  # whatever the network or the source does: the old table stays
            if self.stale_since is None:
                self.stale_since = self._clock()
            _log.warning(
                "metrics_refresh_failed",
                source=self.label,
                error=type(exc).__name__,
                stale_since=self.stale_since,
                models=len(self.table),
            )
            return False
        self.table, self.fetched_at, self.stale_since = table, self._clock(), None
        return True

    async def run(self) -> None:
        """Refresh until cancelled; returns once fetched if there is no interval."""
        while (wait_s := self._wait_s()) is not None:
            await self._sleep(wait_s)
            await self.refresh()

    @asynccontextmanager
    async def lifespan(self, *, first_wait_s: float = 5.0) -> AsyncGenerator[None]:
        """
        Refresh in the background while inside. Entering waits for the first table, but no longer
        than *first_wait_s*: a source that is down keeps nothing from starting.
        """
        with anyio.move_on_after(first_wait_s):
            await self.refresh()
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.run)
            try:
                yield
            except Exception as exc:  # raised below: a task group would wrap it in a group
                failure = exc
            finally:
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _wait_s(self) -> float | None:
        """Seconds until the next fetch; ``None`` if there is none to come."""
        if self.stale_since is not None:
            wait_s = min(self._interval_s or self._retry_s, self._retry_s)
        elif self.fetched_at is None:
            return 0.0
        elif self._interval_s is None:
            return None
        else:
            wait_s = self._interval_s
        return wait_s * (0.9 + 0.2 * self._rng())


class Catalogue(Refreshed[Rates]):
    """A refreshed price list; a ``CostSource``."""

    def rates(self, model: str, /) -> Rates | None:
        """Of *model*; under its full name, else under what follows the first ``/``."""
        return by_name(self.look_up, model)


class PrometheusLatency(Refreshed[float]):
    """Refreshed latencies; a ``LatencySource``."""

    learns = False

    def latency(self, model: str, /) -> float | None:
        """The query's value for *model*."""
        return self.look_up(model)


def models_dev(
    fetch: Fetch,
    *,
    url: str = MODELS_DEV_URL,
    interval_s: float | None = None,
    aliases: Mapping[str, str] = _NO_ALIASES,
) -> Catalogue:
    """Prices from models.dev, or from anything of its shape at *url*."""
    read = partial(read_models_dev, aliases=aliases)
    return Catalogue("models.dev", fetch, url, read, interval_s=interval_s)


def digitalocean(
    fetch: Fetch,
    *,
    url: str = DIGITALOCEAN_URL,
    interval_s: float | None = None,
    aliases: Mapping[str, str] = _NO_ALIASES,
) -> Catalogue:
    """Prices from DigitalOcean's catalogue, or from anything of its shape at *url*."""
    read = partial(read_digitalocean, aliases=aliases)
    return Catalogue("digitalocean", fetch, url, read, interval_s=interval_s)


def prometheus(
    fetch: Fetch,
    *,
    url: str,
    query: str,
    interval_s: float | None = None,
    aliases: Mapping[str, str] = _NO_ALIASES,
) -> PrometheusLatency:
    """Latencies by a PromQL *query* at the server *url*."""
    read = partial(read_prometheus, aliases=aliases)
    asked = query_url(url, query)
    return PrometheusLatency("prometheus", fetch, asked, read, interval_s=interval_s)
