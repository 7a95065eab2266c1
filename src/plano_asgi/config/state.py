"""Conversation state as a configuration spells it, made into objects."""

from __future__ import annotations

from typing import Any

from plano_asgi.config.schema_operations import StateStorage
from plano_asgi.errors import ConfigurationError
from plano_asgi.state import PlanoTable, ResponsesState


def build_state(config: StateStorage) -> ResponsesState:
    """
    The state that a ``state_storage`` block describes. On PostgreSQL, what Plano kept in the same
    database is gone on from, by callers without identity.

    Raises:
        ConfigurationError: A URL or key that cannot be.
    """
    url = config.connection_string.get_secret_value() if config.connection_string else "memory://"
    options: dict[str, Any] = config.model_dump(
        include={"ttl_s", "max_items", "max_bytes"}, exclude_none=True
    )
    if config.key is not None:
        try:
            options["key"] = bytes.fromhex(config.key.get_secret_value())
        except ValueError:
            raise ConfigurationError("state_storage.key: must be hexadecimal digits") from None
    if config.type == "postgres":
        options["earlier"] = PlanoTable(url)
    return ResponsesState(url, **options)
