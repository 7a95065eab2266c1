"""Amazon Bedrock by its Converse API, with a Bedrock API key."""

from __future__ import annotations

import re
from typing import Unpack

from plano_asgi.errors import ConfigurationError
from plano_asgi.providers.profiles import PROFILES
from plano_asgi.providers.provider import Provider, ProviderOptions

_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")


class Bedrock(Provider):
    """
    Bedrock in one region. Model ids are model, inference profile or ARN; any is URL-encoded.

    Args:
        region: ``us-east-1``, ...; makes the URL. One of *region* and *base_url* must be given.
        base_url: The runtime's root instead (a VPC endpoint, a proxy).
        **options: As for ``Provider``; ``api_key`` is a Bedrock API key.

    Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        base_url: str | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        if base_url is None and region is not None:
            if not _REGION.fullmatch(region):
                raise ConfigurationError(f"region {region!r} is not one, as in 'us-east-1'")
            domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            base_url = f"https://bedrock-runtime.{region}.{domain}"
        if base_url is None:
            raise ConfigurationError("Amazon Bedrock needs a region or a base_url")
        super().__init__(PROFILES["amazon_bedrock"], base_url=base_url, **options)
