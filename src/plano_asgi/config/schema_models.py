"""Who serves which model: ``model_providers`` and ``model_aliases``."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from plano_asgi.config.issues import listed
from plano_asgi.config.schema_base import (
    HTTPURL,
    ConfigModel,
    Headers,
    Name,
    Number,
    Secret,
    Whole,
)
from plano_asgi.providers.profiles import CLIENT_DIALECTS, ENDPOINTS

OLD_INTERFACES = {"arch": "plano", "claude": "anthropic"}
"""What earlier versions called a *provider_interface*."""

ACCOUNT = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""The name of an account; never a number, which those without a name have."""
ACCOUNT_SHAPE = "has up to 32 lower-case letters, digits, '-' and '_', a letter first"

_AT_PLANO = re.compile(r"echo|\*|(plano|arch)-.+", re.IGNORECASE)
"""Ids of ``plano/...`` that someone serves."""


def _one_of(allowed: Collection[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of: {listed(allowed)}")
        return value

    return AfterValidator(check)


ClientDialect = Annotated[str, _one_of(CLIENT_DIALECTS)]
"""What a client may speak."""

UpstreamDialect = Annotated[str, _one_of(ENDPOINTS)]
"""What an upstream may speak."""


def _account_name(value: str) -> str:
    if not ACCOUNT.fullmatch(value):
        raise ValueError(ACCOUNT_SHAPE)
    return value


def _new_interface(value: object) -> object:
    return OLD_INTERFACES.get(value, value) if isinstance(value, str) else value


class ProviderTimeouts(ConfigModel):
    """Time limits of one provider in seconds; what is absent keeps the gateway's default."""

    connect_s: Number | None = Field(default=None, gt=0)
    """TCP and TLS."""
    read_s: Number | None = Field(default=None, gt=0)
    """Between two reads of the response, its headers included."""
    first_token_s: Number | None = Field(default=None, gt=0)
    """From sending to the first content event of a stream."""
    total_s: Number | None = Field(default=None, gt=0)
    """The whole exchange."""


class Capabilities(ConfigModel):
    """What a model can take, where no catalogue knows it."""

    context_window: Whole | None = Field(default=None, ge=1)
    """Tokens."""
    supports_vision: bool | None = None
    supports_image_output: bool | None = None
    supports_audio_output: bool | None = None


class InlinePreference(ConfigModel):
    """The v0.3 way to write a routing preference; migrated to the top level below v0.4."""

    name: Name
    description: str = ""


class ModelProvider(ConfigModel):
    """One entry of ``model_providers``: a model, or all models (``openai/*``) of a provider."""

    model: Name
    """``<provider>/<model id>``; the model id may hold slashes, ``*`` stands for any model."""
    name: Name | None = None
    """What clients may call it besides *model*. ``full_name`` fills in the default."""
    access_key: Secret | None = None
    default: bool = False
    base_url: HTTPURL | None = None
    passthrough_auth: bool = False
    """Send the client's own credential upstream; wins over *access_key*."""
    http_host: Name | None = None
    """``Host`` header for the upstream."""
    provider_interface: Annotated[Name | None, BeforeValidator(_new_interface)] = None
    """For a provider Plano does not know: the one whose API it speaks."""
    headers: Headers = Field(default_factory=dict)
    """Sent upstream, after auth, replacing others of their name."""
    routing_preferences: tuple[InlinePreference, ...] = ()
    capabilities: Capabilities | None = None

    timeouts: ProviderTimeouts = Field(default_factory=ProviderTimeouts)
    api_version: Name | None = None
    """Azure: the ``api-version`` query parameter."""
    region: Name | None = None
    """Amazon Bedrock: the AWS region, instead of a *base_url*."""
    dialects: dict[ClientDialect, UpstreamDialect] = Field(default_factory=dict)
    """Client dialect to upstream dialect, where it differs from the provider's profile."""
    account: Annotated[str, AfterValidator(_account_name)] | None = None
    """Which of several accounts or servers of its prefix: part of the key ``openai~eu``."""
    drop_unsupported: bool = False
    """Leave out request fields the upstream cannot express instead of answering 400."""

    @model_validator(mode="after")
    def _exists_at_plano(self) -> Self:
        is_own = self.base_url is not None or self.provider_interface is not None
        if self.provider == "plano" and not is_own and not _AT_PLANO.fullmatch(self.model_id):
            raise ValueError(
                f"there is no model {self.model!r}: plano/echo is built in, and Plano hosts "
                "plano/Plano-... and plano/Arch-...; one of your own needs 'base_url'"
            )
        return self

    @property
    def provider(self) -> str:
        """The prefix clients write: ``openai`` in ``openai/gpt-4o``."""
        return self.model.partition("/")[0].strip()

    @property
    def model_id(self) -> str:
        """The upstream's model id; ``*`` at the end for a wildcard."""
        return self.model.partition("/")[2]

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every model below its prefix."""
        return self.model.endswith("/*")

    @property
    def interface(self) -> str:
        """The known provider whose API it speaks."""
        return self.provider_interface or self.provider

    @property
    def full_name(self) -> str:
        """*name*, or *model* where none is given."""
        return self.name or self.model


class WeightedTarget(ConfigModel):
    """One side of a traffic split."""

    model: Name
    weight: Number = Field(default=1.0, ge=0)
    """Share relative to the other targets; 0 takes it out."""


class ModelAlias(ConfigModel):
    """
    A name for a model. Exactly one of *target* and *targets*.

    A target is looked for among the configured models first, then among the aliases.
    """

    target: Name | None = None
    targets: tuple[WeightedTarget, ...] = ()
    """Split by weight."""
    fallbacks: tuple[Name, ...] = ()
    """Tried in this order when the target fails before its first content."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.target is None) == (not self.targets):
            raise ValueError("needs exactly one of 'target' and 'targets'")
        if self.targets and not any(target.weight for target in self.targets):
            raise ValueError("needs a target with a weight above 0")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """Every model named, in order: target or targets, then fallbacks."""
        primary = (self.target,) if self.target else tuple(item.model for item in self.targets)
        return (*primary, *self.fallbacks)
