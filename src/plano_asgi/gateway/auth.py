"""Who may call: the ``auth=`` hook, and a ready-made one for API keys."""

from __future__ import annotations

import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from pydantic import SecretStr
from starlette.types import Scope

from plano_asgi.errors import ConfigurationError, Unauthorized

Auth: TypeAlias = Callable[[Scope], Any | Awaitable[Any]]
"""
Vouches for a request: returns an identity (any value but ``None``), or ``None`` for nobody, which
is answered 401. May be async; may raise ``Unauthorized`` or ``Forbidden`` with words of its own.
"""


async def authenticate(auth: Auth | None, scope: Scope) -> Any:
    """
    The identity behind *scope*: what *auth* says, or without one the host app's ``scope["user"]``.

    Raises:
        Unauthorized: *auth* does not know the caller.
    """
    if auth is None:
        return scope.get("user")
    identity = auth(scope)
    if inspect.isawaitable(identity):
        identity = await identity
    if identity is None:
        raise Unauthorized("Missing or invalid API key.")
    return identity


class ApiKeys:
    """
    API keys for ``auth=``: ``ApiKeys({"alice": "key-1", "ci": "key-2"})``.

    The identity is the name. Keys come as ``Authorization: Bearer <key>`` or ``x-api-key``. Only
    SHA-256 digests are kept, and every one of them is compared in constant time.
    """

    def __init__(self, keys: Mapping[str, str | SecretStr]) -> None:
        if not keys:
            raise ConfigurationError("ApiKeys needs at least one key")
        self._digests: dict[str, bytes] = {}
        for name, key in keys.items():
            secret = key.get_secret_value() if isinstance(key, SecretStr) else key
            if len(secret) < 8:
                raise ConfigurationError(f"the API key of {name!r} has fewer than 8 characters")
            self._digests[name] = _digest(secret.encode())

    def __call__(self, scope: Scope) -> str | None:
        """The name whose key the request carries."""
        given = _digest(_credential(scope))
        found: str | None = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found


def _credential(scope: Scope) -> bytes:
    api_key = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.strip().partition(b" ")
            if scheme.lower() == b"bearer" and token.strip():
                return bytes(token.strip())
        elif name == b"x-api-key":
            api_key = bytes(value.strip())
    return api_key


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
