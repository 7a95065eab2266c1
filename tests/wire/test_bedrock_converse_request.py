"""Any client's request as Converse wants it, and Converse's own there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from corpus import exchanges
from plano_asgi.conversation import (
    ChatRequest,
    Citation,
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
from plano_asgi.wire.base import WriteOptions
from plano_asgi.wire.bedrock_converse import BedrockConverse

DIALECT = BedrockConverse()
DROP = WriteOptions(on_unsupported="drop")
PNG = MediaPart(modality="image", mime_type="image/png", data="AA==")
PDF = MediaPart(modality="document", mime_type="application/pdf", data="AA==", name="a_b.pdf")
HELLO = Message(role="user", parts=[TextPart(text="Hello")])
HELLO_TURN = {"role": "user", "content": [{"text": "Hello"}]}


def write(request: ChatRequest, options: WriteOptions | None = None) -> dict[str, Any]:
    """The body of *request*, checked against AWS's own model where that is installed."""
    body = DIALECT.write_request(request, options or WriteOptions())
    assert violations(body) == ""
    return body


def violations(body: dict[str, Any]) -> str:
    """What AWS's service model says against *body*; nothing where botocore is not installed."""
    try:
        from botocore.session import Session  # type: ignore[import-untyped, unused-ignore]
        from botocore.validate import (  # type: ignore[import-untyped, unused-ignore]
            ParamValidator,
        )
    except ImportError:
        return ""
    global _shape
    if _shape is None:
        model = Session().get_service_model("bedrock-runtime")
        _shape = model.operation_model("Converse").input_shape
    return str(ParamValidator().validate({"modelId": "m", **body}, _shape).generate_report())


_shape: Any = None


def asked(*messages: Message, **fields: Any) -> ChatRequest:
    """A request of a chat client."""
    fields.setdefault("dialect", "openai.chat")
    return ChatRequest(model="m", messages=list(messages), **fields)


def said(role: Role, *parts: Part) -> Message:
    """A message of *parts*."""
    return Message(role=role, parts=list(parts))


def content(*parts: Part, **fields: Any) -> list[Any]:
    """The blocks of one user message of *parts*."""
    turns: list[Any] = write(asked(said("user", *parts), **fields))["messages"]
    return list(turns[0]["content"])


def comparable(value: Any) -> Any:
    """*value* without what may differ: empty fields, defaults, JSON spacing, blank text."""
    if isinstance(value, list):
        return [comparable(item) for item in value if item not in ({"text": "\n"},)]
    if not isinstance(value, dict):
        return value
    same = {name: comparable(item) for name, item in value.items() if name != "input"}
    if "jsonSchema" in same:
        same["jsonSchema"]["schema"] = json.loads(same["jsonSchema"]["schema"])
    if "text" in same and isinstance(same["text"], str):
        same["text"] = same["text"].rstrip("\n")
    defaults: dict[str, Any] = {"status": "success", "type": "tool_use", "format": "video/mp4"}
    return {
        name: item
        for name, item in same.items()
        if item not in ([], {}) and defaults.get(name) != item
    } | ({"input": value["input"]} if "input" in value else {})


RECORDED = [
    param
    for param in exchanges("bedrock.converse")
    if param.values[0] is None or param.values[0]["request"] is not None
]


@pytest.mark.parametrize("item", RECORDED)
def test_recorded_requests_survive_reading_and_writing(item: dict[str, Any]) -> None:
    """What was sent to Bedrock is written again as it was, field for field."""
    recorded = item["request"]
    written = DIALECT.write_request(DIALECT.read_request(recorded), WriteOptions())
    expected = comparable(recorded)
    assert {**comparable(written), **_unset(written, expected)} == expected
    assert violations(written) == ""


def _unset(written: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The one repair: a video format that was recorded as a media type is written as a format."""
    bad = '"format": "mp4"'
    return {"messages": expected["messages"]} if bad in json.dumps(written["messages"]) else {}


def test_a_conversation_with_tools_takes_converses_shape() -> None:
    """System apart, one user turn for all results of a turn, empty text nowhere, no model."""
    body = write(
        asked(
            said("system", TextPart(text="Be kind.")),
            said("developer", TextPart(text="Be short.")),
            said("user", TextPart(text=""), TextPart(text="Weather?")),
            said(
                "assistant",
                TextPart(text=""),
                ToolCallPart(id="a", name="get", arguments='{"c":"x"}'),
                ToolCallPart(id="b", name="get", arguments=""),
            ),
            said("tool", ToolResultPart(call_id="a", content=[TextPart(text="1"), PNG])),
            said("tool", ToolResultPart(call_id="b", content=[], is_error=True)),
            said("user", TextPart(text="And?")),
            tools=[Tool(name="get", parameters={"type": "object"}), Tool(name="b", strict=True)],
            tool_choice=ToolChoice(mode="auto"),
        )
    )
    assert body == {
        "system": [{"text": "Be kind."}, {"text": "Be short."}],
        "messages": [
            {"role": "user", "content": [{"text": "Weather?"}]},
            {
                "role": "assistant",
                "content": [
                    {"toolUse": {"toolUseId": "a", "name": "get", "input": {"c": "x"}}},
                    {"toolUse": {"toolUseId": "b", "name": "get", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "toolResult": {
                            "toolUseId": "a",
                            "content": [
                                {"text": "1"},
                                {"image": {"format": "png", "source": {"bytes": "AA=="}}},
                            ],
                        }
                    },
                    {
                        "toolResult": {
                            "toolUseId": "b",
                            "content": [{"text": "(no output)"}],
                            "status": "error",
                        }
                    },
                    {"text": "And?"},
                ],
            },
        ],
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "get", "inputSchema": {"json": {"type": "object"}}}},
                {
                    "toolSpec": {
                        "name": "b",
                        "inputSchema": {"json": {"type": "object", "properties": {}}},
                        "strict": True,
                    }
                },
            ],
            "toolChoice": {"auto": {}},
        },
    }


def test_settings_find_their_fields() -> None:
    """Limits, format, effort, thinking, labels and tier each have a place."""
    body = write(
        asked(
            HELLO,
            max_output_tokens=9,
            temperature=0.0,
            top_p=0.5,
            top_k=3,
            stop=["|"],
            seed=1,
            user="u-1",
            metadata={"team": "a b", "empty": "", "bad": "é", "number": 1},
            service_tier="flex",
            reasoning=Reasoning(effort="minimal", budget_tokens=1024, extras={"other": 1}),
            output_format=OutputFormat(
                kind="json_schema", name="s", description="d", schema={"type": "object"}
            ),
        )
    )
    assert body == {
        "messages": [HELLO_TURN],
        "inferenceConfig": {
            "maxTokens": 9,
            "temperature": 0.0,
            "topP": 0.5,
            "stopSequences": ["|"],
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {
                    "jsonSchema": {
                        "schema": '{"type":"object"}',
                        "name": "s",
                        "description": "d",
                    }
                },
            },
            "effort": "low",
        },
        "additionalModelRequestFields": {
            "top_k": 3,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
        },
        "requestMetadata": {"user": "u-1", "team": "a b", "empty": ""},
        "serviceTier": {"type": "flex"},
    }


def test_a_plain_request_sends_nothing_it_was_not_asked_for() -> None:
    """No empty objects, no defaults."""
    quiet = {"service_tier": "auto", "output_format": OutputFormat(kind="text")}
    assert write(asked(HELLO, **quiet)) == {"messages": [HELLO_TURN]}
    schema = OutputFormat(kind="json_schema", schema={})
    structure = write(asked(HELLO, output_format=schema))["outputConfig"]["textFormat"]["structure"]
    assert structure == {"jsonSchema": {"schema": "{}"}}


@pytest.mark.parametrize(
    ("reasoning", "dialect", "expected"),
    [
        (Reasoning(effort="none"), "openai.chat", {}),
        (Reasoning(effort="high"), "openai.chat", {"outputConfig": {"effort": "high"}}),
        (Reasoning(enabled=False), "openai.chat", {}),
        (
            Reasoning(enabled=False),
            "anthropic.messages",
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        ),
        (
            Reasoning(adaptive=True, extras={"display": "omitted"}),
            "anthropic.messages",
            {
                "additionalModelRequestFields": {
                    "thinking": {"type": "adaptive", "display": "omitted"}
                }
            },
        ),
    ],
)
def test_thinking_is_spelled_as_anthropic_does(
    reasoning: Reasoning, dialect: str, expected: dict[str, Any]
) -> None:
    """An effort has its own field; "disabled" is only said where the client said it so."""
    body = write(asked(HELLO, reasoning=reasoning, dialect=dialect))
    assert {name: value for name, value in body.items() if name != "messages"} == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -0.5}, "presence_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"extras": {"logit_bias": {"5": 1}}}, "logit_bias"),
        ({"output_format": OutputFormat(kind="json_object")}, "response_format"),
        ({"parallel_tool_calls": False, "tools": [Tool(name="t")]}, "parallel_tool_calls"),
        ({"tools": [Tool(name="t", kind="opaque", dialect="openai.responses")]}, "tools.0"),
        (
            {
                "tools": [Tool(name="t")],
                "tool_choice": ToolChoice(mode="opaque", dialect="openai.responses"),
            },
            "tool_choice",
        ),
    ],
)
def test_what_converse_cannot_say_is_refused_or_dropped(fields: dict[str, Any], param: str) -> None:
    """By default a 400 names the field; an upstream set to drop leaves it out."""
    with pytest.raises(UnsupportedField) as caught:
        write(asked(HELLO, **fields))
    assert caught.value.param == param
    assert write(asked(HELLO, **fields), DROP)["messages"] == [HELLO_TURN]


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "frequency_penalty": 0, "logprobs": False, "top_logprobs": 0},
        {"extras": {"store": True, "modalities": ["text"], "logit_bias": {}, "audio": None}},
        {"parallel_tool_calls": False},
        {"parallel_tool_calls": True},
    ],
)
def test_what_asks_for_nothing_is_passed_over(fields: dict[str, Any]) -> None:
    """Defaults, hints, and a limit on tools that are not there."""
    assert write(asked(HELLO, **fields)) == {"messages": [HELLO_TURN]}


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (MediaPart(modality="image", url="https://x.example/a.png"), "messages.0.content.1"),
        (MediaPart(modality="image", mime_type="image/png", url="https://x.example/a"), None),
        (MediaPart(modality="image", mime_type="image/bmp", data="AA=="), None),
        (MediaPart(modality="document", file_id="f"), None),
        (OpaquePart(dialect="anthropic.messages", raw={"type": "container_upload"}), None),
        (
            ToolResultPart(
                call_id="a",
                content=[MediaPart(modality="audio", mime_type="audio/wav", data="AA==")],
            ),
            "messages.0.content.1.content.0",
        ),
    ],
)
def test_parts_that_converse_cannot_hold_are_refused_or_dropped(
    part: Part, param: str | None
) -> None:
    """Bedrock fetches no URL and knows no foreign block; the path names the part."""
    request = asked(said("user", TextPart(text="Hello"), part))
    with pytest.raises(UnsupportedField) as caught:
        write(request)
    assert caught.value.param == (param or "messages.0.content.1")
    assert write(request, DROP)["messages"][0]["content"][0] == {"text": "Hello"}


def test_media_take_their_format_from_type_or_name() -> None:
    """Media types become formats; S3 is the only location Bedrock reads."""
    assert content(
        MediaPart(modality="image", mime_type="image/jpg", data="AA=="),
        MediaPart(modality="video", url="s3://bucket/a.mov", extras={"bucketOwner": "1" * 12}),
        MediaPart(modality="audio", mime_type="audio/mpeg", data="AA=="),
        MediaPart(modality="document", mime_type="text/x-python; charset=utf-8", data="AA=="),
        MediaPart(modality="document", text="t", extras={"citations": {"enabled": True}}),
    ) == [
        {"image": {"format": "jpeg", "source": {"bytes": "AA=="}}},
        {
            "video": {
                "format": "mov",
                "source": {"s3Location": {"uri": "s3://bucket/a.mov", "bucketOwner": "1" * 12}},
            }
        },
        {"audio": {"format": "mp3", "source": {"bytes": "AA=="}}},
        {"document": {"format": "txt", "source": {"bytes": "AA=="}, "name": "document"}},
        {
            "document": {
                "format": "txt",
                "source": {"text": "t"},
                "name": "document 2",
                "citations": {"enabled": True},
            }
        },
    ]


def test_document_names_are_cleaned_and_unique() -> None:
    """Bedrock allows few characters and no name twice in one request."""
    result = ToolResultPart(call_id="a", content=[PDF])
    blocks = content(PDF, PDF, MediaPart(modality="document", text="t", name="!!.x"), result)
    names = [block["document"]["name"] for block in blocks[:3]]
    assert names == ["a b", "a b 2", "document"]
    assert blocks[3]["toolResult"]["content"][0]["document"]["name"] == "a b 3"


def test_reasoning_goes_only_to_the_family_that_signed_it() -> None:
    """Claude's signatures are valid in both APIs; other families' proofs are left out."""
    parts: list[Part] = [
        ReasoningPart(text="a", signature="s", dialect="anthropic.messages"),
        ReasoningPart(encrypted="EqAD", dialect="anthropic.messages"),
        ReasoningPart(text="unsigned", dialect="anthropic.messages"),
        ReasoningPart(text="b", dialect="bedrock.converse"),
        ReasoningPart(dialect="bedrock.converse"),
        ReasoningPart(text="c", encrypted="x", dialect="openai.responses"),
        ReasoningPart(text="d"),
    ]
    body = write(asked(said("assistant", *parts), HELLO))
    assert body["messages"][0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "RXFBRA=="}},
        {"reasoningContent": {"reasoningText": {"text": "b"}}},
    ]


def test_cache_marks_become_cache_points() -> None:
    """After the block that is marked: in system, messages, results and tools."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    result = ToolResultPart(call_id="a", content=[TextPart(text="r", extras=mark)])
    body = write(
        asked(
            said("system", TextPart(text="s", extras={"cache_control": {"type": "ephemeral"}})),
            said("user", TextPart(text=" ", extras=mark), TextPart(text="u", extras=mark)),
            said("assistant", ToolCallPart(id="a", name="t")),
            said("tool", result),
            tools=[Tool(name="t", extras=mark)],
            dialect="anthropic.messages",
            extras={"cache_control": {"type": "ephemeral"}},
        )
    )
    assert body["system"] == [{"text": "s"}, {"cachePoint": {"type": "default"}}]
    assert body["messages"][0]["content"] == [{"text": "u"}, point]
    assert body["messages"][2]["content"][1] == point
    assert body["toolConfig"]["tools"][1] == point


def test_blank_text_joins_the_text_before_it() -> None:
    """Bedrock refuses a blank block, and the space between two sentences must not be lost."""
    assert content(TextPart(text="a."), TextPart(text=" "), TextPart(text="b.")) == [
        {"text": "a. "},
        {"text": "b."},
    ]


def test_a_conversation_of_nothing_is_refused() -> None:
    """Bedrock takes no empty turn; without any there is nothing to ask."""
    with pytest.raises(RequestError, match="no content") as caught:
        write(asked(said("user", TextPart(text="  "))))
    assert caught.value.param == "messages"


def test_a_system_prompt_is_text() -> None:
    """An image in it is refused, or left out where that is allowed."""
    request = asked(said("system", TextPart(text="s"), PNG), HELLO)
    with pytest.raises(UnsupportedField):
        write(request)
    assert write(request, DROP)["system"] == [{"text": "s"}]


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "{"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """Converse has no room for them, and guessing would change what the model said."""
    call = ToolCallPart(id="a", name="t", arguments=arguments)
    with pytest.raises(RequestError) as caught:
        write(asked(HELLO, said("assistant", call)))
    assert caught.value.param == "messages.1.content.0.arguments"


def test_custom_tools_and_namespaces_become_functions() -> None:
    """One text for a custom tool; the members of a namespace stand alone."""
    member = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    space = {"type": "namespace", "name": "n", "tools": [member]}
    tools = [
        Tool(name="patch", kind="custom", description="d", raw={"format": {"type": "text"}}),
        Tool(name="n", kind="opaque", raw=space, dialect="openai.responses"),
    ]
    patch, hoisted = write(asked(HELLO, tools=tools))["toolConfig"]["tools"]
    assert (patch["toolSpec"]["name"], patch["toolSpec"]["description"]) == ("patch", "d")
    assert patch["toolSpec"]["inputSchema"]["json"]["required"] == ["input"]
    spec = {"name": "f", "inputSchema": {"json": {"type": "object"}}}
    assert hoisted["toolSpec"] == spec


def test_what_other_apis_servers_found_is_told() -> None:
    """As text, where the search itself says nothing; a result's references too."""
    found = {
        "type": "web_search_result",
        "title": "T",
        "url": "https://x",
        "encrypted_content": "E",
    }
    results = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [found]}
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    named = {"type": "tool_reference", "tool_name": "grep"}

    def theirs(raw: dict[str, Any]) -> OpaquePart:
        return OpaquePart(dialect="anthropic.messages", raw=raw)

    answered = ToolResultPart(call_id="c", content=[theirs(named)])
    body = write(
        asked(
            HELLO,
            said("assistant", theirs(search), theirs(results), ToolCallPart(id="c", name="t")),
            said("tool", answered),
            dialect="anthropic.messages",
        )
    )
    told, _ = body["messages"][1]["content"]
    assert told == {"text": "[web_search_tool_result]\nT\nhttps://x\n"}
    result = body["messages"][2]["content"][0]["toolResult"]["content"]
    assert result == [{"text": "[tool_reference]\ngrep\n"}]


def test_another_vendors_long_user_id_is_no_label() -> None:
    """It is a document about the user; a plain id is one."""
    labelled = [
        write(asked(HELLO, dialect="anthropic.messages", user="u" * length)) for length in (64, 65)
    ]
    assert [body.get("requestMetadata") for body in labelled] == [{"user": "u" * 64}, None]


def test_a_custom_tools_input_is_wrapped() -> None:
    """Free text goes under ``input``; a refusal is text; long ids are shortened alike."""
    long = "x" * 65
    body = write(
        asked(
            HELLO,
            said(
                "assistant",
                RefusalPart(text="No."),
                ToolCallPart(id=long, name="t", arguments="free", kind="custom"),
            ),
            said("tool", ToolResultPart(call_id=long, content=[TextPart(text="r")])),
        )
    )
    refusal, call = body["messages"][1]["content"]
    assert refusal == {"text": "No."}
    assert call["toolUse"]["input"] == {"input": "free"}
    result = body["messages"][2]["content"][0]["toolResult"]
    assert result["toolUseId"] == call["toolUse"]["toolUseId"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice(mode="required"), {"any": {}}),
        (ToolChoice(mode="named", name="a"), {"tool": {"name": "a"}}),
        (ToolChoice(mode="opaque", raw={"x": 1}, dialect="bedrock.converse"), {"x": 1}),
    ],
)
def test_tool_choice_is_translated(choice: ToolChoice | None, expected: object) -> None:
    """No choice is sent where none was given."""
    request = asked(HELLO, tools=[Tool(name="a", description="d")], tool_choice=choice)
    config = DIALECT.write_request(request, WriteOptions())["toolConfig"]
    assert config.get("toolChoice") == expected
    assert config["tools"][0]["toolSpec"]["description"] == "d"


def test_an_allowed_set_narrows_the_tools() -> None:
    """Converse has no such choice, but fewer tools say the same."""
    choice = ToolChoice(mode="required", allowed=["b"])
    body = write(asked(HELLO, tools=[Tool(name="a"), Tool(name="b")], tool_choice=choice))
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["b"]


def test_no_tools_means_none_unless_the_history_has_calls() -> None:
    """ "none" takes the tools away; with calls in the history Bedrock demands them."""
    none = ToolChoice(mode="none")
    assert "toolConfig" not in write(asked(HELLO, tools=[Tool(name="a")], tool_choice=none))
    history = (
        HELLO,
        said("assistant", ToolCallPart(id="1", name="a")),
        said("tool", ToolResultPart(call_id="1")),
    )
    config = write(asked(*history, tools=[Tool(name="a")], tool_choice=none))["toolConfig"]
    assert "toolChoice" not in config
    assert write(asked(*history))["toolConfig"]["tools"][0]["toolSpec"]["name"] == "a"
    lone = write(asked(HELLO, history[2]))["toolConfig"]["tools"]
    assert lone[0]["toolSpec"]["name"] == "tool"


def test_its_own_fields_and_blocks_come_back() -> None:
    """What only Converse knows is kept and written again, in its place."""
    body = {
        "messages": [
            HELLO_TURN,
            {"role": "system", "content": [{"toolAddition": {"tool": {"name": "t"}}}]},
            {"role": "user", "content": [{"cachePoint": {"type": "default"}}, {"text": "x"}]},
            {
                "role": "assistant",
                "content": [
                    {"toolUse": {"toolUseId": "a", "name": "t", "input": {}}},
                    {
                        "toolUse": {
                            "toolUseId": "s",
                            "name": "n",
                            "input": {},
                            "type": "server_tool_use",
                        }
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "a", "content": [{"json": {"k": [1]}}]}},
                    {"cachePoint": {"type": "default", "ttl": "5m"}},
                    {"document": {"format": "md", "name": "a_b", "source": {"content": []}}},
                ],
            },
        ],
        "system": [{"text": "s"}, {"guardContent": {"text": {"text": "g"}}}],
        "toolConfig": {
            "tools": [
                {"cachePoint": {"type": "default"}},
                {"systemTool": {"name": "nova_grounding"}},
                {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"any": {}},
        },
        "outputConfig": {"effort": "low", "future": 1},
        "additionalModelRequestFields": {"top_k": 4, "thinking": {"type": "adaptive"}, "x": 1},
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "performanceConfig": {"latency": "optimized"},
        "promptVariables": {"v": {"text": "t"}},
        "requestMetadata": {"team": "t"},
        "serviceTier": {"type": "reserved"},
    }
    request = DIALECT.read_request(body)
    assert [message.role for message in request.messages] == [
        "system", "user", "system", "user", "assistant", "tool", "user",
    ]  # fmt: skip
    written = DIALECT.write_request(request, WriteOptions())
    assert written == body


@pytest.mark.parametrize("choice", [{"auto": {}}, {"tool": {"name": "t"}}, {"future": {}}])
def test_its_own_tool_choice_comes_back(choice: dict[str, Any]) -> None:
    """Also one that is not known yet."""
    tools = [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]
    body = {"messages": [HELLO_TURN], "toolConfig": {"tools": tools, "toolChoice": choice}}
    assert DIALECT.write_request(DIALECT.read_request(body), WriteOptions()) == body


@pytest.mark.parametrize(
    "block",
    [
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
        {
            "video": {
                "format": "three_gp",
                "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "1" * 12}},
            }
        },
        {"audio": {"format": "mkv", "source": {"bytes": "AA=="}}},
        {"document": {"format": "csv", "name": "a_b", "source": {"bytes": "AA=="}}},
        {"document": {"format": "txt", "name": "n", "source": {"text": "t"}, "context": "c"}},
        {"image": {"format": "png", "source": {}}},
        {"image": {"format": "png"}},
        {"image": 5},
        {"toolResult": 5},
    ],
)
def test_its_own_blocks_come_back(block: dict[str, Any]) -> None:
    """Media of every source, and blocks of a shape that is not known."""
    body = {"messages": [{"role": "user", "content": [{"text": "x"}, block]}]}
    assert DIALECT.write_request(DIALECT.read_request(body), WriteOptions()) == body


def test_a_changed_json_result_stays_text() -> None:
    """A filter may leave no JSON behind; the text is sent all the same."""
    part = ToolResultPart(call_id="a", content=[TextPart(text="{MASKED", extras={"json": True})])
    assert content(part)[0]["toolResult"]["content"] == [{"text": "{MASKED"}]


def test_citations_of_bedrock_go_back_to_it() -> None:
    """Its own citations are replayed with the text; those of others stay behind."""
    raw = {"title": "t"}
    own = TextPart(text="x", citations=[Citation(raw=raw, dialect="bedrock.converse")])
    other = TextPart(text="y", citations=[Citation(url="u", dialect="anthropic.messages")])
    body = write(asked(HELLO, said("assistant", own, other)))
    assert body["messages"][1]["content"] == [
        {"citationsContent": {"content": [{"text": "x"}], "citations": [raw]}},
        {"text": "y"},
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": {}}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": []}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages.0.content"),
        ({"system": ["x"]}, "system.0"),
        ({"inferenceConfig": 1}, "inferenceConfig"),
        ({"outputConfig": {"textFormat": {}}}, "outputConfig.textFormat.structure"),
        (
            {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}},
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ],
)
def test_a_field_of_the_wrong_type_is_named(body: dict[str, Any], param: str) -> None:
    """The error's ``param`` is the path of the field."""
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request(body)
    assert caught.value.param == param


def test_reasoning_can_be_taken_out_of_a_body() -> None:
    """Turns left empty go; a body without any is returned as it is."""
    thought = {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}
    body = {
        "messages": [
            HELLO_TURN,
            {"role": "assistant", "content": [thought]},
            {"role": "assistant", "content": [thought, {"text": "x"}]},
        ],
        "system": [],
    }
    assert DIALECT.without_reasoning(body) == {
        "messages": [HELLO_TURN, {"role": "assistant", "content": [{"text": "x"}]}],
        "system": [],
    }
    plain = {"messages": [HELLO_TURN]}
    assert DIALECT.without_reasoning(plain) is plain
