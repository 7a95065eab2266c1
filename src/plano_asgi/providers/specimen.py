"""The smallest value that fits a JSON schema: what an echo calls tools with."""

from __future__ import annotations

from typing import Any

from plano_asgi._json import JSONObject

MAX_DEPTH = 24
MAX_VALUES = 2000
MAX_ITEMS = 16
MAX_TEXT = 4096

_FORMATS = {
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "date-time": "2024-01-01T00:00:00Z",
    "duration": "PT0S",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def specimen(schema: Any, *, name: str = "text") -> Any:
    """
    A value of *schema*: required properties only, first ``enum`` word, shortest array.

    Deterministic, and of bounded size whatever the schema demands: below ``MAX_DEPTH`` and past
    ``MAX_VALUES`` everything is ``None``. Understands types, ``const``, ``enum``, ``anyOf`` /
    ``oneOf`` / ``allOf``, local ``$ref``, numeric and length bounds and common formats; not
    ``pattern`` or ``not``. Strings say their property's *name*. Never raises.
    """
    root = schema if isinstance(schema, dict) else {}
    return _Maker(root).value(root, name, MAX_DEPTH)


class _Maker:
    """One walk over one schema."""

    __slots__ = ("_left", "_root")

    def __init__(self, root: JSONObject) -> None:
        self._root = root
        self._left = MAX_VALUES

    def value(self, schema: Any, name: str, depth: int) -> Any:
        self._left -= 1
        schema = self._resolve(schema, depth)
        if depth <= 0 or self._left < 0 or not isinstance(schema, dict):
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(words := schema.get("enum"), list) and words:
            return words[0]
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, depth - 1)
        if kind == "array":
            return self._array(schema, name, depth - 1)
        return _scalar(kind, schema, name)

    def _object(self, schema: JSONObject, depth: int) -> JSONObject:
        known = _dict(schema.get("properties"))
        names = [name for name in _list(schema.get("required")) if isinstance(name, str)]
        return {name: self.value(known.get(name, {}), name, depth) for name in names}

    def _array(self, schema: JSONObject, name: str, depth: int) -> list[Any]:
        count = min(_length(schema.get("minItems")) or 0, MAX_ITEMS)
        shapes = _list(schema.get("prefixItems"))
        shapes = [*shapes, *[schema.get("items", {})] * (count - len(shapes))]
        return [self.value(shape, name, depth) for shape in shapes[:count]]

    def _resolve(self, schema: Any, depth: int) -> Any:
        """Follow references and choices until something with a shape of its own."""
        for _ in range(depth):
            if not isinstance(schema, dict):
                return schema
            rest = dict(schema)
            if isinstance(ref := rest.pop("$ref", None), str):
                schema = {**self._lookup(ref), **rest}
            elif options := [*_list(rest.pop("anyOf", 0)), *_list(rest.pop("oneOf", 0))]:
                schema = _merge(rest, _first(options))
            elif parts := _list(rest.pop("allOf", 0)):
                for part in parts[:MAX_ITEMS]:
                    rest = _merge(rest, part)
                schema = rest
            else:
                return schema
        return None

    def _lookup(self, ref: str) -> JSONObject:
        found: Any = self._root
        for step in ref.removeprefix("#").split("/")[1:]:
            found = _dict(found).get(step.replace("~1", "/").replace("~0", "~"))
        return _dict(found)


def _first(options: list[Any]) -> JSONObject:
    """The first option that is not null."""
    known = [option for option in options if isinstance(option, dict)]
    return next((o for o in known if o.get("type") != "null"), known[0] if known else {})


def _merge(left: JSONObject, right: Any) -> JSONObject:
    """Both schemas at once: properties and required ones add up, else *right* wins."""
    right = _dict(right)
    merged = {**left, **right}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**_dict(left["properties"]), **_dict(right["properties"])}
    if "required" in left and "required" in right:
        merged["required"] = [*_list(left["required"]), *_list(right["required"])]
    return merged


def _type_of(schema: JSONObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((word for word in kind if word != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _scalar(kind: str, schema: JSONObject, name: str) -> Any:
    if kind == "string":
        return _string(schema, name)
    if kind in ("integer", "number"):
        value = _number(schema)
        return int(value) if kind == "integer" else value
    return False if kind == "boolean" else None


def _string(schema: JSONObject, name: str) -> str:
    text = _FORMATS.get(str(schema.get("format")), name)
    text = text.ljust(min(_length(schema.get("minLength")) or 0, MAX_TEXT), "x")
    high = _length(schema.get("maxLength"))
    return text if high is None else text[:high]


def _number(schema: JSONObject) -> int | float:
    """Zero, or what is nearest to it within the bounds."""
    unit = _numeric(schema.get("multipleOf")) or 1
    low, high = _bound(schema, "minimum", 1), _bound(schema, "maximum", -1)
    if low is not None and low > 0:
        value = -(-low // unit) * unit
        # a narrow range of fractions
        return (low + high) / 2 if high is not None and value > high else value
    if high is not None and high < 0:
        return high // unit * unit
    return 0


def _bound(schema: JSONObject, word: str, step: int) -> int | float | None:
    """``minimum`` or ``maximum``; the exclusive one is moved *step* inwards."""
    exclusive = _numeric(schema.get(f"exclusive{word.capitalize()}"))
    return _numeric(schema.get(word)) if exclusive is None else exclusive + step


def _numeric(value: Any) -> int | float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return value if usable and abs(value) < 1 << 53 else None


def _length(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _dict(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
