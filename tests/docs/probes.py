"""
What becomes of a client's field at each upstream API, found by asking the dialects themselves.

A probe is a request with and without the field. Written for an upstream, the two are the same
(left out), differ (carried, perhaps under another name), or the one with it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.errors import UnsupportedField
from plano_asgi.wire import DIALECTS, WriteOptions

UPSTREAMS = {
    "openai.chat": "chat",
    "openai.responses": "Responses",
    "anthropic.messages": "Messages",
    "bedrock.converse": "Converse",
}

_SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_PNG = "iVBORw0KGgo="
_CHAT_TOOL = {"type": "function", "function": {"name": "look", "parameters": _SCHEMA}}
_RESPONSES_TOOL = {"type": "function", "name": "look", "parameters": _SCHEMA}
_MESSAGES_TOOL = {"name": "look", "input_schema": _SCHEMA}


def _chat(*parts: JSONObject) -> JSONObject:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, *parts]}]}


def _input(*parts: JSONObject) -> JSONObject:
    content = [{"type": "input_text", "text": "Hi"}, *parts]
    return {"input": [{"role": "user", "content": content}]}


_messages = _chat

CHAT: Mapping[str, JSONObject] = {
    "`max_tokens`, `max_completion_tokens`": {"max_completion_tokens": 500},
    "`temperature` up to 1, `top_p`": {"temperature": 0.5, "top_p": 0.5},
    "`temperature` above 1": {"temperature": 1.5},
    "`stop`": {"stop": ["END"]},
    "`n` above 1": {"n": 2},
    "`seed`": {"seed": 7},
    "`frequency_penalty`, `presence_penalty`": {"frequency_penalty": 0.5},
    "`logit_bias`": {"logit_bias": {"50256": -100}},
    "`logprobs`, `top_logprobs`": {"logprobs": True, "top_logprobs": 2},
    "`response_format`: `json_schema`": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
        }
    },
    "`response_format`: `json_object`": {"response_format": {"type": "json_object"}},
    "`reasoning_effort`": {"reasoning_effort": "low"},
    "`tools`, functions": {"tools": [_CHAT_TOOL]},
    "`tools`, custom": {"tools": [{"type": "custom", "custom": {"name": "look"}}]},
    "`tool_choice`": {"tools": [_CHAT_TOOL], "tool_choice": "required"},
    "`parallel_tool_calls: false`": {"tools": [_CHAT_TOOL], "parallel_tool_calls": False},
    "`web_search_options`": {"web_search_options": {"search_context_size": "low"}},
    "image by URL": _chat({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}),
    "image inline": _chat(
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}"}}
    ),
    "PDF inline": _chat(
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        }
    ),
    "file by id": _chat({"type": "file", "file": {"file_id": "file-1"}}),
    "audio": _chat({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    "`modalities` with audio": {"modalities": ["text", "audio"]},
    "`user`": {"user": "u-1"},
    "`metadata`": {"metadata": {"team": "a"}},
    "`service_tier`": {"service_tier": "default"},
    "`store`": {"store": True},
    "`prediction`": {"prediction": {"type": "content", "content": "x"}},
    "`prompt_cache_key`": {"prompt_cache_key": "k"},
    "`verbosity`": {"verbosity": "low"},
    "a field nobody knows": {"x_unknown": 1},
}

RESPONSES: Mapping[str, JSONObject] = {
    "`instructions`": {"instructions": "Be brief."},
    "`max_output_tokens`": {"max_output_tokens": 500},
    "`reasoning.effort`": {"reasoning": {"effort": "low"}},
    "`text.format`: `json_schema`": {
        "text": {"format": {"type": "json_schema", "name": "place", "schema": _SCHEMA}}
    },
    "`text.verbosity`": {"text": {"verbosity": "low"}},
    "`tools`, functions": {"tools": [_RESPONSES_TOOL]},
    "`tools`, custom": {"tools": [{"type": "custom", "name": "look"}]},
    "`tools`, `web_search`": {"tools": [{"type": "web_search"}]},
    "`tools`, `file_search`": {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    "`tools`, `mcp`": {"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a"}]},
    "`parallel_tool_calls: false`": {"tools": [_RESPONSES_TOOL], "parallel_tool_calls": False},
    "`previous_response_id`": {"previous_response_id": "resp_1"},
    "`conversation`": {"conversation": "conv_1"},
    "`prompt`": {"prompt": {"id": "pmpt_1"}},
    "`background`": {"background": True},
    "`include`": {"include": ["web_search_call.action.sources"]},
    "`max_tool_calls`": {"max_tool_calls": 3},
    "`truncation`": {"truncation": "auto"},
    "`store`": {"store": True},
    "`top_logprobs`": {"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
    "image by URL": _input({"type": "input_image", "image_url": "https://x.example/a.png"}),
    "file by URL": _input({"type": "input_file", "file_url": "https://x.example/a.pdf"}),
    "file by id": _input({"type": "input_file", "file_id": "file-1"}),
    "`metadata`": {"metadata": {"team": "a"}},
    "`prompt_cache_key`": {"prompt_cache_key": "k"},
    "`service_tier`": {"service_tier": "default"},
    "a field nobody knows": {"x_unknown": 1},
}

MESSAGES: Mapping[str, JSONObject] = {
    "`system`": {"system": "Be brief."},
    "`temperature`, `top_p`": {"temperature": 0.5, "top_p": 0.5},
    "`top_k`": {"top_k": 5},
    "`stop_sequences`": {"stop_sequences": ["END"]},
    "`thinking`": {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 5000}},
    "`output_config.effort`": {"output_config": {"effort": "low"}},
    "`output_config.format`": {
        "output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}}
    },
    "`tools`, client's": {"tools": [_MESSAGES_TOOL]},
    "`tools`, server's (`web_search`, ...)": {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}]
    },
    "`disable_parallel_tool_use`": {
        "tools": [_MESSAGES_TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    "`mcp_servers`": {"mcp_servers": [{"type": "url", "url": "https://a", "name": "a"}]},
    "`container`": {"container": "container_1"},
    "`context_management`": {"context_management": {"edits": []}},
    "`cache_control` of a block": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}},
                ],
            }
        ]
    },
    "image by URL": _messages(
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
    ),
    "image inline": _messages(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}}
    ),
    "PDF inline": _messages(
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        }
    ),
    "file by id": _messages({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    "`metadata.user_id`": {"metadata": {"user_id": "u-1"}},
    "`service_tier`": {"service_tier": "standard_only"},
    "a field nobody knows": {"x_unknown": 1},
}

BASES: Mapping[str, JSONObject] = {
    "openai.chat": {"model": "m", **_chat()},
    "openai.responses": {"model": "m", **_input()},
    "anthropic.messages": {"model": "m", "max_tokens": 9000, **_messages()},
}
"""The smallest request of each client API."""


def outcomes(client: str, probes: Mapping[str, JSONObject]) -> list[Sequence[str]]:
    """For each probe its name, and what each upstream API of another kind makes of it."""
    others = [name for name in UPSTREAMS if name != client]
    return [
        (name, *(_outcome(client, fragment, upstream) for upstream in others))
        for name, fragment in probes.items()
    ]


def columns(client: str) -> list[str]:
    """The heads of the columns of ``outcomes``, after the first."""
    return [f"to {word}" for name, word in UPSTREAMS.items() if name != client]


def _outcome(client: str, fragment: JSONObject, upstream: str) -> str:
    base = BASES[client]
    # Where a field goes with tools, the tools alone are what it is compared to.
    tools = {"tools": fragment["tools"]} if "tools" in fragment else {}
    without = base | tools if fragment.keys() > tools.keys() else base
    try:
        written = _written(client, base | fragment, upstream)
    except UnsupportedField:
        return "400"
    return "left out" if written == _written(client, without, upstream) else "carried"


def _written(client: str, body: JSONObject, upstream: str) -> Any:
    request = DIALECTS[client].read_request(body)
    return DIALECTS[upstream].write_request(request, WriteOptions())
