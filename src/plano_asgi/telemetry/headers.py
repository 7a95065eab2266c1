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

_WORDS = (
    "2fa apikeys? assertion cert clientcert creds? csrf dpop dsn grant login magic mfa nonce otp"
    " pass pat pin private psk pw pwd saml sas seed sess session sid sig sso ticket totp vault xsrf"
)
_PARTS = (
    r"api[-_.]?key auth(?!or(?!iz)) bearer certificate connection[-_.]?string cookie credential"
    r" hmac honeycomb[-_.]team jwt key(?:id|s)?(?:$|[-_.]) passcode passphrase passw saml secret"
    r" sess(?:ion)?[-_.]?id signature token(?!s)"
    r" (?:access|device|invite|login|recovery|reset|verification)[-_.]?code access[-_.]?tokens"
    r" code[-_.]?verifier conn[-_.]?str userpass webhook[-_.]?url"
)
_CREDENTIAL = re.compile(
    rf"(?:^|[-_.])(?:{_WORDS.replace(' ', '|')})(?:$|[-_.])|{_PARTS.replace(' ', '|')}"
)
"""Names of headers that may carry one: whole words, and parts of any."""
_RESERVED = (
    *("gen_ai.", "openai.", "plano.", "signals.", "llm."),
    *("error.", "exception.", "http.", "otel.", "server."),
)
_MAX_KEY_CHARS = 128
_BETWEEN_SLASHES = re.compile(r"[^\s/]+")


class SpanHeaders:
    """
    Attributes for the spans of an exchange: fixed ones, and headers by prefix.

    ``x-tenant-id: ten_456`` under the prefix ``x-`` becomes ``tenant.id``. A header wins over a
    fixed attribute of the same name. Headers that may carry credentials (by their names:
    ``cookie``, ``*auth*``, ``*token*``, ``*key``, ``*secret*``, ``pass``, ``session``, ``ticket``,
    ``cert``, ...) are left out whatever the prefixes, and so is one that would pass for an
    attribute of ours (``gen_ai.*``, ``plano.*``). In the values of others, what looks like a key
    is put out, and so is ``user:password`` before an ``@``.

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
                shown = _without_keys(attribute_text(value, self._max_seen_chars).strip())
                attributes[key] = shown[: self._max_value_chars]
                left -= 1
        return attributes

    def _key(self, name: str) -> str:
        """The attribute of header *name*; "" for none."""
        prefix = next(prefix for prefix in self._prefixes if name.startswith(prefix))
        key = name.removeprefix(prefix).lstrip("-").replace("-", ".")[:_MAX_KEY_CHARS]
        return "" if key.startswith(_RESERVED) else key


def _without_keys(text: str) -> str:
    """*text*, with ``***`` for what looks like a key, and for who logs in where (``a:b@host``)."""
    text = CREDENTIAL.sub("***", text)
    return _BETWEEN_SLASHES.sub(_without_login, text) if "@" in text else text


def _without_login(found: re.Match[str]) -> str:
    login, _, host = found[0].rpartition("@")
    return f"***@{host}" if ":" in login else found[0]
