"""Cut chunks in which one text ends and another begins, so that each brings one."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from plano_asgi._json import JSONObject
from plano_asgi.passages import WireEvent
from plano_asgi.wire.openai_chat.logprobs import SPELLED_AGAIN
from plano_asgi.wire.openai_chat.reasoning import REASONING_KEYS
from plano_asgi.wire.openai_chat.thought_texts import proof_apart

_FINISH = ("finish_reason", "finish_details")


def cut_chunk(event: WireEvent) -> Sequence[WireEvent]:
    """
    *event*, or the same in several: reasoning, then text, then call by call, then the finish. What
    belongs to no choice (usage) stays in the last.
    """
    data = event.data
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list):
        return (event,)
    pieces = [_pieces(choice) for choice in choices]
    if all(len(found) < 2 for found in pieces):
        return (event,)
    events: list[WireEvent] = []
    last = []
    for choice, found in zip(choices, pieces, strict=True):
        rest = choice
        for piece in found[:-1]:
            said, rest = _take(rest, piece)
            events.append(WireEvent(_headed(data, said), event.name))
        last.append({**rest, "delta": found[-1]} if len(found) > 1 else rest)
    return [*events, WireEvent({**data, "choices": last}, event.name)]


def without_repetitions(event: WireEvent, spoken: Container[int]) -> WireEvent:
    """
    *event* without what tells again, whole or so far, what the choices in *spoken* have streamed
    and its own deltas stream: a ``message`` (Perplexity), a ``text`` (Together).
    """
    data = event.data
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not any(map(_repeats, choices)):
        return event
    kept = [_unrepeated(choice, n, spoken) for n, choice in enumerate(choices)]
    if all(new is old for new, old in zip(kept, choices, strict=True)):
        return event
    return WireEvent({**data, "choices": kept}, event.name)


def _repeats(choice: Any) -> bool:
    return isinstance(choice, dict) and ("message" in choice or "text" in choice)


def _unrepeated(choice: Any, position: int, spoken: Container[int]) -> Any:
    if not _repeats(choice):
        return choice
    delta, index = choice.get("delta"), choice.get("index")
    delta = delta if isinstance(delta, dict) else {}
    told = []
    if isinstance(choice.get("text"), str) and choice["text"] == (delta.get("content") or ""):
        told.append("text")
    says = any(value for key, value in delta.items() if key != "role")
    if "message" in choice and (says or (index if isinstance(index, int) else position) in spoken):
        told.append("message")
    return {key: value for key, value in choice.items() if key not in told} if told else choice


def _headed(data: JSONObject, choice: JSONObject) -> JSONObject:
    head = {
        key: value
        for key, value in data.items()
        if key != "error" and not isinstance(value, dict | list)
    }
    return {**head, "choices": [choice]}


def _take(choice: JSONObject, piece: JSONObject) -> tuple[JSONObject, JSONObject]:
    """The choice that says *piece* alone, and what is left of *choice*."""
    said: JSONObject = {"index": choice.get("index", 0), "delta": piece, "finish_reason": None}
    spells = [key for key in SPELLED_AGAIN if choice.get(key)]
    if not spells or not ("content" in piece or "refusal" in piece):
        return said, choice
    return said | {key: choice[key] for key in spells}, {**choice, **dict.fromkeys(spells)}


def _pieces(choice: Any) -> list[JSONObject]:
    """The deltas into which that of *choice* falls; fewer than two: nothing to cut."""
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(delta, dict):
        return []
    told = [key for key, value in delta.items() if value and key != "role"]
    is_finish = any(choice.get(key) for key in _FINISH)
    if not told or (len(told) == 1 and not is_finish and not isinstance(delta[told[0]], list)):
        return []
    pieces = _stages(delta, told)
    if len(pieces) + is_finish < 2:
        return []
    said = {key: value for key, value in delta.items() if key == "role" or not value}
    pieces[0] = said | pieces[0]
    return [*pieces, {}] if is_finish else pieces


def _stages(delta: JSONObject, told: Sequence[str]) -> list[JSONObject]:
    thoughts = {key: delta[key] for key in told if key in REASONING_KEYS}
    texts = {
        key: delta[key]
        for key in told
        if key not in thoughts and key not in ("tool_calls", "function_call")
    }
    stages = proof_apart(thoughts) if thoughts else []
    if isinstance(parts := texts.get("content"), list) and len(parts) > 1:
        stages += [{"content": [part]} for part in parts[:-1]]
        texts["content"] = parts[-1:]
    stages += [texts] if texts else []
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        stages += [{"tool_calls": [call]} for call in calls]
    elif calls:
        stages.append({"tool_calls": calls})
    return (
        [*stages, {"function_call": delta["function_call"]}] if "function_call" in told else stages
    )
