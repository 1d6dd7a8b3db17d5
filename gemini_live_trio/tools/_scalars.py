"""Types whose values are single JSON values: how each is declared, read and written."""

from __future__ import annotations

import datetime
import decimal
import math
import pathlib
import types
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs
import pybase64

from .. import wire
from ..codec._scalars import Malformed, read_bytes

__all__ = ["READ_FAILURES", "SCALARS", "JsonSchema", "Scalar"]

JsonSchema: TypeAlias = dict[str, Any]


@attrs.frozen
class Scalar:
    """A type whose values are single JSON values."""

    schema: Mapping[str, Any]
    read: Callable[[Any], object]
    """Raises anything for a JSON value that it can't be."""
    write: Callable[[Any], wire.JsonValue] | None = None
    """How JSON spells it, where that isn't the value itself."""


def _exactly(kind: type) -> Callable[[Any], object]:
    def read(value: Any) -> object:
        if type(value) is not kind:
            raise TypeError(value)
        return value

    return read


def _read_integer(value: Any) -> int:
    # JSON has one kind of number, and 3.0 is one way to write 3. A bool is another kind.
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise TypeError(value)
    return value


def _read_float(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _read_decimal(value: Any) -> decimal.Decimal:
    if type(value) is float:
        value = repr(value)
    elif type(value) is not str and type(value) is not int:
        raise TypeError(value)
    number = decimal.Decimal(value)
    if not number.is_finite():
        raise ValueError(value)
    return number


def _read_base64(value: Any) -> bytes:
    return read_bytes(value, bytes)


def _from_text(make: Callable[[str], object]) -> Callable[[Any], object]:
    def read(value: Any) -> object:
        if type(value) is not str:
            raise TypeError(value)
        return make(value)

    return read


def _text(format_: str | None = None) -> JsonSchema:
    return {"type": "string"} if format_ is None else {"type": "string", "format": format_}


SCALARS: Final[Mapping[Any, Scalar]] = {
    str: Scalar(_text(), _exactly(str)),
    int: Scalar({"type": "integer"}, _read_integer),
    float: Scalar({"type": "number"}, _read_float),
    bool: Scalar({"type": "boolean"}, _exactly(bool)),
    None: Scalar({"type": "null"}, _exactly(types.NoneType)),  # as in list[None]
    types.NoneType: Scalar({"type": "null"}, _exactly(types.NoneType)),
    datetime.datetime: Scalar(
        _text("date-time"),
        _from_text(datetime.datetime.fromisoformat),
        datetime.datetime.isoformat,
    ),
    datetime.date: Scalar(
        _text("date"), _from_text(datetime.date.fromisoformat), datetime.date.isoformat
    ),
    datetime.time: Scalar(
        _text("time"), _from_text(datetime.time.fromisoformat), datetime.time.isoformat
    ),
    uuid.UUID: Scalar(_text("uuid"), _from_text(uuid.UUID), str),
    pathlib.Path: Scalar(_text("path"), _from_text(pathlib.Path), str),
    pathlib.PurePath: Scalar(_text("path"), _from_text(pathlib.PurePath), str),
    # As text, since a JSON number becomes a float on its way. A number is taken too.
    decimal.Decimal: Scalar(_text("decimal"), _read_decimal, str),
    bytes: Scalar(
        {"type": "string", "contentEncoding": "base64"},
        _read_base64,
        pybase64.b64encode_as_string,
    ),
}

READ_FAILURES: Final = (TypeError, ValueError, ArithmeticError, Malformed)
"""What reading a scalar raises."""
