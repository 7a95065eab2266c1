"""
Latencies from a Prometheus server: one instant query, one value per label ``model_name``.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from plano_asgi._json import loads

_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


def query_url(url: str, query: str) -> str:
    """Where to ask the server at *url*."""
    return f"{url.rstrip('/')}/api/v1/query?query={quote(query, safe='')}"


def read_prometheus(data: bytes, aliases: Mapping[str, str] = _NO_ALIASES) -> dict[str, float]:
    """
    Model -> value. Rows without a label ``model_name`` or a number are left out; no rows at all
    are an answer (nothing was measured).

    Args:
        aliases: Label's value -> the model's name here.

    Raises:
        ValueError: Not an answer to an instant query, or an error.
    """
    answer = loads(data)
    if not isinstance(answer, dict) or answer.get("status", "success") != "success":
        raise ValueError("Prometheus answers with an error")
    found = answer.get("data")
    rows = found.get("result") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ValueError("Prometheus' answer has no 'data.result'")
    table: dict[str, float] = {}
    for row in rows:
        if (pair := _row(row)) is not None:
            name, value = pair
            table[aliases.get(name, name)] = value
    return table


def _row(row: Any) -> tuple[str, float] | None:
    try:
        name, value = row["metric"]["model_name"], float(row["value"][1])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return (name, value) if isinstance(name, str) and not math.isnan(value) else None
