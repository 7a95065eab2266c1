"""
Codex CLI: the Responses API only, streamed, nothing stored, encrypted reasoning replayed.

The bodies have every field that Codex 0.16x sends, with short texts.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.reading import read_responses
from clients.stage import CLIENT_KEY, KEY, LENIENT, Stage
from clients.thoughts import (
    CIPHERTEXT,
    REASONING,
    SIGNATURE,
    THINKING,
    function_call,
    reasoning_responses_stream,
    thinking_stream,
)
from upstream import (
    CUT,
    Reply,
    Tool,
    anthropic_stream,
    chat_stream,
    error_reply,
    responses_stream,
)

RESPONSES = "/v1/responses"
SESSION = "01a202f7-1606-73c1-ad9a-86f46643db5e"
METADATA = json.dumps({"session_id": SESSION, "workspaces": {"/home/me/secret-project": {}}})
HEADERS = {
    "accept": "text/event-stream",
    "authorization": f"Bearer {CLIENT_KEY}",
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.169.0",
    "session-id": SESSION,
    "thread-id": SESSION,
    "x-codex-beta-features": "remote_compaction_v2",
    "x-codex-turn-metadata": METADATA,
}
EXEC: dict[str, Any] = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"cmd": {"type": "string"}},
        "required": ["cmd"],
        "additionalProperties": False,
    },
}
PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files. Do not wrap the patch in JSON.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'},
}
AGENTS: dict[str, Any] = {
    "type": "namespace",
    "name": "multi_agent_v1",
    "description": "Sub-agents.",
    "tools": [{**EXEC, "name": "spawn_agent", "description": "Spawn one."}],
}
SEARCH = {"type": "web_search", "external_web_access": True}
TOOL_SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds tools."}
CALL = Tool("call_1", "exec_command", '{"cmd":"ls"}')
DIFF = "*** Begin Patch\n*** End Patch"


def say(role: str, text: str) -> dict[str, Any]:
    """One message item."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "id": f"msg_{role}", "role": role, "content": content}


def body(model: str, *later: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One turn's request; *later* are the items after the first turn's."""
    return {
        "model": model,
        "stream": True,
        "input": [
            say("developer", "You are a coding agent."),
            say("user", "<environment_context/>"),
            say("user", "What is here?"),
            *later,
        ],
        "tools": [EXEC],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": SESSION,
        "text": {"verbosity": "low"},
        "client_metadata": {"session_id": SESSION, "x-codex-turn-metadata": METADATA},
        **fields,
    }


def output(call_id: str, text: str = "README.md") -> dict[str, Any]:
    """The item that answers a function call."""
    return {"type": "function_call_output", "id": "out_1", "call_id": call_id, "output": text}


def test_openai_gets_the_body_as_it_is(stage: Stage) -> None:
    """Every tool and field of it, of this version and the next."""
    shell = {"type": "local_shell"}
    asked = body("openai/gpt-5", tools=[EXEC, PATCH, AGENTS, SEARCH, TOOL_SEARCH, shell], new=[1])
    read_responses(stage.post(RESPONSES, asked, HEADERS, responses_stream()))
    assert stage.sent.path == "/v1/responses"
    assert stage.sent.json() == asked | {"model": "gpt-5"}


def test_what_codex_tells_of_the_workspace_stays_here(stage: Stage) -> None:
    """Its headers hold paths; only the body is the upstream's."""
    stage.post(RESPONSES, body("openai/gpt-5"), HEADERS, responses_stream())
    headers = stage.sent.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert CLIENT_KEY not in str(headers)
    assert "secret-project" not in str(headers)
    assert not {name for name in headers if name.startswith("x-codex")}


def test_openais_stream_is_relayed_byte_for_byte(stage: Stage) -> None:
    """Encrypted reasoning and calls of custom tools and namespaces with it."""
    items = [
        {"type": "custom_tool_call", "call_id": "call_2", "name": "apply_patch", "input": DIFF},
        {**function_call(CALL), "namespace": "multi_agent_v1"},
    ]
    reply = reasoning_responses_stream(*items)
    found = stage.post(RESPONSES, body("openai/gpt-5"), HEADERS, reply)
    assert found.body == b"".join(step for step in reply.body if isinstance(step, bytes))
    assert read_responses(found)["output"] == [REASONING, *items]


def test_a_whole_stream_is_whole_whatever_is_in_it(stage: Stage) -> None:
    """Nobody looks at a relayed answer, so nobody can be displeased with it."""
    odd = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "input": DIFF}
    reply = reasoning_responses_stream(odd)
    found = stage.post(RESPONSES, body("openai/gpt-5"), HEADERS, reply)
    assert found.events()[-1]["type"] == "response.completed"


def test_a_tool_loop_with_openai_replays_encrypted_reasoning(stage: Stage) -> None:
    """Codex adds ``content: null`` to it, which has to arrive too."""
    reply = reasoning_responses_stream(function_call(CALL))
    first = read_responses(stage.post(RESPONSES, body("openai/gpt-5"), HEADERS, reply))
    thought, call = first["output"]
    asked = body("openai/gpt-5", {**thought, "content": None}, call, output("call_1"))
    read_responses(stage.post(RESPONSES, asked, HEADERS, responses_stream()))
    assert stage.sent.json()["input"] == asked["input"]


@pytest.mark.parametrize("model", ["mistral/large", "deepseek/chat", "anthropic/claude-sonnet-4-5"])
def test_a_tool_loop_over_another_api(stage: Stage, model: str) -> None:
    """Text, call, result and answer, in typed events that end in ``response.completed``."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    reply = stream(["I will look. ", CALL])
    first = read_responses(stage.post(RESPONSES, body(model), HEADERS, reply))
    message, call = first["output"]
    assert message["content"][0]["text"] == "I will look. "
    assert (call["name"], json.loads(call["arguments"])) == ("exec_command", {"cmd": "ls"})
    assert not {"client_metadata", "include", "store", "input"} & set(stage.sent.json())
    asked = body(model, message, call, output(call["call_id"]))
    second = read_responses(stage.post(RESPONSES, asked, HEADERS, stream(["A file."])))
    sent = stage.sent.json()["messages"]
    assert sent[-1]["role"] == ("user" if stream is anthropic_stream else "tool")
    assert "README.md" in json.dumps(sent[-1])
    assert second["output"][0]["content"][0]["text"] == "A file."
    counted = {name: second["usage"][name] for name in _COUNTED}
    assert counted == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


_COUNTED = ("input_tokens", "output_tokens", "total_tokens")


def test_signed_thinking_survives_codex(stage: Stage) -> None:
    """Shown as a reasoning item; Anthropic gets the block back that it signed."""
    model = "anthropic/claude-sonnet-4-5"
    first = read_responses(stage.post(RESPONSES, body(model), HEADERS, thinking_stream(CALL)))
    thought, call = first["output"]
    assert thought["type"] == "reasoning"
    assert thought["encrypted_content"]
    asked = body(model, {**thought, "content": None}, call, output(call["call_id"]))
    read_responses(stage.post(RESPONSES, asked, HEADERS, thinking_stream(text="A file.")))
    *_, turn, _ = stage.sent.json()["messages"]
    assert turn["content"][0] == THINKING
    assert turn["content"][1]["type"] == "tool_use"


@pytest.mark.parametrize("model", ["mistral/large", "anthropic/claude-sonnet-4-5"])
def test_openais_ciphertext_reaches_nobody_else(stage: Stage, model: str) -> None:
    """The model was switched in the middle of a conversation."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    asked = body(model, REASONING, function_call(CALL), output("call_1"))
    read_responses(stage.post(RESPONSES, asked, HEADERS, stream()))
    assert CIPHERTEXT not in json.dumps(stage.sent.json())
    assert SIGNATURE not in json.dumps(stage.sent.json())


def test_a_patch_over_anthropic_is_free_text(stage: Stage) -> None:
    """The custom tool is a function there; Codex sees what it declared, both ways."""
    model = "anthropic/claude-sonnet-4-5"
    tool = Tool("call_2", "apply_patch", json.dumps({"input": DIFF}))
    asked = body(model, tools=[EXEC, PATCH])
    (call,) = read_responses(stage.post(RESPONSES, asked, HEADERS, anthropic_stream([tool])))[
        "output"
    ]
    assert call["type"] == "custom_tool_call"
    assert (call["name"], call["input"]) == ("apply_patch", DIFF)
    done = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done!"}
    stage.post(RESPONSES, body(model, call, done, tools=[EXEC, PATCH]), HEADERS, anthropic_stream())
    *_, turn, answered = stage.sent.json()["messages"]
    assert turn["content"][-1]["input"] == {"input": DIFF}
    assert answered["content"][0]["content"] == "Done!"


@pytest.mark.parametrize("model", ["mistral/large", "deepseek/chat"])
def test_a_patch_over_a_plain_chat_upstream_is_a_function(stage: Stage, model: str) -> None:
    """As over Anthropic."""
    tool = Tool("call_2", "apply_patch", json.dumps({"input": DIFF}))
    asked = body(model, tools=[EXEC, PATCH])
    found = read_responses(stage.post(RESPONSES, asked, HEADERS, chat_stream([tool])))
    assert [tool["type"] for tool in stage.sent.json()["tools"]] == ["function", "function"]
    assert found["output"][0]["input"] == DIFF


NAMESPACED = Tool("call_3", "spawn_agent", '{"cmd":"x"}')


@pytest.mark.parametrize(
    "model",
    [
        "mistral/large",
        "anthropic/claude-sonnet-4-5",
    ],
)
def test_tools_of_a_namespace_are_hoisted(stage: Stage, model: str) -> None:
    """Codex sends its sub-agents so; their calls carry the namespace again."""
    stream = anthropic_stream if model.startswith("anthropic/") else chat_stream
    asked = body(model, tools=[EXEC, AGENTS])
    found = read_responses(stage.post(RESPONSES, asked, HEADERS, stream([NAMESPACED])))
    (call,) = found["output"]
    assert (call["name"], call["namespace"]) == ("spawn_agent", "multi_agent_v1")
    read_responses(
        stage.post(
            RESPONSES,
            body(model, call, output(call["call_id"]), tools=[EXEC, AGENTS]),
            HEADERS,
            stream(),
        )
    )


@pytest.mark.parametrize("tool", [SEARCH, TOOL_SEARCH, {"type": "local_shell"}])
def test_a_tool_of_openais_own_is_refused_by_name(stage: Stage, tool: dict[str, Any]) -> None:
    """Over a chat upstream: nobody there runs it, and leaving it out in silence would lie."""
    found = stage.post(RESPONSES, body("mistral/large", tools=[EXEC, tool]), HEADERS)
    assert found.status == 400
    error = found.json()["error"]
    assert (error["param"], error["code"]) == ("tools.1", "unsupported_parameter")
    assert not stage.upstream.requests


def test_a_lenient_model_serves_codex_as_it_is(stage: Stage) -> None:
    """``drop_unsupported`` leaves out what the upstream cannot do."""
    asked = body(LENIENT, tools=[EXEC, PATCH, TOOL_SEARCH, {"type": "local_shell"}])
    read_responses(stage.post(RESPONSES, asked, HEADERS, anthropic_stream()))
    assert [tool["name"] for tool in stage.sent.json()["tools"]] == ["exec_command", "apply_patch"]


def test_compact_is_relayed_to_openai(stage: Stage) -> None:
    """``/compact`` asks a path of its own; a 404 would end the conversation."""
    asked = {"model": "openai/gpt-5", "input": [say("user", "hi")], "instructions": "Be brief"}
    compacted = {"object": "response.compaction", "output": [{"type": "compaction", "id": "c"}]}
    reply = Reply(body=json.dumps(compacted).encode())
    found = stage.post("/v1/responses/compact", asked, HEADERS, reply)
    assert (found.status, found.json()) == (200, compacted)
    assert stage.sent.path == "/v1/responses/compact"
    assert stage.sent.json() == asked | {"model": "gpt-5"}


def test_compact_elsewhere_is_a_clear_400(stage: Stage) -> None:
    """It says what it would need."""
    asked = {"model": "anthropic/claude-sonnet-4-5", "input": []}
    found = stage.post("/v1/responses/compact", asked, HEADERS)
    assert found.status == 400
    assert found.json()["error"]["code"] == "unsupported_endpoint"
    assert "/responses/compact" in found.json()["error"]["message"]
    assert not stage.upstream.requests


def test_the_newer_compaction_is_an_item(stage: Stage) -> None:
    """Relayed natively; a model elsewhere cannot do it, and must not answer as if it had."""
    trigger = {"type": "compaction_trigger"}
    reply = reasoning_responses_stream({"type": "compaction", "encrypted_content": CIPHERTEXT})
    found = stage.post(RESPONSES, body("openai/gpt-5", trigger), HEADERS, reply)
    assert read_responses(found)["output"][-1]["type"] == "compaction"
    assert stage.sent.json()["input"][-1] == trigger
    refused = stage.post(RESPONSES, body("anthropic/claude-sonnet-4-5", trigger), HEADERS)
    assert refused.status == 400
    assert "compaction_trigger" in refused.json()["error"]["message"]


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large", "anthropic/claude-sonnet-4-5"])
def test_an_answer_that_breaks_off_is_no_answer(stage: Stage, model: str) -> None:
    """Codex tries again when the stream ends without ``response.completed``."""
    streams: dict[str, Any] = {
        "openai": responses_stream,
        "mistral": chat_stream,
        "anthropic": anthropic_stream,
    }
    stream = streams[model.partition("/")[0]]
    found = stage.post(RESPONSES, body(model), HEADERS, stream(["Hel", CUT]))
    assert found.status == 200
    kinds = [event["type"] for event in found.events()]
    assert kinds[-1] in ("error", "response.failed")
    assert "response.completed" not in kinds


@pytest.mark.parametrize("model", ["openai/gpt-5", "mistral/large"])
def test_a_full_context_is_told_by_its_code(stage: Stage, model: str) -> None:
    """Codex compacts on this code only."""
    code = "context_length_exceeded"
    reply = error_reply(400, "too long", type="invalid_request_error", code=code)
    found = stage.post(RESPONSES, body(model), HEADERS, reply)
    assert (found.status, found.json()["error"]["code"]) == (400, code)
