"""The smallest value of a JSON schema."""

from __future__ import annotations

from typing import Any

import pytest

from plano_asgi._json import dumps
from plano_asgi.providers.specimen import specimen


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (None, "text"),
        ({}, "text"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2024-01-01"),
        ({"const": 4}, 4),
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "minimum": 3, "multipleOf": 5}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 0),
        ({"type": "odd"}, None),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"items": {}, "minItems": 1, "prefixItems": [{"const": 1}]}, [1]),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}, {"a": 0}),
        ({"type": "object", "required": ["city"]}, {"city": "city"}),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 0),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"anyOf": 3}, "text"),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                    True,
                ]
            },
            {"a": 1, "b": 2},
        ),
        (
            {
                "$defs": {"a/b": {"const": 5}},
                "type": "object",
                "properties": {"x": {"$ref": "#/$defs/a~1b"}, "y": {"$ref": "#/nope"}},
                "required": ["x", "y"],
            },
            {"x": 5, "y": "y"},
        ),
    ],
)
def test_value_fits(schema: Any, value: Any) -> None:
    """The value is the smallest, and always the same."""
    assert specimen(schema) == value


def test_recursion_ends() -> None:
    """A schema that demands itself is cut off, and one that only names itself is nothing."""
    deep = specimen({"type": "object", "properties": {"n": {"$ref": "#"}}, "required": ["n"]})
    assert isinstance(deep, dict)
    assert specimen({"$ref": "#"}) is None
    huge = specimen({"type": "array", "minItems": 10**9, "items": {"type": "null"}})
    assert len(huge) == 16


def test_a_schema_that_branches_without_end_stays_small() -> None:
    """Self-references multiply; the number of values is bounded all the same."""
    names = [str(number) for number in range(20)]
    wide = {
        "type": "object",
        "properties": {key: {"$ref": "#"} for key in names},
        "required": names,
    }
    assert len(str(specimen(wide))) < 1_000_000


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": [1, None], "properties": 3},
        {"allOf": [{"properties": 1, "required": 2}, {"properties": 3, "required": 4}]},
        {"$ref": 4, "anyOf": "x", "oneOf": {}},
        {"type": "number", "minimum": True, "multipleOf": -0.0, "exclusiveMaximum": "x"},
        {"type": "string", "minLength": 10**12, "maxLength": -1},
        {"type": "integer", "minimum": 1e308},
    ],
)
def test_a_schema_that_makes_no_sense_is_survived(schema: Any) -> None:
    """It comes from a client: nothing in it may raise, and the value is JSON."""
    assert dumps(specimen(schema))
