"""From JSON Schema to the service's own form of schema, ``wire.Schema``.

``parameters`` is what every Live model reads. ``parametersJsonSchema`` says more, but models up to
2.5 pass over it without a word and call the function without arguments (python-genai's issue 1147,
livekit/agents 2940 and 5560, pydantic-ai's Live adapter); 3.1 and 3.8 were seen to take it
(livekit/agents 7302). So this form is written unless a tool asks for the other.

What this form can't say is said in words, in the description, since the model reads that too: the
values of a mapping (``additionalProperties`` is refused here with close code 1007, says the last of
these sources), the places of a tuple, bounds that leave their end out, formats other than
``date-time``, choices that aren't text. The arguments are checked against the whole of it all the
same. Only what contains itself can't be said at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from .. import wire
from ._hints import Unsayable
from ._words import in_words, sentence

__all__ = ["to_wire_schema"]

_KINDS: Final = {
    "string": wire.Type.STRING,
    "integer": wire.Type.INTEGER,
    "number": wire.Type.NUMBER,
    "boolean": wire.Type.BOOLEAN,
    "array": wire.Type.ARRAY,
    "object": wire.Type.OBJECT,
    "null": wire.Type.NULL,
}
_SAME: Final = {
    "title": "title",
    "default": "default",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minimum": "minimum",
    "maximum": "maximum",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
}
"""Keywords that are the same in both, but for their spelling."""
_TOLD: Final = frozenset(
    {
        *("type", "description", "anyOf", "oneOf", "allOf", "enum", "const", "format", "items"),
        *("prefixItems", "properties", "required", "additionalProperties", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "uniqueItems", "contentEncoding", "nullable"),
    }
)
"""Keywords for which there is something else, here."""
_LEFT_OUT: Final = frozenset(
    {
        *("$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "examples", "example"),
        *("deprecated", "readOnly", "writeOnly", "contentMediaType", "unevaluatedItems"),
        *("unevaluatedProperties", "additionalItems"),
    }
)
"""Keywords that the model can do without."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _is_one_text_or_more(value: Any) -> bool:
    return _is_text(value) or (_is_list(value) and _is_list_of_texts(value))


_SHAPES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    **dict.fromkeys(
        ("$ref", "title", "description", "pattern", "format", "contentEncoding"),
        (_is_text, "text"),
    ),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        (_is_count, "a whole number from 0"),
    ),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        (_is_number, "a number"),
    ),
    **dict.fromkeys(
        ("enum", "anyOf", "oneOf", "allOf", "prefixItems"),
        (_is_list, "a list with something in it"),
    ),
    **dict.fromkeys(("properties", "$defs", "definitions"), (_is_object, "an object")),
    **dict.fromkeys(("default", "const"), (_is_json, "a JSON value")),
    "required": (_is_list_of_texts, "a list of names"),
    "type": (_is_one_text_or_more, "one of JSON's types, or a list of them"),
}
"""What is under a keyword: a schema may come from anybody, and is read on trust after that."""


def check_schema(schema: object) -> None:
    """See that this is a JSON Schema, and everything in it, as far as it is looked at here.

    Raises:
      Unsayable: it isn't.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise Unsayable(f"the schema {schema!r:.80} is none", "it takes an object.")
    for keyword, (fits, words) in _SHAPES.items():
        if keyword in schema and not fits(schema[keyword]):
            raise Unsayable(
                f"the schema has {schema[keyword]!r:.80} under {keyword}", f"it takes {words}."
            )
    for keyword in ("properties", "$defs", "definitions"):
        for member in schema.get(keyword, {}).values():
            check_schema(member)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for member in schema.get(keyword, ()):
            check_schema(member)
    for keyword in ("items", "additionalProperties"):
        value = schema.get(keyword, True)
        for member in value if isinstance(value, list) else [value]:  # a list in older drafts
            check_schema(member)


def to_wire_schema(schema: Mapping[str, Any]) -> wire.Schema:
    """Put a JSON Schema into the service's own form.

    Raises:
      Unsayable: it contains itself, uses a keyword for which there is neither another nor words, or
        is none.
    """
    check_schema(schema)
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _Translation(definitions).of(schema)


class _Translation:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def of(self, schema: Any) -> wire.Schema:
        if schema is True or schema == {}:
            return _ANYTHING
        if not isinstance(schema, Mapping):
            raise Unsayable(f"the schema {schema!r} can't be said to the model", _ADVICE)
        if "$ref" in schema:
            return self._of_reference(schema)
        if "allOf" in schema:
            return self.of(_merged(schema))
        foreign = schema.keys() - _TOLD - _SAME.keys() - _LEFT_OUT
        unknown = sorted(name for name in foreign if not name.startswith("x-"))
        if unknown:
            raise Unsayable(f"the schema's keyword {unknown[0]} can't be said", _ADVICE)
        if schema.get("nullable"):
            rest = {name: value for name, value in schema.items() if name != "nullable"}
            return attrs.evolve(self.of(rest), nullable=True)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._of_alternatives(_alternatives(schema, keyword), schema)
        if "const" in schema:
            return self._of_choices([schema["const"]], schema)
        if "enum" in schema:
            return self._of_choices(schema["enum"], schema)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return self._of_alternatives([_only(schema, kind) for kind in kinds], schema)
        return self._of_kind(kinds or _implied_kind(schema), schema)

    def _of_reference(self, schema: Mapping[str, Any]) -> wire.Schema:
        place = str(schema["$ref"])
        name = place.rpartition("/")[2]
        if name not in self._definitions and place != "#":
            raise Unsayable(
                f"the schema refers to {place}, which isn't among its $defs", "define it there."
            )
        if name in self._open or place == "#":
            raise Unsayable(
                f"{'the schema' if place == '#' else name} contains itself",
                "give @tool dialect='json_schema' (models up to 2.5 don't read that), or bound "
                "the depth with a class for each level.",
            )
        self._open.append(name)
        try:
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            return self.of({**_as_object(self._definitions[name]), **siblings})
        finally:
            self._open.pop()

    def _of_alternatives(
        self, members: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]
    ) -> wire.Schema:
        """Say that any of the members will do, with what the schema says about them all."""
        about = {name: schema[name] for name in _ABOUT if name in schema}
        others = [member for member in members if member != _NULL] or [_NULL]
        if len(others) == 1:
            one = self.of({**_as_object(others[0]), **about})
        else:
            one = wire.Schema(any_of=[self.of(member) for member in others], **about)
        return attrs.evolve(one, nullable=True) if len(others) < len(members) else one

    def _of_choices(self, values: Sequence[Any], schema: Mapping[str, Any]) -> wire.Schema:
        by_kind: dict[str, list[Any]] = {}
        for value in values:
            by_kind.setdefault(_kind_of(value), []).append(value)
        if len(by_kind) > 1:
            members = [
                _NULL if kind == "null" else {"type": kind, "enum": same}
                for kind, same in by_kind.items()
            ]
            return self._of_alternatives(members, schema)
        ((kind, _),) = by_kind.items()
        # Only text has enum here, and the service refuses an empty one.
        if kind == "string" and "" not in values:
            return wire.Schema(type=wire.Type.STRING, enum=values, **_same(schema))
        words = f"{'only ' if len(values) == 1 else ''}{in_words({'enum': values})}"
        return wire.Schema(type=_KINDS[kind], **_same(schema, words))

    def _of_kind(self, kind: object, schema: Mapping[str, Any]) -> wire.Schema:
        if kind is None:
            return attrs.evolve(_ANYTHING, **_same(schema, "any JSON value"))
        if not isinstance(kind, str) or kind not in _KINDS:
            raise Unsayable(f"the schema has a type {kind!r}", "use one of JSON's types.")
        if kind == "array":
            return self._of_array(schema)
        if kind == "object":
            return self._of_object(schema)
        if kind == "integer":
            schema = _with_ends(schema)
        format_ = schema.get("format")
        if kind == "string":
            told = format_ not in (None, "date-time") or "contentEncoding" in schema
        else:
            told = not schema.keys().isdisjoint(_OPEN_BOUNDS)
        words = [in_words(schema)] if told else []
        return wire.Schema(
            type=_KINDS[kind],
            format="date-time" if kind == "string" and not told and format_ else None,
            **_same(schema, *words),
        )

    def _of_array(self, schema: Mapping[str, Any]) -> wire.Schema:
        words = []
        places = schema.get("prefixItems")
        if isinstance(schema.get("items"), list):  # how older drafts write the same
            places = schema["items"]
        if places:
            places = [*map(_as_object, places)]
            words.append(f"in this order: {', '.join(map(in_words, places))}")
            distinct = [place for n, place in enumerate(places) if place not in places[:n]]
            items: Any = distinct[0] if len(distinct) == 1 else {"anyOf": distinct}
        else:
            # Without items the service refuses a list.
            items = schema.get("items", True)
        if schema.get("uniqueItems"):
            words.append("no item twice")
        return wire.Schema(type=wire.Type.ARRAY, items=self.of(items), **_same(schema, *words))

    def _of_object(self, schema: Mapping[str, Any]) -> wire.Schema:
        words = []
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping) and values:
            self.of(values)  # to find out whether that can be said at all
            words.append(f"each value is {_at_length(values)}")
        properties = {
            name: self.of(member) for name, member in schema.get("properties", {}).items()
        }
        # The service refuses a whole setup for one.
        if missing := [name for name in schema.get("required", ()) if name not in properties]:
            raise Unsayable(
                f"the schema requires {missing[0]}, which isn't among its properties",
                "put it there, or leave it out.",
            )
        return wire.Schema(
            type=wire.Type.OBJECT,
            properties=properties or None,
            **({"required": schema["required"]} if schema.get("required") else {}),
            **_same(schema, *words),
        )


_ADVICE: Final = (
    "leave it out, or give @tool dialect='json_schema' (models up to 2.5 don't read that)."
)
_NULL: Final[Mapping[str, Any]] = {"type": "null"}
_ABOUT: Final = ("description", "title", "default")
_OPEN_BOUNDS: Final = frozenset({"exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ANYTHING: Final = wire.Schema(
    # A schema without a type is refused.
    any_of=[
        wire.Schema(type=wire.Type.STRING),
        wire.Schema(type=wire.Type.NUMBER),
        wire.Schema(type=wire.Type.BOOLEAN),
        wire.Schema(type=wire.Type.OBJECT),
        wire.Schema(type=wire.Type.ARRAY, items=wire.Schema(type=wire.Type.STRING)),
    ],
    nullable=True,
    description="Any JSON value.",
)


def _same(schema: Mapping[str, Any], *words: str) -> dict[str, Any]:
    """The keywords that stay, and a description with what else is to be said."""
    kept = {_SAME[name]: value for name, value in schema.items() if name in _SAME}
    description = " ".join([*filter(None, [schema.get("description")]), *map(sentence, words)])
    return kept | ({"description": description} if description else {})


def _at_length(schema: Mapping[str, Any]) -> str:
    """Say what a schema asks for without leaving anything out."""
    if schema.get("type") in ("array", "object") or "anyOf" in schema:
        return f"as this JSON Schema has it: {json.dumps(schema, ensure_ascii=False)}"
    return in_words(schema)


def _alternatives(schema: Mapping[str, Any], keyword: str) -> Sequence[Mapping[str, Any]]:
    kind = {"type": schema["type"]} if "type" in schema else {}
    beside = schema.keys() - {keyword, "type", *_ABOUT} - _LEFT_OUT
    if beside and not all(name.startswith("x-") for name in beside):
        raise Unsayable(f"the schema says {min(beside)} beside {keyword}", _ADVICE)
    return [{**kind, **_as_object(member)} for member in schema[keyword]]


def _as_object(schema: Any) -> Mapping[str, Any]:
    if schema is True:
        return {}
    if schema is False:
        raise Unsayable("the schema allows nothing somewhere", _ADVICE)
    members: Mapping[str, Any] = schema
    return members


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Write what ``allOf`` joins as one schema, where the parts don't speak of the same things."""
    parts = map(_as_object, schema["allOf"])
    merged = {name: value for name, value in schema.items() if name != "allOf"}
    for part in parts:
        if twice := sorted(merged.keys() & part.keys() - {"type", "description"}):
            raise Unsayable(f"the schema joins two with the same keyword {twice[0]}", _ADVICE)
        merged = {**part, **merged}
    return merged


_OF_KIND: Final = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format", "contentEncoding"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset(
        {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}
    ),
    "number": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    ),
}


def _implied_kind(schema: Mapping[str, Any]) -> str | None:
    """The type that a schema doesn't name, but speaks of."""
    kinds = [kind for kind, names in _OF_KIND.items() if not names.isdisjoint(schema)]
    if len(kinds) > 1:
        raise Unsayable(f"the schema speaks of {' and '.join(kinds)} without a type", _ADVICE)
    return kinds[0] if kinds else None


def _only(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What a schema of several types says of one of them."""
    about = _OF_KIND.get("number" if kind == "integer" else kind, frozenset())
    return {"type": kind} | {name: value for name, value in schema.items() if name in about}


def _with_ends(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Write an integer's bounds with their ends: above 0 is from 1."""
    written = dict(schema)
    if (least := written.pop("exclusiveMinimum", None)) is not None:
        written["minimum"] = max(int(least // 1) + 1, written.get("minimum", least))
    if (most := written.pop("exclusiveMaximum", None)) is not None:
        written["maximum"] = min(-int(-most // 1) - 1, written.get("maximum", most))
    return written


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
    raise Unsayable(f"the schema's choice {value!r} isn't a JSON scalar", "choose among scalars.")
