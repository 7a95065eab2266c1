"""Who an identity is, by name."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser

from plano_asgi.identities import identity_name

_UUID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (None, None),
        ("", None),
        ("ann", "ann"),
        (7, "7"),
        (True, None),
        (_UUID, str(_UUID)),
        (SimpleNamespace(id=7, identity="x"), "7"),
        (SimpleNamespace(id=None, identity="ann"), "ann"),
        (SimpleNamespace(name="ann"), None),
        ({"sub": "ann", "aud": "here"}, "ann"),
        ({"name": "ann"}, None),
        (SimpleUser("ann"), "ann"),
        (UnauthenticatedUser(), None),
    ],
)
def test_an_identity_has_a_name(identity: Any, name: str | None) -> None:
    """Or it is nobody's."""
    assert identity_name(identity) == name
