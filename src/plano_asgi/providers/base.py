"""
The contract of a provider: who serves a model, and how to ask.

``Provider`` turns one call into one HTTP request: dialect, URL, auth, quirks of *this* upstream.
Facts live in ``ProviderProfile`` rows (``profiles.py``); a class of its own exists only where a
row cannot say it (Azure, Bedrock, echo).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from plano_asgi._json import JSONObject
from plano_asgi.providers.client import HTTPRequest, Timeouts, Transport, UpstreamReply
from plano_asgi.wire.base import WriteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """
    One call to one model, ready but for the provider's own ways.

    Args:
        path: What is asked, relative to the API's root: ``/chat/completions`` (any chat dialect),
            ``/embeddings``, ``/messages/count_tokens``, ``/audio/speech``, ...
        dialect: The upstream dialect, as ``Provider.dialect_for`` chose it; "" for relayed paths.
        model: The upstream's model id.
        body: The JSON body in *dialect*; not yet adapted. Empty for a multipart relay.
        content: A ready body to send as is (multipart, audio) instead of *body*.
        content_type: Of *content*.
        client_headers: The client's own headers (lower-case), of which a provider forwards a few
            (``anthropic-beta``, ...) and, only under passthrough auth, the credentials.
    """

    path: str
    dialect: str
    model: str
    stream: bool = False
    body: JSONObject = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    client_headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class UpstreamProvider(Protocol):
    """What the attempt engine needs of a provider. ``Provider`` is the one for HTTP APIs."""

    @property
    def name(self) -> str:
        """Shown to clients: ``openai`` in ``openai/gpt-4o``."""
        ...

    @property
    def family(self) -> str:
        """Whose models: signed or encrypted reasoning is only valid within one family."""
        ...

    @property
    def missing(self) -> str | None:
        """What has to be configured before it can be asked, in a sentence; ``None`` if nothing."""
        ...

    @property
    def timeouts(self) -> Timeouts: ...

    def dialect_for(self, client_dialect: str, model: str, /) -> str:
        """The upstream dialect for a client of *client_dialect* (its own where natively served)."""
        ...

    def write_options(self, model: str, /) -> WriteOptions: ...

    def streams(self, call: UpstreamCall, /) -> bool:
        """Whether the answer comes as a stream: as asked, but some upstreams only stream."""
        ...

    def request(self, call: UpstreamCall, /) -> HTTPRequest:
        """
        Build the HTTP request: quirks on a copy of ``call.body``, URL, auth.

        Raises:
            RequestError: The call cannot work here (for example: no such path at this provider).
            Unauthorized: Passthrough auth and the client sent no credentials.
            ConfigurationError: No key is configured for this provider.
        """
        ...

    async def open(self, request: HTTPRequest, transport: Transport, /) -> UpstreamReply:
        """Send it. An in-process provider answers here without touching *transport*."""
        ...
