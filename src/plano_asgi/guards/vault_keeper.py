"""
Vaults that outlive their exchange: for conversations whose earlier turns a server keeps.

With ``previous_response_id`` or ``conversation`` the client sends only what is new, while the
model still sees the placeholders of the turns before. A ``VaultKeeper`` keeps each response's
vault, sealed, so that the next exchange knows their values. Stateless conversations need none:
their requests bring every value along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plano_asgi.errors import ConfigurationError
from plano_asgi.exchange import LISTENS, Exchange, ResponseFilter
from plano_asgi.guards.vault import VAULT_KEY, Vault
from plano_asgi.identities import identity_name
from plano_asgi.passages import StreamEditor, WireEvent
from plano_asgi.stores.base import Store

_RESPONSES = "openai.responses"


class VaultKeeper:
    """
    A request-side step, in front of the guards: ``GuardChain(guards, vaults=VaultKeeper(...))``.

    Vaults are kept by the caller's identity and the response's id: another tenant's id opens
    nothing. While the store is down, an exchange that needs a vault fails, and so does one whose
    vault cannot be kept, before its last event.

    Args:
        store: Where the sealed vaults are.
        key: Seals them (AES-GCM): 16, 24 or 32 bytes. Needs the extra ``vault``.
        ttl_s: As long as the conversations last.

    Raises:
        ConfigurationError: The key's length.
        MissingExtra: The extra ``vault`` is not installed.
    """

    def __init__(self, store: Store, key: bytes, *, ttl_s: float = 30 * 86_400.0) -> None:
        if len(key) not in (16, 24, 32):
            raise ConfigurationError("a vault is sealed with a key of 16, 24 or 32 bytes")
        Vault().dump(key)  # says now if the extra is missing
        self._store, self._key, self._ttl_s = store, key, ttl_s

    async def __call__(self, exchange: Exchange) -> None:
        """
        Open the vault of the turn that *exchange* goes on from; have its own kept.

        Raises:
            StoreUnavailable: The store is down.
        """
        if exchange.dialect != _RESPONSES or exchange.operation != "chat":
            return
        before = [exchange.body.get("previous_response_id"), conversation_of(exchange.body)]
        for name in before:
            if isinstance(name, str) and VAULT_KEY not in exchange.state:
                sealed = await self._store.get(self._place(exchange, name))
                if sealed is not None:
                    vault = exchange.state[VAULT_KEY] = Vault()
                    vault.load(sealed, self._key)
        exchange.response_filters.append(_Keep(self, conversation_of(exchange.body)))

    async def keep(self, exchange: Exchange, name: str) -> None:
        """Keep the vault of *exchange* as that of the response or conversation *name*."""
        vault: Vault | None = exchange.state.get(VAULT_KEY)
        if vault:
            sealed = vault.dump(self._key)
            await self._store.put(self._place(exchange, name), sealed, ttl_s=self._ttl_s)

    def _place(self, exchange: Exchange, name: str) -> str:
        identity = identity_name(exchange.identity) or ""
        return f"vault:{len(identity)}:{identity}:{name}"[:512]


def conversation_of(body: dict[str, Any]) -> str | None:
    """The id of the conversation that a Responses body names."""
    named = body.get("conversation")
    found = named.get("id") if isinstance(named, dict) else named
    return found if isinstance(found, str) else None


class _Keep(ResponseFilter):
    """Keeps the vault before the client can know the response's end."""

    rank = LISTENS

    def __init__(self, keeper: VaultKeeper, conversation: str | None) -> None:
        self._keeper, self._conversation = keeper, conversation

    async def on_body(self, body: Any, exchange: Exchange) -> Any:
        await self._keep(body, exchange)
        return body

    async def on_event(
        self, event: WireEvent, editor: StreamEditor, exchange: Exchange
    ) -> Sequence[WireEvent]:
        if editor.read(event).is_last and isinstance(event.data, dict):
            await self._keep(event.data.get("response"), exchange)
        return (event,)

    async def _keep(self, response: Any, exchange: Exchange) -> None:
        found = response.get("id") if isinstance(response, dict) else None
        for name in (found, self._conversation):
            if isinstance(name, str):
                await self._keeper.keep(exchange, name)
