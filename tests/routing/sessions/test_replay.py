"""Whether the user spoke."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.conversation import Message
from plano_asgi.routing.sessions.replay import is_user_turn
from plano_asgi.wire import DIALECTS

REMINDER = "<system-reminder>Todo list is empty.</system-reminder>"
HOOK = "<user-prompt-submit-hook>ok</user-prompt-submit-hook>"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "done"}
PIXEL = "iVBORw0KGgo="


def chat(*messages: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A chat body of *messages*."""
    return "openai.chat", {"messages": list(messages)}


def messages(*blocks: Any) -> tuple[str, dict[str, Any]]:
    """A Messages body whose last user turn has *blocks*."""
    turns = [
        {"role": "user", "content": "Fix it"},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": list(blocks)},
    ]
    return "anthropic.messages", {"max_tokens": 9, "messages": turns}


def responses(*items: Any) -> tuple[str, dict[str, Any]]:
    """A Responses body of *items*."""
    return "openai.responses", {"input": list(items)}


def converse(*blocks: Any) -> tuple[str, dict[str, Any]]:
    """A Converse body of one turn."""
    return "bedrock.converse", {"messages": [{"role": "user", "content": list(blocks)}]}


def text(said: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said}


FUNCTION_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}
USER = {"role": "user", "content": "Fix it"}
STEP = ({"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c1"})
OUTPUT = {**STEP[1], "content": "done"}
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
SOURCE = {"type": "base64", "media_type": "image/png", "data": PIXEL}

SPOKE = {
    "user text": chat(USER),
    "after tool traffic": chat(USER, STEP[0], OUTPUT, USER),
    "messages: result and text": messages(RESULT, text("and now?")),
    "envelope and real text": chat({"role": "user", "content": f"{REMINDER} go on"}),
    "picture, chat": chat({"role": "user", "content": [PICTURE]}),
    "picture, messages": messages({"type": "image", "source": SOURCE}),
    "picture, bedrock": converse({"image": {"format": "png", "source": {"bytes": PIXEL}}}),
    "responses text": responses(USER),
    "another tag": chat({"role": "user", "content": "<b>bold</b>"}),
}
SILENT = {
    "tool role": chat(USER, STEP[0], OUTPUT),
    "messages: result only": messages(RESULT),
    "responses: function output": responses(
        USER, FUNCTION_CALL, {"type": "function_call_output", "call_id": "c", "output": "1"}
    ),
    "responses: custom output": responses(
        USER, CUSTOM_CALL, {"type": "custom_tool_call_output", "call_id": "c", "output": "1"}
    ),
    "assistant": chat(USER, {"role": "assistant", "content": "Well"}),
    "messages: result and reminder": messages(RESULT, text(REMINDER)),
    "null": chat({"role": "user", "content": None}),
    "empty": chat({"role": "user", "content": ""}),
    "no parts": chat({"role": "user", "content": []}),
    "white space": chat({"role": "user", "content": " \n\t"}),
    "empty part": chat({"role": "user", "content": [text("")]}),
    "messages: no blocks": messages(),
    "messages: empty block": messages(text("")),
    "bedrock: empty": converse({"text": ""}),
    "bedrock: nothing": converse(),
    "responses: empty": responses({"role": "user", "content": ""}),
    "responses: no parts": responses({"role": "user", "content": []}),
    "reminder": chat({"role": "user", "content": REMINDER}),
    "hook": chat({"role": "user", "content": f" {HOOK} "}),
    "two reminders": chat({"role": "user", "content": REMINDER + "\n" + REMINDER}),
    "reminder without end": chat({"role": "user", "content": "<system-reminder>and so on"}),
    "reminders in parts": chat({"role": "user", "content": [text(REMINDER), text(HOOK)]}),
}


@pytest.mark.parametrize("body", SPOKE.values(), ids=SPOKE.keys())
def test_user_spoke(body: tuple[str, dict[str, Any]]) -> None:
    """The last message is the user's own."""
    assert is_user_turn(_read(body))


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT.keys())
def test_user_did_not_speak(body: tuple[str, dict[str, Any]]) -> None:
    """A tool's, the assistant's, a harness's, or nobody's."""
    assert not is_user_turn(_read(body))


def test_empty_list_is_nobodys() -> None:
    """There is no last message."""
    assert not is_user_turn([])


def _read(body: tuple[str, dict[str, Any]]) -> list[Message]:
    dialect, fields = body
    return DIALECTS[dialect].read_request({"model": "m", **fields}).messages
