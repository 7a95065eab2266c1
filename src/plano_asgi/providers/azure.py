"""Azure OpenAI: one API, two ways of addressing it."""

from __future__ import annotations

import re
from typing import Unpack
from urllib.parse import quote

from plano_asgi.errors import ConfigurationError
from plano_asgi.providers.profiles import ENDPOINTS, PROFILES
from plano_asgi.providers.provider import CHAT_PATHS, Provider, ProviderOptions
from plano_asgi.providers.quirks import CHAT, RESPONSES

DATED_DEFAULT = "2025-01-01-preview"
"""The version assumed for a ``base_url`` that ends in ``/deployments``; Plano's."""

_DATED = re.compile(r"\d{4}-\d\d-\d\d(?:-preview)?")
_BARE_HOST = re.compile(r"https?://[^/]+/*")
_RESPONSES_SINCE = "2025-03-01"


class AzureOpenAI(Provider):
    """
    A resource of Azure OpenAI; model ids are deployment names.

    Args:
        base_url: ``https://<resource>.openai.azure.com``, or with a path, which is taken as it
            is.
        api_version: ``None`` or ``"v1"`` (default): the v1 API, ``/openai/v1/chat/completions``,
            no version parameter. ``"preview"``: the same with ``api-version=preview``. A date
            (``2024-10-21``, ``2025-04-01-preview``): the older style,
            ``/openai/deployments/<model>/chat/completions?api-version=<date>``.
        **options: As for ``Provider``.

    Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_version: str | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        version = api_version or "v1"
        if api_version is None and base_url and base_url.rstrip("/").endswith("/deployments"):
            version = DATED_DEFAULT
        self._dated = _DATED.fullmatch(version) is not None
        if not self._dated and version not in ("v1", "preview"):
            raise ConfigurationError(
                f"api_version {version!r}: allowed are 'v1', 'preview' and a date such as "
                "'2024-10-21' or '2025-04-01-preview'"
            )
        self._query = "" if version == "v1" else f"?api-version={version}"
        if self._dated and base_url and _BARE_HOST.fullmatch(base_url.strip()):
            base_url = base_url.strip().rstrip("/") + "/openai/deployments"
        super().__init__(PROFILES["azure_openai"], base_url=base_url, **options)
        if self._dated and version < _RESPONSES_SINCE:
            self._dialects = {**self._dialects, RESPONSES: CHAT}

    def _locate(self, path: str, dialect: str, model: str, streams: bool) -> str:
        if not self._dated:
            return super()._locate(path, dialect, model, streams) + self._query
        if dialect and path in CHAT_PATHS:
            path = ENDPOINTS[dialect].path
        below = super()._locate(path, "", model, streams).removeprefix(self._root)
        if not model or below.startswith("/responses"):  # these are not a deployment's
            return self._root.removesuffix("/deployments") + below + self._query
        return f"{self._root}/{quote(model, safe='', errors='replace')}{below}{self._query}"
