"""Recorded conversations of every form are read, bad lines told, and reports written as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi._json import dumps, dumps_str
from plano_asgi.signals import Analyzer, Row, read_messages, read_recording, report_dict
from plano_asgi.signals.base import Signal, TurnMetrics
from plano_asgi.signals.report import report_of

_CHAT = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"id": "2", "type": "custom", "custom": {"name": "g", "input": "free"}},
            {"id": "3", "type": "unheard"},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "r"},
    {"role": "assistant", "content": "b", "function_call": {"name": "h", "arguments": "{}"}},
    {"role": "function", "name": "h", "content": "q"},
    {"role": "assistant", "content": None, "refusal": "no"},
]
_ANTHROPIC = [
    {"role": "user", "content": "a"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "b"},
            {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1}},
            {"type": "server_tool_use", "id": "2", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "2", "content": []},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "1",
                "is_error": True,
                "content": [{"type": "text", "text": "r"}],
            }
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": "s", "is_error": False},
            {"type": "text", "text": "c"},
        ],
    },
]
_RESPONSES = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
    {"type": "reasoning", "id": "r", "summary": []},
    {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"x":1}'},
    {"type": "function_call_output", "call_id": "1", "output": "r"},
    {"type": "custom_tool_call", "call_id": "2", "name": "g", "input": "free"},
    {"type": "custom_tool_call_output", "call_id": "2", "output": [{"text": "q"}]},
    {"type": "mcp_call", "id": "3", "name": "h", "arguments": "{}", "output": "o"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
]
_BEDROCK = [
    {"role": "user", "content": [{"text": "a"}]},
    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}]},
    {
        "role": "user",
        "content": [
            {"toolResult": {"toolUseId": "1", "status": "success", "content": [{"text": "r"}]}}
        ],
    },
]
_SHAREGPT = [
    {"from": "human", "value": "a"},
    {"from": "function_call", "value": '{"name":"f","arguments":{"x":1}}'},
    {"from": "observation", "value": "r"},
    {"from": "gpt", "value": "b"},
]


def _brief(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [(row.kind, row.index, row.name, row.text, row.is_error) for row in rows]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            _CHAT,
            [
                ("human", 1, "", "a", None),
                ("function_call", 2, "f", '{"x":1}', None),
                ("function_call", 2, "g", "free", None),
                ("observation", 3, "", "r", None),
                ("gpt", 4, "", "b", None),
                ("function_call", 4, "h", "{}", None),
                ("observation", 5, "", "q", None),
                ("gpt", 6, "", "no", None),
            ],
            id="chat",
        ),
        pytest.param(
            _ANTHROPIC,
            [
                ("human", 0, "", "a", None),
                ("gpt", 1, "", "b", None),
                ("function_call", 1, "f", '{"x":1}', None),
                ("function_call", 1, "web_search", "{}", None),
                ("observation", 1, "", "", None),
                ("observation", 2, "", "r", True),
                ("observation", 3, "", "s", False),
                ("human", 3, "", "c", None),
            ],
            id="anthropic",
        ),
        pytest.param(
            _RESPONSES,
            [
                ("human", 0, "", "a", None),
                ("function_call", 2, "f", '{"x":1}', None),
                ("observation", 3, "", "r", None),
                ("function_call", 4, "g", "free", None),
                ("observation", 5, "", "q", None),
                ("function_call", 6, "h", "{}", None),
                ("observation", 6, "", "o", None),
                ("gpt", 7, "", "b", None),
            ],
            id="responses",
        ),
        pytest.param(
            _BEDROCK,
            [
                ("human", 0, "", "a", None),
                ("function_call", 1, "f", "{}", None),
                ("observation", 2, "", "r", False),
            ],
            id="bedrock",
        ),
        pytest.param(
            _SHAREGPT,
            [
                ("human", 0, "", "a", None),
                ("function_call", 1, "f", '{"x":1}', None),
                ("observation", 2, "", "r", None),
                ("gpt", 3, "", "b", None),
            ],
            id="sharegpt",
        ),
        pytest.param("a", [("human", 0, "", "a", None)], id="text"),
        pytest.param({"input": "a"}, [("human", 0, "", "a", None)], id="input text"),
        pytest.param([{"type": "image"}, {"role": "critic", "content": "x"}], [], id="unknown"),
    ],
)
def test_messages_of_every_form_become_rows(messages: Any, expected: list[tuple[Any, ...]]) -> None:
    """Told item by item, with the positions of the list as indexes."""
    assert _brief(read_messages(messages)) == expected


def test_ids_join_calls_and_results() -> None:
    """As each wire spells them."""
    for messages in (_CHAT, _ANTHROPIC, _RESPONSES, _BEDROCK):
        rows = read_messages(messages)
        calls = [row.call_id for row in rows if row.kind == "function_call"]
        assert calls[0] == next(
            row.call_id for row in rows if row.kind == "observation" and row.text
        )


def test_lines_are_read_in_order_and_bad_ones_told() -> None:
    """Blank lines are passed over; one that cannot be read is one with an error."""
    lines: list[bytes | str] = [
        dumps({"id": "one", "messages": _CHAT}),
        "\n",
        dumps_str({"id": 2, "conversations": _SHAREGPT}),
        "{not json\n",
        dumps(_SHAREGPT),
        '{"id": "x", "turns": []}',
        "[1]",
        '"' + "a" * 9000 + '"',
    ]
    found = list(read_recording(lines, max_line=8000))
    assert [(r.line, r.id, len(r.rows), r.error) for r in found] == [
        (1, "one", 8, None),
        (3, "2", 4, None),
        (4, None, 0, "not JSON"),
        (5, None, 4, None),
        (6, "x", 0, "no list of messages"),
        (7, None, 0, "message 0 is not an object"),
        (8, None, 0, "longer than 8000 bytes"),
    ]


def test_a_report_is_written_as_json_without_words_unless_asked() -> None:
    """The keys that dashboards made for Plano know, and the score."""
    rows = [Row(kind="human", text="Forget it, I give up", index=0)]
    report = Analyzer().analyze_rows(rows)
    written = report_dict(report)
    assert set(written) == {
        "interaction_signals",
        "execution_signals",
        "environment_signals",
        "overall_quality",
        "quality_score",
        "is_flagged",
        "turn_metrics",
        "summary",
    }
    assert written["turn_metrics"]["user_turns"] == 1
    assert b"give up" not in dumps(written)
    group = report_dict(report, with_snippets=True)["interaction_signals"]["disengagement"]
    assert (group["category"], group["severity"]) == ("disengagement", 1)
    assert group["signals"][0]["signal_type"] == "interaction.disengagement.quit"
    assert "give up" in group["signals"][0]["snippet"].lower()


def test_layers_of_your_own_are_written_too() -> None:
    """Under their own key."""
    signal = Signal(type="business.churn.cancel", message_index=0, confidence=1.0)
    written = report_dict(report_of([signal], TurnMetrics()))
    assert written["business_signals"]["churn"]["count"] == 1
