"""Wire dialects: bytes and JSON on one side, neutral forms on the other."""

from __future__ import annotations

from collections.abc import Mapping

from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.base import Dialect, StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.bedrock_converse import BedrockConverse
from plano_asgi.wire.openai_chat import OpenAIChat
from plano_asgi.wire.openai_responses import OpenAIResponses

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), BedrockConverse())
}
"""Every dialect by its name."""

__all__ = ["DIALECTS", "Dialect", "StreamReader", "StreamWriter", "WriteOptions"]
