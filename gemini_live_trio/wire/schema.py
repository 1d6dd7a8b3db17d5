"""The shape of a value, as function declarations describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ._base import ABSENT, Int64, JsonValue, Message, sealed
from .enums import Type

__all__ = [
    "Schema",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Schema(Message):
    """The shape of a value, in the service's own dialect of OpenAPI's schemas.

    Enum values, property names and ``default`` are data and keep their spelling. For plain JSON
    Schema use ``FunctionDeclaration.parameters_json_schema``.
    """

    type: Type | str | None = None
    """Upper case by the definition; lower case is taken too."""
    description: str | None = None
    title: str | None = None
    nullable: bool | None = None
    format: str | None = None
    enum: Sequence[str] = ABSENT
    """The strings allowed."""
    default: JsonValue = None
    example: JsonValue = None
    any_of: Sequence[Schema] = ABSENT

    # Objects.
    properties: Mapping[str, Schema] | None = None
    required: Sequence[str] = ABSENT
    property_ordering: Sequence[str] = ABSENT
    """The order in which the model should write them."""
    min_properties: Int64 | None = None
    max_properties: Int64 | None = None
    additional_properties: JsonValue = None
    """A schema or a bool, untouched."""

    # Lists.
    items: Schema | None = None
    min_items: Int64 | None = None
    max_items: Int64 | None = None

    # Strings and numbers.
    min_length: Int64 | None = None
    max_length: Int64 | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    # References.
    ref: str | None = None
    """Names an entry of ``defs``, as in ``"#/defs/Place"``."""
    defs: Mapping[str, Schema] | None = None
    """At the root only."""
