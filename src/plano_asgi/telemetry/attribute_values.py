"""What an attribute may hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

AttributeValue: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = dict[str, AttributeValue]

MAX_TEXT_CHARS = 256
"""Characters of an attribute that a client chose."""

CREDENTIAL = re.compile(
    r"""(?:\b|_)(?:sk|pk|rk|ak|gsk|csk|hf|gh[opsu]|xai|xox[abp]|pplx|tvly|nvapi|glpat)[-_][^\s/]{6,}
      | (?:\b|_)(?:key|token|secret|bearer|basic)[-_ =:%][^\s/]{6,}
      | AIza[\w-]{16,} | AKIA\w{12,} | eyJ[\w-]{8,}[\w.-]*""",
    re.IGNORECASE | re.VERBOSE,
)
"""What a credential looks like, in a text where none belongs."""
_MAX_NAMES = 1024  # remembered


def attribute_text(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """*text* cut, and such that every exporter can encode it: half a character becomes ``?``."""
    cut = text if len(text) <= max_chars else text[:max_chars]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


@lru_cache(_MAX_NAMES)
def _shown(name: str) -> str:
    return CREDENTIAL.sub("***", attribute_text(name))


def name_text(name: str) -> str:
    """``attribute_text`` of a model's name; a key that a client put in its place is put out."""
    return _shown(name if len(name) <= MAX_TEXT_CHARS else name[:MAX_TEXT_CHARS])
