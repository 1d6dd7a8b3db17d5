"""JSON Schema of any origin, in the service's own form."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import wire
from gemini_live_trio.tools._hints import Unsayable
from gemini_live_trio.tools._openapi import _SHAPES, to_wire_schema
from gemini_live_trio.wire import Schema, Type

CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "title": "City"}
CITY_SCHEMA = Schema(type=Type.OBJECT, properties={"name": Schema(type=Type.STRING)}, title="City")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "examples": ["a"], "x-order": 1}, Schema(type=Type.STRING)),
        ({"type": ["string", "null"]}, Schema(type=Type.STRING, nullable=True)),
        (
            {"type": ["string", "integer"], "minimum": 1, "maxLength": 3, "description": "Either."},
            Schema(
                any_of=[
                    Schema(type=Type.STRING, max_length=3),
                    Schema(type=Type.INTEGER, minimum=1),
                ],
                description="Either.",
            ),
        ),
        ({"type": "integer", "nullable": True}, Schema(type=Type.INTEGER, nullable=True)),
        ({"anyOf": [{"type": "null"}]}, Schema(type=Type.NULL)),
        (
            {"type": "string", "oneOf": [{"enum": ["a"]}, {"pattern": "^b"}], "title": "T"},
            Schema(
                any_of=[
                    Schema(type=Type.STRING, enum=["a"]),
                    Schema(type=Type.STRING, pattern="^b"),
                ],
                title="T",
            ),
        ),
        (
            {
                "anyOf": [{"type": "integer", "description": "Whole."}, {"type": "null"}],
                "default": 3,
            },
            Schema(type=Type.INTEGER, nullable=True, description="Whole.", default=3),
        ),
        ({"const": "a"}, Schema(type=Type.STRING, enum=["a"])),
        ({"const": None}, Schema(type=Type.NULL, description="Only null.")),
        ({"enum": ["a", None]}, Schema(type=Type.STRING, enum=["a"], nullable=True)),
        ({"enum": ["", "a"]}, Schema(type=Type.STRING, description='One of "", "a".')),
        ({"enum": [1.5, 2.5]}, Schema(type=Type.NUMBER, description="One of 1.5, 2.5.")),
        ({"properties": {}}, Schema(type=Type.OBJECT)),
        ({"minimum": 3}, Schema(type=Type.NUMBER, minimum=3)),
        (
            {"type": "object", "additionalProperties": False, "$schema": "https://json-schema.org"},
            Schema(type=Type.OBJECT),
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            Schema(type=Type.OBJECT, description="Each value is an integer of at least 0."),
        ),
        (
            {"$ref": "#/$defs/City", "$defs": {"City": CITY}, "description": "Which."},
            attrs.evolve(CITY_SCHEMA, description="Which."),
        ),
        (
            {
                "type": "array",
                "items": [{"$ref": "#/definitions/City"}, {"$ref": "#/definitions/City"}],
                "definitions": {"City": CITY},
                "minItems": 2,
            },
            Schema(
                type=Type.ARRAY,
                items=CITY_SCHEMA,
                min_items=2,
                description="In this order: an object, an object.",
            ),
        ),
        (
            {"allOf": [{"$ref": "#/$defs/City"}], "$defs": {"City": CITY}, "description": "Which."},
            attrs.evolve(CITY_SCHEMA, description="Which."),
        ),
        (
            {"allOf": [{"type": "string", "minLength": 1}, {"type": "string", "maxLength": 2}]},
            Schema(type=Type.STRING, min_length=1, max_length=2),
        ),
        (
            {"type": "integer", "exclusiveMinimum": 0.5, "exclusiveMaximum": 3, "minimum": 2},
            Schema(type=Type.INTEGER, minimum=2, maximum=2),
        ),
        (
            {"type": "number", "exclusiveMaximum": 0, "description": "Cold."},
            Schema(type=Type.NUMBER, description="Cold. A number below 0."),
        ),
        ({"type": "number", "format": "double"}, Schema(type=Type.NUMBER)),
        (
            {"type": "string", "format": "email"},
            Schema(type=Type.STRING, description="Text in the format email."),
        ),
    ],
)
def test_a_json_schema_is_put_into_the_services_form(
    schema: Mapping[str, Any], expected: wire.Schema
) -> None:
    assert to_wire_schema(schema) == expected


@pytest.mark.parametrize("schema", [True, {}, {"description": "Whatever."}, {"default": 1}])
def test_what_may_be_anything_still_has_types(schema: Any) -> None:
    made = to_wire_schema({"type": "array", "items": schema}).items
    assert made is not None
    assert made.nullable
    assert [member.type for member in made.any_of] == [
        Type.STRING,
        Type.NUMBER,
        Type.BOOLEAN,
        Type.OBJECT,
        Type.ARRAY,
    ]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"not": {"type": "string"}}, "keyword not"),
        ({"type": "object", "if": {}}, "keyword if"),
        ({"type": "any"}, "a type 'any'"),
        ({"minimum": 3, "pattern": "a"}, "speaks of string and number without a type"),
        ({"type": 3}, "has 3 under type"),
        ({"enum": [[1]]}, "choice"),
        ({"type": "array", "items": False}, "the schema False"),
        ({"$ref": "#"}, "the schema contains itself"),
        ({"$ref": "#/$defs/A"}, "isn't among its [$]defs"),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}},
            },
            "A contains itself",
        ),
        ({"type": "object", "additionalProperties": {"$ref": "#"}}, "contains itself"),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "same keyword pattern"),
        (
            {"type": "object", "properties": {}, "anyOf": [{"required": ["a"]}]},
            "says properties beside anyOf",
        ),
        ({"enum": []}, r"has \[\] under enum: it takes a list"),
        ({"enum": "abc"}, "has 'abc' under enum"),
        ({"anyOf": 3}, "has 3 under anyOf"),
        ({"type": "object", "properties": None}, "has None under properties: it takes an object"),
        ({"type": "string", "$defs": 3}, "has 3 under [$]defs"),
        ({"type": "string", "description": 3}, "has 3 under description: it takes text"),
        ({"type": "string", "minLength": "1"}, "has '1' under minLength: it takes a whole"),
        # How drafts up to 4 wrote it.
        ({"type": "integer", "exclusiveMinimum": True}, "has True under exclusiveMinimum"),
        ({"type": "number", "maximum": float("nan")}, "has nan under maximum"),
        ({"type": "object", "properties": {"a": {}}, "required": "a"}, "it takes a list of names"),
        ({"type": "object", "required": ["a"]}, "requires a, which isn't among its properties"),
        ({"type": "array", "items": {"enum": []}}, "under enum"),
        ({"type": "array", "prefixItems": 3}, "has 3 under prefixItems"),
        ({"type": "object", "properties": {"a": 3}}, "the schema 3 is none: it takes an object"),
        ({"$ref": "#/$defs/X", "$defs": {"X": 3}}, "the schema 3 is none"),
        ({"$ref": "#/$defs/X", "$defs": {"X": False}}, "allows nothing somewhere"),
        ({"anyOf": [False]}, "allows nothing somewhere"),
        ({"type": "number", "default": float("inf")}, "has inf under default: it takes a JSON"),
        ({"type": [[]]}, r"has \[\[\]\] under type: it takes one of JSON's types"),
    ],
)
def test_what_would_be_lost_is_refused(schema: Mapping[str, Any], told: str) -> None:
    with pytest.raises(Unsayable, match=told):
        to_wire_schema(schema)


@given(st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6))
def test_open_bounds_of_integers_get_their_ends(bound: float, value: int) -> None:
    above = to_wire_schema({"type": "integer", "exclusiveMinimum": bound}).minimum
    below = to_wire_schema({"type": "integer", "exclusiveMaximum": bound}).maximum
    assert above is not None
    assert below is not None
    assert (value > bound) == (value >= above)
    assert (value < bound) == (value <= below)


WORDS = ["string", "object", "array", "integer", "number", "boolean", "null", "#/$defs/a"]
KEYWORDS = [*_SHAPES, "items", "additionalProperties", "const", "default", "nullable", "a"]
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), NONSENSE, max_size=4))
def test_whatever_it_is_it_is_said_or_refused(schema: dict[str, Any]) -> None:
    with contextlib.suppress(Unsayable):
        assert isinstance(to_wire_schema(schema), Schema)
