"""
Models as users write them, made into providers and names: the only wiring.

Python's ``Model("openai/gpt-4o", api_key=...)`` and a ``model_providers`` entry of a YAML file take
the same way, so that everything a file can say can be said in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count

from pydantic import SecretStr

from plano_asgi.config.schema_models import ACCOUNT, ACCOUNT_SHAPE, ModelAlias, ModelProvider
from plano_asgi.errors import ConfigurationError
from plano_asgi.pricing import ACCOUNT_MARK
from plano_asgi.providers import Echo, find_profile, make_provider
from plano_asgi.providers.base import UpstreamProvider
from plano_asgi.providers.client import Timeouts
from plano_asgi.routing.names import WILDCARD, Alias, ModelEntry, Target

ECHO = "plano/echo"


@dataclass(frozen=True, slots=True)
class Model:
    """
    One model, or with ``provider/*`` all models, of one provider account.

    Args:
        model: ``provider/model-id`` or ``provider/*``; the id may hold ``/``.
        name: What clients may call it instead.
        account: Which of several accounts or servers of one prefix it belongs to: a name of yours,
            of up to 32 lower-case letters, digits, ``-`` and ``_``, a letter first. It is part of
            the key that clients and logs see and stores keep, ``openai~eu``.
        api_key: The provider's key. ``None``: read from the provider's usual environment
            variable when the gateway is built, but only for its own *base_url*.
        base_url: The API's root, where it is not the provider's public one.
        interface: Which known provider an unknown prefix behaves like (``openai_compatible``).
        default: Serves requests with a missing or unknown model.
        headers: Sent upstream besides, over anything else.
        passthrough_auth: Send the client's own credentials upstream instead of a key.
        http_host: The ``Host`` header upstream.
        api_version: Azure's.
        region: Amazon Bedrock's.
        dialects: Client dialect -> upstream dialect, over the provider's own.
        drop_unsupported: Leave out what the upstream cannot express instead of a 400.
    """

    model: str
    name: str | None = None
    api_key: str | SecretStr | None = field(default=None, repr=False)
    base_url: str | None = None
    interface: str | None = None
    default: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    passthrough_auth: bool = False
    http_host: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    api_version: str | None = None
    region: str | None = None
    dialects: Mapping[str, str] = field(default_factory=dict)
    drop_unsupported: bool = False
    account: str | None = None

    @property
    def prefix(self) -> str:
        """``openai`` in ``openai/gpt-4o``."""
        return self.model.partition("/")[0].strip()

    @property
    def id(self) -> str:
        """The upstream's model id, or ``*``."""
        return self.model.partition("/")[2]


def model_from_entry(entry: ModelProvider, *, connect_s: float | None = None) -> Model:
    """A ``model_providers`` entry as a ``Model``; *connect_s* where it sets none of its own."""
    timeouts = entry.timeouts.model_dump(exclude_none=True)
    if connect_s is not None:
        timeouts.setdefault("connect_s", connect_s)
    headers = {name: value.get_secret_value() for name, value in entry.headers.items()}
    return Model(
        entry.model,
        name=entry.name,
        account=entry.account,
        api_key=None if entry.passthrough_auth else entry.access_key,
        base_url=entry.base_url,
        interface=entry.provider_interface,
        default=entry.default,
        headers=headers,
        passthrough_auth=entry.passthrough_auth,
        http_host=entry.http_host,
        timeouts=Timeouts(**timeouts),
        api_version=entry.api_version,
        region=entry.region,
        dialects=dict(entry.dialects),
        drop_unsupported=entry.drop_unsupported,
    )


def alias_from_entry(entry: ModelAlias) -> Alias:
    """A ``model_aliases`` entry as an ``Alias``; targets of weight 0 are out of the draw."""
    targets = [
        Target(model=item.model, weight=item.weight) for item in entry.targets if item.weight
    ]
    if entry.target:
        targets = [Target(model=entry.target)]
    return Alias(targets=tuple(targets), fallbacks=entry.fallbacks)


def compose(
    models: Iterable[str | Model], environ: Mapping[str, str], *, authenticated: bool = False
) -> tuple[dict[str, UpstreamProvider], list[ModelEntry]]:
    """
    Providers by key, and the names that point to them.

    *authenticated*: clients' credentials are for this gateway, so that none are passed through but
    where a model says so itself.

    Models of one account share a provider. The key of one with a name is that (``openai~eu``). Of
    those without, the first one's is the prefix, and a second one's its place among them
    (``openai~2``). Clients may name an account by its key, too: ``openai~eu/gpt-4o`` is that
    account's alone, while ``openai/gpt-4o`` is any's that has it.

    Names are the only keys that stay when models change places. None is made up: what tells two
    accounts apart is often their secret alone; and no key that is computed from settings could be
    the plain prefix for either account by itself and yet differ for both together.

    Raises:
        ConfigurationError: A model that cannot be built, or differs in its settings from others of
            its named account; says which and why.
    """
    providers: dict[str, UpstreamProvider] = {}
    accounts: dict[object, str] = {}
    entries: list[ModelEntry] = []
    for item in models:
        model = item if isinstance(item, Model) else Model(item)
        _check(model)
        account = _account(model)
        key = accounts.get(account)
        if key is None:
            key = accounts[account] = _new_key(model, providers)
            providers[key] = _provider(model, key, environ, authenticated)
        entries.append(entry := _entry(model, key))
        if key != model.prefix:
            entries.append(_by_key(entry))
    return providers, entries


def _check(model: Model) -> None:
    if not model.prefix or not model.id:
        raise ConfigurationError(
            f"Invalid model name {model.model!r}: write 'provider/model-id' or 'provider/*'."
        )
    if ACCOUNT_MARK in model.prefix:
        raise ConfigurationError(f"Invalid model name {model.model!r}: a prefix has no '~'.")
    if model.account is not None and not ACCOUNT.fullmatch(model.account):
        raise ConfigurationError(f"{model.model}: an account's name {ACCOUNT_SHAPE}")


def _account(model: Model) -> object:
    key = model.api_key.get_secret_value() if isinstance(model.api_key, SecretStr) else None
    return (
        model.prefix,
        model.account,
        key or model.api_key,
        model.base_url,
        model.interface,
        tuple(sorted(model.headers.items())),
        model.passthrough_auth,
        model.http_host,
        model.timeouts,
        model.api_version,
        model.region,
        tuple(sorted(model.dialects.items())),
        model.drop_unsupported,
        model.model == ECHO,
    )


def _new_key(model: Model, taken: Mapping[str, object]) -> str:
    if model.account is not None:
        key = f"{model.prefix}{ACCOUNT_MARK}{model.account}"
        if key in taken:
            raise ConfigurationError(
                f"{model.model}: account {model.account!r} of {model.prefix!r} has other settings "
                "in another model: give both the same, or each an account of its own"
            )
        return key
    numbers = (f"{model.prefix}{ACCOUNT_MARK}{n}" for n in count(2))
    return next(key for key in chain((model.prefix,), numbers) if key not in taken)


def _entry(model: Model, key: str) -> ModelEntry:
    return ModelEntry(
        name=model.name or model.model,
        provider=key,
        model=model.id,
        prefix=model.prefix,
        default=model.default,
        owned_by=_owner(model),
    )


def _by_key(entry: ModelEntry) -> ModelEntry:
    """*entry* by the key of its account: what clients read in ``x-plano-model``, they may send."""
    is_wildcard = entry.model == WILDCARD
    return replace(
        entry,
        name=f"{entry.provider}/{entry.model}",
        prefix=entry.provider if is_wildcard else entry.prefix,
        default=False,
        listed=False,
    )


def _owner(model: Model) -> str:
    return model.prefix if model.interface else find_profile(model.prefix).display_name


def _provider(
    model: Model, key: str, environ: Mapping[str, str], authenticated: bool
) -> UpstreamProvider:
    if model.model == ECHO and model.base_url is None:
        return Echo()
    profile = find_profile(model.interface or model.prefix)
    api_key = model.api_key
    if api_key is None and not model.passthrough_auth and model.base_url is None:
        api_key = environ.get(profile.env_key or "")
    implied = profile.passthrough_without_key and not api_key and not authenticated
    return make_provider(
        profile.name,
        base_url=model.base_url,
        api_version=model.api_version,
        region=model.region,
        name=key,
        api_key=api_key,
        headers=model.headers,
        passthrough_auth=model.passthrough_auth or implied,
        host=model.http_host,
        timeouts=model.timeouts,
        dialects=model.dialects,
        drop_unsupported=model.drop_unsupported,
    )
