"""The catalogue: every row builds and asks where and how it says."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from plano_asgi._json import JSONObject, loads
from plano_asgi.errors import ConfigurationError
from plano_asgi.providers import ALIASES, PROFILES, find_profile, make_provider
from plano_asgi.providers.base import UpstreamCall, UpstreamProvider
from plano_asgi.providers.catalogue import KNOWN_MODELS
from plano_asgi.providers.profiles import CLIENT_DIALECTS, ENDPOINTS
from plano_asgi.providers.provider import Provider

KEY = "sk-very-secret"
CHAT, RESPONSES, MESSAGES = CLIENT_DIALECTS

NATIVE: dict[str, tuple[str, str, str]] = {
    "anthropic": (MESSAGES, MESSAGES, MESSAGES),
    "amazon_bedrock": ("bedrock.converse", "bedrock.converse", "bedrock.converse"),
    "openai": (CHAT, RESPONSES, CHAT),
    "xai": (CHAT, RESPONSES, CHAT),
    "azure_openai": (CHAT, RESPONSES, CHAT),
    "chatgpt": (RESPONSES, RESPONSES, RESPONSES),
    "vercel": (CHAT, RESPONSES, MESSAGES),
}

ROOTS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "xai": "https://api.x.ai/v1",
    "together_ai": "https://api.together.xyz/v1",
    "moonshotai": "https://api.moonshot.ai/v1",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4",
    "xiaomi": "https://api.xiaomimimo.com/v1",
    "digitalocean": "https://inference.do-ai.run/v1",
    "chatgpt": "https://chatgpt.com/backend-api/codex",
    "azure_openai": "https://acme.openai.azure.com/openai/v1",
    "ollama": "http://localhost:11434/v1",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "amazon_bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "edenai": "https://api.edenai.run/v3",
    "plano": "https://archfc.katanemo.dev/v1",
    "astraflow": "https://api-us-ca.umodelverse.ai/v1",
    "astraflow_cn": "https://api.modelverse.cn/v1",
    "cohere": "https://api.cohere.ai/compatibility/v1",
    "perplexity": "https://api.perplexity.ai",
    "fireworks": "https://api.fireworks.ai/inference/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "nvidia": "https://integrate.api.nvidia.com/v1",
    "huggingface": "https://router.huggingface.co/v1",
    "vllm": "http://localhost:8000/v1",
    "lmstudio": "http://localhost:1234/v1",
    "github": "https://models.github.ai/inference",
    "openai_compatible": "https://llm.example/v1",
}
MANDATORY = {
    "azure_openai": "https://acme.openai.azure.com",
    "amazon_bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "openai_compatible": "https://llm.example",
}
PATHS = {
    CHAT: "/chat/completions",
    RESPONSES: "/responses",
    MESSAGES: "/messages",
    "bedrock.converse": "/model/m/converse",
}


def build(name: str) -> Provider:
    """The provider of a row, with a key."""
    return make_provider(name, api_key=KEY, base_url=MANDATORY.get(name))


def body_of(provider: UpstreamProvider, call: UpstreamCall) -> JSONObject:
    """The JSON that goes out."""
    decoded: JSONObject = loads(provider.request(call).content)
    return decoded


def test_every_row_is_in_the_tables_here() -> None:
    """A new row has to say its URL."""
    assert set(ROOTS) == set(PROFILES)
    assert all(name == row.name for name, row in PROFILES.items())


@pytest.mark.parametrize("client", CLIENT_DIALECTS)
@pytest.mark.parametrize("name", PROFILES)
def test_row_asks_at_the_right_place(name: str, client: str) -> None:
    """Each client dialect reaches the URL of the dialect that the provider natively speaks."""
    provider: UpstreamProvider = build(name)
    dialect = provider.dialect_for(client, "m")
    expected = NATIVE.get(name, (CHAT, CHAT, CHAT))[CLIENT_DIALECTS.index(client)]
    assert dialect == expected
    body: JSONObject = {"model": f"{name}/m", "messages": [{"role": "user", "content": "hi"}]}
    call = UpstreamCall(path="/chat/completions", dialect=dialect, model="m", body=body)
    request = provider.request(call)
    assert request.url == ROOTS[name] + PATHS[expected]
    assert request.method == "POST"
    sent = loads(request.content)
    assert sent.get("model") == (None if expected == "bedrock.converse" else "m")
    assert body == {"model": f"{name}/m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("name", PROFILES)
def test_row_sends_the_key_once_and_shows_it_nowhere(name: str) -> None:
    """One header has the key; URL, body and reprs do not."""
    provider = build(name)
    call = UpstreamCall(
        path="/chat/completions", dialect=provider.dialect_for(CHAT, "m"), model="m"
    )
    request = provider.request(call)
    header, prefix = {
        "anthropic": ("x-api-key", ""),
        "azure_openai": ("api-key", ""),
    }.get(name, ("authorization", "Bearer "))
    assert [key for key, value in request.headers.items() if KEY in value] == [header]
    assert request.headers[header] == prefix + KEY
    shown = f"{provider!r} {request!r} {request.url} {request.content!r} {provider.base_url}"
    assert KEY not in shown


@pytest.mark.parametrize("name", PROFILES)
def test_row_is_sound(name: str) -> None:
    """Roots are absolute and end without a slash, header names are lower-case, patterns compile."""
    row = PROFILES[name]
    if row.base_url is not None:
        parts = urlsplit(row.base_url)
        assert parts.scheme in ("http", "https")
        assert not row.base_url.endswith("/")
    assert row.prefix == "" or re.fullmatch(r"(/[^/]+)+", row.prefix)
    for header in (*row.headers, *row.forwards, *row.credential_headers):
        assert header == header.lower()
    assert set(row.dialects) <= set(CLIENT_DIALECTS)
    assert {row.dialect, *row.dialects.values()} <= set(ENDPOINTS)
    for quirk in row.quirks:
        assert re.compile(quirk.models)
        assert quirk.dialect in ENDPOINTS
    assert row.default_max_output_tokens > 0


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_alias_finds_its_row(alias: str, name: str) -> None:
    """Other words lead to rows that exist."""
    assert find_profile(alias) is PROFILES[name]
    assert alias not in PROFILES


def test_unknown_provider_is_answered_with_names() -> None:
    """The error has near matches and the whole list."""
    with pytest.raises(ConfigurationError, match=r"Did you mean mistral.*anthropic.*zhipu"):
        find_profile("mistrall")


def test_catalogue_belongs_to_rows_and_repeats_nothing() -> None:
    """Known ids are by row, without doubles."""
    assert set(KNOWN_MODELS) <= set(PROFILES)
    for models in KNOWN_MODELS.values():
        assert len(models) == len(set(models)) > 0
