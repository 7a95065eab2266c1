"""
What a configuration asks for that this release does not do, by name.

Every key of Plano is read and checked; a feature that is still to come has a row here and loses
it with its arrival. ``refuse``: to serve without it would be unsafe or change what clients get.
``warn``: the gateway works, without what the sentence says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from plano_asgi.config.issues import Issue, Place, Severity, dotted
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_base import ConfigModel

Row: TypeAlias = tuple[Severity, str]

UNSUPPORTED: Mapping[str, Row] = {
    "listeners.*.agents.*.input_filters": (
        "warn",
        "agents are not in this release: filters of theirs filter nothing",
    ),
    "listeners.*.type=agent": (
        "warn",
        "agents are not in this release: nobody would answer on this listener",
    ),
    "listeners.*.type=prompt": (
        "refuse",
        "prompt targets are not in this release: nobody would answer on this listener",
    ),
    "prompt_targets": (
        "refuse",
        "prompt targets are not in this release: the model would answer by itself",
    ),
    "overrides.upstream_tls_ca_path": (
        "refuse",
        "a CA bundle of its own is not in this release: the system's would be trusted",
    ),
    "agents": ("warn", "agents are not in this release"),
    "endpoints": ("warn", "endpoints serve prompt targets, which are not in this release"),
    "system_prompt": ("warn", "belongs to prompt targets, which are not in this release"),
    "model_providers.*.capabilities": ("warn", "choosing by capability is not in this release"),
    "overrides.agent_orchestration_model": ("warn", "agents are not in this release"),
    "overrides.use_agent_orchestrator": ("warn", "agents are not in this release"),
    "overrides.optimize_context_window": ("warn", "prompt targets are not in this release"),
    "overrides.prompt_target_intent_matching_threshold": (
        "warn",
        "prompt targets are not in this release; Plano does not read it either",
    ),
}
"""Where in a configuration (``*`` is any entry, ``=`` a value) and what to say about it."""


def unsupported(config: PlanoConfig) -> list[Issue]:
    """
    Everything *config* asks for in vain, ``refuse`` first.

    A key counts as asked for when its value differs from the default: ``tracing: {}`` asks for
    nothing.
    """
    issues = [
        Issue(path=dotted(place), message=message, severity=severity)
        for pattern, (severity, message) in UNSUPPORTED.items()
        for place in _asked(config, pattern)
    ]
    issues += [
        Issue(path=f"overrides.{key}", message="is not known and not read", severity="warn")
        for key in config.overrides.model_extra or ()
    ]
    return sorted(issues, key=lambda issue: issue.severity != "refuse")


def _asked(config: PlanoConfig, pattern: str) -> list[Place]:
    """The places matching *pattern* that hold more than their default."""
    path, _, wanted = pattern.partition("=")
    found = _walk(config, (), path.split("."))
    return [place for place, value in found if not wanted or value == wanted]


def _walk(value: object, place: Place, parts: list[str]) -> Iterator[tuple[Place, object]]:
    if not parts:
        yield place, value
    elif parts[0] == "*" and isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _walk(item, (*place, index), parts[1:])
    elif isinstance(value, ConfigModel):
        field = type(value).model_fields[parts[0]]
        inner = getattr(value, parts[0])
        if inner != field.get_default(call_default_factory=True, validated_data={}):
            yield from _walk(inner, (*place, field.alias or parts[0]), parts[1:])
