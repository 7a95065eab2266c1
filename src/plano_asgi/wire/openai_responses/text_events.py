"""
The running texts of a stream: which events bring them, and where the same text stands in an item.

A *slot* is a text's path inside its item (``content.0.text``, ``arguments``). Deltas name it by
their type and an index; a ``done`` event, a content part and an item spell the same text again, and
their slots tell which one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plano_asgi._json import JSONObject
from plano_asgi.passages import Origin


@dataclass(frozen=True, slots=True)
class TextKind:
    """One kind of running text: ``response.{stem}.delta`` and ``response.{stem}.done``."""

    stem: str
    origin: Origin
    done_key: str
    """Of the ``done`` event: holds the whole text."""
    slot: str
    """With ``{}`` for the index."""
    index_key: str = ""
    holder_type: str = ""
    """The ``type`` of the part or item that holds the text."""
    is_json: bool = False

    def slot_of(self, event: JSONObject) -> str:
        """The slot that *event* speaks of."""
        return self.slot.format(index_of(event, self.index_key))


_KINDS = (
    TextKind("output_text", "content", "text", "content.{}.text", "content_index", "output_text"),
    TextKind("refusal", "refusal", "refusal", "content.{}.refusal", "content_index", "refusal"),
    TextKind(
        "reasoning_text", "reasoning", "text", "content.{}.text", "content_index", "reasoning_text"
    ),
    TextKind(
        "reasoning_summary_text",
        "reasoning",
        "text",
        "summary.{}.text",
        "summary_index",
        "summary_text",
    ),
    TextKind(
        "function_call_arguments",
        "tool_call",
        "arguments",
        "arguments",
        holder_type="function_call",
        is_json=True,
    ),
    TextKind(
        "mcp_call_arguments",
        "tool_call",
        "arguments",
        "arguments",
        holder_type="mcp_call",
        is_json=True,
    ),
    TextKind(
        "custom_tool_call_input", "tool_call", "input", "input", holder_type="custom_tool_call"
    ),
    TextKind(
        "code_interpreter_call_code",
        "tool_call",
        "code",
        "code",
        holder_type="code_interpreter_call",
    ),
    TextKind("shell_call_command", "tool_call", "command", "action.commands.{}", "command_index"),
    TextKind("shell_call_output_content", "citation", "", "output.{}", "command_index"),
    TextKind("apply_patch_call_operation_diff", "tool_call", "diff", "operation.diff"),
)

OUTPUT_TEXT = _KINDS[0]
REFUSAL = _KINDS[1]
BY_STEM = {kind.stem: kind for kind in _KINDS}
_BY_HOLDER = {kind.holder_type: kind for kind in _KINDS if kind.holder_type}

PARTS = {
    "content_part": ("content", "content_index"),
    "reasoning_part": ("content", "content_index"),
    "reasoning_summary_part": ("summary", "summary_index"),
}
"""Events about a part: the list of the item it stands in, and the key of its index."""

ITEM_ADDED, ITEM_DONE = "response.output_item.added", "response.output_item.done"
STARTS = frozenset(("response.created", "response.queued", "response.in_progress"))
ENDS = frozenset(
    ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "error")
)
SILENT = frozenset(
    (
        "response.audio.delta",
        "response.output_audio.delta",
        "response.image_generation_call.partial_image",
        "keepalive",
    )
)
"""Events of encoded media, and of nothing."""


def stem_of(event_type: str) -> tuple[str, str]:
    """``("output_text", "delta")`` of ``response.output_text.delta``; empty where it is no such."""
    stem, _, verb = event_type.removeprefix("response.").rpartition(".")
    return (stem, verb) if event_type.startswith("response.") else ("", "")


def kind_of(stem: str, event: JSONObject) -> TextKind:
    """The kind of text of a ``delta`` event; one made up for *stem* if nobody has heard of it."""
    if kind := BY_STEM.get(stem):
        return kind
    index_key = next((key for key in event if key.endswith("_index") and key != "output_index"), "")
    return TextKind(stem, "content", "", f"{stem.replace('.', '_')}.{{}}", index_key)


def kind_at(holder: object, slot: str) -> TextKind | None:
    """The kind of the text at *slot* of an item; *holder* is the part or the item it stands in."""
    if not isinstance(holder, dict):
        return None
    kind = _BY_HOLDER.get(str(holder.get("type")))
    return kind if kind is not None and slot == kind.slot.format(number_in(slot)) else None


def number_in(slot: str) -> int:
    """The number in the second place of *slot*; 0 where there is none."""
    number = slot.split(".")[1:2]
    return int(number[0]) if number and number[0].isdecimal() else 0


def index_of(event: JSONObject, key: str) -> int:
    """The index at *key*; 0 where there is none."""
    index = event.get(key)
    return index if isinstance(index, int) else 0


def pieces_of(event: JSONObject, kind: TextKind) -> Iterator[tuple[JSONObject, str, str]]:
    """Holder, key and slot of each piece of text in a ``delta`` event: a string, or an object's."""
    slot, delta = kind.slot_of(event), event.get("delta")
    if isinstance(delta, str):
        yield event, "delta", slot
    elif isinstance(delta, dict):
        for key, text in delta.items():
            if isinstance(text, str):
                yield delta, key, f"{slot}.{key}"
