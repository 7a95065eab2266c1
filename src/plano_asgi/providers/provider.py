"""The provider of any HTTP API that a row can describe."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypedDict
from urllib.parse import quote

from pydantic import SecretStr

from plano_asgi._json import JSONObject, dumps
from plano_asgi.errors import ConfigurationError, NotFound, RequestError, Unauthorized
from plano_asgi.providers.arguments import (
    HEADER_VALUE,
    api_root,
    checked_dialects,
    checked_headers,
    secret_key,
    static_headers,
)
from plano_asgi.providers.base import UpstreamCall
from plano_asgi.providers.client import HTTPRequest, Timeouts, Transport, UpstreamReply
from plano_asgi.providers.profiles import (
    ALIASES,
    ENDPOINTS,
    PROFILES,
    ProviderProfile,
)
from plano_asgi.providers.quirks import CHAT, MESSAGES, RESPONSES, Drop, Quirk
from plano_asgi.wire.base import WriteOptions

_AUTH = {
    "bearer": ("authorization", "Bearer "),
    "x-api-key": ("x-api-key", ""),
    "api-key": ("api-key", ""),
}
AUTH_HEADERS = frozenset(name for name, _ in _AUTH.values())
CHAT_PATHS = frozenset({"/chat/completions", "/responses", "/messages"})
_PATH_SAFE = "/:@,;=+$!*'()~"
_CACHED = 1024
_LONGEST = 2048  # an ARN


def find_profile(name: str) -> ProviderProfile:
    """
    The row called *name*, or known by that alias.

    Raises:
        ConfigurationError: There is none; lists near matches and all names.
    """
    if profile := PROFILES.get(ALIASES.get(name, name)):
        return profile
    near = difflib.get_close_matches(name, [*PROFILES, *ALIASES], n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ConfigurationError(
        f"Unknown provider '{name}'.{hint} Known providers: {', '.join(sorted(PROFILES))}"
    )


class ProviderOptions(TypedDict, total=False):
    """Arguments that every kind of ``Provider`` takes; see there."""

    name: str | None
    api_key: str | SecretStr | None
    headers: Mapping[str, str] | None
    passthrough_auth: bool
    host: str | None
    timeouts: Timeouts | None
    dialects: Mapping[str, str] | None
    drop_unsupported: bool
    family: str | None
    extra_quirks: tuple[Quirk, ...]


class Provider:
    """
    One account at one provider; implements ``UpstreamProvider``.

    Args:
        profile: A row, or the name of one.
        name: Shown to clients; the row's name by default.
        api_key: The key. Blank is none.
        base_url: The API's root in place of the row's. A bare host gets the row's prefix; a path
            is taken as it is.
        headers: Sent with every request, over anything else.
        passthrough_auth: Send the client's own credentials (``Authorization``, else
            ``x-api-key``) and never ours.
        host: ``Host`` header, where it differs from the URL's.
        timeouts: Defaults to ``Timeouts()``.
        dialects: Client dialect -> upstream dialect, over the row's.
        drop_unsupported: Leave out what the upstream cannot express instead of failing.
        family: Whose models (see ``UpstreamProvider.family``), over the row's.
        extra_quirks: Applied after the row's.

    Raises:
        ConfigurationError: An argument that cannot work; says which and what is allowed.
    """

    def __init__(
        self,
        profile: ProviderProfile | str,
        *,
        name: str | None = None,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        passthrough_auth: bool = False,
        host: str | None = None,
        timeouts: Timeouts | None = None,
        dialects: Mapping[str, str] | None = None,
        drop_unsupported: bool = False,
        family: str | None = None,
        extra_quirks: tuple[Quirk, ...] = (),
    ) -> None:
        row = find_profile(profile) if isinstance(profile, str) else profile
        self._profile = row
        self._name = name or row.name
        self._family = family or row.family or row.name
        self._timeouts = timeouts or Timeouts()
        self._root = api_root(row, base_url, self._name)
        self._dialects = {**row.dialects, **checked_dialects(dialects or {}, self._name)}
        self._key = secret_key(api_key, self._name)
        self._key_optional = row.key_optional or (
            base_url is not None and row.base_url is not None  # somebody else's server
        )
        self._passthrough = passthrough_auth
        custom = checked_headers(headers or {}, self._name)
        self._static = static_headers(row, self._root, host, custom, self._name)
        self._own_auth = not AUTH_HEADERS.isdisjoint(custom)
        forwards = row.forwards + (row.credential_headers if self._passthrough else ())
        self._forwards = tuple(header for header in forwards if header not in custom)
        self._options = WriteOptions(
            default_max_output_tokens=row.default_max_output_tokens,
            on_unsupported="drop" if drop_unsupported else "error",
        )
        dropped = (Drop(tuple(sorted(row.unsupported))),) if drop_unsupported else ()
        self._all_quirks = (*row.quirks, *dropped, *extra_quirks)
        self._quirks = lru_cache(_CACHED)(self._select_quirks)
        self._url = lru_cache(_CACHED)(self._locate)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._profile.name!r}, name={self._name!r})"

    @property
    def name(self) -> str:
        """Shown to clients."""
        return self._name

    @property
    def family(self) -> str:
        """Whose models: reasoning signatures are valid within one family."""
        return self._family

    @property
    def missing(self) -> str | None:
        """What has to be configured before it can be asked, in a sentence; ``None`` if nothing."""
        row = self._profile
        optional = self._passthrough or self._key_optional or self._own_auth or row.auth == "none"
        if self._key is not None or optional:
            return None
        usual = f" (usually ${row.env_key})" if row.env_key else ""
        return f"Provider '{self._name}' has no API key{usual}"

    @property
    def timeouts(self) -> Timeouts:
        """Time limits of its requests."""
        return self._timeouts

    @property
    def profile(self) -> ProviderProfile:
        """The row it was made of."""
        return self._profile

    @property
    def base_url(self) -> str:
        """The API's root, without a slash at its end."""
        return self._root

    def dialect_for(self, client_dialect: str, model: str, /) -> str:
        """The upstream dialect for a client of *client_dialect*."""
        return self._dialects.get(client_dialect, self._profile.dialect)

    def write_options(self, model: str, /) -> WriteOptions:
        """What it adds to the writing of a request."""
        return self._options

    def streams(self, call: UpstreamCall, /) -> bool:
        """Whether the answer comes as a stream."""
        return call.stream or (self._profile.stream_only and call.dialect != "")

    def request(self, call: UpstreamCall, /) -> HTTPRequest:
        """
        Build the HTTP request for *call*; see ``UpstreamProvider.request``.

        Raises:
            NotFound: The provider has no such path.
            Unauthorized: Passthrough auth, and the client sent no credentials.
            ConfigurationError: No key is configured.
        """
        streams = self.streams(call)
        return HTTPRequest(
            method="POST",
            url=self._url(call.path, call.dialect, call.model, streams),
            headers=self._headers(call, streams),
            content=self._content(call, streams) if call.content is None else call.content,
        )

    async def open(self, request: HTTPRequest, transport: Transport, /) -> UpstreamReply:
        """Send *request* by *transport*."""
        return await transport.open(request, self._timeouts)

    # ----------------------------------------------------------------------- URL

    def _locate(self, path: str, dialect: str, model: str, streams: bool) -> str:
        """The URL of a call; what it returns is cached, so nothing endless may pass."""
        if len(model) > _LONGEST or len(path) > _LONGEST:
            raise RequestError(f"A model id or path over {_LONGEST} characters", param="model")
        if dialect and path in CHAT_PATHS:
            endpoint = ENDPOINTS[dialect]
            path = endpoint.stream_path if streams and endpoint.stream_path else endpoint.path
            return self._root + path.replace("{model}", _segment(model))
        self._check_relay(path)
        return self._root + quote(path, safe=_PATH_SAFE, errors="replace")

    def _check_relay(self, path: str) -> None:
        if not path.startswith("/") or ".." in path.split("/"):
            raise RequestError(f"'{path}' is not a path")
        home = {"messages": MESSAGES, "responses": RESPONSES}.get(path.split("/")[1])
        served = {self._profile.dialect, *self._dialects.values()}
        if not self._profile.relays or (home and home not in served):
            raise NotFound(f"Provider '{self._name}' does not serve {path}")

    # ----------------------------------------------------------------------- headers

    def _headers(self, call: UpstreamCall, streams: bool) -> dict[str, str]:
        accept = "application/json"
        if streams:
            accept = ENDPOINTS[call.dialect].stream_accept if call.dialect else "text/event-stream"
        headers = {"accept": accept, "content-type": call.content_type, **self._static}
        for name in self._forwards:
            value = call.client_headers.get(name)
            if value and HEADER_VALUE.fullmatch(value):
                headers[name] = value
        if not self._own_auth:
            self._authorize(headers, call.client_headers)
        return headers

    def _authorize(self, headers: dict[str, str], client: Mapping[str, str]) -> None:
        scheme = self._profile.auth
        if self._passthrough:
            token = _client_token(client)
            if token is None:
                raise Unauthorized(
                    "Send your own key for this model (authorization or x-api-key header)"
                )
        elif self._key is None:
            if self.missing is None:
                return
            raise ConfigurationError(self.missing)
        else:
            token = self._key.get_secret_value()
        prefix = self._profile.bearer_prefix
        if prefix and token.startswith(prefix):
            scheme = "bearer"
        name, word = _AUTH.get(scheme, _AUTH["bearer"])
        headers[name] = word + token

    # ----------------------------------------------------------------------- body

    def _content(self, call: UpstreamCall, streams: bool) -> bytes:
        body = dict(call.body)
        if call.model:
            body["model"] = call.model
        if call.dialect:
            self._say_stream(body, call.dialect, streams)
            for quirk in self._quirks(call.dialect, call.model):
                quirk.apply(body)
        try:
            return dumps(body)
        except ValueError as exc:
            raise RequestError(f"The request cannot be written as JSON: {exc}") from exc

    def _say_stream(self, body: JSONObject, dialect: str, streams: bool) -> None:
        if streams:
            body["stream"] = True
        elif body.get("stream"):
            del body["stream"]
        if dialect != CHAT:
            return
        if streams and self._profile.stream_usage:
            options: Any = body.get("stream_options")
            kept = options if isinstance(options, dict) else {}
            body["stream_options"] = {**kept, "include_usage": True}
        else:
            body.pop("stream_options", None)

    def _select_quirks(self, dialect: str, model: str) -> tuple[Quirk, ...]:
        return tuple(quirk for quirk in self._all_quirks if quirk.applies(model, dialect))


def _segment(model: str) -> str:
    """*model* as one segment of a path, that no client or server takes for another place."""
    if not model.strip("."):
        raise RequestError("A model id of dots alone", param="model")
    return quote(model, safe="", errors="replace")


def _client_token(headers: Mapping[str, str]) -> str | None:
    """The client's key: ``Authorization`` (``Bearer x`` or raw) before ``x-api-key``."""
    token = headers.get("authorization", "").strip()
    scheme, _, rest = token.partition(" ")
    if scheme.lower() == "bearer":
        token = rest.strip()
    if token and " " not in token:  # a space: some other scheme
        return token
    return headers.get("x-api-key", "").strip() or None
