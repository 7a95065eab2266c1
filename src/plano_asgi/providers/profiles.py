"""
Who serves models, as rows: adding a provider to the catalogue is one row.

Facts only. Keys are not read here: ``env_key`` is the variable's usual name, for messages and for
whoever composes a gateway out of an environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from plano_asgi.providers import quirk_rows
from plano_asgi.providers.quirks import CHAT, CONVERSE, MESSAGES, RESPONSES, Quirk

AuthScheme = Literal["bearer", "x-api-key", "api-key", "none"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where a dialect is spoken, below the API's root. ``{model}`` is the URL-encoded model id.
    *stream_path* and *stream_accept* stand for a stream where it has a place of its own.
    """

    path: str
    stream_path: str = ""
    stream_accept: str = "text/event-stream"


ENDPOINTS: Mapping[str, Endpoint] = {
    CHAT: Endpoint("/chat/completions"),
    RESPONSES: Endpoint("/responses"),
    MESSAGES: Endpoint("/messages"),
    CONVERSE: Endpoint(
        "/model/{model}/converse",
        "/model/{model}/converse-stream",
        "application/vnd.amazon.eventstream",
    ),
}
"""The upstream dialects a provider may speak."""

CLIENT_DIALECTS = (CHAT, RESPONSES, MESSAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderProfile:
    """
    One provider.

    Args:
        name: The config prefix (``openai`` in ``openai/gpt-4o``).
        display_name: ``owned_by`` in model lists.
        base_url: The API's whole root, version prefix included. ``None``: must be given.
        prefix: Path of a root given as a bare host (``https://host`` -> ``https://host/v1``).
        completed_paths: Path of a given root -> what it has to be (``/v1beta`` ->
            ``/v1beta/openai``). Any other path is taken as it is.
        env_key: Usual environment variable of the key.
        auth: How the key is sent.
        bearer_prefix: Tokens that begin so are sent as ``Authorization: Bearer`` whatever *auth*.
        key_optional: Works without a key.
        passthrough_without_key: Without a key, the client's own credentials are meant.
        dialect: Upstream dialect of any client that *dialects* does not list.
        dialects: Client dialect -> upstream dialect.
        family: Whose models; "" is *name*. See ``UpstreamProvider.family``.
        models_path: Where models are listed, or ``None``.
        headers: Sent with every request.
        host_headers: Host of the root -> headers it wants besides.
        forwards: The client's headers that are this vendor's own, and forwarded.
        credential_headers: More of them, forwarded only with the client's own credentials.
        quirks: See ``providers.quirk_rows``.
        unsupported: Chat fields the upstream answers 400 to; left out under ``drop_unsupported``.
        stream_usage: Knows ``stream_options`` on chat streams.
        stream_only: Answers in streams only.
        relays: Serves more than its dialects' endpoints (embeddings, audio, files, ...).
        default_max_output_tokens: See ``WriteOptions``.
    """

    name: str
    display_name: str
    base_url: str | None
    env_key: str | None
    prefix: str = "/v1"
    completed_paths: Mapping[str, str] = field(default_factory=dict)
    auth: AuthScheme = "bearer"
    bearer_prefix: str = ""
    key_optional: bool = False
    passthrough_without_key: bool = False
    dialect: str = CHAT
    dialects: Mapping[str, str] = field(default_factory=dict)
    family: str = ""
    models_path: str | None = "/models"
    headers: Mapping[str, str] = field(default_factory=dict)
    host_headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    forwards: tuple[str, ...] = ()
    credential_headers: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    unsupported: frozenset[str] = frozenset()
    stream_usage: bool = True
    stream_only: bool = False
    relays: bool = True
    default_max_output_tokens: int = 8192


_NATIVE_RESPONSES = {RESPONSES: RESPONSES}
_NATIVE_ALL = {RESPONSES: RESPONSES, MESSAGES: MESSAGES}
_ANTHROPIC_HEADERS = ("anthropic-beta", "anthropic-version")

_ROWS = (
    ProviderProfile(
        name="openai",
        display_name="OpenAI",
        base_url="https://api.openai.com/v1",
        env_key="OPENAI_API_KEY",
        dialects=_NATIVE_RESPONSES,
        forwards=("openai-beta",),
        # they choose who pays, so they belong to the credentials
        credential_headers=("openai-organization", "openai-project"),
        quirks=quirk_rows.OPENAI,
    ),
    ProviderProfile(
        name="anthropic",
        display_name="Anthropic",
        base_url="https://api.anthropic.com/v1",
        env_key="ANTHROPIC_API_KEY",
        auth="x-api-key",
        bearer_prefix="sk-ant-oat",  # OAuth tokens are refused as x-api-key
        dialect=MESSAGES,
        headers={"anthropic-version": "2023-06-01"},
        forwards=_ANTHROPIC_HEADERS,
        quirks=quirk_rows.ANTHROPIC,
    ),
    ProviderProfile(
        name="gemini",
        display_name="Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        env_key="GEMINI_API_KEY",
        prefix="/v1beta/openai",
        completed_paths={"/v1beta": "/v1beta/openai"},
        quirks=quirk_rows.GEMINI,
        # Vali-98/ChatterUI#227
        unsupported=frozenset(
            {"frequency_penalty", "presence_penalty", "seed", "logit_bias", "logprobs"}
        ),
    ),
    ProviderProfile(
        name="groq",
        display_name="Groq",
        base_url="https://api.groq.com/openai/v1",
        env_key="GROQ_API_KEY",
        prefix="/openai/v1",
        completed_paths={"/openai": "/openai/v1"},
        quirks=quirk_rows.GROQ,
        # https://console.groq.com/docs/openai
        unsupported=frozenset({"logit_bias", "logprobs", "top_logprobs"}),
    ),
    ProviderProfile(
        name="mistral",
        display_name="Mistral",
        base_url="https://api.mistral.ai/v1",
        env_key="MISTRAL_API_KEY",
        quirks=quirk_rows.MISTRAL,
        unsupported=frozenset({"logit_bias", "logprobs", "top_logprobs", "modalities", "audio"}),
        stream_usage=False,
    ),
    ProviderProfile(
        name="deepseek",
        display_name="Deepseek",
        base_url="https://api.deepseek.com/v1",
        env_key="DEEPSEEK_API_KEY",
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="xai",
        display_name="xAI",
        base_url="https://api.x.ai/v1",
        env_key="XAI_API_KEY",
        dialects=_NATIVE_RESPONSES,
        forwards=("x-grok-conv-id",),
        quirks=quirk_rows.XAI,
        # refused by its reasoning models: https://docs.x.ai/docs/guides/reasoning
        unsupported=frozenset({"presence_penalty", "frequency_penalty", "stop"}),
    ),
    ProviderProfile(
        name="together_ai",
        display_name="Together AI",
        base_url="https://api.together.xyz/v1",
        env_key="TOGETHER_API_KEY",
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="moonshotai",
        display_name="Moonshot AI",
        base_url="https://api.moonshot.ai/v1",
        env_key="MOONSHOT_API_KEY",
        completed_paths={"/coding": "/coding/v1"},
        host_headers={"api.kimi.com": {"user-agent": "KimiCLI/1.3"}},  # refused otherwise
        quirks=quirk_rows.MOONSHOT,
    ),
    ProviderProfile(
        name="zhipu",
        display_name="Zhipu AI",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        env_key="ZHIPU_API_KEY",
        prefix="/api/paas/v4",
        quirks=quirk_rows.ZHIPU,
    ),
    ProviderProfile(
        name="xiaomi",
        display_name="Xiaomi",
        base_url="https://api.xiaomimimo.com/v1",
        env_key="XIAOMI_MIMO_API_KEY",
        quirks=quirk_rows.PLAIN,
    ),
    ProviderProfile(
        name="digitalocean",
        display_name="DigitalOcean",
        base_url="https://inference.do-ai.run/v1",
        env_key="DO_API_KEY",
        quirks=(*quirk_rows.PLAIN, *quirk_rows.OPENAI),
    ),
    ProviderProfile(
        name="chatgpt",
        display_name="ChatGPT",
        base_url="https://chatgpt.com/backend-api/codex",
        env_key="CHATGPT_ACCESS_TOKEN",
        prefix="/backend-api/codex",
        passthrough_without_key=True,  # a subscription's token is its user's
        dialect=RESPONSES,  # the backend has no other API
        models_path=None,
        headers={"originator": "plano-asgi"},
        forwards=("openai-beta", "originator", "session_id", "conversation_id"),
        credential_headers=("chatgpt-account-id",),
        quirks=quirk_rows.CHATGPT,
        stream_only=True,
    ),
    ProviderProfile(
        name="azure_openai",
        display_name="Azure OpenAI",
        base_url=None,
        env_key="AZURE_OPENAI_API_KEY",
        prefix="/openai/v1",
        auth="api-key",
        bearer_prefix="eyJ",  # a JWT of Entra ID
        dialects=_NATIVE_RESPONSES,
        quirks=quirk_rows.OPENAI,
    ),
    ProviderProfile(
        name="ollama",
        display_name="Ollama",
        base_url="http://localhost:11434/v1",
        env_key="OLLAMA_API_KEY",
        key_optional=True,
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="qwen",
        display_name="Qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        env_key="DASHSCOPE_API_KEY",
        prefix="/compatible-mode/v1",
        completed_paths={"/compatible-mode": "/compatible-mode/v1"},
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="amazon_bedrock",
        display_name="Amazon Bedrock",
        base_url=None,
        env_key="AWS_BEARER_TOKEN_BEDROCK",
        prefix="",
        dialect=CONVERSE,
        # thinking signatures are good on both sides, and mostly Claude has them
        family="anthropic",
        models_path=None,
        quirks=quirk_rows.BEDROCK,
        relays=False,
    ),
    ProviderProfile(
        name="vercel",
        display_name="Vercel AI Gateway",
        base_url="https://ai-gateway.vercel.sh/v1",
        env_key="AI_GATEWAY_API_KEY",
        dialects=_NATIVE_ALL,
        forwards=_ANTHROPIC_HEADERS,
        quirks=(quirk_rows.FUNCTIONS_ONLY,),
    ),
    ProviderProfile(
        name="openrouter",
        display_name="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        env_key="OPENROUTER_API_KEY",
        prefix="/api/v1",
        completed_paths={"/api": "/api/v1"},
        forwards=("http-referer", "x-title"),
        quirks=(quirk_rows.FUNCTIONS_ONLY,),
    ),
    ProviderProfile(
        name="edenai",
        display_name="Eden AI",
        base_url="https://api.edenai.run/v3",
        env_key="EDENAI_API_KEY",
        prefix="/v3",
        quirks=quirk_rows.PLAIN,
    ),
    ProviderProfile(
        name="plano",
        display_name="Plano",
        base_url="https://archfc.katanemo.dev/v1",
        env_key="PLANO_API_KEY",
        key_optional=True,
        models_path=None,
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="astraflow",
        display_name="Astraflow",
        base_url="https://api-us-ca.umodelverse.ai/v1",
        env_key="ASTRAFLOW_API_KEY",
        quirks=quirk_rows.PLAIN,
    ),
    ProviderProfile(
        name="astraflow_cn",
        display_name="Astraflow (China)",
        base_url="https://api.modelverse.cn/v1",
        env_key="ASTRAFLOW_CN_API_KEY",
        family="astraflow",
        quirks=quirk_rows.PLAIN,
    ),
    ProviderProfile(
        name="cohere",
        display_name="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        env_key="COHERE_API_KEY",
        prefix="/compatibility/v1",
        models_path=None,
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="perplexity",
        display_name="Perplexity",
        base_url="https://api.perplexity.ai",
        env_key="PERPLEXITY_API_KEY",
        prefix="",
        models_path=None,
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="fireworks",
        display_name="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        env_key="FIREWORKS_API_KEY",
        prefix="/inference/v1",
        completed_paths={"/inference": "/inference/v1"},
        forwards=("x-session-affinity",),
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="cerebras",
        display_name="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        env_key="CEREBRAS_API_KEY",
        quirks=quirk_rows.CEREBRAS,
        unsupported=frozenset({"frequency_penalty", "presence_penalty", "logit_bias"}),
    ),
    ProviderProfile(
        name="nvidia",
        display_name="NVIDIA",
        base_url="https://integrate.api.nvidia.com/v1",
        env_key="NVIDIA_API_KEY",
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="huggingface",
        display_name="Hugging Face",
        base_url="https://router.huggingface.co/v1",
        env_key="HF_TOKEN",
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="vllm",
        display_name="vLLM",
        base_url="http://localhost:8000/v1",
        env_key="VLLM_API_KEY",
        key_optional=True,
        quirks=quirk_rows.PLAIN,
    ),
    ProviderProfile(
        name="lmstudio",
        display_name="LM Studio",
        base_url="http://localhost:1234/v1",
        env_key="LMSTUDIO_API_KEY",
        key_optional=True,
        quirks=quirk_rows.COMPATIBLE,
    ),
    ProviderProfile(
        name="github",
        display_name="GitHub",
        base_url="https://models.github.ai/inference",
        env_key="GITHUB_TOKEN",
        prefix="/inference",
        models_path=None,
        quirks=(quirk_rows.FUNCTIONS_ONLY, *quirk_rows.OPENAI),
    ),
    ProviderProfile(
        name="openai_compatible",
        display_name="OpenAI-compatible",
        base_url=None,
        env_key=None,
        key_optional=True,
        quirks=quirk_rows.PLAIN,
    ),
)

PROFILES: Mapping[str, ProviderProfile] = {row.name: row for row in _ROWS}
"""Every row by its name."""

ALIASES: Mapping[str, str] = {
    "google": "gemini",
    "together": "together_ai",
    "do": "digitalocean",
    "do_ai": "digitalocean",
    "amazon": "amazon_bedrock",
    "bedrock": "amazon_bedrock",
    "azure": "azure_openai",
}
"""Other words for a row."""
