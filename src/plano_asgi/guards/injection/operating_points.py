"""Thresholds by name, and the share of harmless texts over each, as measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias, get_args

from plano_asgi._json import loads

Level: TypeAlias = Literal["strict", "balanced", "lenient"]
LEVELS: tuple[Level, ...] = get_args(Level)
TextChannel: TypeAlias = Literal["user", "data"]
"""Whose words: a user's, or what a tool or a document brought in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """
    From which score on a text is an attack.

    A first score from ``grey_to`` on is one, and one below ``grey_from`` is none. Between them the
    second stage is asked, and ``threshold`` holds for both stages' scores together; without a
    second stage the three are the same. Rates are measured by ``bench/accuracy/injection.py`` on
    harmless texts and attacks that neither training nor this choice saw.
    """

    channel: TextChannel
    level: Level
    threshold: float
    grey_from: float
    grey_to: float
    false_positive_rate: float
    recall: float


def operating_point(
    channel: TextChannel, level: Level, *, second_stage: bool = False
) -> OperatingPoint:
    """The point of that name."""
    return _points()[channel, level, second_stage]


@cache
def _points() -> dict[tuple[str, str, bool], OperatingPoint]:
    rows = loads(files(__package__).joinpath("operating_points.json").read_bytes())
    return {
        (row["channel"], row["level"], row.pop("second_stage")): OperatingPoint(**row)
        for row in rows
    }
