"""The name of an identity, as stores keep things by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

_NAMES = ("id", "identity", "username")
_CLAIMS = ("id", "sub")


def identity_name(identity: Any) -> str | None:
    """
    What *identity* (``Exchange.identity``) is called: a text, number or UUID by itself, an object
    by its ``id``, else its ``identity``, else its ``username``, a mapping (a token's claims) by
    its ``id``, else its ``sub``. ``None`` for nobody: somebody who is not ``is_authenticated``
    (Starlette's ``UnauthenticatedUser``), and whoever has no name.
    """
    if identity is None or getattr(identity, "is_authenticated", True) is False:
        return None
    if (name := _text(identity)) is not None:
        return name
    if isinstance(identity, Mapping):
        return next((name for key in _CLAIMS if (name := _text(identity.get(key)))), None)
    for attribute in _NAMES:
        try:
            found = getattr(identity, attribute, None)
        except NotImplementedError:  # Starlette's ``BaseUser`` leaves ``identity`` to its heirs
            continue
        if (name := _text(found)) is not None:
            return name
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    return None
