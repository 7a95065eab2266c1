"""Finish reasons, both ways: compatible upstreams send the words of the engines behind them."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.conversation import FinishReason

_READ: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
    "context_window_exceeded": "context_window",
    "model_context_window_exceeded": "context_window",
    "error": "error",
    "abort": "error",
    "insufficient_system_resource": "error",  # DeepSeek: cut short for want of capacity
}

_WRITE: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "context_window": "length",
    "error": "length",  # the nearest word for an answer that is not whole
}


def read_finish(choice: JSONObject, *, called: bool) -> FinishReason | None:
    """
    Why *choice* ended; ``None`` while it says nothing, "stop" for a word nobody knows.

    A "stop" after tool calls (a forced call, Google) is "tool_calls": *called* says there were.
    """
    word: Any = choice.get("finish_reason")
    if word is None and isinstance(details := choice.get("finish_details"), dict):
        word = details.get("type")  # early vision models
    if not isinstance(word, str) or not word:
        return None
    reason = _READ.get(word.lower(), "stop")
    return "tool_calls" if called and reason == "stop" else reason


def write_finish(reason: FinishReason | None, *, legacy: bool = False) -> str:
    """The word for a client; *legacy*: one that speaks ``functions``."""
    if legacy and reason == "tool_calls":
        return "function_call"
    return _WRITE.get(reason or "stop", "stop")
