"""Naming a database server without showing what is secret of its URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from plano_asgi.errors import ConfigurationError


def shown(url: str) -> str:
    """
    *url* without user, password and query.

    Raises:
        ConfigurationError: It is no URL. The message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ConfigurationError("the store's URL cannot be read: is its port a number?") from None
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
