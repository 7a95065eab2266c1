"""Wire dialects: bytes and JSON on one side, neutral forms on the other."""

from __future__ import annotations

from collections.abc import Mapping

from plano_asgi.passages import Layout
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.anthropic_messages.layout import MessagesLayout
from plano_asgi.wire.base import Dialect, StreamReader, StreamWriter, WriteOptions
from plano_asgi.wire.bedrock_converse import BedrockConverse
from plano_asgi.wire.openai_chat import OpenAIChat
from plano_asgi.wire.openai_chat.layout import ChatLayout
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.openai_responses.layout import ResponsesLayout

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), BedrockConverse())
}
"""Every dialect by its name."""

LAYOUTS: Mapping[str, Layout] = {
    "openai.chat": ChatLayout(),
    "openai.responses": ResponsesLayout(),
    "anthropic.messages": MessagesLayout(),
}
"""Where the texts stand, for each dialect that clients speak."""

__all__ = ["DIALECTS", "LAYOUTS", "Dialect", "StreamReader", "StreamWriter", "WriteOptions"]
