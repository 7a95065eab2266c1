"""What the client saw of a stream, in streams that leave things out."""

from __future__ import annotations

from typing import Any

from plano_asgi.passages import WireEvent
from plano_asgi.state.seen import SeenTexts
from plano_asgi.wire import LAYOUTS

LAYOUT = LAYOUTS["openai.responses"]


def _message(text: str, **fields: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **fields}


def _corrected(*events: dict[str, Any], final: dict[str, Any]) -> str:
    """The text of *final*, an item, after *events*."""
    seen, editor = SeenTexts(LAYOUT), LAYOUT.stream_editor()
    for data in events:
        seen.note(WireEvent(data, data["type"]), editor)
    response = {"output": [final]}
    seen.correct(response)
    text = response["output"][0]["content"][0]["text"]
    assert isinstance(text, str)
    return text


def test_deltas_count_and_not_what_repeats_them() -> None:
    """By position, or by the item's id where an upstream leaves positions out."""
    delta = {"type": "response.output_text.delta", "content_index": 0, "delta": "seen"}
    by_position = {**delta, "output_index": 0}
    by_id = {**delta, "item_id": "msg_1"}
    for event in (by_position, by_id):
        assert _corrected(event, final=_message("raw", id="msg_1")) == "seen"


def test_an_item_told_whole_counts() -> None:
    """Where there were no deltas."""
    for place in ({"output_index": 0}, {}):
        item = _message("seen", id="msg_1")
        done = {"type": "response.output_item.done", "item": item, **place}
        assert _corrected(done, final=_message("raw", id="msg_1")) == "seen"


def test_what_was_never_told_before_is_kept_as_it_is() -> None:
    """Some upstreams say everything in the end."""
    assert _corrected(final=_message("all")) == "all"
