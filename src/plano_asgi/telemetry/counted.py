"""A watcher that counts the tries under way at each upstream, in front of one that makes spans."""

from __future__ import annotations

from plano_asgi.activities import Activity, Watcher
from plano_asgi.telemetry.metrics import Metrics


class Counted:
    """Tells *metrics* of attempts, and *inner* of everything."""

    __slots__ = ("_inner", "_metrics")

    def __init__(self, metrics: Metrics, inner: Watcher | None) -> None:
        self._metrics, self._inner = metrics, inner

    def begin(self, activity: Activity) -> None:
        """One more, if it is an attempt."""
        if activity.kind == "attempt":
            self._metrics.upstream_began(activity.facts["provider"], activity.facts["model"])
        if self._inner is not None:
            self._inner.begin(activity)

    def leave(self, activity: Activity) -> None:
        """No business of a counter's."""
        if self._inner is not None:
            self._inner.leave(activity)

    def end(self, activity: Activity) -> None:
        """One less, if it was an attempt."""
        if activity.kind == "attempt":
            self._metrics.upstream_ended(activity.facts["provider"], activity.facts["model"])
        if self._inner is not None:
            self._inner.end(activity)

    def headers(self, activity: Activity | None) -> dict[str, str]:
        """Those of *inner*."""
        return self._inner.headers(activity) if self._inner is not None else {}
