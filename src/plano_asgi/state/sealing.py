"""Values as they lie in the store: plain JSON, or sealed with AES-GCM where a key is given."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from plano_asgi.errors import ConfigurationError, MissingExtra

_NONCE_BYTES = 12
_MARK = b"\x01"
_KEY_BYTES = (16, 24, 32)


class Sealer:
    """
    Seals values. Each is bound to its name, so that nobody with access to the store can put one
    tenant's value in another's place.

    Args:
        keys: 16, 24 or 32 bytes each. The first one seals, all of them open: to change keys, put
            the new one in front.

    Raises:
        ConfigurationError: No key, or one of another length.
        MissingExtra: The package ``cryptography`` is not installed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) not in _KEY_BYTES for key in keys):
            raise ConfigurationError("a key to seal with has 16, 24 or 32 bytes")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise MissingExtra("sealed conversation state", "vault") from None
        self._ciphers: list[Any] = [AESGCM(key) for key in keys]

    def __repr__(self) -> str:
        return f"Sealer({len(self._ciphers)} keys)"

    def seal(self, name: str, plain: bytes) -> bytes:
        """*plain*, sealed for *name*."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = self._ciphers[0].encrypt(nonce, plain, name.encode())
        return _MARK + nonce + sealed

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """What ``seal`` made *sealed* of; ``None`` for anything else, plain values included."""
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(_MARK) or len(sealed) <= 1 + _NONCE_BYTES:
            return None
        nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                opened: bytes = cipher.decrypt(nonce, content, name.encode())
            except InvalidTag:
                continue
            return opened
        return None
