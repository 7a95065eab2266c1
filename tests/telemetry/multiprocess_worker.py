"""
One of several workers: records what it is told to, and ends when its standard input does.

    PROMETHEUS_MULTIPROC_DIR=dir python multiprocess_worker.py 3
"""

from __future__ import annotations

import sys

from plano_asgi.telemetry.metrics import Metrics
from plano_asgi.telemetry.prometheus import PrometheusMeters
from telemetry.metric_outcomes import ordinary_outcome


def main(exchanges: int) -> None:
    """Finish *exchanges*, begin one more, and wait."""
    metrics = Metrics([PrometheusMeters()], version="1.0")
    for _ in range(exchanges):
        outcome = ordinary_outcome()
        metrics.begin(outcome.exchange)
        metrics.finish(outcome)
    metrics.begin(ordinary_outcome().exchange)
    metrics.breaker("openai/gpt-4o", "open" if exchanges > 2 else "closed")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
