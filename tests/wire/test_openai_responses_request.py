"""Responses requests: what a client's body means, and what an upstream is sent."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi.conversation import (
    ChatRequest,
    MediaPart,
    Message,
    OpaquePart,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.openai_responses import OpenAIResponses
from plano_asgi.wire.reasoning_pack import pack

DIALECT = OpenAIResponses()
STRICT = WriteOptions()
LENIENT = WriteOptions(on_unsupported="drop")
NAME = "openai.responses"


def read(input: Any = "hi", **fields: Any) -> ChatRequest:
    """A client's body, read."""
    return DIALECT.read_request({"model": "m", "input": input, **fields})


def again(input: Any = "hi", **fields: Any) -> dict[str, Any]:
    """A client's body, read and written."""
    return DIALECT.write_request(read(input, **fields), STRICT)


def foreign(*messages: Message, dialect: str = "anthropic.messages", **fields: Any) -> ChatRequest:
    """A request of another dialect."""
    return ChatRequest(model="m", messages=list(messages), dialect=dialect, **fields)


def upstream(*messages: Message, options: WriteOptions = STRICT, **fields: Any) -> dict[str, Any]:
    """What an upstream is sent for a request of another dialect."""
    return DIALECT.write_request(foreign(*messages, **fields), options)


def user(*parts: Part) -> Message:
    """A user's message; "hi" without parts."""
    return Message(role="user", parts=list(parts) or [TextPart(text="hi")])


def test_instructions_lead_and_come_back() -> None:
    """``instructions`` is the first system message, and no input item when written again."""
    request = read(instructions="be brief")
    assert [(m.role, m.text) for m in request.messages] == [("system", "be brief"), ("user", "hi")]
    assert DIALECT.write_request(request, STRICT) == {
        "model": "m",
        "instructions": "be brief",
        "input": "hi",
    }


def test_a_single_item_is_a_list_of_one() -> None:
    """Codex and Cursor send one object as input."""
    item = {"role": "user", "content": "hi"}
    assert again(item)["input"] == [item]


def test_an_assistant_turn_gathers_reasoning_text_and_calls() -> None:
    """What the model made is one message; each result is one of role tool."""
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "let me see", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gB"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "raw"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "2"}],
        },
    ]
    request = read(items)
    assert [message.role for message in request.messages] == ["assistant", "tool", "tool"]
    kinds = [type(part).__name__ for part in request.messages[0].parts]
    assert kinds == ["ReasoningPart", "TextPart", "ToolCallPart", "ReasoningPart", "ToolCallPart"]
    call = request.messages[0].parts[4]
    assert isinstance(call, ToolCallPart)
    assert (call.kind, call.arguments) == ("custom", "raw")
    assert DIALECT.write_request(request, STRICT)["input"] == items


def test_two_assistant_messages_stay_two() -> None:
    """A turn holds one message item; reasoning after it belongs to the next."""
    items = [
        {"role": "assistant", "content": "a"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"role": "assistant", "content": "b"},
        {"role": "assistant", "content": []},
    ]
    request = read(items)
    assert [message.text for message in request.messages] == ["a", "b", ""]
    assert DIALECT.write_request(request, STRICT)["input"] == items


def test_unknown_items_and_parts_keep_their_place() -> None:
    """Items and content parts nobody here knows travel as they are."""
    items = [
        {"role": "user", "content": [{"type": "input_hologram", "x": 1}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "x"}},
        {"type": "item_reference", "id": "msg_2"},
        {"type": "compaction_trigger"},
    ]
    request = read(items)
    roles = [message.role for message in request.messages]
    assert roles == ["user", "assistant", "user", "tool", "assistant", "user"]
    assert DIALECT.write_request(request, STRICT)["input"] == items


def test_media_parts() -> None:
    """Images, files and audio, inline, by URL and by id."""
    content: list[dict[str, Any]] = [
        {"type": "input_image", "image_url": "data:image/gif;base64,R0", "detail": "low"},
        {"type": "input_image", "image_url": "https://x/y.png", "file_id": None},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JV"},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_file", "file_data": "JVBERi0="},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "text", "text": "habit"},
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"type": "ephemeral"}},
    ]
    request = read([{"role": "user", "content": content}])
    media = [part for part in request.messages[0].parts if isinstance(part, MediaPart)]
    assert [(m.modality, m.mime_type, m.data, m.url, m.file_id) for m in media] == [
        ("image", "image/gif", "R0", None, None),
        ("image", None, None, "https://x/y.png", None),
        ("image", None, None, None, "file-1"),
        ("document", "application/pdf", "JV", None, None),
        ("document", None, None, "https://x/a.pdf", None),
        ("document", None, "JVBERi0=", None, None),
        ("audio", "audio/wav", "UklG", None, None),
    ]
    written = DIALECT.write_request(request, STRICT)["input"][0]["content"]
    assert [{k: v for k, v in part.items() if v is not None} for part in written] == [
        {k: v for k, v in part.items() if v is not None} for part in content
    ]


def test_changed_text_is_written_not_the_received_one() -> None:
    """A filter's change of any text reaches the upstream, in reasoning as well."""
    request = read(
        [
            {"role": "user", "content": "secret"},
            {
                "type": "reasoning",
                "id": "rs",
                "summary": [{"type": "summary_text", "text": "secret"}],
                "encrypted_content": "gA",
            },
        ]
    )
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, TextPart | ReasoningPart):
                part.text = "***"
    written = DIALECT.write_request(request, STRICT)["input"]
    assert written[0]["content"] == "***"
    assert written[1]["summary"] == [{"type": "summary_text", "text": "***"}]
    assert written[1]["encrypted_content"] == "gA"


def test_packed_reasoning_is_the_foreign_part_again() -> None:
    """What another family thought is restored on reading, and not sent to this one's models."""
    part = ReasoningPart(text="hm", signature="sig", dialect="anthropic.messages")
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": pack(part)}
    request = read([item, {"role": "assistant", "content": "4"}])
    assert request.messages[0].parts[0] == part
    assert DIALECT.write_request(request, STRICT)["input"] == [
        {"role": "assistant", "content": "4"}
    ]


def test_settings_are_read_and_come_back() -> None:
    """Every modelled setting has its neutral field; the rest waits in ``extras``."""
    fields: dict[str, Any] = {
        "max_output_tokens": 50,
        "temperature": 0,
        "top_p": 0.5,
        "top_logprobs": 2,
        "parallel_tool_calls": False,
        "metadata": {"a": "b"},
        "safety_identifier": "u1",
        "service_tier": "flex",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True},
            "verbosity": "low",
        },
        "reasoning": {"effort": "none", "summary": "auto", "context": "all_turns"},
        "include": [
            "file_search_call.results",
            "reasoning.encrypted_content",
            "message.output_text.logprobs",
        ],
        "store": False,
        "previous_response_id": "resp_1",
        "prompt_cache_key": "k",
        "truncation": "auto",
    }
    request = read(**fields)
    assert request.max_output_tokens == 50
    assert request.user == "u1"
    assert request.logprobs is True
    assert request.output_format == OutputFormat(
        kind="json_schema", name="n", schema={}, strict=True
    )
    assert request.reasoning is not None
    assert (request.reasoning.effort, request.reasoning.enabled) == ("none", False)
    assert request.reasoning.encrypted
    assert request.extras["previous_response_id"] == "resp_1"
    assert again(**fields) == {"model": "m", "input": "hi", **fields}


def test_formats_of_tomorrow_and_old_summaries_are_kept() -> None:
    """An unknown text format and ``generate_summary`` come back as they were."""
    fields: dict[str, Any] = {
        "text": {"format": {"type": "grammar", "x": 1}},
        "reasoning": {"effort": None, "generate_summary": "concise"},
        "user": "u2",
        "safety_identifier": "u1",
    }
    assert again(**fields) == {"model": "m", "input": "hi", **fields}
    request = read(**fields)
    assert request.reasoning is not None
    assert request.reasoning.summary == "concise"


@pytest.mark.parametrize(
    ("choice", "mode"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, "named"),
        ({"type": "custom", "name": "g"}, "named"),
        ({"type": "web_search"}, "opaque"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
            },
            "required",
        ),
    ],
)
def test_tool_choices(choice: Any, mode: str) -> None:
    """Every shape has a mode and comes back."""
    request = read(tool_choice=choice)
    assert request.tool_choice is not None
    assert request.tool_choice.mode == mode
    assert DIALECT.write_request(request, STRICT)["tool_choice"] == choice


def test_tools_come_back() -> None:
    """Functions with and without their null fields, custom tools, hosted tools, namespaces."""
    tools: list[dict[str, Any]] = [
        {"type": "function", "name": "f"},
        {"type": "function", "name": "g", "description": None, "parameters": None, "strict": None},
        {"type": "function", "name": "h", "parameters": {}, "strict": True, "defer_loading": True},
        {"type": "custom", "name": "c", "format": {"type": "text"}},
        {"type": "web_search", "filters": {}},
        {"type": "namespace", "name": "n", "description": "d", "tools": []},
    ]
    request = read(tools=tools)
    assert [tool.kind for tool in request.tools] == [*["function"] * 3, "custom", *["opaque"] * 2]
    assert DIALECT.write_request(request, STRICT)["tools"] == tools


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 3}, "input"),
        ({"input": ["x"]}, "input.0"),
        ({"input": [{}]}, "input.0.type"),
        ({"input": [{"role": "king", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 3}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input.0.content.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input.0.content.0.text",
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": "x"},
                            {"type": "input_image", "image_url": {"url": "x"}},
                        ],
                    }
                ]
            },
            "input.0.content.1.image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input.0.content.0.image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            "input.0.content.0.file_data",
        ),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input.0.output"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": {}}]},
            "input.0.output",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"store": "no"}, "store"),
        ({"tools": [{"name": "f"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"text": {"verbosity": 1}}, "text.verbosity"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
    ],
)
def test_wrong_types_are_named(fields: dict[str, Any], param: str) -> None:
    """A 400 says which field."""
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request({"model": "m", "input": "hi", **fields})
    assert caught.value.param == param


def test_another_dialects_request_is_stateless() -> None:
    """System text leads as instructions; nothing is stored; reasoning can be replayed."""
    body = upstream(
        Message(role="system", parts=[TextPart(text="a", extras={"cache_control": {}})]),
        Message(role="developer", parts=[TextPart(text="b")]),
        user(),
        Message(role="system", parts=[TextPart(text="late")]),
        stream=True,
    )
    assert body == {
        "model": "m",
        "instructions": "a\n\nb",
        "input": [{"role": "user", "content": "hi"}, {"role": "system", "content": "late"}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_system_text_alone_is_input() -> None:
    """The API wants input."""
    body = upstream(Message(role="system", parts=[TextPart(text="a")]))
    assert body["input"] == [{"role": "system", "content": "a"}]
    assert "instructions" not in body


def test_another_dialects_turns() -> None:
    """Calls, results with images and errors, refusals; only this family's reasoning."""
    body = upstream(
        user(
            MediaPart(modality="image", mime_type="image/png", data="iV"),
            MediaPart(modality="document", mime_type="application/pdf", data="JV"),
            MediaPart(modality="document", text="plain", name="notes"),
            MediaPart(modality="audio", mime_type="audio/mpeg", data="SU"),
        ),
        Message(
            role="assistant",
            parts=[
                ReasoningPart(text="x", signature="s", dialect="anthropic.messages"),
                ReasoningPart(text="y", summary=True, encrypted="gA", id="rs_1", dialect=NAME),
                ReasoningPart(text="z", id="rs_2", dialect=NAME),
                TextPart(text="ok"),
                RefusalPart(text="no"),
                ToolCallPart(id="c1", name="f", item_id="fc_9", extras={"x": 1}),
            ],
        ),
        Message(
            role="tool",
            parts=[
                ToolResultPart(
                    call_id="c1",
                    content=[TextPart(text="a"), TextPart(text="b")],
                    is_error=True,
                ),
                ToolResultPart(
                    call_id="c2",
                    content=[MediaPart(modality="image", url="https://x")],
                    is_error=True,
                ),
            ],
        ),
    )
    assert body["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,iV"},
                {
                    "type": "input_file",
                    "file_data": "data:application/pdf;base64,JV",
                    "filename": "document.pdf",
                },
                {"type": "input_text", "text": "notes\n\nplain"},
                {"type": "input_audio", "input_audio": {"data": "SU", "format": "mp3"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "y"}],
            "encrypted_content": "gA",
        },
        {
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "ok"},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Error: a\nb"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "Error:"},
                {"type": "input_image", "image_url": "https://x"},
            ],
        },
    ]


def test_another_dialects_tools_and_formats() -> None:
    """Strictness is said (the API's default is another one), grammars lose a level."""
    grammar = {"syntax": "lark", "definition": "x"}
    body = upstream(
        user(),
        dialect="openai.chat",
        tools=[
            Tool(name="f", description="d", extras={"cache_control": {}}),
            Tool(
                name="c",
                kind="custom",
                dialect="openai.chat",
                raw={"format": {"type": "grammar", "grammar": grammar}},
            ),
        ],
        tool_choice=ToolChoice(mode="auto", allowed=["f", "c"]),
        output_format=OutputFormat(kind="json_schema", schema={"type": "object"}),
        extras={
            "verbosity": "low",
            "prompt_cache_key": "k",
            "stream_options": {},
            "store": True,
            "web_search_options": {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": {"city": "Rome"}},
            },
        },
        logprobs=True,
        top_logprobs=3,
        max_output_tokens=1,
        seed=7,
    )
    assert body["tools"] == [
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {"type": "custom", "name": "c", "format": {"type": "grammar", **grammar}},
        {
            "type": "web_search",
            "search_context_size": "low",
            "user_location": {"type": "approximate", "city": "Rome"},
        },
    ]
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
    }
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "response", "schema": {"type": "object"}},
        "verbosity": "low",
    }
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert body["top_logprobs"] == 3
    assert body["max_output_tokens"] == 16
    assert body["prompt_cache_key"] == "k"
    assert body["store"] is False


@pytest.mark.parametrize(
    ("reasoning", "written"),
    [
        (Reasoning(effort="high"), {"effort": "high", "summary": "auto"}),
        (Reasoning(effort="none"), {"effort": "none"}),
        (Reasoning(effort="low", summary="detailed"), {"effort": "low", "summary": "detailed"}),
        (Reasoning(enabled=True, budget_tokens=1024), {"effort": "low", "summary": "auto"}),
        (Reasoning(enabled=True, budget_tokens=4096), {"effort": "medium", "summary": "auto"}),
        (Reasoning(enabled=True, budget_tokens=16384), {"effort": "high", "summary": "auto"}),
        (Reasoning(adaptive=True), {"summary": "auto"}),
        (Reasoning(enabled=False), None),
        (Reasoning(encrypted=True), None),
    ],
)
def test_another_dialects_reasoning(reasoning: Reasoning, written: Any) -> None:
    """Budgets become efforts, and whoever sees thinking elsewhere sees its summary here."""
    assert upstream(user(), reasoning=reasoning).get("reasoning") == written


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": ["x"]}, "stop"),
        ({"n": 2}, "n"),
        ({"top_k": 4}, "top_k"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"extras": {"logit_bias": {"1": 2}}}, "logit_bias"),
        ({"extras": {"modalities": ["text", "audio"]}}, "modalities"),
        (
            {"tools": [Tool(name="bash", kind="opaque", dialect="anthropic.messages")]},
            "tools",
        ),
        ({"tool_choice": ToolChoice(mode="opaque", dialect="anthropic.messages")}, "tool_choice"),
    ],
)
def test_what_cannot_be_said_is_named_or_dropped(fields: dict[str, Any], param: str) -> None:
    """A 400 naming the field; or the field is left out where the options say so."""
    with pytest.raises(UnsupportedField) as caught:
        upstream(user(), **fields)
    assert caught.value.param == param
    assert param not in upstream(user(), options=LENIENT, **fields)


@pytest.mark.parametrize(
    "part",
    [
        MediaPart(modality="video", url="https://x"),
        MediaPart(modality="image", file_id="file_011"),
        OpaquePart(dialect="anthropic.messages", raw={"type": "container_upload"}),
    ],
)
def test_content_that_cannot_be_said(part: Part) -> None:
    """Videos, another vendor's uploads and blocks are refused or left out."""
    with pytest.raises(UnsupportedField):
        upstream(user(part))
    assert upstream(user(TextPart(text="x"), part), options=LENIENT)["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]}
    ]


def test_another_vendors_account_fields_do_not_leak() -> None:
    """Service tiers and documents as user ids mean nothing here."""
    body = upstream(
        user(), service_tier="standard_only", user="u" * 65, metadata={"user_id": None, "a": "b"}
    )
    assert "service_tier" not in body
    assert "user" not in body
    assert body["metadata"] == {"a": "b"}
    assert upstream(user(), user="u1")["user"] == "u1"


def test_named_choices_and_described_formats() -> None:
    """A forced tool is called what it is; a format keeps its description and strictness."""
    tools = [Tool(name="c", kind="custom", description="d", dialect="openai.chat")]
    shape = OutputFormat(
        kind="json_schema", name="n", schema={}, strict=True, description="described"
    )
    body = upstream(
        Message(role="assistant"),
        user(),
        tools=tools,
        tool_choice=ToolChoice(mode="named", name="c"),
        output_format=shape,
    )
    assert body["input"] == [{"role": "user", "content": "hi"}]
    assert body["tools"] == [{"type": "custom", "name": "c", "description": "d"}]
    assert body["tool_choice"] == {"type": "custom", "name": "c"}
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "n",
        "schema": {},
        "strict": True,
        "description": "described",
    }
    assert again(text={"format": {"type": "text"}})["text"] == {"format": {"type": "text"}}
    plain = upstream(user(), tools=[Tool(name="f")], tool_choice=ToolChoice(mode="required"))
    assert plain["tool_choice"] == "required"


def test_blocks_of_a_system_prompt_stay_apart() -> None:
    """Other APIs' system prompts come in blocks that end without a line break."""
    system = Message(
        role="system", parts=[TextPart(text="a"), TextPart(text=""), TextPart(text="b")]
    )
    more = Message(role="system", parts=[TextPart(text="c")])
    assert upstream(system, more, user())["instructions"] == "a\n\nb\n\nc"


def test_anthropics_web_search_is_this_apis() -> None:
    """Domains and place are kept, and so is the choice; it cannot leave domains out."""
    place = {"city": "Oslo"}
    raw: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    raw |= {"allowed_domains": ["x.example"], "user_location": {"type": "approximate", **place}}
    tool = Tool(kind="opaque", name="web_search", raw=raw, dialect="anthropic.messages")
    choice = ToolChoice(mode="named", name="web_search")
    body = upstream(user(), tools=[tool], tool_choice=choice)
    assert body["tools"] == [
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["x.example"]},
            "user_location": {"type": "approximate", **place},
        }
    ]
    assert body["tool_choice"] == {"type": "web_search"}
    raw["blocked_domains"] = ["y.example"]
    with pytest.raises(UnsupportedField) as caught:
        upstream(user(), tools=[tool])
    assert caught.value.param == "tools.0.blocked_domains"
    assert upstream(user(), tools=[tool], options=LENIENT)["tools"][0]["type"] == "web_search"


def test_a_choice_among_no_tools_is_left_out() -> None:
    """The API refuses settings of tools where there are none."""
    body = upstream(user(), tool_choice=ToolChoice(mode="required"), parallel_tool_calls=True)
    assert not body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_without_reasoning_leaves_a_valid_body() -> None:
    """Ciphertext goes, and the ids of what followed it in that turn; later turns keep theirs."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    body = {
        "model": "m",
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"},
            call,
            {"type": "function_call_output", "call_id": "c", "output": "1"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
            {"type": "reasoning", "id": "rs_2", "summary": []},
        ],
    }
    kept = DIALECT.without_reasoning(body)["input"]
    assert [item.get("id") for item in kept] == [None, None, None, "msg_1", "rs_2"]
    assert len(body["input"]) == 6
    assert DIALECT.without_reasoning({"input": "hi"}) == {"input": "hi"}
