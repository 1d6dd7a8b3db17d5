"""From type hints to JSON Schema (2020-12).

This is the form that says most, so it is made first; ``_openapi`` puts it into the service's own,
poorer one. Classes are written out where they stand, since models read that best, except those that
contain themselves: they stand once, under ``$defs``.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..errors import ConfigError
from ._bounds import bounds_of
from ._docstring import read_docstring
from ._hints import (
    Field,
    Hints,
    Unsayable,
    aliased,
    alternatives,
    annotated,
    array_parts,
    choices,
    fixed_parts,
    hint_name,
    is_model,
    is_object,
    renamed,
    table_part,
    underlying,
)
from ._scalars import SCALARS, JsonSchema

__all__ = ["Schemas", "takes_null"]


class Schemas:
    """Makes the schemas of one tool.

    Args:
      hints: Reads annotations.
      defaults: Gives ``{"default": ...}`` for a field whose default can be shown, else nothing.
    """

    def __init__(self, hints: Hints, defaults: Callable[[Field], Mapping[str, Any]]) -> None:
        self._hints = hints
        self._defaults = defaults
        self._names: dict[Any, str] = {}
        """Of what contains itself: the class or alias, and its name under ``$defs``."""
        self._open: list[Any] = []
        self._definitions: dict[str, JsonSchema] = {}

    def of_arguments(self, fields: Sequence[Field], whose: str) -> JsonSchema:
        """The schema of a function's arguments.

        Raises:
          ConfigError: a hint says something that a schema can't; names function and parameter.
        """
        properties = {}
        for field in fields:
            try:
                properties[field.name] = self._of_field(field)
            except (Unsayable, ConfigError) as error:
                raise ConfigError(f"{whose}, parameter {field.name}: {error}") from error
        schema = _object(properties, fields)
        if self._definitions:
            schema["$defs"] = self._definitions
        return schema

    def of(self, hint: Any) -> JsonSchema:
        """The schema of a hint; may refer to ``$defs`` of the whole.

        Raises:
          Unsayable: it can't be said.
          ConfigError: an annotation is wrong in itself.
        """
        inside = annotated(hint)
        if inside is not None:
            return self._of_annotated(*inside)
        if (value := aliased(hint)) is not None:
            return self._named(hint, lambda: self.of(value))
        if (value := renamed(hint)) is not None:
            return self.of(value)
        if hint is Any or hint is object:
            return {}
        if _is_scalar(hint):
            return dict(SCALARS[hint].schema)
        if (pairs := choices(hint)) is not None:
            return _of_choices(hint, [value for value, _ in pairs])
        if (members := alternatives(hint)) is not None:
            return self._of_union(members)
        return self._of_collection(hint)

    def _of_collection(self, hint: Any) -> JsonSchema:
        if (array := array_parts(hint)) is not None:
            make, item = array
            schema: JsonSchema = {"type": "array", "items": self.of(item)}
            if make in (set, frozenset):
                if _has_no_hash(item):
                    raise Unsayable(
                        f"{hint_name(hint)} can't hold its items, which have no hash",
                        "use a list.",
                    )
                schema["uniqueItems"] = True
            return schema
        if (items := fixed_parts(hint)) is not None:
            length = {"minItems": len(items), "maxItems": len(items)}
            positions = {"prefixItems": [self.of(item) for item in items]} if items else {}
            return {"type": "array", **positions, **length}
        if (table := table_part(hint)) is not None:
            (value,) = table
            values = self.of(value)
            return {"type": "object", "additionalProperties": values or True}
        if is_model(hint):
            return self._of_model(hint)
        if is_object(hint):
            return self._named(hint, lambda: self._of_object(hint))
        raise Unsayable(f"the type {hint_name(hint)} can't be said in a schema", _advice(hint))

    def _of_annotated(self, base: Any, metadata: Sequence[object]) -> JsonSchema:
        schema = self.of(base)
        bounds = bounds_of(metadata)
        if bounds is not None:
            schema = bounds.within(schema)
        description = _text_in(metadata)
        return schema | {"description": description} if description else schema

    def _of_union(self, members: Sequence[Any]) -> JsonSchema:
        schemas: list[JsonSchema] = []
        for member in members:
            schema = self.of(member)
            if not schema:
                return {}
            if schema not in schemas:
                schemas.append(schema)
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _of_object(self, kind: type) -> JsonSchema:
        fields = self._hints.fields(kind)
        properties = {}
        for field in fields:
            try:
                properties[field.name] = self._of_field(field)
            except Unsayable as error:
                what = f"in {_local_name(kind)}.{field.name}, {error.what}"
                raise Unsayable(what, error.advice) from error
        description = _class_description(kind)
        told = {"description": description} if description else {}
        return _object(properties, fields) | told

    def _of_model(self, model: Any) -> JsonSchema:
        """The schema that pydantic makes of a model of its own; its definitions join ours."""
        pydantic: Any = sys.modules["pydantic"]
        try:
            schema: JsonSchema = _untitled(model.model_json_schema())
        except (pydantic.errors.PydanticUserError, NameError) as error:
            words = str(error).partition("\n")[0].rstrip(".")
            raise Unsayable(
                f"pydantic makes no schema of {hint_name(model)}",
                f"it says: {words}.",
            ) from error
        for name, definition in schema.pop("$defs", {}).items():
            if self._definitions.setdefault(name, definition) != definition:
                raise Unsayable(f"there are two classes {name}", "rename one.")
        return schema

    def _of_field(self, field: Field) -> JsonSchema:
        schema = {**self.of(field.hint), **self._defaults(field)}
        description = _annotation_text(field.hint) or field.description
        return schema | {"description": description} if description else schema

    def _named(self, thing: Any, make: Callable[[], JsonSchema]) -> JsonSchema:
        """Write a class or alias where it stands, or under ``$defs`` if it contains itself."""
        if thing in self._names or thing in self._open:
            return self._reference(thing)
        self._open.append(thing)
        try:
            schema = make()
        finally:
            self._open.pop()
        if thing not in self._names:
            return schema
        self._definitions[self._names[thing]] = schema
        return self._reference(thing)

    def _reference(self, thing: Any) -> JsonSchema:
        if thing not in self._names:
            base = getattr(thing, "__name__", "Value")
            taken = self._names.values()
            numbered = (f"{base}{number}" for number in range(2, len(taken) + 3))
            self._names[thing] = next(name for name in (base, *numbered) if name not in taken)
        return {"$ref": f"#/$defs/{self._names[thing]}"}


def takes_null(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema that was made here has a place for ``null``."""
    return (
        not schema.keys() - {"description", "default"}
        or schema.get("type") == "null"
        or None in schema.get("enum", ())
        or any(takes_null(member) for member in schema.get("anyOf", ()))
    )


def _untitled(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_untitled(member) for member in schema]
    if not isinstance(schema, Mapping):
        return schema
    plain: JsonSchema = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs"):
            plain[keyword] = {name: _untitled(member) for name, member in value.items()}
        elif keyword in ("default", "const", "enum", "examples"):
            plain[keyword] = value
        elif keyword != "title":
            plain[keyword] = _untitled(value)
    return plain


def _object(properties: Mapping[str, JsonSchema], fields: Sequence[Field]) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "properties": dict(properties)}
    required = [field.name for field in fields if field.required]
    return schema | {"required": required} if required else schema


_JSON_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _of_choices(hint: Any, values: Sequence[Any]) -> JsonSchema:
    schema: JsonSchema = {"enum": list(values)}
    kinds = {_JSON_TYPES.get(type(value)) for value in values}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) == 1 and None not in kinds:
        schema["type"] = kinds.pop()
    if isinstance(hint, type):
        schema |= _told_of_members(hint)
    return schema


def _told_of_members(kind: type[enum.Enum]) -> JsonSchema:
    """Say what an enum is for, and what its members are called where their values say nothing."""
    words = [_class_description(kind)]
    if not all(isinstance(member.value, str) for member in kind):
        pairs = (
            f"{value} is {member.name}"
            for value, member in choices(kind) or ()
            if isinstance(member, enum.Enum) and value != member.name
        )
        names = ", ".join(pairs)
        words.append(f"{names}." if names else "")
    text = " ".join(filter(None, words))
    return {"description": text} if text else {}


def _text_in(metadata: Iterable[object]) -> str:
    """The description among what an annotation holds: plain text, or as PEP 727 has it."""
    texts = (
        item if isinstance(item, str) else getattr(item, "documentation", None) for item in metadata
    )
    return next((" ".join(text.split()) for text in texts if isinstance(text, str)), "")


def _annotation_text(hint: Any) -> str:
    """What an annotation itself says of a field; its class may say something more general."""
    while hint is not None:
        inside = annotated(hint)
        if inside is None:
            hint = renamed(hint)
        elif text := _text_in(inside[1]):
            return text
        else:
            hint = inside[0]
    return ""


def _class_description(kind: type) -> str:
    text = vars(kind).get("__doc__") or ""
    # A dataclass without a docstring gets its signature for one.
    if dataclasses.is_dataclass(kind) and text.startswith(f"{kind.__name__}("):
        return ""
    return read_docstring(text).description


def _local_name(kind: type) -> str:
    return kind.__qualname__.rpartition("<locals>.")[2]


def _is_scalar(hint: Any) -> bool:
    return (hint is None or isinstance(hint, type)) and hint in SCALARS


def _has_no_hash(hint: Any) -> bool:
    kind = underlying(hint)
    array = array_parts(kind)
    if array is not None:
        return array[0] is not tuple and array[0] is not frozenset
    return table_part(kind) is not None or (
        (is_object(kind) or is_model(kind)) and getattr(kind, "__hash__", None) is None
    )


def _advice(hint: Any) -> str:
    if isinstance(hint, typing.TypeVar):
        return "a tool has no type parameters; write the type itself."
    if isinstance(hint, type) and issubclass(hint, tuple):
        return "write a dataclass instead of a named tuple, so that its fields have names in JSON."
    if isinstance(hint, type) and issubclass(hint, datetime.timedelta):
        return "take seconds, as a float."
    base = typing.get_origin(hint)
    if isinstance(base, type) and is_object(base):
        return "write a class without type parameters."
    if base is collections.abc.Callable or hint is collections.abc.Callable:
        return "a function can't come out of JSON."
    if isinstance(hint, type) and issubclass(hint, (str, int, float)):
        return f"use typing.NewType({hint.__name__!r}, ...) instead of a subclass, or the base."
    return (
        "use JSON's own kinds, an enum, a dataclass, an attrs class or a TypedDict, or annotate it "
        "Any and give the schema with schema=."
    )
