"""Whose memory an exchange uses: an identity that the host app vouches for, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import SCOPE_KEY, Exchange
from plano_asgi.identities import identity_name
from plano_asgi.memory.base import Namespace

NamespaceOf: TypeAlias = Callable[[Any], str | Sequence[str] | None]
"""
The namespace for an ASGI scope, however the host types one: a name or several, ``None`` or empty
for no memory.

``lambda scope: scope["user"].id`` is one. A ``KeyError`` or ``AttributeError`` means that nobody
is logged in, and so no memory.
"""


def namespace_for(exchange: Exchange, namespace_of: NamespaceOf) -> Namespace | None:
    """
    The namespace of *exchange*, or ``None``.

    Raises:
        ConfigurationError: *namespace_of* returned something that is no name.
    """
    try:
        found = namespace_of(exchange.scope)
    except (KeyError, AttributeError):
        return None
    if not found:
        return None
    names = (found,) if isinstance(found, str) else tuple(found)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError("a namespace is made of texts: return str(user.id), say")
    # A missing half would be the memory of everybody who lacks it, too.
    return names if all(names) else None


def check_namespace(namespace: Namespace) -> None:
    """
    Refuse what is no namespace.

    Raises:
        ConfigurationError: Empty, or one of its names is.
    """
    if not namespace or isinstance(namespace, str) or not all(namespace):
        raise ConfigurationError("a namespace is a tuple of names, none of them empty")


def identity(scope: Mapping[str, Any]) -> str | None:
    """
    The name of the identity that the gateway's ``auth=`` vouched for (see ``identity_name``): the
    default inside a gateway.
    """
    return identity_name(getattr(scope.get(SCOPE_KEY), "identity", None))
