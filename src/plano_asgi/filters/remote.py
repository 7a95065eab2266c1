"""
What filters behind a network have in common: what they are sent, and what their silence means.

The contract is Plano's: 200 goes on with the body that came back, 4xx stops with that answer for
the client, anything else is a failure, and ``on_error`` says what becomes of it. The client's
credentials stay here unless asked for: a filter is somebody else's program.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import structlog

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import ConfigurationError, FilterUnavailable
from plano_asgi.exchange import Exchange
from plano_asgi.filters.base import Filter

_PATHS = {
    "openai.chat": "/v1/chat/completions",
    "anthropic.messages": "/v1/messages",
    "openai.responses": "/v1/responses",
}
_PORTS = {"http": 80, "https": 443}
_log = structlog.get_logger("plano_asgi")

MAX_BYTES = 32 << 20


class RemoteFilter(Filter):
    """
    A filter behind a network.

    Args:
        name: Its id, in logs and errors.
        url: Where the service is: ``http://`` or ``https://``.
        timeout_s: For one call, connecting included.
        on_error: "closed": an exchange that it cannot judge ends; "open": it goes on unfiltered,
            and the log says so.
        max_bytes: Of one answer of the filter.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout_s: float = 10.0,
        on_error: Literal["closed", "open"] = "closed",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if not name:
            raise ConfigurationError("a filter needs an id")
        if timeout_s <= 0:
            raise ConfigurationError(f"filter {name!r}: timeout_s must be more than 0")
        if on_error not in ("closed", "open"):
            raise ConfigurationError(
                f"filter {name!r}: on_error must be 'closed' or 'open', not {on_error!r}"
            )
        self.name = name
        self._facts = {"protocol": self.protocol, **_server(name, url)}
        self.timeout_s = timeout_s
        self.on_error = on_error
        self.max_bytes = max_bytes

    @property
    def facts(self) -> dict[str, Any]:
        """With the service's host and port."""
        return self._facts

    def failed(self, exchange: Exchange, cause: str, error: Exception | None = None) -> None:
        """
        Note that the filter could not do its work; *cause* holds no content.

        Raises:
            FilterUnavailable: Unless ``on_error`` is "open".
        """
        _log.warning(
            "filter_failed",
            filter=self.name,
            request_id=exchange.id,
            cause=cause,
            error=type(error).__name__ if error else None,
            on_error=self.on_error,
        )
        if self.on_error == "closed":
            raise FilterUnavailable(f"The filter {self.name!r} {cause}.") from error


def _server(name: str, url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        return {"address": parts.hostname, "port": parts.port or _PORTS[parts.scheme]}
    except (ValueError, KeyError):
        raise ConfigurationError(
            f"filter {name!r}: {url!r} is no http:// or https:// URL"
        ) from None


def path_hint(exchange: Exchange) -> str:
    """The API a body belongs to, as Plano's filters know it: wherever the gateway is mounted."""
    return _PATHS.get(exchange.dialect, exchange.path)


def client_text(content: bytes, *, max_chars: int = 2000) -> str:
    """What a refusing filter said to the client: its JSON's message, or its text."""
    text = content.decode("utf-8", "replace")
    try:
        found = _message(loads(text))
    except ValueError:
        found = text
    return (found or text)[:max_chars].strip()


def _message(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in ("error", "message", "detail"):
            if found := _message(value.get(key)):
                return found
    return None


def json_object(content: bytes) -> JSONObject | None:
    """*content* as a JSON object; ``None`` if it is none."""
    try:
        value = loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
