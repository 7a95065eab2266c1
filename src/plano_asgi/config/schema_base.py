"""What every model of the configuration shares: strict keys, durations, headers, URLs."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class ConfigModel(BaseModel):
    """A mapping of the configuration: immutable, unknown keys refused, input never in messages."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    @classmethod
    def keys(cls) -> frozenset[str]:
        """The keys as written in the document."""
        return frozenset(field.alias or name for name, field in cls.model_fields.items())

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_absent(cls, value: Any) -> Any:
        """A key with nothing after it, its lines commented out perhaps, is as good as no key."""
        if not isinstance(value, dict):
            return value
        known = cls.keys()
        return {key: item for key, item in value.items() if item is not None or key not in known}


def _duration_s(value: object) -> object:
    """``"30s"`` as 30.0. Text only: a bare number does not say its unit."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number with a unit: '500ms', '30s', '5m' or '1h'")
    return float(match[1]) * _UNIT_S[match[2]]


def _not_bool(value: object) -> object:
    """YAML reads ``yes`` as true, which Python would take for the number 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("is not a header name")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("holds characters that a header cannot carry")
    return value


def _http_url(url: str) -> str:
    """An absolute http(s) URL without credentials, query or fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL: its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an absolute URL with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry credentials; give them as access_key or headers")
    if parts.query or parts.fragment:
        raise ValueError("must not carry a query or fragment")
    return url


def _filled(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty")
    return value


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_duration_s), Field(ge=0, allow_inf_nan=False)]
"""A duration in Plano's spelling (``30s``), as float seconds."""

Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
"""A finite float."""

Whole = Annotated[int, BeforeValidator(_not_bool)]
"""An int."""

Name = Annotated[str, BeforeValidator(_stripped), Field(min_length=1, max_length=512)]
"""Text that names something: not empty."""

Port = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=65535)]
"""A TCP port."""

HeaderName = Annotated[str, AfterValidator(_header_name)]
"""An HTTP header's name."""

Headers = dict[HeaderName, Annotated[SecretStr, AfterValidator(_header_value)]]
"""Headers to send; any of the values may be a credential."""

Secret = Annotated[SecretStr, AfterValidator(_filled)]
"""A credential: not empty, hidden in every repr."""

HTTPURL = Annotated[str, BeforeValidator(_stripped), AfterValidator(_http_url)]
"""An absolute http(s) URL."""
