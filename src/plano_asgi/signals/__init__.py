"""How a conversation is going: pure functions over its messages, in three layers."""

from plano_asgi.signals.analyzer import Analyzer, analyze
from plano_asgi.signals.base import (
    CATEGORIES,
    LEAVES,
    Detector,
    Quality,
    Row,
    RowKind,
    Signal,
    SignalGroup,
    SignalReport,
    TurnMetrics,
)
from plano_asgi.signals.lexicon import Lexicon
from plano_asgi.signals.recordings import Recording, read_messages, read_recording, report_dict
from plano_asgi.signals.report import Scoring
from plano_asgi.signals.rows import rows_from_sharegpt, rows_of
from plano_asgi.signals.triage import Triage, TriageDecision
from plano_asgi.signals.trouble_reader import TroubleReader
from plano_asgi.signals.trouble_words import TroubleWords

__all__ = [
    "CATEGORIES",
    "LEAVES",
    "Analyzer",
    "Detector",
    "Lexicon",
    "Quality",
    "Recording",
    "Row",
    "RowKind",
    "Scoring",
    "Signal",
    "SignalGroup",
    "SignalReport",
    "Triage",
    "TriageDecision",
    "TroubleReader",
    "TroubleWords",
    "TurnMetrics",
    "analyze",
    "read_messages",
    "read_recording",
    "report_dict",
    "rows_from_sharegpt",
    "rows_of",
]
