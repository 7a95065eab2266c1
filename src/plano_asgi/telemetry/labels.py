"""
Label values that cannot grow without end: every distinct value of a label is a time series, and
model names come from clients.
"""

from __future__ import annotations

import threading
from collections.abc import Container

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.attribute_values import CREDENTIAL

OTHER = "other"
"""Stands for every value past a limit."""
MAX_LABEL_CHARS = 100
"""Longer values are cut."""


def clean(value: str) -> str:
    """
    *value* in at most ``MAX_LABEL_CHARS`` printable characters, ``?`` for the others; what looks
    like a key is put out.
    """
    value = CREDENTIAL.sub("***", value[: 4 * MAX_LABEL_CHARS])[:MAX_LABEL_CHARS]
    if value.isprintable():
        return value
    return "".join(char if char.isprintable() else "?" for char in value)


class BoundedLabel:
    """
    The values of one label. The first *max_values* distinct ones are admitted, later ones become
    ``other``; *known* ones always pass and do not count. "" (absent) stays "". Thread-safe.

    What a value has become it stays: a gauge goes up and down in the same series.
    """

    __slots__ = ("_admitted", "_known", "_lock", "_max_values")

    def __init__(self, *, max_values: int, known: Container[str] = ()) -> None:
        if max_values < 0:
            raise ConfigurationError("the limit of a label's values must not be negative")
        self._known = known
        self._max_values = max_values
        self._admitted: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, value: str, *, admit: bool = True) -> str:
        """The value to write for *value*; without *admit* a new one is ``other``."""
        if not value or value in self._admitted:
            return value
        value = clean(value)
        if value in self._known or value in self._admitted:
            return value
        if not admit:
            return OTHER
        with self._lock:
            if value not in self._admitted and len(self._admitted) >= self._max_values:
                return OTHER
            self._admitted.add(value)
        return value


class LabelBook:
    """
    The labels of one ``Metrics``, each with its own bound.

    Args:
        known_models: Model names that always pass: a catalogue.
        max_models: Distinct other models: of those asked for, tried, served, and told, each.
        max_names: Distinct providers, servers, routes, guards, limits, exporters, signal
            categories, of each.
        max_errors: Distinct ``error.type`` values: upstreams may have codes of their own.
    """

    __slots__ = (
        "asked_model",
        "category",
        "error",
        "exporter",
        "guard",
        "limit",
        "model",
        "operation",
        "provider",
        "response_model",
        "route",
        "selector",
        "server",
        "tried_model",
    )

    def __init__(
        self,
        *,
        known_models: Container[str] = (),
        max_models: int = 200,
        max_names: int = 100,
        max_errors: int = 64,
    ) -> None:
        self.model = BoundedLabel(known=known_models, max_values=max_models)
        self.tried_model = BoundedLabel(known=known_models, max_values=max_models)
        self.asked_model = BoundedLabel(known=known_models, max_values=max_models)
        self.response_model = BoundedLabel(known=known_models, max_values=max_models)
        self.error = BoundedLabel(max_values=max_errors)
        self.provider = BoundedLabel(max_values=max_names)
        self.operation = BoundedLabel(max_values=max_names)
        self.route = BoundedLabel(max_values=max_names)
        self.selector = BoundedLabel(max_values=max_names)
        self.guard = BoundedLabel(max_values=max_names)
        self.limit = BoundedLabel(max_values=max_names)
        self.category = BoundedLabel(max_values=max_names)
        self.server = BoundedLabel(max_values=max_names)
        self.exporter = BoundedLabel(max_values=max_names)
