"""
Which upstream differs how, as rows; each group says where it is known from.

What is left out here is either a hint that does not change the answer (``store``, ``metadata``) or
a value the model has one fixed meaning for (sampling while it reasons). Everything else that an
upstream refuses is left to its own 400, which names the field.
"""

from __future__ import annotations

from plano_asgi.providers.quirks import (
    CONVERSE,
    MESSAGES,
    RESPONSES,
    Clamp,
    Default,
    Drop,
    DropInFunctions,
    DropInMessages,
    DropItem,
    DropWhileReasoning,
    Exclusive,
    FunctionsOnly,
    ListInput,
    MapValues,
    Pin,
    Quirk,
    Rename,
    RenameRole,
    ShortCallIds,
)

# --------------------------------------------------------------------------- rows: shared

# ``developer`` is OpenAI's word; everybody else knows ``system``, many nothing but it:
# https://github.com/theopenco/llmgateway/pull/3462, earendil-works/pi#1048
SYSTEM_ROLE = RenameRole("developer", "system")

# APIs that document or accept ``max_tokens`` only (unknown fields ignored, or 422)
MAX_TOKENS = Rename("max_completion_tokens", "max_tokens")

# ``custom`` tools are OpenAI's too; the others document functions only:
# https://platform.openai.com/docs/guides/function-calling#custom-tools
FUNCTIONS_ONLY = FunctionsOnly()

PLAIN: tuple[Quirk, ...] = (SYSTEM_ROLE, FUNCTIONS_ONLY)
COMPATIBLE: tuple[Quirk, ...] = (*PLAIN, MAX_TOKENS)

# Hints of OpenAI's own platform: they change nothing in the answer
_PLATFORM_HINTS = (
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_key",
    "verbosity",
)

# What an answer carries that strict APIs refuse when it comes back in the history
_THOUGHT = frozenset({"reasoning_content", "reasoning_details", "reasoning"})
_REPLAYED = _THOUGHT | {"refusal", "annotations", "audio"}

# --------------------------------------------------------------------------- rows: OpenAI

_OPENAI_ID = r"(?:openai[/-])?"  # aggregators put the maker in front of the id
# Which families reason, and which do so unasked:
# https://platform.openai.com/docs/guides/reasoning (matrix checked live by pydantic-ai, 2026-07)
_REASONS_IF_ASKED = r"gpt-5\.(?:1(?!-codex)|[2-4])(?!\d)(?!-pro|-chat)"
_REASONS = rf"(?!{_REASONS_IF_ASKED})(?:o\d|gpt-5(?!-chat|\d)|gpt-[6-9])"
_NEWER = r"(?:o\d|gpt-[5-9])"
_NEVER_REASONS = r"(?:chatgpt-|gpt-[34]|gpt-5[^/]*-chat)"
_CHAT_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_RESPONSES_EFFORT = ("reasoning", "effort")

OPENAI: tuple[Quirk, ...] = (
    # "Unsupported parameter: 'max_tokens' is not supported with this model"
    Rename("max_tokens", "max_completion_tokens", models=_OPENAI_ID + _NEWER),
    DropWhileReasoning(_CHAT_SAMPLING, models=_OPENAI_ID + _REASONS),
    DropWhileReasoning(_CHAT_SAMPLING, by_default=False, models=_OPENAI_ID + _REASONS_IF_ASKED),
    DropWhileReasoning(
        ("temperature", "top_p"), _RESPONSES_EFFORT, models=_REASONS, dialect=RESPONSES
    ),
    DropWhileReasoning(
        ("temperature", "top_p"),
        _RESPONSES_EFFORT,
        by_default=False,
        models=_REASONS_IF_ASKED,
        dialect=RESPONSES,
    ),
    # "Unrecognized request argument", "Encrypted content is not supported with this model"
    Drop(("reasoning_effort",), models=_OPENAI_ID + _NEVER_REASONS),
    Drop(("reasoning",), models=_NEVER_REASONS, dialect=RESPONSES),
    DropItem("include", "reasoning.encrypted_content", models=_NEVER_REASONS, dialect=RESPONSES),
    # Another model's thinking, which clients hand back with the rest of a message
    DropInMessages(_THOUGHT),
)

# The Codex backend streams, stores nothing and answers 400 to any of the dropped fields
# (tinyhumansai/openhuman#4068, pydantic-ai#6433). It demands ``instructions``, and for some models
# takes only those of the Codex client itself (openai/codex#3202): clients other than Codex may be
# refused, whatever is sent here.
CHATGPT: tuple[Quirk, ...] = (
    Pin("store", False, dialect=RESPONSES),
    Pin("stream", True, dialect=RESPONSES),
    ListInput(dialect=RESPONSES),
    Default("instructions", "You are a helpful coding assistant.", dialect=RESPONSES),
    Drop(
        ("max_output_tokens", "temperature", "top_p", "top_logprobs", "user", "truncation"),
        dialect=RESPONSES,
    ),
)

# --------------------------------------------------------------------------- rows: Anthropic

# https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7 : sampling
# parameters are gone from Opus 4.7 on; before, 4.1 to 4.6 take temperature or top_p, not both.
_NO_SAMPLING = r"(?:.*[./])?claude-opus-4-[7-9](?!\d)"
_ONE_SAMPLING = r"(?:.*[./])?claude-(?:opus|sonnet|haiku)-4-[1-6](?!\d)"

ANTHROPIC: tuple[Quirk, ...] = (
    Drop(("temperature", "top_p", "top_k"), models=_NO_SAMPLING, dialect=MESSAGES),
    Exclusive("temperature", "top_p", models=_ONE_SAMPLING, dialect=MESSAGES),
)

BEDROCK: tuple[Quirk, ...] = (
    Drop(("model", "stream"), dialect=CONVERSE),  # both are said by the path
    Drop(
        ("inferenceConfig.temperature", "inferenceConfig.topP"),
        models=_NO_SAMPLING,
        dialect=CONVERSE,
    ),
)

# --------------------------------------------------------------------------- rows: the others

# The schema forbids extra fields (422 ``extra_forbidden``), in messages too; usage comes on a
# stream unasked: mistralai/client-python ``ChatCompletionRequest``, dnakov/anon-kode#53,
# charmbracelet/crush#1590, anomalyco/opencode#1680 (call ids)
MISTRAL: tuple[Quirk, ...] = (
    *COMPATIBLE,
    Rename("seed", "random_seed"),
    Drop(
        (
            "store",
            "user",
            "service_tier",
            "safety_identifier",
            "prompt_cache_retention",
            "verbosity",
        )
    ),
    MapValues(
        "reasoning_effort",
        {"minimal": "none", "low": "high", "medium": "high", "xhigh": "high", "max": "high"},
    ),
    DropInMessages(_REPLAYED),
    DropInMessages(frozenset({"name"}), frozenset({"system", "user", "assistant"})),
    ShortCallIds(9),
)

# "property 'store' is unsupported"; ``reasoning_content`` in the history likewise
# (fanenr/chatbot#21, tashfeenahmed/freellmapi#1070). Efforts: https://console.groq.com/docs/reasoning
GROQ: tuple[Quirk, ...] = (
    *PLAIN,
    Drop(_PLATFORM_HINTS),
    DropInMessages(_REPLAYED - {"reasoning"}),
    MapValues(
        "reasoning_effort",
        {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
        models=r"openai/gpt-oss",
    ),
    MapValues(
        "reasoning_effort",
        dict.fromkeys(("minimal", "low", "medium", "high", "xhigh", "max"), "default"),
        models=r"qwen/",
    ),
)

# Efforts differ by model: https://docs.x.ai/docs/guides/reasoning
XAI: tuple[Quirk, ...] = (
    *PLAIN,
    Drop(("web_search_options",)),
    Drop(("reasoning_effort",), models=r"grok-(?:4(?:-|$)|4-1|code|2|3(?!-mini))"),
    MapValues(
        "reasoning_effort",
        {"none": "low", "minimal": "low", "medium": "low", "xhigh": "high", "max": "high"},
        models=r"grok-3-mini",
    ),
    MapValues(
        "reasoning_effort",
        {"minimal": "low", "xhigh": "high", "max": "high"},
        models=r"grok-4\.3",
    ),
    MapValues(
        "reasoning_effort",
        {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
        models=r"grok-4\.[56]",
    ),
)

# 400 "Unknown name" for any field it does not know: ed-donner/agents#45, liliMozi/openhanako#394
GEMINI: tuple[Quirk, ...] = (*PLAIN, Drop(_PLATFORM_HINTS), DropInMessages(_THOUGHT))

# https://inference-docs.cerebras.ai/resources/openai ; docs.getbifrost.ai/providers/.../cerebras
# It takes thoughts back as ``reasoning`` only: QwenLM/qwen-code#11045,
# NousResearch/hermes-agent#34716
CEREBRAS: tuple[Quirk, ...] = (
    *PLAIN,
    Drop(_PLATFORM_HINTS),
    DropInMessages(_THOUGHT - {"reasoning"}),
)

# Temperature range and strict tools: https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi
# The kimi-k3 and kimi-for-coding rows are Plano's.
MOONSHOT: tuple[Quirk, ...] = (
    *COMPATIBLE,
    Clamp("temperature", 0.0, 1.0),
    DropInFunctions("strict"),
    Drop(
        ("temperature", "top_p", "n", "presence_penalty", "frequency_penalty"), models=r"kimi-k3$"
    ),
    MapValues(
        "reasoning_effort",
        {
            "none": "low",
            "minimal": "low",
            "low": "low",
            "medium": "high",
            "high": "high",
            "max": "max",
        },
        models=r"kimi-k3$",
        drop_others=True,
    ),
    Drop(
        (
            "stream_options",
            "reasoning_effort",
            "web_search_options",
            "service_tier",
            "store",
            "thinking",
        ),
        models=r"kimi-for-coding$",
    ),
)

ZHIPU: tuple[Quirk, ...] = (
    *COMPATIBLE,
    # "Range: [0.0, 1.0]": https://docs.bigmodel.cn/api-reference
    Clamp("temperature", 0.0, 1.0),
)
