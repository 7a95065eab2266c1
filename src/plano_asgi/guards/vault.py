"""
Reversible masking: real values on our side of the model, placeholders on its side.

A ``Vault`` lives in ``exchange.state[VAULT_KEY]``, for one exchange. Clients that keep no state
replay a conversation with the *real* values in it, so the numbers have to come out the same every
time without anything kept here. They do: values are numbered in the order in which they first
appear in the request, oldest turn first, so they hold as long as turns are only appended. Where
history is trimmed from the front, make the vault with a ``key``: then the name of a value depends
on nothing but the key (one per tenant) and the value.

The same value, letter for letter, has the same placeholder; unmasked, it is what the user wrote.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from plano_asgi._json import dumps, loads
from plano_asgi.errors import ConfigurationError, MissingExtra
from plano_asgi.exchange import UNMASKS, Exchange
from plano_asgi.guards.channel_filter import ChannelFilter, TextTransform
from plano_asgi.guards.holdback import Holdback
from plano_asgi.guards.json_text import JSONHoldback
from plano_asgi.guards.matching import Matcher
from plano_asgi.guards.placeholders import KIND, PlaceholderMatcher, canonical, names_in
from plano_asgi.guards.redaction import redact_text
from plano_asgi.passages import Channel

VAULT_KEY = "guards.vault"
"""Where in ``Exchange.state`` the vault of an exchange is."""

_ELSEWHERE = ("previous_response_id", "conversation")
_PREPARED = "guards.vault.prepared"
_NONCE_BYTES = 12
_FORMAT = b"plano-asgi vault 1"
_SHORT, _LONG = 6, 16


class Vault:
    """
    Values and the placeholders that stand for them: ``mask("EMAIL", "a@b.org")`` is ``<EMAIL_1>``.

    Args:
        key: At least 16 bytes, one per tenant: names are then ``<EMAIL_k3f9ab>``, from an HMAC of
            kind and value, whatever came before. Values of which there are few (birth dates) can
            be guessed by whoever has the key, by nobody else. ``None``: names are numbers.
        max_values: Values held. Beyond, a value is replaced by ``[EMAIL]``, for good.
    """

    def __init__(self, *, key: bytes | None = None, max_values: int = 10_000) -> None:
        if key is not None and len(key) < 16:
            raise ConfigurationError("a vault's key must be at least 16 bytes")
        if max_values < 1:
            raise ConfigurationError("a vault's max_values must be at least 1")
        self._key = key
        self._max_values = max_values
        self._values: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._reserved: set[str] = set()

    def __repr__(self) -> str:
        return f"Vault({len(self)} values)"

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> Mapping[str, str]:
        """Name to value, read-only: ``{"EMAIL_1": "a@b.org"}``."""
        return MappingProxyType(self._values)

    def holds(self, kind: str, value: str, /) -> bool:
        """*value* has a placeholder of this kind."""
        return (kind, value) in self._placeholders

    def mask(self, kind: str, value: str, /) -> str:
        """
        The placeholder for *value*. *kind*: 2 to 24 capitals and underscores, ``EMAIL``.
        """
        known = self._placeholders.get((kind, value))
        if known is not None:
            return known
        if not KIND.match(kind):
            raise ConfigurationError(f"a placeholder's kind is A-Z and _, not {kind!r}")
        if len(self._values) >= self._max_values:
            return f"[{kind}]"
        if self._key is None:
            return self._keep(kind, self._number(kind), value)
        return self._keep(kind, self._digest(kind, value, self._key), value)

    def reserve(self, texts: Iterable[str], /) -> None:
        """
        Never issue a name that stands in *texts* already: what only looks like a placeholder
        then stays what it is. Names that were issued before are not touched.
        """
        for text in texts:
            if "_" in text:
                self._reserved.update(names_in(text))
        self._reserved -= self._values.keys()

    def unmask_matcher(self) -> Matcher:
        """Finds placeholders that were issued, in any of their spellings; see ``placeholders``."""
        return PlaceholderMatcher(self._values)

    def unmask(self, text: str, /) -> str:
        """*text*, whole, with values in the place of placeholders."""
        return redact_text(text, self.unmask_matcher())[0]

    def scrub(self, text: str, /) -> str:
        """*text* with neither placeholders nor values: the kind alone, ``[EMAIL]``, for good."""
        kinds = {name: f"[{name.rpartition('_')[0]}]" for name in self._values}
        text = redact_text(text, PlaceholderMatcher(kinds))[0]
        for name, value in sorted(self._values.items(), key=lambda item: -len(item[1])):
            text = text.replace(value, kinds[name])
        return text

    def dump(self, key: bytes, /) -> bytes:
        """
        Everything held, sealed with AES-GCM, for a ``Store``. *key*: 16, 24 or 32 bytes.

        Raises:
            MissingExtra: The package ``cryptography`` is not installed.
        """
        rows = [(placeholder, value) for (_, value), placeholder in self._placeholders.items()]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = _cipher(key).encrypt(nonce, dumps(rows), _FORMAT)
        return nonce + sealed

    def load(self, sealed: bytes, key: bytes, /) -> None:
        """
        Take in what ``dump`` sealed: those names hold on. Only into a vault that is empty.

        Raises:
            ValueError: Another key, or not what ``dump`` wrote.
            MissingExtra: The package ``cryptography`` is not installed.
        """
        if self._values:
            raise ConfigurationError("a vault that holds values cannot load others")
        for placeholder, value in loads(_open(sealed, key)):
            kind, _, suffix = placeholder[1:-1].rpartition("_")
            self._keep(kind, suffix, value)
            if suffix.isdigit():
                self._counts[kind] = max(int(suffix), self._counts.get(kind, 0))

    def _keep(self, kind: str, suffix: str, value: str) -> str:
        name = f"{kind}_{suffix}"
        self._values[canonical(name)] = value
        self._placeholders[kind, value] = placeholder = f"<{name}>"
        return placeholder

    def _number(self, kind: str) -> str:
        number = self._counts.get(kind, 0) + 1
        while self._is_taken(kind, str(number)):
            number += 1
        self._counts[kind] = number
        return str(number)

    def _digest(self, kind: str, value: str, key: bytes) -> str:
        mac = hmac.digest(key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        word = base64.b32encode(mac).decode().lower()
        length = _SHORT
        while length < _LONG and self._is_taken(kind, word[:length]):
            length += 1
        return word[:length]

    def _is_taken(self, kind: str, suffix: str) -> bool:
        name = canonical(f"{kind}_{suffix}")
        return name in self._values or name in self._reserved


def vault_of(exchange: Exchange, /) -> Vault:
    """
    The vault of *exchange*; made on first use, and told what in the request looks like one of its
    placeholders. To choose another (keyed, or loaded), put it into ``exchange.state`` before.
    """
    vault: Vault | None = exchange.state.get(VAULT_KEY)
    if vault is None:
        # Earlier turns that only a server knows used numbers, too: names of this exchange's own
        # can stay unfilled in an answer, and never be filled with another value.
        is_continued = any(exchange.body.get(name) for name in _ELSEWHERE)
        key = secrets.token_bytes(16) if is_continued else None
        vault = exchange.state[VAULT_KEY] = Vault(key=key)
    if _PREPARED not in exchange.state:
        exchange.state[_PREPARED] = True
        vault.reserve(passage.text for passage in exchange.passages())
    return vault


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtra("an encrypted vault", "vault") from None
    return AESGCM(key)


def _open(sealed: bytes, key: bytes) -> bytes:
    cipher = _cipher(key)
    from cryptography.exceptions import InvalidTag

    if len(sealed) <= _NONCE_BYTES:
        raise ValueError("not a vault sealed with this key")
    try:
        opened: bytes = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _FORMAT)
    except InvalidTag:
        raise ValueError("not a vault sealed with this key") from None
    return opened


class Unmask(ChannelFilter):
    """
    Puts the values of *vault* back into an answer: every text of it, tool arguments and errors
    included, over any cut. Runs after all other steps, so that they see placeholders only.
    """

    rank = UNMASKS

    def __init__(self, vault: Vault) -> None:
        super().__init__()
        self._matcher = vault.unmask_matcher()

    def transform(self, channel: Channel, /) -> TextTransform:
        """A holdback of its own for every channel."""
        held = JSONHoldback if channel.is_json else Holdback
        return _Unmasked(held(self._matcher))


class _Unmasked:
    """One running text, unmasked."""

    def __init__(self, held: Holdback | JSONHoldback) -> None:
        self._held = held

    async def feed(self, text: str, /) -> str:
        """What is decided now."""
        return self._held.feed(text)

    async def flush(self) -> str:
        """The rest."""
        return self._held.flush()
