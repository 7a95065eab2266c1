"""
Calls and results of tools that the provider itself runs, as rows: blocks and items of one dialect
that the neutral form carries unread (``OpaquePart``).

Sources: types of the ``anthropic`` SDK 2.12 (``*_tool_result``) and the ``openai`` SDK 3.54
(``*_call``, ``*_call_output``), Bedrock's Converse API (``toolUse``, ``toolResult``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from plano_asgi._json import JSONObject, dumps_str
from plano_asgi.signals.base import Row

_NOT_CONTENT = frozenset({"type", "encrypted_content", "encrypted_stdout", "retrieved_at"})


def server_rows(raw: JSONObject, index: int) -> Iterator[Row]:
    """The rows of a block or item; none where it is neither a call nor a result that we know."""
    kind = str(raw.get("type") or next(iter(raw), ""))
    if reader := _READERS.get(kind):
        yield from reader(raw, index)
    elif kind.endswith("_tool_result"):
        yield from _anthropic_result(raw, index)


def text_of(content: Any) -> str:
    """The texts of a result's content: a string, a list of blocks, or any other JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part if isinstance(part, str) else _block_text(part) for part in content]
        return "\n".join(text for text in texts if text)
    return dumps_str(content)


def _block_text(block: Any) -> str:
    if not isinstance(block, dict):
        return ""
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _call(raw: JSONObject, index: int) -> Iterator[Row]:
    yield Row(
        kind="function_call",
        text=_arguments(raw.get("input", raw.get("arguments"))),
        name=str(raw.get("name") or ""),
        call_id=str(raw.get("id") or raw.get("call_id") or raw.get("toolUseId") or ""),
        index=index,
    )


def _arguments(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else dumps_str(value)


def _anthropic_result(raw: JSONObject, index: int) -> Iterator[Row]:
    """``is_error`` where the block has it, else an ``error_code`` or a ``return_code`` says it."""
    content = raw.get("content")
    is_error, text = raw.get("is_error"), ""
    if isinstance(content, dict):
        if "error_code" in content:
            is_error, text = True, text_of(content.get("error_message") or content["error_code"])
        elif isinstance(code := content.get("return_code"), int):
            is_error = code != 0
            text = str(content.get("stderr" if is_error else "stdout") or "")
        else:
            text = dumps_str({k: v for k, v in content.items() if k not in _NOT_CONTENT})
            is_error = bool(is_error)
    else:
        text = text_of(content)
    yield Row(
        kind="observation",
        text=text,
        call_id=str(raw.get("tool_use_id") or ""),
        is_error=bool(is_error) if isinstance(is_error, bool) else None,
        index=index,
    )


def _mcp_call(raw: JSONObject, index: int) -> Iterator[Row]:
    yield from _call(raw, index)
    if (error := raw.get("error")) or raw.get("output") is not None:
        yield Row(
            kind="observation",
            text=text_of(error or raw.get("output")),
            call_id=str(raw.get("id") or ""),
            is_error=True if error else None,
            index=index,
        )


def _hosted_call(raw: JSONObject, index: int) -> Iterator[Row]:
    """A call that holds its own result; only its ``status`` tells how it went."""
    kind, call_id = str(raw["type"]), str(raw.get("id") or raw.get("call_id") or "")
    asked = next((raw[key] for key in _ASKED if raw.get(key)), None)
    yield Row(
        kind="function_call",
        text=_arguments(asked),
        name=kind.removesuffix("_call"),
        call_id=call_id,
        index=index,
    )
    if raw.get("status") in ("failed", "incomplete"):
        text = "\n".join(
            str(output.get("logs") or "")
            for output in raw.get("outputs") or ()
            if isinstance(output, dict)
        )
        yield Row(kind="observation", text=text, call_id=call_id, is_error=True, index=index)


_ASKED = ("action", "code", "queries", "operation", "input")


def _hosted_output(raw: JSONObject, index: int) -> Iterator[Row]:
    yield Row(
        kind="observation",
        text=_output_text(raw.get("output")),
        call_id=str(raw.get("call_id") or ""),
        is_error=True if raw.get("status") == "failed" else None,
        index=index,
    )


def _output_text(output: Any) -> str:
    """A shell's output is a list of what each command wrote."""
    if isinstance(output, list) and output and all(isinstance(o, dict) for o in output):
        ran = [str(o.get("stderr") or o.get("stdout") or o.get("text") or "") for o in output]
        return "\n".join(text for text in ran if text)
    return text_of(output)


def _bedrock_call(raw: JSONObject, index: int) -> Iterator[Row]:
    if isinstance(call := raw["toolUse"], dict):
        yield from _call(call, index)


def _bedrock_result(raw: JSONObject, index: int) -> Iterator[Row]:
    if not isinstance(result := raw["toolResult"], dict):
        return
    content = [
        {"text": dumps_str(part["json"])} if "json" in part else part
        for part in result.get("content") or ()
        if isinstance(part, dict)
    ]
    status = result.get("status")
    yield Row(
        kind="observation",
        text=text_of(content),
        call_id=str(result.get("toolUseId") or ""),
        is_error=None if status is None else status == "error",
        index=index,
    )


_READERS: dict[str, Callable[[JSONObject, int], Iterator[Row]]] = {
    "server_tool_use": _call,
    "mcp_tool_use": _call,
    "mcp_call": _mcp_call,
    "toolUse": _bedrock_call,
    "toolResult": _bedrock_result,
    **dict.fromkeys(
        (
            "web_search_call",
            "file_search_call",
            "code_interpreter_call",
            "image_generation_call",
            "computer_call",
            "local_shell_call",
            "shell_call",
            "apply_patch_call",
        ),
        _hosted_call,
    ),
    **dict.fromkeys(
        (
            "computer_call_output",
            "local_shell_call_output",
            "shell_call_output",
            "apply_patch_call_output",
        ),
        _hosted_output,
    ),
}
