"""
What a provider is built from, checked once: addresses, headers, keys, dialects.

Every function raises ``ConfigurationError``, naming the provider and what is allowed, and never a
secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from pydantic import SecretStr

from plano_asgi.errors import ConfigurationError
from plano_asgi.providers.profiles import CLIENT_DIALECTS, ENDPOINTS, ProviderProfile

_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def api_root(profile: ProviderProfile, base_url: str | None, name: str) -> str:
    """The API's root, without a slash at its end."""
    if base_url is None:
        if profile.base_url is None:
            raise ConfigurationError(f"Provider '{name}' ({profile.name}) needs a base_url")
        return profile.base_url
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError(
            f"base_url of provider '{name}': its host or port cannot be read"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"base_url of provider '{name}' must be http(s)://host[:port]/path"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"base_url of provider '{name}' must not hold credentials")
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", base_url.strip()):
        raise ConfigurationError(f"base_url of provider '{name}' must end with its path")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    path = "/" + parts.path.strip("/")
    return origin + (profile.prefix if path == "/" else profile.completed_paths.get(path, path))


def checked_dialects(dialects: Mapping[str, str], name: str) -> Mapping[str, str]:
    """*dialects*, each of them known. Raises ``ConfigurationError``."""
    for client, upstream in dialects.items():
        if client not in CLIENT_DIALECTS or upstream not in ENDPOINTS:
            raise ConfigurationError(
                f"dialects of provider '{name}': {client!r} -> {upstream!r}; allowed are "
                f"{', '.join(CLIENT_DIALECTS)} -> {', '.join(ENDPOINTS)}"
            )
    return dialects


def secret_key(key: str | SecretStr | None, name: str) -> SecretStr | None:
    """The key, trimmed; ``None`` if blank. Raises ``ConfigurationError``, never showing it."""
    text = (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()
    if not HEADER_VALUE.fullmatch(text):
        raise ConfigurationError(f"api_key of provider '{name}' holds characters no header may")
    return SecretStr(text) if text else None


def checked_headers(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Lower-case names; refuses what would break the request's framing."""
    checked: dict[str, str] = {}
    for header, value in headers.items():
        lower = header.lower()
        if not _HEADER_NAME.fullmatch(lower) or lower in _FRAMING:
            hint = "; use host=" if lower == "host" else ""
            raise ConfigurationError(f"headers of provider '{name}': {header!r} not allowed{hint}")
        if not HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"headers of provider '{name}': the value of {header!r} holds characters "
                "no header may"
            )
        checked[lower] = value.strip()
    return checked


def static_headers(
    profile: ProviderProfile, root: str, host: str | None, custom: Mapping[str, str], name: str
) -> dict[str, str]:
    """What goes out with every request, but for the credentials."""
    headers = {
        "accept-encoding": "identity",  # bytes are relayed as they come
        "user-agent": f"plano-asgi/{_version()}",
        **profile.headers,
        **profile.host_headers.get(urlsplit(root).hostname or "", {}),
        **custom,
    }
    if host is not None:
        if not host or not re.fullmatch(r"[\x21-\x7e]+", host):
            raise ConfigurationError(f"host of provider '{name}' is not a host name")
        headers["host"] = host
    return headers


@cache
def _version() -> str:
    try:
        return version("plano-asgi")
    except PackageNotFoundError:  # pragma: no cover - run from a source tree, not installed
        return "0"
