"""
The environment, as an argument: variables in string values, and providers found by their keys.

``$NAME`` and ``${NAME}`` are replaced in string values after YAML is parsed, so a value can never
add a key or break the file. ``$$`` is a literal ``$``; a ``$`` before anything else stays as it
is. Keys are not expanded, inserted text is not expanded again, and ``.env`` files are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from plano_asgi.config.document import Document
from plano_asgi.config.issues import Finding, Place, near
from plano_asgi.config.schema_models import ModelProvider

_VARIABLE = re.compile(r"\$(?:(\$)|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\{))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """
    A document whose variables are filled in.

    Args:
        findings: Undefined variables, one for each place and name.
    """

    document: Document = field(repr=False)
    findings: tuple[Finding, ...]


def expand(document: Mapping[str, Any], environ: Mapping[str, str]) -> Expanded:
    """
    Fill the variables of *environ* into the string values of *document*.

    A value with an undefined variable is left as written and reported in ``findings``.
    """
    expansion = _Expansion(environ)
    result = {key: expansion.value(item, (key,)) for key, item in document.items()}
    return Expanded(document=result, findings=tuple(expansion.findings.values()))


class _Expansion:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.findings: dict[tuple[Place, str], Finding] = {}

    def value(self, value: Any, place: Place) -> Any:
        """A copy of *value* with its strings expanded."""
        if isinstance(value, dict):
            return {key: self.value(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*place, index)) for index, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) and "$" in value else value

    def _text(self, text: str, place: Place) -> str:
        def fill(match: re.Match[str]) -> str:
            escaped, braced, bare, unclosed = match.groups()
            if escaped:
                return "$"
            if unclosed or (braced is not None and not _NAME.fullmatch(braced)):
                self._complain(place, match[0], f"{match[0]!r} names no variable")
                return match[0]
            name = braced or bare
            if name not in self.environ:
                hint = near(name, self.environ)
                self._complain(place, name, f"the environment variable {name} is not set{hint}")
                return match[0]
            return self.environ[name]

        return _VARIABLE.sub(fill, text)

    def _complain(self, place: Place, name: str, what: str) -> None:
        message = f"{what} (write $$ for a literal $)"
        self.findings[place, name] = Finding(place, message, show=False)


class ProviderFacts(Protocol):
    """What zero configuration needs of a provider's profile."""

    @property
    def base_url(self) -> str | None: ...

    @property
    def env_key(self) -> str | None: ...


_REGION_VARIABLES = {"amazon_bedrock": ("AWS_REGION", "AWS_DEFAULT_REGION")}


def providers_from_environment(
    environ: Mapping[str, str], profiles: Mapping[str, ProviderFacts]
) -> list[ModelProvider]:
    """
    A wildcard entry for every provider whose key is set in *environ*, in the order of *profiles*.

    A provider without an address of its own is left out unless a region says where it is, and so
    is one whose variable is set but blank.
    """
    found = []
    for name, profile in profiles.items():
        key = environ.get(profile.env_key, "").strip() if profile.env_key else ""
        candidates = (environ.get(variable) for variable in _REGION_VARIABLES.get(name, ()))
        region = next(filter(None, candidates), None)
        if key and (profile.base_url or region):
            entry = {"model": f"{name}/*", "access_key": key, "region": region}
            found.append(ModelProvider.model_validate(entry))
    return found
