"""How single JSON values are read and written, and what is said of the ones that can't be.

A reader takes ``(value, type)`` as a cattrs structure hook does, a writer takes ``(value)``. Three
exceptions travel from here up to the frame and never leave the codec:

* ``Malformed``: a known field holds something that it can't hold. Each level on the way up adds
  its name, so a path costs nothing until there is an error.
* ``Unreadable``: a flag, duration or enum holds a scalar that says nothing to us. The field stays
  ``None`` and the value goes to ``extra`` as it came.
* ``Rounded``: orjson may have read an integer of 2**64 or more as a float, or a free-form value is
  suspiciously deep. The frame is looked at once more, slowly and exactly.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

import pybase64

__all__ = [
    "DEPTH_LIMIT",
    "Malformed",
    "Reader",
    "Rounded",
    "Unreadable",
    "Writer",
    "count_objects",
    "deeper_than",
    "describe",
    "describe_python",
    "enum_reader",
    "plain",
    "read_bool",
    "read_bytes",
    "read_duration",
    "read_float",
    "read_identifier",
    "read_integer",
    "read_text",
    "untouched",
    "untouched_exact",
    "write_bool",
    "write_bytes",
    "write_duration",
    "write_enum",
    "write_float",
    "write_int64",
    "write_integer",
    "write_text",
]

Reader: TypeAlias = Callable[[Any, Any], Any]
Writer: TypeAlias = Callable[[Any], Any]

DEPTH_LIMIT: Final = 200
"""Levels of objects and arrays in one frame. Real ones stay below 20; orjson writes 254."""

_ROUNDED_FROM: Final = 2.0**63
_LONGEST_DURATION: Final = 315_576_000_000.0
"""Protobuf's limit: about 10,000 years."""
_DURATION = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?s", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,40}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_SHOWN = 24
_SHOWN_WORD = 12
_SHOWN_STEPS = 12


class Malformed(Exception):
    """A value that its place can't hold; ``steps`` lead to it, the last one first."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.steps: list[str | int] = []

    @property
    def path(self) -> str:
        """The steps as one text, as in ``tools[0].name``."""
        text = ""
        for step in self.steps[: -_SHOWN_STEPS - 1 : -1]:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                short = step if len(step) <= 2 * _SHOWN else step[: 2 * _SHOWN] + "…"
                text += f".{short}" if text else short
        return text if len(self.steps) <= _SHOWN_STEPS else f"{text}…"


class Unreadable(Exception):
    """A tolerated scalar that can't be read."""


class Rounded(Exception):
    """A float that may have been an integer, or a value that may be too deep."""


def describe(value: object) -> str:
    """Say what was found, shortened, without giving away media or keys.

    Long text without a space in its beginning may be base64, a key or a handle: only its length is
    told.
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 80:
            return f"a number of {value.bit_length()} bits"
        case int() | float():
            return f"the number {value!r}"
        case str():
            if len(value) <= _SHOWN_WORD:
                return f'the text "{value}"'
            if len(value) <= _SHOWN and " " in value:
                return f'the text "{value}"'
            if " " in value[:_SHOWN]:
                return f'the text "{value[:_SHOWN].rstrip()}…"'
            return f"a text of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"an object of type {type(value).__name__}"


def describe_python(value: object) -> str:
    """Say what a caller has passed, as ``describe`` does, but in Python's words for it."""
    if value is None:
        return "None"
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__}"
    return describe(value)


def _malformed(expected: str, value: object) -> Malformed:
    return Malformed(expected, describe(value))


def _unwritable(expected: str, value: object) -> Malformed:
    return Malformed(expected, describe_python(value))


# --- Reading --------------------------------------------------------------------------------


def read_text(value: Any, _type: Any) -> str:
    """Read a string."""
    if type(value) is str:
        return value
    raise _malformed("text", value)


def read_identifier(value: Any, _type: Any) -> str:
    """Read an id, which is text here even where a number was sent."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is float and abs(value) >= _ROUNDED_FROM:
        raise Rounded
    raise _malformed("an id as text", value)


def read_bool(value: Any, _type: Any) -> bool:
    """Read a flag; other scalars are unreadable rather than wrong."""
    if value is True:
        return True
    if value is False:
        return False
    if isinstance(value, (str, int, float)):
        raise Unreadable
    raise _malformed("true or false", value)


def read_integer(value: Any, _type: Any) -> int:
    """Read a whole number, spelt as a number or as text."""
    if type(value) is int:
        return value
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    if type(value) is float and value.is_integer():
        if abs(value) >= _ROUNDED_FROM:
            raise Rounded
        return int(value)
    raise _malformed("a whole number", value)


def read_float(value: Any, _type: Any) -> float:
    """Read a finite number, spelt as a number or as text."""
    if type(value) is float:
        return value
    if type(value) is int or (type(value) is str and _NUMBER.fullmatch(value)):
        number = float(value)
        if math.isfinite(number):
            return number
    raise _malformed("a number", value)


def read_duration(value: Any, _type: Any) -> float:
    """Read seconds from ``"1.5s"``, a number, or ``{"seconds": 1, "nanos": 500000000}``."""
    if type(value) is str and _DURATION.fullmatch(value):
        seconds = float(value[:-1])
    elif type(value) is int or type(value) is float:
        if not -_LONGEST_DURATION <= value <= _LONGEST_DURATION:
            raise Unreadable
        seconds = float(value)
    elif type(value) is dict and value and value.keys() <= {"seconds", "nanos"}:
        try:
            whole = read_integer(value.get("seconds") or 0, int)
            nanos = read_integer(value.get("nanos") or 0, int)
        except (Malformed, Rounded):
            raise Unreadable from None
        if abs(whole) > _LONGEST_DURATION or abs(nanos) >= 10**9:
            raise Unreadable
        # One correctly rounded division: 12 + 0.1 is not always the float nearest to 12.1.
        seconds = (whole * 10**9 + nanos) / 10**9
    else:
        raise Unreadable
    if abs(seconds) > _LONGEST_DURATION:
        raise Unreadable
    return seconds


def read_bytes(value: Any, _type: Any) -> bytes:
    """Read base64 in either alphabet, padded or not; a foreign character is an error."""
    if type(value) is not str:
        raise _malformed("base64 text", value)
    try:
        return pybase64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    if len(value) - len(text) <= 2:
        try:
            return pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise Malformed("base64 text", f"a text of {len(value)} characters that is none")


def enum_reader(members: type[StrEnum]) -> Reader:
    """Make the reader of one enum: known names in any case are members, others stay text."""
    known: dict[str, StrEnum] = {}
    for member in members:
        known[member.value] = member
        known.setdefault(member.value.upper(), member)
        known.setdefault(member.value.lower(), member)

    def read_enum(value: Any, _type: Any) -> StrEnum | str:
        if type(value) is str:
            member = known.get(value)
            if member is not None:
                return member
            return known.get(value.upper(), value)
        if isinstance(value, (bool, int, float)):
            raise Unreadable
        raise _malformed("a name", value)

    return read_enum


def untouched_exact(value: Any, _type: Any) -> Any:
    """Hand a free-form value through."""
    return value


_SUSPICIOUS_DEPTH: Final = 150
"""Below it even the deepest place of a server message stays within ``DEPTH_LIMIT``."""


def untouched(value: Any, _type: Any) -> Any:
    """Hand a free-form value through, if it isn't deep and orjson can have kept all its numbers."""
    kind = type(value)
    if kind is str or kind is bool or kind is int:
        return value
    level = [value]
    for _ in range(_SUSPICIOUS_DEPTH):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict:
                below.extend(item.values())
            elif kind is list:
                below.extend(item)
            elif kind is float and abs(item) >= _ROUNDED_FROM:
                raise Rounded
        if not below:
            return value
        level = below
    raise Rounded


def deeper_than(value: Any, limit: int) -> bool:
    """Tell whether a JSON value has more levels than this; needs no stack of its own."""
    level: list[Any] = [value]
    for _ in range(limit):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                below.extend(_containers(item.values()))
            elif type(item) is list:
                below.extend(_containers(item))
        if not below:
            return False
        level = below
    return True


def _containers(values: Iterable[Any]) -> Iterable[Any]:
    return [value for value in values if type(value) is dict or type(value) is list]


def count_objects(value: Any, enough: int) -> int:
    """Count the objects in a JSON value, or give up soon after ``enough``."""
    count = 0
    waiting = list(_containers([value]))
    while waiting and count <= enough:
        item = waiting.pop()
        if type(item) is dict:
            count += 1
            waiting.extend(_containers(item.values()))
        else:
            waiting.extend(_containers(item))
    return count


# --- Writing --------------------------------------------------------------------------------


def write_text(value: Any) -> str:
    """Write a string."""
    if not isinstance(value, str):
        raise _unwritable("text", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed("Unicode text", "half of a surrogate pair") from None
    return value


write_enum = write_text


def write_bool(value: Any) -> bool:
    """Write a flag."""
    if isinstance(value, bool):
        return value
    raise _unwritable("True or False", value)


def write_integer(value: Any) -> int:
    """Write a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise _unwritable("a whole number", value)


def write_int64(value: Any) -> str:
    """Write a whole number as text."""
    return str(write_integer(value))


def write_float(value: Any) -> float:
    """Write a finite number; orjson would turn NaN into null without a word."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if isinstance(value, float) and not math.isfinite(value):
            raise Malformed("a finite number", str(value))
        return int(value) if isinstance(value, int) else float(value)
    raise _unwritable("a number", value)


def write_duration(value: Any) -> str:
    """Write seconds as ``"1.5s"``, to the nanosecond."""
    number = write_float(value)
    if abs(number) > _LONGEST_DURATION:
        raise _unwritable("seconds", value)
    text = f"{number:.9f}".rstrip("0").rstrip(".")
    return "0s" if text == "-0" else f"{text}s"


def write_bytes(value: Any) -> str:
    """Write base64, standard alphabet, padded."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return pybase64.b64encode_as_string(value)
    raise _unwritable("bytes", value)


def plain(value: Any, depth: int = DEPTH_LIMIT) -> Any:
    """Write a free-form value: check it, and turn mappings and sequences into dicts and lists."""
    if isinstance(value, str):
        return write_text(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return write_float(value)
    if depth == 0:
        raise Malformed(f"at most {DEPTH_LIMIT} levels", "more")
    if isinstance(value, Mapping):
        copy: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise _unwritable("text as a key", key)
            name = write_text(key)
            try:
                copy[name] = plain(item, depth - 1)
            except Malformed as error:
                error.steps.append(key)
                raise
        return copy
    if isinstance(value, (list, tuple)):
        items: list[Any] = []
        for item in value:
            try:
                items.append(plain(item, depth - 1))
            except Malformed as error:
                error.steps.append(len(items))
                raise
        return items
    raise _unwritable("a JSON value", value)
