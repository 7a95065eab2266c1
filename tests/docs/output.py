"""Compare what a page shows with what happens; ``...`` stands for anything."""

from __future__ import annotations

import json
import re
from typing import Any


def same_json(shown: Any, real: Any) -> bool:
    """Whether *real* holds what *shown* does: ``"..."`` is any value, keys may be left out."""
    if shown == "...":
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        return all(key in real and same_json(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list) and isinstance(real, list):
        if shown and shown[-1] == "...":
            shown, real = shown[:-1], real[: len(shown) - 1]
        pairs = zip(shown, real, strict=False)
        return len(shown) == len(real) and all(same_json(*pair) for pair in pairs)
    return bool(shown == real)


def same_text(shown: str, real: str) -> bool:
    """
    Whether *real* is *shown*. ``...`` in a line is any text, a line of its own any lines; blank
    lines and white space at the ends of lines do not count.
    """
    pattern = ""
    for line in filter(None, (line.rstrip() for line in shown.splitlines())):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, line.split("..."))) + r"\n"
    lines = [line.rstrip() for line in real.splitlines()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines if line)) is not None


def check(language: str, shown: str, real: str) -> None:
    """Fail unless *real* is what the block *shown* of *language* says."""
    if language == "json":
        wanted, got = json.loads(shown), json.loads(real)
        assert same_json(wanted, got), json.dumps(got, indent=2)
    else:
        assert same_text(shown, real), real
