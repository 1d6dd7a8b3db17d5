"""From wire classes to JSON trees, by a cattrs converter of our own.

There are two such converters, each built when it is first needed: a strict one for what a client
sends, and one for what a server sent, which goes out as it came.
"""

from __future__ import annotations

import difflib
import functools
import typing
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

import cattrs

from ..wire import ABSENT
from . import _scalars as scalars
from ._scalars import Malformed, Writer, describe_python
from ._shapes import (
    is_duration,
    is_enum,
    is_int64,
    is_mapping,
    is_message,
    is_sequence,
    shape_of,
    snake_case,
)

__all__ = ["fresh_writer"]


def fresh_writer(*, strict: bool) -> cattrs.Converter:
    """Make a converter that writes.

    Args:
      strict: Refuse a key in ``extra`` that gives a field twice, or looks like a slip for one.
    """
    converter = cattrs.Converter()
    for kind, hook in (
        (str, scalars.write_text),
        (bool, scalars.write_bool),
        (int, scalars.write_integer),
        (float, scalars.write_float),
        (bytes, scalars.write_bytes),
    ):
        converter.register_unstructure_hook(kind, hook)
    converter.register_unstructure_hook_func(lambda kind: kind is Any, scalars.plain)
    converter.register_unstructure_hook_func(is_int64, scalars.write_int64)
    converter.register_unstructure_hook_func(is_duration, scalars.write_duration)
    converter.register_unstructure_hook_func(is_enum, scalars.write_enum)
    converter.register_unstructure_hook_factory(
        is_sequence, functools.partial(_sequence_writer, converter)
    )
    converter.register_unstructure_hook_factory(
        is_mapping, functools.partial(_mapping_writer, converter)
    )
    converter.register_unstructure_hook_factory(
        is_message, functools.partial(_message_writer, converter, strict)
    )
    return converter


def _sequence_writer(converter: cattrs.Converter, kind: Any) -> Writer:
    (item_type,) = typing.get_args(kind)
    write = converter.get_unstructure_hook(item_type)

    def write_sequence(value: Any) -> list[Any]:
        if not isinstance(value, (tuple, list)):
            raise Malformed("a sequence", describe_python(value))
        items: list[Any] = []
        try:
            for item in value:
                items.append(write(item))  # its length is the path
        except Malformed as error:
            error.steps.append(len(items))
            raise
        return items

    return write_sequence


def _mapping_writer(converter: cattrs.Converter, kind: Any) -> Writer:
    _, item_type = typing.get_args(kind)
    write = converter.get_unstructure_hook(item_type)

    def write_mapping(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Malformed("a mapping", describe_python(value))
        if item_type is Any:
            return scalars.plain(value)
        items: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise Malformed("text as a key", describe_python(key))
            name = scalars.write_text(key)
            try:
                items[name] = write(item)
            except Malformed as error:
                error.steps.append(key)
                raise
        return items

    return write_mapping


_SIMILAR: Final = 0.85


def _message_writer(converter: cattrs.Converter, strict: bool, cls: Any) -> Writer:
    shape = shape_of(cls)
    names = shape.names
    # attrgetter reads all fields in one call, but gives a bare value for a single name.
    get_all = attrgetter(*names, "extra") if names else lambda message: (message.extra,)
    steps: list[tuple[str, str, Writer]] = []

    def write_extra(message: Any, out: dict[str, Any], extra: Any) -> None:
        if not isinstance(extra, Mapping):
            raise Malformed("a mapping", describe_python(extra))
        for key in extra:
            name, _ = shape.spellings.get(key, (None, 0))
            if name is not None:
                if strict and getattr(message, name) not in (None, ABSENT):
                    raise Malformed(f"{name} once", f'it again as "{key}" in extra')
                out.pop(shape.json[name], None)
            elif strict and isinstance(key, str):
                nearest = difflib.get_close_matches(snake_case(key), names, 1, _SIMILAR)
                if nearest:
                    raise Malformed(
                        f"a field of {cls.__name__}",
                        f'"{key:.60}" in extra; did you mean {nearest[0]}?',
                    )
        out.update(scalars.plain(extra))

    def write_message(message: Any) -> dict[str, Any]:
        if not isinstance(message, cls):
            raise Malformed(f"a {cls.__name__} (wire.{cls.__name__})", describe_python(message))
        if not steps and names:
            steps.extend(
                (name, shape.json[name], converter.get_unstructure_hook(shape.types[name]))
                for name in names
            )
        out: dict[str, Any] = {}
        *values, extra = get_all(message)
        name = ""
        try:
            for (attribute, key, write), value in zip(steps, values, strict=True):
                if value is not None and value is not ABSENT:
                    name = attribute
                    out[key] = write(value)
            if extra:
                name = "extra"
                write_extra(message, out, extra)
        except Malformed as error:
            error.steps.append(name)
            raise
        return out

    return write_message
