"""What a schema asks for, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["in_words", "sentence"]

_PLAIN: Final = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_FORMATS: Final = {
    "date-time": "a date and time such as 2025-01-31T18:30:00Z",
    "date": "a date such as 2025-01-31",
    "time": "a time such as 18:30:00",
    "uuid": "a UUID",
    "path": "a path",
    "decimal": "a decimal number such as 12.50",
}
_MOST_CHOICES: Final = 20


def in_words(schema: Mapping[str, Any]) -> str:
    """Say what a schema asks for, as in ``an integer from 1 to 7``."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(member) for member in schema["anyOf"]))
    if "enum" in schema:
        return _one_of(schema["enum"])
    kind = schema.get("type")
    if not isinstance(kind, str):
        return "an object" if "$ref" in schema else "a JSON value"
    if kind == "string":
        return _text(schema)
    words = _PLAIN.get(kind, kind)
    if kind in ("integer", "number"):
        return f"{words}{_range(schema)}"
    if kind == "array":
        return f"{words}{_length(schema, 'Items', 'item')}"
    if kind == "object":
        return f"{words}{_length(schema, 'Properties', 'key')}"
    return words


def sentence(words: str) -> str:
    """Make a sentence of a few words."""
    return f"{words[:1].upper()}{words[1:]}."


def _one_of(values: list[Any]) -> str:
    shown = [json.dumps(value, ensure_ascii=False) for value in values[:_MOST_CHOICES]]
    if len(shown) == 1:
        return shown[0]
    more = f" or {len(values) - len(shown)} others" if len(values) > len(shown) else ""
    return f"one of {', '.join(shown)}{more}"


def _text(schema: Mapping[str, Any]) -> str:
    if "contentEncoding" in schema:
        return f"{schema['contentEncoding']} text"
    if "format" in schema:
        return _FORMATS.get(schema["format"], f"text in the format {schema['format']}")
    words = f"text{_length(schema, 'Length', 'character')}"
    return f"{words} that matches {schema['pattern']}" if "pattern" in schema else words


def _range(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    parts = []
    if least is not None and most is not None:
        parts.append(f"from {least} to {most}")
    elif least is not None:
        parts.append(f"of at least {least}")
    elif most is not None:
        parts.append(f"of at most {most}")
    if "exclusiveMinimum" in schema:
        parts.append(f"above {schema['exclusiveMinimum']}")
    if "exclusiveMaximum" in schema:
        parts.append(f"below {schema['exclusiveMaximum']}")
    if "multipleOf" in schema:
        parts.append(f"that is a multiple of {schema['multipleOf']}")
    return f" {' and '.join(parts)}" if parts else ""


def _length(schema: Mapping[str, Any], keyword: str, unit: str) -> str:
    least, most = schema.get(f"min{keyword}", 0), schema.get(f"max{keyword}")
    if most is None:
        return f" of at least {_count(least, unit)}" if least else ""
    if least == most:
        return f" of {_count(most, unit)}"
    return f" of {least} to {_count(most, unit)}" if least else f" of at most {_count(most, unit)}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
