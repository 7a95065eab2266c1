"""Writing requests of other dialects as Messages bodies."""

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
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from plano_asgi.errors import RequestError, UnsupportedField
from plano_asgi.wire.anthropic_messages import AnthropicMessages
from plano_asgi.wire.anthropic_messages.request_writer import JSON_INSTRUCTION
from plano_asgi.wire.base import WriteOptions

DIALECT = AnthropicMessages()
DROP = WriteOptions(on_unsupported="drop")
CACHED = {"cache_control": {"type": "ephemeral"}}
OLD, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-8"
FUNCTION = Tool(name="find", parameters={"type": "object"})


def say(role: Role, *parts: Part | str) -> Message:
    """A message of *parts*, strings as text."""
    return Message(role=role, parts=[TextPart(text=p) if isinstance(p, str) else p for p in parts])


def chat(*messages: Message, **fields: Any) -> ChatRequest:
    """A request that came by the chat dialect."""
    given = {"model": OLD, "dialect": "openai.chat"} | fields
    return ChatRequest(messages=list(messages) or [say("user", "Hi")], **given)


def write(request: ChatRequest, options: WriteOptions | None = None) -> dict[str, Any]:
    """The body of *request*."""
    return DIALECT.write_request(request, options or WriteOptions())


def call(arguments: str = "{}", call_id: str = "c1", name: str = "find") -> ToolCallPart:
    """A call of ``find``."""
    return ToolCallPart(id=call_id, name=name, arguments=arguments)


def result(text: str, call_id: str = "c1") -> ToolResultPart:
    """The answer to a call."""
    return ToolResultPart(call_id=call_id, content=[TextPart(text=text)])


def test_plain_chat_request() -> None:
    """The minimal request gets the limit that the API demands."""
    assert write(chat()) == {
        "model": OLD,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert write(chat(), WriteOptions(default_max_output_tokens=99))["max_tokens"] == 99
    assert write(chat(max_output_tokens=7))["max_tokens"] == 7


def test_leading_instructions_become_system_blocks_in_order() -> None:
    """System and developer messages before the conversation are all kept, with cache marks."""
    developer = say("developer", "B", TextPart(text="C", extras=CACHED | {"name": "x"}))
    body = write(chat(say("system", "A"), developer, say("user", "Hi")))
    assert body["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
        {"type": "text", "text": "C", **CACHED},
    ]


def test_a_message_level_cache_mark_goes_to_its_last_block() -> None:
    """Some chat clients mark the whole message."""
    message = say("system", "A")
    message.extras = dict(CACHED)
    body = write(chat(message, say("user", "Hi")))
    assert body["system"] == [{"type": "text", "text": "A", **CACHED}]


def test_instructions_inside_the_conversation_become_a_reminder() -> None:
    """Later system text joins the user turn it stands at."""
    body = write(chat(say("user", "Hi"), say("system", "Be brief."), say("user", "Go")))
    reminder = "<system-reminder>\nBe brief.\n</system-reminder>"
    texts = [block["text"] for block in body["messages"][0]["content"]]
    assert texts == ["Hi", reminder, "Go"]
    assert "system" not in body


def test_instructions_are_text_only() -> None:
    """An image in a system message cannot be said."""
    image = MediaPart(modality="image", url="https://a.test")
    with pytest.raises(UnsupportedField, match=r"messages\.0\.content"):
        write(chat(say("system", image), say("user", "Hi")))
    assert "system" not in write(chat(say("system", image), say("user", "Hi")), DROP)


def test_tool_results_of_a_turn_share_one_user_message() -> None:
    """Adjacent turns of one role are merged, results first."""
    body = write(
        chat(
            say("user", "A"),
            say("user", "B"),
            say("assistant", "C", call(), call('{"q":1}', "c2")),
            say("tool", result("1")),
            say("tool", result("2", "c2")),
            say("user", "D"),
            tools=[FUNCTION],
        )
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"][1:] == [
        {"type": "tool_use", "id": "c1", "name": "find", "input": {}},
        {"type": "tool_use", "id": "c2", "name": "find", "input": {"q": 1}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "1"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "2"},
        {"type": "text", "text": "D"},
    ]


def test_empty_arguments_are_an_empty_object() -> None:
    """A call without arguments has an empty input."""
    body = write(chat(say("user", "A"), say("assistant", call("")), say("tool", result("1"))))
    assert body["messages"][1]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """The path of the call is named."""
    with pytest.raises(RequestError) as caught:
        write(chat(say("user", "A"), say("assistant", call(arguments))))
    assert caught.value.param == "messages.1.content.0.arguments"


def test_ids_are_brought_into_the_alphabet_of_the_api() -> None:
    """Call and result still belong together, and different ids stay different."""
    calls = [call("{}", "functions.find:0"), call("{}", "functions.find/0")]
    results = [result("1", "functions.find:0"), result("2", "functions.find/0")]
    body = write(chat(say("user", "A"), say("assistant", *calls), say("tool", *results)))
    called = [block["id"] for block in body["messages"][1]["content"]]
    answered = [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert called == answered
    assert len(set(called)) == 2
    assert all(set("./:").isdisjoint(call_id) for call_id in called)


def test_results_may_be_empty_failed_or_pictures() -> None:
    """Nothing is no content; a failure says so; media stays media."""
    image = MediaPart(modality="image", url="https://a.test")
    parts = [
        ToolResultPart(call_id="c1", content=[TextPart(text="")]),
        ToolResultPart(call_id="c2", content=[TextPart(text="no")], is_error=True),
        ToolResultPart(call_id="c3", content=[image], extras=CACHED | {"x": 1}),
    ]
    body = write(chat(say("user", "A"), say("assistant", call()), say("tool", *parts)))
    source = {"type": "url", "url": "https://a.test"}
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "no", "is_error": True},
        {
            "type": "tool_result",
            "tool_use_id": "c3",
            "content": [{"type": "image", "source": source}],
            **CACHED,
        },
    ]


def test_undeclared_tools_of_the_history_are_declared() -> None:
    """Calls need declarations; using them is forbidden."""
    history = [say("user", "A"), say("assistant", call()), say("tool", result("1"))]
    body = write(chat(*history))
    assert body["tools"] == [{"name": "find", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


def test_empty_text_and_empty_turns_are_left_out() -> None:
    """What the API refuses as empty goes; the space after a prefill as well."""
    body = write(
        chat(
            say("user", "A", " "),
            say("assistant", ""),
            say("user", "B"),
            say("assistant", "Sure: "),
        )
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": t} for t in "AB"]},
        {"role": "assistant", "content": "Sure:"},
    ]


def test_reasoning_goes_back_to_its_own_family_only() -> None:
    """Signed and redacted thinking of Claude is kept, foreign reasoning left out."""
    parts = [
        ReasoningPart(text="a", signature="s", dialect="bedrock.converse"),
        ReasoningPart(encrypted="r", dialect="anthropic.messages"),
        ReasoningPart(text="b", encrypted="e", dialect="openai.responses"),
        ReasoningPart(text="c", dialect="openai.chat"),
    ]
    body = write(chat(say("user", "A"), say("assistant", *parts, "B")))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "B"},
    ]


PNG = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("part", "block"),
    [
        pytest.param(
            MediaPart(modality="image", data=PNG),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
            },
            id="sniffed",
        ),
        pytest.param(
            MediaPart(modality="image", url=f"data:image/jpg;base64,{PNG}", detail="low"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG},
            },
            id="data-url",
        ),
        pytest.param(
            MediaPart(modality="image", url="https://a.test/x", extras=CACHED),
            {"type": "image", "source": {"type": "url", "url": "https://a.test/x"}, **CACHED},
            id="url",
        ),
        pytest.param(
            MediaPart(modality="document", mime_type="application/pdf", data="JVBER", name="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBER"},
                "title": "a.pdf",
            },
            id="pdf",
        ),
        pytest.param(
            MediaPart(modality="document", mime_type="text/csv", data="YSxi"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
            },
            id="text-file",
        ),
        pytest.param(RefusalPart(text="No."), {"type": "text", "text": "No."}, id="refusal"),
    ],
)
def test_content(part: Part, block: dict[str, Any]) -> None:
    """Media and refusals find their blocks."""
    body = write(chat(say("user", "see", part)))
    assert body["messages"][0]["content"][1] == block


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(MediaPart(modality="audio", data="UklGR"), id="audio"),
        pytest.param(MediaPart(modality="video", url="https://a.test"), id="video"),
        pytest.param(MediaPart(modality="image", file_id="file-1"), id="foreign-file"),
        pytest.param(MediaPart(modality="image", data="????"), id="unknown-image"),
        pytest.param(
            MediaPart(modality="document", mime_type="application/msword", data="AAAA"), id="word"
        ),
        pytest.param(
            MediaPart(modality="document", mime_type="text/plain", data="A"), id="broken-base64"
        ),
        pytest.param(OpaquePart(dialect="openai.responses", raw={"type": "mcp_call"}), id="item"),
    ],
)
def test_content_that_cannot_be_said(part: Part) -> None:
    """It is refused by its path, or dropped where that was asked for."""
    request = chat(say("user", "see", part))
    with pytest.raises(UnsupportedField) as caught:
        write(request)
    assert caught.value.param == "messages.0.content.1"
    assert write(request, DROP)["messages"] == [{"role": "user", "content": "see"}]


def test_a_lone_cache_point_is_no_content() -> None:
    """Bedrock's separate mark is a hint; where it has a block, its reader put it there."""
    raw = {"cachePoint": {"type": "default"}}
    point = OpaquePart(dialect="bedrock.converse", raw=raw)
    tool = Tool(name="", kind="opaque", raw=raw, dialect="bedrock.converse")
    body = write(chat(say("user", point, "A"), dialect="bedrock.converse", tools=[tool]))
    assert body["messages"] == [{"role": "user", "content": "A"}]
    assert "tools" not in body


def test_a_spoken_web_search_leaves_no_trace() -> None:
    """The search item of a Responses history is told by the text after it."""
    item = OpaquePart(dialect="openai.responses", raw={"type": "web_search_call", "id": "ws_1"})
    body = write(chat(say("user", "A"), say("assistant", item, "B"), say("user", "C")))
    assert body["messages"][1] == {"role": "assistant", "content": "B"}


# --------------------------------------------------------------------------- tools


def test_function_and_custom_tools() -> None:
    """Schemas get their type; free text becomes a string property, its grammar a description."""
    form = {"type": "grammar", "syntax": "regex", "definition": "a+"}
    tools = [
        Tool(name="f", description="F", parameters={"properties": {}}, strict=True),
        Tool(name="g", parameters=None, strict=False, extras=CACHED | {"x": 1}),
        Tool(name="h", kind="custom", description="H", raw={"format": form}),
    ]
    written = write(chat(tools=tools))["tools"]
    schema = {"type": "object", "properties": {}}
    assert written[0] == {"name": "f", "description": "F", "input_schema": schema, "strict": True}
    assert written[1] == {"name": "g", "input_schema": {"type": "object"}, **CACHED}
    assert written[2]["input_schema"]["required"] == ["input"]
    assert written[2]["description"].startswith("H\n\n")
    assert '"definition":"a+"' in written[2]["description"]


def test_tools_of_a_namespace_stand_alone() -> None:
    """A refused one among them is named by its place."""
    members: list[dict[str, Any]] = [{"type": "function", "name": "f"}]
    raw = {"type": "namespace", "name": "n", "tools": members}
    space = Tool(name="n", kind="opaque", raw=raw, dialect="openai.responses")
    schema = {"type": "object"}
    assert write(chat(tools=[FUNCTION, space]))["tools"][1] == {"name": "f", "input_schema": schema}
    members.append({"type": "local_shell"})
    with pytest.raises(UnsupportedField) as caught:
        write(chat(tools=[FUNCTION, space]))
    assert caught.value.param == "tools.1.tools.1"


def test_free_text_tools_need_no_description() -> None:
    """The grammar alone is one; without it there is none."""
    form = {"type": "grammar", "syntax": "regex", "definition": "a+"}
    tools = [
        Tool(name="h", kind="custom", raw={"format": form}),
        Tool(name="i", kind="custom", raw={"format": {"type": "text"}}),
    ]
    written = write(chat(tools=tools))["tools"]
    assert written[0]["description"].startswith("The input must follow")
    assert "description" not in written[1]


def test_free_text_calls_keep_their_text() -> None:
    """A custom call's input is the property of the same name."""
    patch = ToolCallPart(id="c1", name="patch", arguments="*** Begin", kind="custom")
    body = write(chat(say("user", "A"), say("assistant", patch), say("tool", result("ok"))))
    assert body["messages"][1]["content"][0]["input"] == {"input": "*** Begin"}


PLACE = {"city": "Oslo", "country": "NO"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(
            {
                "extras": {
                    "web_search_options": {
                        "user_location": {"type": "approximate", "approximate": PLACE}
                    }
                }
            },
            id="chat",
        ),
        pytest.param(
            {
                "tools": [
                    Tool(
                        name="web_search",
                        kind="opaque",
                        dialect="openai.responses",
                        raw={
                            "type": "web_search_preview",
                            "user_location": {"type": "approximate", **PLACE},
                        },
                    )
                ]
            },
            id="responses",
        ),
    ],
)
def test_web_search_becomes_the_server_tool(fields: dict[str, Any]) -> None:
    """Both OpenAI spellings of web search are Anthropic's tool."""
    body = write(chat(**fields))
    where = {"type": "approximate", **PLACE}
    tool = {"type": "web_search_20250305", "name": "web_search", "user_location": where}
    assert body["tools"] == [tool]
    assert "tool_choice" not in body


def test_web_search_keeps_its_domains() -> None:
    """The allow-list of a Responses search is kept."""
    raw = {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}}
    tool = Tool(name="web_search", kind="opaque", raw=raw, dialect="openai.responses")
    assert write(chat(tools=[tool]))["tools"][0]["allowed_domains"] == ["a.test"]


def test_other_server_tools_are_refused() -> None:
    """A server tool without counterpart is named, or dropped."""
    raw = {"type": "file_search"}
    tool = Tool(name="file_search", kind="opaque", raw=raw, dialect="openai.responses")
    with pytest.raises(UnsupportedField) as caught:
        write(chat(tools=[FUNCTION, tool]))
    assert caught.value.param == "tools.1"
    assert len(write(chat(tools=[FUNCTION, tool]), DROP)["tools"]) == 1


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        pytest.param(None, None, None, id="nothing"),
        pytest.param(None, True, None, id="parallel-is-default"),
        pytest.param(
            None, False, {"type": "auto", "disable_parallel_tool_use": True}, id="one-at-a-time"
        ),
        pytest.param(
            ToolChoice(mode="required"),
            False,
            {"type": "any", "disable_parallel_tool_use": True},
            id="required",
        ),
        pytest.param(
            ToolChoice(mode="named", name="find"),
            True,
            {"type": "tool", "name": "find"},
            id="named",
        ),
        pytest.param(ToolChoice(mode="none"), False, {"type": "none"}, id="none"),
    ],
)
def test_tool_choice(
    choice: ToolChoice | None, parallel: bool | None, written: dict[str, Any] | None
) -> None:
    """Choice and parallel calls share one field."""
    body = write(chat(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=parallel))
    assert body.get("tool_choice") == written


def test_tool_choice_without_tools_is_left_out() -> None:
    """The API refuses a choice between nothing."""
    assert "tool_choice" not in write(chat(tool_choice=ToolChoice(mode="auto")))


def test_allowed_tools_narrow_the_offer() -> None:
    """Only the allowed tools are declared."""
    choice = ToolChoice(mode="required", allowed=["find"])
    tools = [Tool(name="other", parameters={}), FUNCTION]
    body = write(chat(tools=tools, tool_choice=choice))
    assert [tool["name"] for tool in body["tools"]] == ["find"]
    assert body["tool_choice"] == {"type": "any"}


def test_foreign_tool_choice_is_refused() -> None:
    """A choice of another API's server tool has no counterpart."""
    choice = ToolChoice(mode="opaque", raw={"type": "mcp"}, dialect="openai.responses")
    with pytest.raises(UnsupportedField, match="tool_choice"):
        write(chat(tools=[FUNCTION], tool_choice=choice))
    assert "tool_choice" not in write(chat(tools=[FUNCTION], tool_choice=choice), DROP)


# --------------------------------------------------------------------------- sampling, extras


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param({"n": 2}, "n", id="n"),
        pytest.param({"logprobs": True}, "logprobs", id="logprobs"),
        pytest.param({"top_logprobs": 2}, "logprobs", id="top-logprobs"),
        pytest.param({"frequency_penalty": 0.5}, "frequency_penalty", id="frequency"),
        pytest.param({"presence_penalty": -1}, "presence_penalty", id="presence"),
        pytest.param({"extras": {"logit_bias": {"1": 5}}}, "logit_bias", id="logit-bias"),
        pytest.param({"extras": {"modalities": ["audio"]}}, "modalities", id="modalities"),
        pytest.param(
            {"extras": {"chat_template_kwargs": {"a": 1}}}, "chat_template_kwargs", id="x"
        ),
    ],
)
def test_fields_that_change_the_answer_are_refused(fields: dict[str, Any], param: str) -> None:
    """They are named, or left out where that was asked for."""
    with pytest.raises(UnsupportedField) as caught:
        write(chat(**fields))
    assert caught.value.param == param
    assert write(chat(**fields), DROP) == write(chat())


def test_fields_that_are_safe_to_drop() -> None:
    """Hints, tags and neutral values pass without a trace."""
    request = chat(
        n=1,
        logprobs=False,
        frequency_penalty=0,
        seed=1,
        metadata={"tag": "x"},
        service_tier="flex",
        include_usage=True,
        extras={
            "store": True,
            "prediction": {"type": "content"},
            "verbosity": "low",
            "prompt_cache_key": "k",
            "logit_bias": {},
            "modalities": ["text"],
            "background": False,
        },
    )
    assert write(request) == write(chat())


def test_fields_with_a_counterpart() -> None:
    """User, tier, stop and Anthropic's own fields in a chat body are kept."""
    request = chat(
        user="u1",
        service_tier="default",
        stop=["END", "\n", ""],
        stream=True,
        temperature=0.5,
        top_p=0.9,
        extras={"cache_control": {"type": "ephemeral"}},
    )
    assert write(request) == write(chat()) | {
        "metadata": {"user_id": "u1"},
        "service_tier": "standard_only",
        "stop_sequences": ["END"],
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "cache_control": {"type": "ephemeral"},
    }


def test_temperature_over_one() -> None:
    """Refused, or clamped where unsupported values are to be dropped."""
    with pytest.raises(UnsupportedField, match="temperature"):
        write(chat(temperature=1.5))
    assert write(chat(temperature=1.5), DROP)["temperature"] == 1


def test_json_schema() -> None:
    """A schema is closed where it leaves objects open, as the API demands."""
    inner = {"type": "array", "items": {"type": "object", "properties": {}}}
    schema = {"type": "object", "properties": {"a": inner, "b": {"anyOf": [{"type": "null"}]}}}
    form = OutputFormat(kind="json_schema", name="x", schema=schema, strict=True)
    written = write(chat(output_format=form))["output_config"]["format"]
    assert written["type"] == "json_schema"
    assert written["schema"]["additionalProperties"] is False
    assert written["schema"]["properties"]["a"]["items"]["additionalProperties"] is False
    assert "additionalProperties" not in schema


def test_json_object_becomes_an_instruction() -> None:
    """JSON of no given schema is asked for in words, after the client's own."""
    form = OutputFormat(kind="json_object")
    body = write(chat(say("system", "A"), say("user", "Hi"), output_format=form))
    assert [block["text"] for block in body["system"]] == ["A", JSON_INSTRUCTION]


# --------------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    ("reasoning", "limit", "thinking", "max_tokens"),
    [
        pytest.param(Reasoning(effort="high"), None, 16384, 8192 + 16384, id="room-is-added"),
        pytest.param(Reasoning(effort="minimal"), None, 1024, 8192 + 1024, id="minimal"),
        pytest.param(Reasoning(effort="high"), 8000, 6000, 8000, id="shrunk"),
        pytest.param(Reasoning(effort="high"), 1300, None, 1300, id="does-not-fit"),
        pytest.param(Reasoning(budget_tokens=3000), None, 3000, 11192, id="budget"),
        pytest.param(Reasoning(enabled=True), None, 8192, 16384, id="just-on"),
        pytest.param(Reasoning(effort="odd"), None, 8192, 16384, id="unknown-effort"),
        pytest.param(Reasoning(summary="auto"), None, None, 8192, id="not-asked-for"),
    ],
)
def test_effort_as_a_budget(
    reasoning: Reasoning, limit: int | None, thinking: int | None, max_tokens: int
) -> None:
    """Models of the budget generation get tokens, which always fit below the limit."""
    body = write(chat(reasoning=reasoning, max_output_tokens=limit))
    budget = {"type": "enabled", "budget_tokens": thinking} if thinking else None
    assert body.get("thinking") == budget
    assert body["max_tokens"] == max_tokens
    assert "output_config" not in body


@pytest.mark.parametrize(
    ("reasoning", "config"),
    [
        pytest.param(Reasoning(effort="minimal"), {"effort": "low"}, id="minimal"),
        pytest.param(Reasoning(effort="xhigh"), {"effort": "xhigh"}, id="xhigh"),
        pytest.param(Reasoning(budget_tokens=15000), {"effort": "high"}, id="nearest"),
        pytest.param(Reasoning(enabled=True), None, id="just-on"),
    ],
)
def test_effort_for_adaptive_models(reasoning: Reasoning, config: dict[str, Any] | None) -> None:
    """Later models get the effort itself, and their thoughts are shown."""
    body = write(chat(model=NEW, reasoning=reasoning))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body.get("output_config") == config
    assert body["max_tokens"] == 8192


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize("reasoning", [Reasoning(effort="none"), Reasoning(enabled=False)])
def test_thinking_switched_off(model: str, reasoning: Reasoning) -> None:
    """No effort is said, not left to the model."""
    body = write(chat(model=model, reasoning=reasoning))
    assert body["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(
    ("model", "adaptive"),
    [
        ("claude-3-7-sonnet-20250219", False),
        ("claude-sonnet-4-20250514", False),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", False),
        ("claude-opus-4-1@20250805", False),
        ("claude-opus-4", False),
        ("anthropic/claude-haiku-4.5", False),
        ("claude-opus-4-6", True),
        ("anthropic/claude-opus-4.8", True),
        ("claude-sonnet-5", True),
        ("claude-fable-5-2", True),
        ("kimi-k2-thinking", False),
    ],
)
def test_models_and_their_thinking(model: str, adaptive: bool) -> None:
    """Generations are told apart in every vendor's spelling; other models know budgets."""
    body = write(chat(model=model, reasoning=Reasoning(effort="low")))
    assert (body["thinking"]["type"] == "adaptive") is adaptive


def test_thinking_makes_sampling_give_way() -> None:
    """What the API refuses beside thinking is left out."""
    request = chat(reasoning=Reasoning(effort="low"), temperature=0.2, top_k=5, top_p=0.5)
    assert {"temperature", "top_k", "top_p"}.isdisjoint(write(request))
    assert write(chat(reasoning=Reasoning(effort="low"), top_p=0.97))["top_p"] == 0.97


@pytest.mark.parametrize("model", [OLD, NEW])
def test_a_forced_call_wins_over_thinking(model: str) -> None:
    """The API refuses both together: the contract stays, the hint goes."""
    choice = ToolChoice(mode="required")
    body = write(
        chat(model=model, tools=[FUNCTION], tool_choice=choice, reasoning=Reasoning(effort="low"))
    )
    assert "thinking" not in body
    assert body["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize("kept", [False, True], ids=["lost", "kept"])
def test_budgeted_thinking_needs_the_thoughts_of_a_running_tool_loop(kept: bool) -> None:
    """Without the signed thinking before the calls, the loop goes on without thinking."""
    thought: list[Part] = [ReasoningPart(text="a", signature="s", dialect="anthropic.messages")]
    loop = [
        say("user", "A"),
        say("assistant", *(thought if kept else []), call()),
        say("tool", result("1")),
    ]
    body = write(chat(*loop, tools=[FUNCTION], reasoning=Reasoning(effort="low")))
    assert ("thinking" in body) is kept


def test_chat_clients_may_send_the_thinking_object() -> None:
    """Anthropic's own field in a chat body is understood."""
    thinking = {"type": "enabled", "budget_tokens": 2000}
    body = write(chat(extras={"thinking": thinking}))
    assert body["thinking"] == thinking
    assert body["max_tokens"] == 10192
