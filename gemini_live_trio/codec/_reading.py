"""From JSON trees to wire classes, by a cattrs converter of our own.

A hook factory makes one structure function for each class; what it has to do is looked up
beforehand, so that it only loops over the keys that came. The functions that cattrs would generate
don't fit: they ask for every field they know (``Part`` has twenty and is mostly sent with one),
stop between 400 and 500 levels, report errors as exception groups, and can't keep what they don't
know.

There are two such converters, each built when it is first needed: one for what orjson parsed, where
an integer may have become a float (``Rounded`` is raised), one for what ``json`` parsed.
"""

from __future__ import annotations

import functools
import typing
from typing import Any, cast

import cattrs

from . import _scalars as scalars
from ._scalars import Malformed, Reader, Unreadable, describe
from ._shapes import (
    enum_of,
    is_duration,
    is_enum,
    is_int64,
    is_mapping,
    is_message,
    is_sequence,
    maker,
    shape_of,
)

__all__ = ["fresh_reader"]


def fresh_reader(*, exact: bool) -> cattrs.Converter:
    """Make a converter that reads.

    Args:
      exact: The tree comes from ``json``, so its integers are whole.
    """
    converter = cattrs.Converter()
    free = scalars.untouched_exact if exact else scalars.untouched
    simple = (
        (str, scalars.read_text),
        (bool, scalars.read_bool),
        (int, scalars.read_integer),
        (float, scalars.read_float),
        (bytes, scalars.read_bytes),
    )
    for kind, hook in simple:
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(lambda kind: kind is Any, free)
    converter.register_structure_hook_func(is_int64, scalars.read_integer)
    converter.register_structure_hook_func(is_duration, scalars.read_duration)
    converter.register_structure_hook_factory(is_enum, _make_enum_reader)
    for predicate, factory in (
        (is_sequence, _make_sequence_reader),
        (is_mapping, _make_mapping_reader),
        (is_message, _make_message_reader),
    ):
        converter.register_structure_hook_factory(
            predicate, functools.partial(factory, converter, free)
        )
    return converter


def _make_enum_reader(kind: Any) -> Reader:
    members = enum_of(kind)
    assert members is not None
    return scalars.enum_reader(members)


def _make_sequence_reader(converter: cattrs.Converter, _free: Reader, kind: Any) -> Reader:
    (item_type,) = typing.get_args(kind)
    read = converter.get_structure_hook(item_type)
    return _sequence_reader(read, item_type)


def _sequence_reader(read: Reader, item_type: Any) -> Reader:
    def read_sequence(value: Any, _type: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise Malformed("a list", describe(value))
        items: list[Any] = []
        try:
            for item in value:
                items.append(read(item, item_type))  # its length is the path
        except Malformed as error:
            error.steps.append(len(items))
            raise
        return tuple(items)

    return read_sequence


def _make_mapping_reader(converter: cattrs.Converter, free: Reader, kind: Any) -> Reader:
    _, item_type = typing.get_args(kind)
    if item_type is Any:

        def read_struct(value: Any, _type: Any) -> Any:
            if type(value) is not dict:
                raise Malformed("an object", describe(value))
            return free(value, Any)

        return read_struct

    read = converter.get_structure_hook(item_type)

    def read_mapping(value: Any, _type: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Malformed("an object", describe(value))
        items: dict[str, Any] = {}
        for key, item in value.items():
            if item is not None:
                try:
                    items[key] = read(item, item_type)
                except Malformed as error:
                    error.steps.append(key)
                    raise
        return items

    return read_mapping


_IDS = {"id": scalars.read_identifier, "ids": _sequence_reader(scalars.read_identifier, str)}
"""Ids of calls are opaque and text here; some were seen as numbers."""


def _make_message_reader(converter: cattrs.Converter, free: Reader, cls: Any) -> Reader:
    shape = shape_of(cls)
    make = maker(cls)
    spellings = shape.spellings
    # Filled at the first call: a Schema contains Schemas, so its hook must exist before its
    # fields' hooks are looked for.
    hooks: dict[str, tuple[Reader, Any]] = {}
    table: dict[str, tuple[str, Reader, Any]] = {}

    def fill() -> None:
        for name, kind in shape.types.items():
            hooks[name] = (_IDS.get(name) or converter.get_structure_hook(kind), kind)
        table.update((shape.json[name], (name, *hooks[name])) for name in shape.names)

    def read_message(data: Any, _type: Any) -> Any:
        if type(data) is not dict:
            raise Malformed("an object", describe(data))
        if not hooks:
            fill()
        message = make()
        key = ""
        try:
            for key, value in data.items():
                if value is None:
                    continue
                entry = table.get(key)
                if entry is not None:
                    name, read, kind = entry
                    try:
                        setattr(message, name, read(value, kind))
                    except Unreadable:
                        message.extra[key] = free(value, Any)
                elif key in spellings:
                    break
                else:
                    message.extra[key] = free(value, Any)
            else:
                message.__class__ = cls
                return message
        except Malformed as error:
            error.steps.append(key)
            raise
        return read_respelled(data)

    def read_respelled(data: dict[str, Any]) -> Any:
        """Read an object with keys in snake case, with another name for a field, or with several.

        The best known spelling gives the value. If that isn't the ordinary name, or there are
        others, all of them go to ``extra`` as they came, which is what goes out again: nothing
        doubled, nothing lost.
        """
        spelled: dict[str, list[tuple[int, str]]] = {}
        found: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, value in data.items():
            if value is not None:
                name, rank = spellings.get(key, ("", 0))
                if name:
                    spelled.setdefault(name, []).append((rank, key))
                else:
                    extra[key] = free(value, Any)
        for name, ranked in spelled.items():
            rank, key = min(ranked)
            read, kind = hooks[name]
            try:
                found[name] = read(data[key], kind)
            except Unreadable:
                extra[key] = free(data[key], Any)
            except Malformed as error:
                error.steps.append(key)
                raise
            if rank > 1 or len(ranked) > 1:
                extra.update((key, free(data[key], Any)) for _, key in ranked)
        return cls(extra=extra, **found)

    return cast("Reader", read_message)
