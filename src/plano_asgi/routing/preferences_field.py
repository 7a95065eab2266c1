"""
``routing_preferences`` in a request's body: read strictly, and told by path what is wrong.

The field is taken out of the body whether or not it is used: no upstream knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plano_asgi.errors import RequestError
from plano_asgi.routing.selectors.base import PREFERS, Prefer, RoutePreference

FIELD = "routing_preferences"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLimits:
    """Bounds of one request's preferences: how many of each, and characters of one text."""

    max_preferences: int = 64
    max_models: int = 32
    max_examples: int = 64
    max_name_chars: int = 256
    max_text_chars: int = 4096


def read_preferences(value: Any, limits: FieldLimits) -> tuple[RoutePreference, ...]:
    """
    The preferences in a body's field; ``null`` is an empty list. Unknown keys are passed over.

    Raises:
        RequestError: 400; ``param`` is the path of what is wrong.
    """
    if value is None:
        return ()
    items = _list(value, FIELD, limits.max_preferences)
    found: dict[str, RoutePreference] = {}
    for n, item in enumerate(items):
        path = f"{FIELD}[{n}]"
        preference = _preference(item, path, limits)
        if preference.name in found:
            raise _wrong(f"{path}.name", "is there twice")
        found[preference.name] = preference
    return tuple(found.values())


def _preference(item: Any, path: str, limits: FieldLimits) -> RoutePreference:
    if not isinstance(item, Mapping):
        raise _wrong(path, "must be an object")
    texts = limits.max_text_chars
    models = _texts(item.get("models"), f"{path}.models", limits.max_models, texts)
    if not models:
        raise _wrong(f"{path}.models", "must name at least one model")
    examples = item.get("examples")
    return RoutePreference(
        name=_text(item.get("name"), f"{path}.name", limits.max_name_chars),
        description=_text(item.get("description"), f"{path}.description", texts),
        models=models,
        examples=()
        if examples is None
        else _texts(examples, f"{path}.examples", limits.max_examples, texts),
        selection_policy=_policy(item.get("selection_policy"), f"{path}.selection_policy"),
    )


def _policy(value: Any, path: str) -> Prefer | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong(path, "must be an object")
    prefer = value.get("prefer")
    if prefer is None or prefer == "":
        return None
    if prefer not in PREFERS:
        raise _wrong(f"{path}.prefer", f"must be one of {', '.join(PREFERS)}")
    known: Prefer = prefer
    return known


def _texts(value: Any, path: str, most: int, max_chars: int) -> tuple[str, ...]:
    items = _list(value, path, most)
    return tuple(_text(item, f"{path}[{n}]", max_chars) for n, item in enumerate(items))


def _text(value: Any, path: str, max_chars: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, "must be a text that is not empty")
    if len(value) > max_chars:
        raise _wrong(path, f"must have at most {max_chars} characters")
    return value


def _list(value: Any, path: str, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(path, "must be a list")
    if len(value) > most:
        raise _wrong(path, f"must have at most {most} entries")
    return value


def _wrong(path: str, what: str) -> RequestError:
    return RequestError(f"'{path}' {what}.", param=path)
