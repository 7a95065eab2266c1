"""
Activities as spans: a name, a kind, and attributes at the start and at the end, by a table.

An attempt carries no usage and no ``gen_ai.operation.name``: the span of the exchange has them,
and a backend that adds up spans would count them twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from opentelemetry.trace import SpanKind

from plano_asgi.activities import Activity, ActivityKind
from plano_asgi.telemetry import semconv as names
from plano_asgi.telemetry.attribute_values import Attributes, name_text
from plano_asgi.telemetry.attributes import provider_name
from plano_asgi.telemetry.request_fields import is_int64

_PROTOCOLS = frozenset(("http", "mcp"))
_ELSEWHERE: Mapping[ActivityKind, Callable[[Mapping[str, Any]], bool]] = {
    "filter": lambda facts: facts.get("protocol") in _PROTOCOLS,
    "agent": lambda facts: bool(facts.get("address")),
}
"""Whether such an activity is done by another service."""
_OF_APPS = frozenset(("agent", "tool"))
"""What they do is not remembered: each call of a tool has an id of its own."""
_MAX_STARTS = 512  # remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySpan:
    """
    How one kind of activity is told.

    Args:
        name: ``{name}`` is the activity's.
        kind: CLIENT for what is always done by another service. A filter or an agent is if it is
            said by which.
        started: Facts known at the start, and their attributes.
        ended: Facts that come up later.
        fixed: Attributes of every such span.
        named: The attribute that repeats the activity's name.
    """

    name: str
    kind: SpanKind = SpanKind.INTERNAL
    started: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    named: str = ""


SPANS: Mapping[ActivityKind, ActivitySpan] = {
    "attempt": ActivitySpan(
        name=names.SPAN_ATTEMPT,
        kind=SpanKind.CLIENT,
        started={
            "number": names.ATTEMPT_NUMBER,
            "retry": names.ATTEMPT_RETRY,
            "provider": names.PROVIDER,
            "model": names.REQUEST_MODEL,
            "address": names.SERVER_ADDRESS,
            "port": names.SERVER_PORT,
            "dialect": names.ATTEMPT_DIALECT,
        },
        ended={"status": names.HTTP_RESPONSE_STATUS_CODE},
    ),
    "routing": ActivitySpan(
        name=names.SPAN_ROUTE,
        ended={
            "selector": names.ROUTE_SELECTOR,
            "route": names.ROUTE_NAME,
            "outcome": names.ROUTE_OUTCOME,
            "reason": names.ROUTE_REASON,
            "model": names.MODEL,
        },
    ),
    "guard": ActivitySpan(
        name=names.SPAN_GUARD,
        named=names.GUARD_NAME,
        started={"side": names.GUARD_SIDE},
        ended={
            "status": names.GUARD_STATUS,
            "rule": names.GUARD_RULE,
            "score": names.GUARD_SCORE,
            "report_only": names.GUARD_REPORT_ONLY,
        },
    ),
    "filter": ActivitySpan(
        name=names.SPAN_FILTER,
        named=names.FILTER_NAME,
        started={
            "side": names.FILTER_SIDE,
            "protocol": names.FILTER_PROTOCOL,
            "address": names.SERVER_ADDRESS,
            "port": names.SERVER_PORT,
        },
    ),
    "memory": ActivitySpan(name=names.SPAN_SEARCH_MEMORY, ended={"hits": names.MEMORY_HITS}),
    "cache": ActivitySpan(name=names.SPAN_CACHE, ended={"outcome": names.CACHE_OUTCOME}),
    "state": ActivitySpan(name=names.SPAN_STATE, started={"operation": names.STATE_OPERATION}),
    "agent": ActivitySpan(
        name=f"{names.INVOKE_AGENT} {{name}}",
        named=names.AGENT_NAME,
        fixed={names.OPERATION_NAME: names.INVOKE_AGENT},
        started={
            "agent_id": names.AGENT_ID,
            "address": names.SERVER_ADDRESS,
            "port": names.SERVER_PORT,
        },
        ended={"status": names.HTTP_RESPONSE_STATUS_CODE},
    ),
    "tool": ActivitySpan(
        name=f"{names.EXECUTE_TOOL} {{name}}",
        named=names.TOOL_NAME,
        fixed={names.OPERATION_NAME: names.EXECUTE_TOOL, names.TOOL_TYPE: "function"},
        started={"call_id": names.TOOL_CALL_ID},
    ),
}
"""By kind. A fact that no table knows becomes ``plano.<kind>.<its name>`` when the span ends."""


def start_of(activity: Activity) -> tuple[str, SpanKind, Attributes]:
    """The name, the kind and the first attributes of the span of *activity*."""
    facts = activity.facts
    if activity.kind in _OF_APPS:
        return _start_of(activity.kind, activity.name, facts)
    try:
        found = _known_start(activity.kind, activity.name, tuple(facts), *facts.values())
    except TypeError:  # a fact that has no hash
        return _start_of(activity.kind, activity.name, facts)
    name, kind, attributes = found
    return name, kind, attributes.copy()


@lru_cache(_MAX_STARTS, typed=True)
def _known_start(
    kind: ActivityKind, name: str, keys: tuple[str, ...], *values: Any
) -> tuple[str, SpanKind, Attributes]:
    """Remembered: what the rooms of a service do is mostly the same."""
    return _start_of(kind, name, dict(zip(keys, values, strict=True)))


def _start_of(
    kind: ActivityKind, name: str, facts: Mapping[str, Any]
) -> tuple[str, SpanKind, Attributes]:
    span, shown = SPANS[kind], name_text(name) if isinstance(name, str) else "?"
    attributes: Attributes = dict(span.fixed)
    if span.named:
        attributes[span.named] = shown
    for key, value in facts.items():
        if key in span.started:
            _put(attributes, span.started[key], value)
    if kind == "attempt":
        attributes[names.PROVIDER_NAME] = provider_name(facts["provider"])
    is_elsewhere = kind in _ELSEWHERE and _ELSEWHERE[kind](facts)
    return span.name.format(name=shown), SpanKind.CLIENT if is_elsewhere else span.kind, attributes


def end_attributes(activity: Activity) -> Attributes:
    """What *activity* has come to know since it began, without ``error.type``."""
    span, facts = SPANS[activity.kind], activity.facts
    attributes: Attributes = {}
    for key in sorted(facts.keys() - span.started.keys()):
        _put(attributes, span.ended.get(key) or f"plano.{activity.kind}.{key}", facts[key])
    return attributes


def _put(attributes: Attributes, name: str, value: Any) -> None:
    """Nothing for ``None``, "" and what no exporter could write."""
    if isinstance(value, str):
        if value:
            attributes[name] = name_text(value)
    elif isinstance(value, bool | float):
        attributes[name] = value
    elif isinstance(value, int) and is_int64(whole := int(value)):
        attributes[name] = whole
