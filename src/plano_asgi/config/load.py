"""
From a file, YAML text or plain data to a valid ``PlanoConfig``.

The way: read (bounded) -> ``migrate`` to the current spelling -> ``expand`` variables -> schema
and rules, side by side. Everything wrong on the way is reported at once, in the spelling of the
file; only a document that is not YAML ends the reading early.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import NoneType
from typing import get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from plano_asgi.config.account_rules import check_accounts
from plano_asgi.config.document import (
    MAX_BYTES,
    Document,
    Source,
    read_document,
    source_name,
    value_at,
)
from plano_asgi.config.environment import expand
from plano_asgi.config.issues import ConfigError, Finding, Issue, Place, dotted, listed, near, shown
from plano_asgi.config.migrate import Migrated, migrate
from plano_asgi.config.provider_rules import check_providers
from plano_asgi.config.rules import check_references
from plano_asgi.config.schema import PlanoConfig
from plano_asgi.config.schema_base import ConfigModel
from plano_asgi.providers.profiles import PROFILES

KNOWN_PROVIDERS = frozenset(PROFILES)
"""The prefixes we know."""

NEEDS_BASE_URL = frozenset(name for name, row in PROFILES.items() if row.base_url is None)
"""Those of them without an address of their own."""

_SUBJECT = re.compile(r"^\w+ should")
_MESSAGES = {
    "missing": "is required",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def load_config(
    source: Source,
    *,
    environ: Mapping[str, str] | None = None,
    known_providers: Collection[str] = KNOWN_PROVIDERS,
    needs_base_url: Collection[str] = NEEDS_BASE_URL,
    max_bytes: int = MAX_BYTES,
) -> PlanoConfig:
    """
    Read and check a configuration in Plano's format, any version.

    Whether this release does everything it asks for is another question: see ``unsupported``.

    Args:
        source: A path; YAML text (a ``str`` with a line break); or plain data.
        environ: Where ``$NAME`` and ``${NAME}`` are looked up; ``os.environ`` of this moment.
        known_providers: Model prefixes with a profile: they need no *provider_interface*.
        needs_base_url: Those of them that do need a *base_url*.
        max_bytes: Largest file or text.

    Raises:
        ConfigError: Everything that is wrong, one issue each.
        MissingExtra: *source* is YAML and PyYAML is not installed.
    """
    migrated = migrate(read_document(source, max_bytes=max_bytes))
    expanded = expand(migrated.document, os.environ if environ is None else environ)
    document = expanded.document
    config, shape = _validate(document)
    findings = [
        *migrated.findings,
        *expanded.findings,
        *_apart_from(shape, expanded.findings),
        *check_providers(document, known=known_providers, needs_base_url=needs_base_url),
        *check_references(document),
        *(check_accounts(config) if config is not None else ()),
    ]
    issues = _in_user_terms(findings, migrated)
    errors = [issue for issue in issues if issue.severity == "error"]
    if config is None or errors:
        raise ConfigError(errors, source=source_name(source))
    config._warnings = tuple(issues)
    return config


def _validate(document: Document) -> tuple[PlanoConfig | None, list[Finding]]:
    try:
        return PlanoConfig.model_validate(document), []
    except ValidationError as exc:
        return None, [_finding(error) for error in exc.errors(include_url=False)]


def _apart_from(findings: Iterable[Finding], said: Iterable[Finding]) -> Iterator[Finding]:
    """Without those at a place of which something is *said* already: an undefined variable."""
    places = {finding.place for finding in said}
    return (finding for finding in findings if finding.place not in places)


def _finding(error: ErrorDetails) -> Finding:
    """A pydantic error in our words."""
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    kind = error["type"]
    if kind == "extra_forbidden":
        return Finding(place, _unknown_key(place), show=False)
    if kind == "literal_error":
        return Finding(place, f"must be one of {error['ctx']['expected']}")
    if kind == "value_error":
        return Finding(place, str(error["ctx"]["error"]))
    message = _MESSAGES.get(kind) or _SUBJECT.sub("must", error["msg"])
    return Finding(place, message, show=kind != "missing")


def _unknown_key(place: Place) -> str:
    model = _inside(PlanoConfig, place[:-1])
    keys = model.keys() if isinstance(model, type) and issubclass(model, ConfigModel) else set()
    return f"unknown key{near(str(place[-1]), keys) or f'; allowed: {listed(keys)}'}"


def _inside(kind: object, place: Place) -> object:
    """The type that reads what stands at *place* inside of a value of type *kind*."""
    if not place:
        return next((arg for arg in get_args(kind) if arg is not NoneType), kind)
    if isinstance(kind, type) and issubclass(kind, ConfigModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        field = fields.get(str(place[0]))
        return _inside(field.annotation, place[1:]) if field else None
    args = [arg for arg in get_args(kind) if arg not in (NoneType, ...)]
    if get_origin(kind) in (dict, tuple) and args:
        return _inside(args[-1], place[1:])
    return _inside(args[0], place) if args else None


def _in_user_terms(findings: Iterable[Finding], migrated: Migrated) -> list[Issue]:
    """Places as the file spells them, values as the file gives them, nothing twice."""
    issues: dict[Issue, None] = {}
    for finding in findings:
        value = ""
        there, raw = value_at(migrated.document, finding.place)
        if finding.show and there:
            value = shown(raw, finding.place)
        path = dotted(_original(finding.place, migrated.origins))
        issue = Issue(path=path, message=finding.message, value=value, severity=finding.severity)
        issues[issue] = None
    return list(issues)


def _original(place: Place, origins: Mapping[Place, Place]) -> Place:
    """*place* before the migration moved it, or a part above it; nearest move first."""
    for length in range(len(place), 0, -1):
        if (old := origins.get(place[:length])) is not None:
            return (*old, *place[length:])
    return place
