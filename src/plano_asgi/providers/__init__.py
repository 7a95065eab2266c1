"""Who serves models, and how to ask: rows, quirks, and the classes rows cannot say."""

from __future__ import annotations

from typing import Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.providers.azure import AzureOpenAI
from plano_asgi.providers.bedrock import Bedrock
from plano_asgi.providers.echo import Echo
from plano_asgi.providers.profiles import ALIASES, PROFILES, ProviderProfile
from plano_asgi.providers.provider import Provider, ProviderOptions, find_profile

__all__ = [
    "ALIASES",
    "PROFILES",
    "AzureOpenAI",
    "Bedrock",
    "Echo",
    "Provider",
    "ProviderOptions",
    "ProviderProfile",
    "find_profile",
    "make_provider",
]


def make_provider(
    profile: str,
    *,
    base_url: str | None = None,
    api_version: str | None = None,
    region: str | None = None,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """
    The provider for a row's name or alias: of its own class where it has one.

    Args:
        profile: ``openai``, ``azure``, ``bedrock``, ...
        base_url: See ``Provider``.
        api_version: Azure OpenAI only.
        region: Amazon Bedrock only.
        **options: See ``Provider``.

    Raises:
        ConfigurationError: An argument that cannot work; says which and what is allowed.
    """
    row = find_profile(profile)
    if api_version is not None and row.name != "azure_openai":
        raise ConfigurationError(f"api_version is Azure OpenAI's, not {row.name}'s")
    if region is not None and row.name != "amazon_bedrock":
        raise ConfigurationError(f"region is Amazon Bedrock's, not {row.name}'s")
    if row.name == "azure_openai":
        return AzureOpenAI(base_url=base_url, api_version=api_version, **options)
    if row.name == "amazon_bedrock":
        return Bedrock(base_url=base_url, region=region, **options)
    return Provider(row, base_url=base_url, **options)
