"""
What to do with fields that only another client dialect knows.

A field is carried over where chat has one of the same meaning, left out where it only tunes how
the other API works (caching, storage of its own answers), and refused by name otherwise: it asks
for something that would silently not happen.
"""

from __future__ import annotations

from plano_asgi._json import JSONObject
from plano_asgi.conversation import ChatRequest
from plano_asgi.wire.foreign import Refuse
from plano_asgi.wire.openai_chat.fields import present

_SAME_MEANING = {
    "openai.responses": frozenset(
        {
            "moderation",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "verbosity",
        }
    ),
}

_SAFE_TO_DROP = {
    "openai.responses": frozenset(
        {
            "client_metadata",
            "context_management",
            "include",  # asks for more output items, none of which a chat answer has
            "max_tool_calls",  # counts server-tool calls, and those tools are refused
            "store",
            "stream_options",
            "truncation",  # without it an overlong input is an error: loud
        }
    ),
    "anthropic.messages": frozenset(
        {
            "anthropic_beta",
            "anthropic_version",
            "betas",
            "cache_control",
            "context_management",
            "metadata",
            "output_config",
            "speed",
        }
    ),
    "bedrock.converse": frozenset(
        {"additionalModelResponseFieldPaths", "performanceConfig", "requestMetadata", "serviceTier"}
    ),
}


def write_foreign_extras(request: ChatRequest, refuse: Refuse) -> JSONObject:
    """Body fields for another dialect's ``extras``; a field that is empty or off asks nothing."""
    same = _SAME_MEANING.get(request.dialect, frozenset())
    safe = _SAFE_TO_DROP.get(request.dialect, frozenset())
    body: JSONObject = {}
    for key, value in request.extras.items():
        if not value:
            continue
        if key in same:
            body[key] = value
        elif key == "text" and isinstance(value, dict):
            body |= present(verbosity=value.get("verbosity"))
        elif key not in safe:
            refuse(key)
    return body
