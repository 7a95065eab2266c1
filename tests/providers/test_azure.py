"""Azure OpenAI: both ways of addressing it."""

from __future__ import annotations

import pytest

from plano_asgi.errors import ConfigurationError
from plano_asgi.providers import AzureOpenAI, make_provider
from plano_asgi.providers.base import UpstreamCall
from plano_asgi.providers.quirks import CHAT, RESPONSES

HOST = "https://acme.openai.azure.com"


def url(provider: AzureOpenAI, path: str, dialect: str, model: str = "my gpt/4") -> str:
    """Where a call goes."""
    return provider.request(UpstreamCall(path=path, dialect=dialect, model=model)).url


@pytest.mark.parametrize(
    ("base_url", "version", "expected"),
    [
        (HOST, None, "/openai/v1/chat/completions"),
        (HOST, "v1", "/openai/v1/chat/completions"),
        (HOST + "/openai/v1/", None, "/openai/v1/chat/completions"),
        (HOST, "preview", "/openai/v1/chat/completions?api-version=preview"),
        (
            HOST,
            "2024-10-21",
            "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21",
        ),
        (
            HOST + "/custom/azure/path",
            "2024-10-21",
            "/custom/azure/path/my%20gpt%2F4/chat/completions?api-version=2024-10-21",
        ),
        (
            HOST + "/openai/deployments",
            None,
            "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2025-01-01-preview",
        ),
    ],
)
def test_chat_url(base_url: str, version: str | None, expected: str) -> None:
    """The version decides the style; a path in the root stays."""
    provider = AzureOpenAI(base_url=base_url, api_version=version, api_key="k")
    assert url(provider, "/chat/completions", CHAT) == HOST + expected


def test_other_paths_follow_the_style() -> None:
    """Embeddings belong to a deployment, Responses and files do not."""
    new = AzureOpenAI(base_url=HOST, api_key="k")
    old = AzureOpenAI(base_url=HOST + "/", api_key="k", api_version="2025-04-01-preview")
    query = "?api-version=2025-04-01-preview"
    assert url(new, "/embeddings", "", "e") == HOST + "/openai/v1/embeddings"
    assert url(old, "/embeddings", "", "e") == HOST + f"/openai/deployments/e/embeddings{query}"
    assert url(new, "/responses", RESPONSES) == HOST + "/openai/v1/responses"
    assert url(old, "/responses", RESPONSES) == HOST + f"/openai/responses{query}"
    assert url(old, "/responses/r1/cancel", "", "") == HOST + f"/openai/responses/r1/cancel{query}"
    assert url(old, "/files", "", "") == HOST + f"/openai/files{query}"


def test_responses_are_native_where_the_version_has_them() -> None:
    """An older version gets chat instead."""
    ages = {None: RESPONSES, "2025-04-01-preview": RESPONSES, "2024-10-21": CHAT}
    for version, dialect in ages.items():
        provider = AzureOpenAI(base_url=HOST, api_version=version)
        assert provider.dialect_for(RESPONSES, "m") == dialect


def test_keys_and_tokens_have_headers_of_their_own() -> None:
    """Keys go as api-key, Entra ID tokens as bearer."""
    call = UpstreamCall(path="/chat/completions", dialect=CHAT, model="m")
    key = AzureOpenAI(base_url=HOST, api_key="k").request(call).headers
    token = AzureOpenAI(base_url=HOST, api_key="eyJ.x").request(call).headers
    assert key["api-key"] == "k"
    assert "authorization" not in key
    assert token["authorization"] == "Bearer eyJ.x"
    assert "api-key" not in token


def test_construction_is_checked() -> None:
    """A root is needed, the version is one, and the key is missed at the first request."""
    with pytest.raises(ConfigurationError, match="needs a base_url"):
        AzureOpenAI()
    with pytest.raises(ConfigurationError, match="'latest': allowed are"):
        AzureOpenAI(base_url=HOST, api_version="latest")
    provider = make_provider("azure", base_url=HOST)
    assert isinstance(provider, AzureOpenAI)
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_API_KEY"):
        url(provider, "/chat/completions", CHAT)
