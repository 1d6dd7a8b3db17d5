"""What google-genai tells the model of the same functions: the same, but for what is listed here.

A listed difference must be one, so that the list can't outlive what it explains.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from tools.signatures import SIGNATURES, as_tool, parameters_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.genai")

EVERY = pytest.mark.parametrize("name", SIGNATURES)

MADE_OF_CLASSES = {
    "a_dataclass",
    "nested_dataclass",
    "dataclass_default",
    "attrs_class",
    "typed_dict",
    "partial_typed_dict",
    "tree",
    "mutual",
}
GENAI_CANT = {
    "a class by itself, since it gives pydantic a setting that pydantic refuses for classes": (
        MADE_OF_CLASSES
    ),
    "a parameter that isn't the model's": {"with_context"},
}
OTHER_IN_JSON_SCHEMA = {
    "an attrs class in a union is left out without a word": {"union_of_classes"},
    "a default is Python's object, which its JSON can't hold": {
        "text_enum_with_default",
        "date",
        "path",
    },
    "members of an enum that are no scalars are lists there, names here": {"enum_of_objects"},
    "a decimal is a number or any text there": {"a_decimal"},
    "bytes are 'binary' there, base64 here": {"raw_bytes"},
    "a parameter of any kind may be left out there, though the function needs it": {"anything"},
    "pydantic doesn't know our class": {"our_bounds", "a_pattern"},
    "a tuple says there, once more, that it has no further items": {"fixed_tuple", "mixed_tuple"},
}
OTHER_IN_PARAMETERS = {
    "a parameter that may be null may also be left out there, though the function needs it": {
        "null",
        "optional",
    },
    "a default of null makes no parameter optional there": {"literal_with_none"},
    "a union has the type OBJECT there": {"union", "old_union"},
    "enum holds only text on the wire; numbers are told in words": {
        "literal_integers",
        "int_enum",
        "mixed_literal",
        "mixed_enum",
    },
    "members of an enum that are no scalars are lists there, names here": {"enum_of_objects"},
    "an attrs class in a union is left out without a word": {"union_of_classes"},
    "a list without items, and a parameter without a type, are refused by the service": {
        "bare_list",
        "anything",
    },
    "a decimal is a number or any text there": {"a_decimal"},
    "formats other than date-time are refused by the service; they are told in words": {
        "date",
        "time",
        "a_uuid",
        "path",
        "raw_bytes",
    },
    "bounds are left out there": {
        "bounds",
        "open_integer_bounds",
        "interval",
        "lengths",
        "list_lengths",
        "bounded_items",
        "bounded_optional",
        "our_bounds",
        "a_pattern",
    },
    "a tuple makes it change to JSON Schema, and the model's arguments empty": {
        "fixed_tuple",
        "mixed_tuple",
    },
}


def _names(table: Mapping[str, set[str]]) -> set[str]:
    return {name for names in table.values() for name in names}


def _genai(name: str, *, json_schema: bool) -> dict[str, Any]:
    """What google-genai would put on the wire."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        declaration = genai.types.FunctionDeclaration.from_callable_with_api_option(
            callable=SIGNATURES[name], use_json_schema=json_schema
        )
        dumped: dict[str, Any] = declaration.model_dump(
            mode="json", exclude_none=True, by_alias=True
        )
        if json_schema and declaration.parameters_json_schema is not None:
            # Dumping would mend the defaults, and leave out those that are null.
            dumped["parametersJsonSchema"] = declaration.parameters_json_schema
        return dumped


def _plain(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """A schema without what is only another way to say the same, or only for people.

    References are followed, ``const`` is an ``enum`` of one, the order of names doesn't count, and
    int64 may be text. Titles and descriptions are left out: google-genai doesn't look for those of
    parameters.
    """
    if isinstance(schema, list):
        return [_plain(member, definitions) for member in schema]
    if not isinstance(schema, Mapping):
        return schema
    known = definitions if definitions is not None else schema.get("$defs", {})
    if "$ref" in schema:
        return _plain(known[schema["$ref"].rpartition("/")[2]], known)
    plain: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword == "properties":
            plain[keyword] = {name: _plain(member, known) for name, member in value.items()}
        elif keyword == "const":
            plain["enum"] = [value]
        elif keyword == "required":
            plain[keyword] = sorted(value)
        elif keyword in ("default", "enum"):
            plain[keyword] = value
        elif keyword not in ("$defs", "title", "description"):
            plain[keyword] = _plain(value, known)
    return {keyword: value for keyword, value in plain.items() if (keyword, value) != _NONE_NEEDED}


_NONE_NEEDED = ("required", [])


@EVERY
def test_json_schema_is_google_genais(name: str) -> None:
    if name in _names(GENAI_CANT):
        with pytest.raises(ValueError, match="Failed to parse"):
            _genai(name, json_schema=True)
        return
    theirs = _genai(name, json_schema=True)
    ours = as_tool(SIGNATURES[name])
    assert ours.declaration.name == theirs["name"]
    without_any = {"type": "object", "properties": {}}
    same = _plain(theirs.get("parametersJsonSchema", without_any)) == _plain(ours.json_schema)
    assert same == (name not in _names(OTHER_IN_JSON_SCHEMA))


@EVERY
def test_parameters_are_google_genais(name: str) -> None:
    if name in _names(GENAI_CANT):
        with pytest.raises(ValueError, match="Failed to parse"):
            _genai(name, json_schema=False)
        return
    theirs = _genai(name, json_schema=False)
    ours = parameters_of(SIGNATURES[name])
    same = _plain(theirs.get("parameters")) == _plain(ours)
    assert same == (name not in _names(OTHER_IN_PARAMETERS))


def test_descriptions_are_google_genais_up_to_the_sections() -> None:
    for name in ("documented", "asynchronous"):
        theirs = _genai(name, json_schema=True)["description"]
        ours = as_tool(SIGNATURES[name]).declaration.description
        assert theirs.startswith(ours)
        assert ("Args:" in theirs) == (name == "documented")
