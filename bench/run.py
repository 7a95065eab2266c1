"""Measure what the gateway costs: ``python bench/run.py --help``. See ``bench/report.py``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package is not installed
    sys.exit(import_module("bench.report").main())
