"""Whose memory an exchange uses: an identity that the host app vouches for, or none at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias
from uuid import UUID

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import SCOPE_KEY
from plano_asgi.identities import identity_name
from plano_asgi.memory.base import Namespace

Named: TypeAlias = str | int | UUID | Sequence[str | int | UUID] | None
NamespaceOf: TypeAlias = Callable[[Any], Named | Awaitable[Named]]
"""
The namespace for an ASGI scope, however the host types one: a name or several, ``None`` or empty
for no memory. May be async.

``lambda scope: scope["user"].id`` is one. A ``KeyError`` or ``AttributeError`` means that nobody
is logged in, and so no memory.
"""


async def namespace_for(scope: Mapping[str, Any], namespace_of: NamespaceOf) -> Namespace | None:
    """
    The namespace of *scope*, or ``None``.

    Raises:
        ConfigurationError: *namespace_of* returned something that is no name.
    """
    try:
        found = namespace_of(scope)
        if isawaitable(found):
            found = await found
    except (KeyError, AttributeError):
        return None
    if found is None or found is False or found == "":  # ``user.is_known and user.id``
        return None
    names: object = (found,) if _is_name(found) else found
    # Of a mapping only the keys would count, which are the same for everybody.
    if not isinstance(names, list | tuple) or not all(map(_is_name, names)):
        raise ConfigurationError("a namespace is made of texts, numbers or UUIDs")
    # A missing half would be the memory of everybody who lacks it, too.
    spelled = tuple(str(name) for name in names)
    return spelled if spelled and all(spelled) else None


def _is_name(found: object) -> bool:
    return isinstance(found, str | int | UUID) and not isinstance(found, bool)


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
