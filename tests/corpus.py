"""The recorded provider traffic, where it is at hand: tests that need it skip without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared" / "wire"


def exchanges(api: str, *, streaming: bool | None = None) -> list[Any]:
    """Pytest parameters, one for each recorded exchange of *api*; one skipped if there are none."""
    found = [pytest.param(item, id=item["id"]) for item in _load(api, streaming)]
    if not found:
        reason = f"no recorded {api} traffic beside the project"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="no-corpus")]
    return found


def _load(api: str, streaming: bool | None) -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / api).glob("*.json")):
        item = json.loads(path.read_text("utf-8"))
        if streaming is None or item["streaming"] == streaming:
            yield item
