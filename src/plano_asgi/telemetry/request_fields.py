"""
What a client's JSON says of sampling, limits and formats, as attributes: a table for each dialect.

A field is told only where it has the type it should have: nobody has checked the body yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from plano_asgi._json import JSONObject
from plano_asgi.telemetry import semconv as names
from plano_asgi.telemetry.attribute_values import Attributes, AttributeValue, attribute_text

_MAX_STOPS = 16
_INT64 = 1 << 63  # what OTLP can carry

_Put: TypeAlias = Callable[[Attributes, Any], None]


def _as(attribute: str, read: Callable[[Any], AttributeValue | None]) -> _Put:
    def put(attributes: Attributes, value: Any) -> None:
        found = read(value)
        if found is not None:
            attributes[attribute] = found

    return put


def is_int64(value: Any) -> bool:
    """Whether *value* is a whole number that an exporter can write."""
    return type(value) is int and -_INT64 <= value < _INT64


def double(value: Any) -> float | None:
    """*value*, if it is a number that fits."""
    return float(value) if type(value) is float or is_int64(value) else None


def _whole(value: Any) -> int | None:
    return value if is_int64(value) else None


def _not_one(value: Any) -> int | None:
    return None if value == 1 else _whole(value)


def _text(value: Any) -> str | None:
    return attribute_text(value) if type(value) is str and value else None


def _tier(value: Any) -> str | None:
    return None if value == "auto" else _text(value)


def _texts(value: Any) -> tuple[str, ...] | None:
    given = value if type(value) is list else [value]
    texts = tuple(text for item in given[:_MAX_STOPS] if (text := _text(item)) is not None)
    return texts or None


def _format(value: Any) -> str | None:
    """Of chat's ``response_format``, the ``format`` of the others."""
    kind = value.get("type") if type(value) is dict else None
    return {"text": "text", "json_object": "json", "json_schema": "json"}.get(str(kind))


def _below(key: str, read: Callable[[Any], AttributeValue | None]) -> Any:
    return lambda value: read(value.get(key)) if type(value) is dict else None


def _thread(value: Any) -> str | None:
    """The ``conversation`` of Responses: an id, or an object that has one."""
    return _text(value.get("id") if type(value) is dict else value)


def _both(first: _Put, second: _Put) -> _Put:
    def put(attributes: Attributes, value: Any) -> None:
        first(attributes, value)
        second(attributes, value)

    return put


_EFFORT = _as(names.PLANO_REASONING_LEVEL, _below("effort", _text))
_SAMPLING: Mapping[str, _Put] = {
    "temperature": _as(names.REQUEST_TEMPERATURE, double),
    "top_p": _as(names.REQUEST_TOP_P, double),
    "top_k": _as(names.REQUEST_TOP_K, double),
}
_READ: Mapping[str, Mapping[str, _Put]] = {
    "openai.chat": {
        **_SAMPLING,
        "max_tokens": _as(names.REQUEST_MAX_TOKENS, _whole),
        "max_completion_tokens": _as(names.REQUEST_MAX_TOKENS, _whole),
        "seed": _as(names.REQUEST_SEED, _whole),
        "stop": _as(names.REQUEST_STOP_SEQUENCES, _texts),
        "n": _as(names.REQUEST_CHOICE_COUNT, _not_one),
        "frequency_penalty": _as(names.REQUEST_FREQUENCY_PENALTY, double),
        "presence_penalty": _as(names.REQUEST_PRESENCE_PENALTY, double),
        "response_format": _as(names.OUTPUT_TYPE, _format),
        "reasoning_effort": _as(names.PLANO_REASONING_LEVEL, _text),
        "service_tier": _as(names.OPENAI_REQUEST_SERVICE_TIER, _tier),
        "encoding_format": _as(names.REQUEST_ENCODING_FORMATS, _texts),
        "dimensions": _as(names.EMBEDDINGS_DIMENSION_COUNT, _whole),
    },
    "openai.responses": {
        **_SAMPLING,
        "max_output_tokens": _as(names.REQUEST_MAX_TOKENS, _whole),
        "text": _as(names.OUTPUT_TYPE, _below("format", _format)),
        "reasoning": _EFFORT,
        "conversation": _as(names.CONVERSATION_ID, _thread),
        "previous_response_id": _as(names.PLANO_PREVIOUS_RESPONSE_ID, _text),
        "service_tier": _as(names.OPENAI_REQUEST_SERVICE_TIER, _tier),
    },
    "anthropic.messages": {
        **_SAMPLING,
        "max_tokens": _as(names.REQUEST_MAX_TOKENS, _whole),
        "stop_sequences": _as(names.REQUEST_STOP_SEQUENCES, _texts),
        "output_format": _as(names.OUTPUT_TYPE, _format),
        "output_config": _both(_EFFORT, _as(names.OUTPUT_TYPE, _below("format", _format))),
    },
}
_NOTHING: Mapping[str, _Put] = {}


def put_request_fields(attributes: Attributes, dialect: str, body: JSONObject) -> None:
    """Add to *attributes* what *body*, of a client who speaks *dialect*, asks for."""
    puts = _READ.get(dialect, _NOTHING)
    for key in body:
        if (put := puts.get(key)) is not None:
            put(attributes, body[key])
