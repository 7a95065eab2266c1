"""Chat streams whose texts take turns: reasoning, content and calls that are come back to."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_drive import drive
from gateway_build import gateway
from memory_transport import events
from plano_asgi.guards import PII, Words

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **more, "function": {"arguments": arguments}}]}


async def _deltas(guard: Any, text: str, *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    stream = events(*(_chunk(delta) for delta in deltas), _chunk({}, "stop"), "[DONE]")
    app, _ = gateway(stream, guards=[guard])
    body = {
        "model": "openai/gpt-4o",
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    }
    found = await drive(app, "/v1/chat/completions", body)
    await app.aclose()
    choices = [data["choices"][0] for data in found.data() if isinstance(data, dict)]
    assert choices[-1]["finish_reason"] == "stop"
    return [choice["delta"] for choice in choices]


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["reasoning_content", "content"])
async def test_what_is_cut_by_another_text_is_seen(field: str) -> None:
    """A client adds the two halves up, whatever came between."""
    other = "content" if field != "content" else "reasoning_content"
    deltas = await _deltas(
        Words(deny=["forbidden"], mode="redact", sides=frozenset(("answer",))),
        "hi",
        {field: "a forb"},
        {other: "aside"},
        {field: "idden word"},
    )
    assert "".join(delta.get(field, "") for delta in deltas) == "a [removed] word"
    assert "".join(delta.get(other, "") for delta in deltas) == "aside"


@pytest.mark.anyio
async def test_calls_that_take_turns_get_their_values_back() -> None:
    """A placeholder cut by another call's arguments is one all the same."""
    deltas = await _deltas(
        PII(mode="mask", kinds=["email"]),
        "Write to ada@example.org",
        _call(0, '{"to":"<EMA', id="a", type="function"),
        _call(1, '{"x":1}', id="b", type="function"),
        _call(0, 'IL_1>"}'),
    )
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    said = ["", ""]
    for call in calls:
        said[call["index"]] += call["function"]["arguments"]
    assert said == ['{"to":"ada@example.org"}', '{"x":1}']
