"""Span attributes from request headers, as ``tracing.span_attributes`` asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from plano_asgi.errors import ConfigurationError
from plano_asgi.telemetry.attribute_values import (
    CREDENTIAL,
    MAX_TEXT_CHARS,
    Attributes,
    attribute_text,
)

_CREDENTIAL = re.compile(
    r"(?:^|[-_.])(?:sig|sid|pwd|pin|otp|session|dpop|csrf|xsrf)(?:$|[-_.])"
    r"|auth(?!or(?!iz))|token(?!s)|secret|passw|passphrase|credential|cookie|bearer|jwt|signature|hmac"
    r"|api[-_.]?key|key(?:s?$|[-_.])|session[-_.]?id"
)
_RESERVED = (
    *("gen_ai.", "openai.", "plano.", "signals.", "llm."),
    *("error.", "exception.", "http.", "otel.", "server."),
)
_MAX_KEY_CHARS = 128


class SpanHeaders:
    """
    Attributes for the spans of an exchange: fixed ones, and headers by prefix.

    ``x-tenant-id: ten_456`` under the prefix ``x-`` becomes ``tenant.id``. A header wins over a
    fixed attribute of the same name. Headers that carry credentials (by their names: ``cookie``,
    ``*auth*``, ``*token*``, ``*key``, ``*secret*``, ...) are left out whatever the prefixes, and so
    is one that would pass for an attribute of ours (``gen_ai.*``, ``plano.*``). In the values of
    others, what looks like a key is put out.

    Args:
        prefixes: Of header names, in any case; the first that fits counts.
        static: The same on every span.
        max_value_chars: Of one value; the rest is cut.
        max_headers: Of one request; the rest is left out.

    Raises:
        ConfigurationError: An empty prefix, or a bound that is none.
    """

    def __init__(
        self,
        prefixes: Sequence[str] = (),
        static: Mapping[str, str | bool | int | float] | None = None,
        *,
        max_value_chars: int = MAX_TEXT_CHARS,
        max_headers: int = 32,
    ) -> None:
        if isinstance(prefixes, str) or not all(prefixes):
            raise ConfigurationError("header_prefixes must be a list of texts that are not empty")
        if min(max_value_chars, max_headers) < 1:
            raise ConfigurationError("max_value_chars and max_headers must be at least 1")
        self._prefixes = tuple(prefix.lower() for prefix in prefixes)
        self._static = dict(static or {})
        self._max_value_chars, self._max_headers = max_value_chars, max_headers
        self._max_seen_chars = 4 * max_value_chars  # half a key at the cut would not look like one

    def attributes(self, headers: Mapping[str, str]) -> Attributes:
        """Those of a request with *headers* (``Exchange.headers``: names in lower case)."""
        attributes: Attributes = dict(self._static)
        left = self._max_headers
        for name, value in headers.items():
            if not name.startswith(self._prefixes) or not left:
                continue
            key = self._key(name)
            if key and not _CREDENTIAL.search(name):
                shown = CREDENTIAL.sub("***", attribute_text(value, self._max_seen_chars).strip())
                attributes[key] = shown[: self._max_value_chars]
                left -= 1
        return attributes

    def _key(self, name: str) -> str:
        """The attribute of header *name*; "" for none."""
        prefix = next(prefix for prefix in self._prefixes if name.startswith(prefix))
        key = name.removeprefix(prefix).lstrip("-").replace("-", ".")[:_MAX_KEY_CHARS]
        return "" if key.startswith(_RESERVED) else key
