"""A ``SignalReport`` as span attributes and span events, under the names Plano has for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from plano_asgi._json import dumps_str
from plano_asgi.signals.base import CATEGORIES, Signal, SignalGroup, SignalReport
from plano_asgi.telemetry import semconv as names
from plano_asgi.telemetry.attribute_values import Attributes, attribute_text

MAX_EVENTS = 128
"""Events of one span; more than the SDK would keep are not made."""
_MAX_METADATA_CHARS = 2_000


def signal_attributes(report: SignalReport) -> Attributes:
    """``signals.*``: four always, a count and a severity for each category that has any."""
    attributes: Attributes = {
        names.SIGNALS_QUALITY: report.quality,
        names.SIGNALS_SCORE: float(report.quality_score),
        names.SIGNALS_TURNS: report.turns.user_turns,
        names.SIGNALS_EFFICIENCY: float(report.turns.efficiency_score),
    }
    for group in report.groups.values():
        if count := group.count:
            name = names.SIGNALS_GROUP.format(layer=_layer(group), category=group.category)
            attributes[f"{name}.count"] = count
            attributes[f"{name}.severity"] = group.severity
    return attributes


def signal_events(
    report: SignalReport,
    *,
    with_snippets: bool,
    scrubbers: Sequence[Callable[[str], str]] = (),
    max_events: int = MAX_EVENTS,
) -> list[tuple[str, Attributes]]:
    """
    One event for each instance, in the order of the report: its name and attributes.

    Args:
        with_snippets: Tell the words that gave it away: content.
        scrubbers: Applied to those words; ``Exchange.scrubbers``.
        max_events: The first so many; ``signals.*.count`` still counts all.
    """
    return [
        (
            names.SIGNAL_EVENT.format(type=signal.type),
            _event(signal, scrubbers if with_snippets else None),
        )
        for signal in islice(report.signals, max_events)
    ]


def flagged_name(name: str, report: SignalReport | None) -> str:
    """*name* of a span, with the flag if somebody should look at the conversation."""
    return name + names.FLAG if report is not None and report.is_flagged else name


def _layer(group: SignalGroup) -> str:
    """Of a category of the user's own: as its signals say."""
    return CATEGORIES.get(group.category) or group.signals[0].type.partition(".")[0]


def _event(signal: Signal, scrubbers: Sequence[Callable[[str], str]] | None) -> Attributes:
    """*scrubbers*: ``None`` leaves the snippet out."""
    metadata = dumps_str(dict(signal.metadata))
    attributes: Attributes = {
        names.SIGNAL_TYPE: signal.type,
        names.SIGNAL_MESSAGE_INDEX: signal.message_index,
        names.SIGNAL_CONFIDENCE: float(signal.confidence),
        names.SIGNAL_METADATA: metadata if len(metadata) <= _MAX_METADATA_CHARS else "{}",
    }
    if scrubbers is not None and (snippet := signal.snippet):
        for scrub in scrubbers:
            snippet = scrub(snippet)
        attributes[names.SIGNAL_SNIPPET] = attribute_text(snippet)
    return attributes
