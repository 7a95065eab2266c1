"""
The access log: one line for each exchange, through structlog; never content, never keys.

Its logger is its own: what the host has configured for structlog and ``logging`` stays as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Literal

import structlog

from plano_asgi._json import dumps
from plano_asgi.conversation import Usage
from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import Attempt, Exchange
from plano_asgi.identities import identity_name
from plano_asgi.telemetry.attribute_values import CREDENTIAL
from plano_asgi.telemetry.line_writer import LineWriter
from plano_asgi.telemetry.outcome import Outcome

EVENT = "request"
"""The event of every line."""

_LONG = re.compile(r"[A-Za-z0-9]{32,}")
"""What a credential looks like that begins with nothing of its own; ids look so, too."""
_WORD = re.compile(r"v\d[\w.]{0,8}|[A-Za-z_.~:-]{1,32}")
_MAX_KNOWN = 1024  # texts that need not be looked at again
_MAX_ATTEMPTS, _MAX_GUARDS = 8, 8
_WARNING_STATUS, _ERROR_STATUS = 400, 500
_LEFT = "client_disconnect"


class AccessLog:
    """
    Logs every ``Outcome`` it is called with: the event ``request``, at ``error`` for what failed,
    at ``warning`` for what was refused, else at ``info``. Fields without a value are left out.

    Paths are told without what tells things apart (``/v1/responses/*``), and without queries.
    Names that clients and upstreams choose (models, codes, sessions) are cut, cleaned of control
    characters, and anything in them that looks like a key is put out.

    Args:
        renderer: ``json``, one object a line, or ``console``, for people.
        stream: Where lines go, text or binary; standard output if ``None``.
        logger: A structlog logger of your own that takes the events instead: rendering and output
            are then its business, and it is called where the exchange ends, so it must not block.
        sample: The share of exchanges logged, 0 to 1, of those that went well: others always are.
        identity: Names the caller; ``None`` leaves callers out.
        max_chars: Of one value.
        max_lines: Waiting to be written to *stream*; see ``dropped``.
        delay_s: For which lines wait for others, seconds.
        rng: Draws the sample, 0 to 1.

    Raises:
        ConfigurationError: *renderer* is neither, or *sample* no share.
    """

    def __init__(
        self,
        renderer: Literal["json", "console"] = "json",
        *,
        stream: Any = None,
        logger: Any = None,
        sample: float = 1.0,
        identity: Callable[[Any], str | None] | None = identity_name,
        max_chars: int = 200,
        max_lines: int = 10_000,
        delay_s: float = 0.2,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if renderer not in _RENDERERS:
            raise ConfigurationError(f"renderer must be one of {', '.join(_RENDERERS)}")
        if not 0 <= sample <= 1:
            raise ConfigurationError("sample must be between 0 and 1")
        self._writer = LineWriter(stream, max_lines=max_lines, delay_s=delay_s)
        self._logger = _own_logger(self._writer, renderer) if logger is None else logger
        self._sample = sample
        self._identity = identity
        self._max_chars = max_chars
        self._rng = rng
        self._known: set[str] = set()
        self._known_paths: set[str] = set()

    @property
    def dropped(self) -> int:
        """Lines lost because the stream did not take them."""
        return self._writer.dropped

    def __call__(self, outcome: Outcome) -> None:
        """Log *outcome*."""
        level = _level(outcome)
        if level == "info" and self._sample < 1 and self._rng() >= self._sample:
            return
        fields = {
            **self._asked(outcome),
            **self._served(outcome),
            **_result(outcome),
            **_spent(outcome),
            **self._found(outcome),
        }
        told = {name: value for name, value in fields.items() if value is not None}
        getattr(self._logger, level)(EVENT, **told)

    def shutdown(self, timeout_s: float = 2.0) -> None:
        """Write what waits, within *timeout_s*."""
        self._writer.shutdown(timeout_s)

    # --------------------------------------------------------------- fields

    def _asked(self, outcome: Outcome) -> dict[str, Any]:
        exchange, clean = outcome.exchange, self._clean
        named = self._identity(exchange.identity) if self._identity is not None else None
        return {
            "request_id": self._id(exchange.id),
            "trace_id": outcome.trace_id or None,
            "span_id": outcome.span_id or None,
            "identity": clean(named),
            "session_id": self._id(exchange.facts.get("session_id")),
            "method": clean(exchange.scope.get("method")),
            "path": self._path(exchange.path) or None,
            "operation": exchange.operation,
            "dialect": exchange.dialect or None,
            "stream": exchange.stream,
            "model": clean(exchange.model),
        }

    def _served(self, outcome: Outcome) -> dict[str, Any]:
        exchange, clean = outcome.exchange, self._clean
        attempts = exchange.attempts
        retries = sum(a.candidate == b.candidate for a, b in pairwise(attempts))
        return {
            "served_model": clean(outcome.model),
            "provider": clean(outcome.provider),
            "route": clean(exchange.facts.get("route_name")),
            "attempts": len(attempts),
            "outcomes": [clean(_outcome(each)) for each in attempts[:_MAX_ATTEMPTS]] or None,
            "retries": retries,
            "failovers": max(0, len(attempts) - 1 - retries),
            "error": clean(outcome.error_type),
        }

    def _found(self, outcome: Outcome) -> dict[str, Any]:
        """What guards, caches and the like had to do with it."""
        exchange = outcome.exchange
        facts = exchange.facts
        return {
            "guards_blocked": self._guards(exchange, "blocked"),
            "guards_redacted": self._guards(exchange, "redacted"),
            "cache": facts.get("cache"),
            "memory_hits": facts.get("memory_hits"),
            "limit": self._clean(facts.get("limit")),
            "signals": outcome.signals.quality if outcome.signals is not None else None,
        }

    def _guards(self, exchange: Exchange, status: str) -> list[str | None] | None:
        found = [a.guard for a in exchange.audits if a.status == status and not a.report_only]
        return [self._clean(name) for name in dict.fromkeys(found)][:_MAX_GUARDS] or None

    def _path(self, path: str) -> str:
        if path in self._known_paths:
            return path
        steps = (
            step if not step or (_WORD.fullmatch(step) and not CREDENTIAL.search(step)) else "*"
            for step in path[: 4 * self._max_chars].split("/")
        )
        shown = "/".join(steps)[: self._max_chars]
        return _kept(self._known_paths, path, shown)

    def _clean(self, value: object) -> str | None:
        """A text that others chose, as a log may have it; ``None`` if there is none."""
        if value in self._known:
            return value
        text = "" if value is None else str(value)
        if not text:
            return None
        shown = _LONG.sub("***", self._id(text) or "")
        return _kept(self._known, text, shown)

    def _id(self, value: object) -> str | None:
        """The same of an id, which may be long, and does not come again."""
        if value is None:
            return None
        shown = str(value)[: 4 * self._max_chars]
        if not shown.isprintable():
            shown = "".join(char if char.isprintable() else "\ufffd" for char in shown)
        return CREDENTIAL.sub("***", shown)[: self._max_chars] or None


def _kept(known: set[str], text: str, shown: str) -> str:
    """Remember a text that is shown as it is: most come again and again."""
    if shown == text:
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known.add(text)
    return shown


def _result(outcome: Outcome) -> dict[str, Any]:
    first_s = outcome.first_chunk_s
    return {
        "status": outcome.status,
        "request_bytes": outcome.request_bytes,
        "response_bytes": outcome.response_bytes,
        "duration_ms": round(outcome.duration_s * 1000, 2),
        "ttft_ms": None if first_s is None else round(first_s * 1000, 2),
    }


def _spent(outcome: Outcome) -> dict[str, Any]:
    usage, cost = outcome.usage, outcome.cost
    told = _tokens(usage) if usage is not None else {}
    if cost is not None:
        told |= {"cost_usd": round(cost.total_usd, 10), "cost_estimated": cost.is_estimated}
    return told


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cache_read_input_tokens,
        "reasoning_tokens": usage.reasoning_output_tokens,
    }


def _outcome(attempt: Attempt) -> str:
    """``ok``, or what went wrong, with the status it came with."""
    if attempt.outcome == "ok" or attempt.status is None:
        return attempt.outcome
    return f"{attempt.status} {attempt.outcome}"


def _level(outcome: Outcome) -> str:
    status = outcome.status
    if outcome.error_type == _LEFT:
        return "warning"
    if status is None or status >= _ERROR_STATUS:
        return "error"
    if status >= _WARNING_STATUS:
        return "warning"
    return "error" if outcome.error_type else "info"


# ------------------------------------------------------------------- its own logger


def _json_line(_logger: Any, _method: str, event: Mapping[str, Any]) -> bytes:
    return dumps(event)


_RENDERERS: Mapping[str, Any] = {
    "json": _json_line,
    "console": structlog.dev.ConsoleRenderer(
        colors=False, sort_keys=False, repr_native_str=True, pad_event_to=0
    ),
}


def _own_logger(writer: LineWriter, renderer: str) -> Any:
    """Everything is given: nothing is left for the host's configuration to say."""
    return structlog.wrap_logger(
        writer,
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            _RENDERERS[renderer],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
        cache_logger_on_first_use=True,
    ).bind()
