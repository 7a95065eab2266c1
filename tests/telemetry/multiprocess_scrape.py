"""
A worker that is asked for all: prints what ``/metrics`` shows.

    PROMETHEUS_MULTIPROC_DIR=dir python multiprocess_scrape.py [openmetrics]
"""

from __future__ import annotations

import sys

from plano_asgi.telemetry.prometheus import PrometheusMeters

if __name__ == "__main__":
    text = PrometheusMeters().render(openmetrics="openmetrics" in sys.argv)
    sys.stdout.buffer.write(text)
