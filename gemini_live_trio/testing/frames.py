"""When two frames are the same: the measure that a codec is held against.

Two frames are the same when they agree after

* keys outside ``Struct`` values are put in camel case,
* nulls are left out,
* enum names are compared without regard to case,
* numbers are compared by value, whether spelt as numbers or as text, ids included,
* durations are compared to the nanosecond, however they are spelt,
* base64 is compared by the bytes that it stands for.

The service leaves out what is false, 0, empty text or an empty list, so on frames from the service
these equal an absent field. Empty objects always count: their presence means something. Values that
can't be read are compared as they stand, and the contents of a ``Struct`` exactly.

Which fields there are, and of which kind, is looked up where this library's codec looks it up
(``codec._shapes``): a mistake there, such as a wrong key for a field, is not found by this measure.
``tests/wire/test_facts.py`` guards against those with tables of its own.
"""

from __future__ import annotations

import binascii
import json
import re
import typing
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from .. import wire
from ..codec._shapes import (
    camel_case,
    is_duration,
    is_enum,
    is_int64,
    is_mapping,
    is_message,
    is_sequence,
    shape_of,
)

__all__ = ["Root", "canonical_frame", "same_frame"]

Root: TypeAlias = type[wire.LiveServerMessage] | type[wire.LiveClientMessage]

_ABSENT_ON_SERVER: Final[tuple[Any, ...]] = (False, 0, "", [], b"")


def same_frame(
    first: str | bytes | Mapping[str, Any],
    second: str | bytes | Mapping[str, Any],
    *,
    root: Root = wire.LiveServerMessage,
) -> bool:
    """Tell whether two frames say the same.

    Args:
      first: JSON text, or the object that ``json.loads`` makes of it.
      second: The same.
      root: What the frames hold; frames of a client have no absent defaults.

    Raises:
      ValueError: a text is no JSON.
    """
    return bool(canonical_frame(first, root=root) == canonical_frame(second, root=root))


def canonical_frame(
    frame: str | bytes | Mapping[str, Any], *, root: Root = wire.LiveServerMessage
) -> Any:
    """Bring a frame into the form in which frames are compared; print it to see a difference.

    Raises:
      ValueError: the text is no JSON.
    """
    tree = json.loads(frame) if isinstance(frame, (str, bytes)) else frame
    return _Canon(server=root is wire.LiveServerMessage).value(tree, root)


class _Canon:
    def __init__(self, *, server: bool) -> None:
        self.server = server

    def value(self, value: Any, kind: Any) -> Any:
        """Bring one value into comparable form, by the annotation of its field."""
        if kind is None:
            return self._unknown(value)
        if kind is Any:
            return _exact(value)
        if is_message(kind):
            return self._message(value, kind) if isinstance(value, Mapping) else _exact(value)
        if is_sequence(kind):
            (item,) = typing.get_args(kind)
            return [self.value(one, item) for one in value] if isinstance(value, list) else value
        if is_mapping(kind):
            return self._mapping(value, typing.get_args(kind)[1])
        return _scalar(value, kind)

    def _message(self, value: Mapping[str, Any], cls: type[wire.Message]) -> dict[str, Any]:
        shape = shape_of(cls)
        fields: dict[str, list[Any]] = {}
        for key, item in value.items():
            name, _ = shape.spellings.get(key, ("", 0))
            kind = shape.types.get(name)
            if name in ("id", "ids"):
                item = _id_text(item)
            canonical = None if item is None else self.value(item, kind)
            if item is not None and not self._is_absent(canonical):
                fields.setdefault(camel_case(key), []).append(canonical)
        # A key may stand there in both casings; then both count, in no order.
        return {key: sorted(found, key=repr) for key, found in fields.items()}

    def _mapping(self, value: Any, kind: Any) -> Any:
        if kind is Any or not isinstance(value, Mapping):
            return _exact(value)
        return {key: self.value(item, kind) for key, item in value.items() if item is not None}

    def _unknown(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            items = [
                (camel_case(key), canonical)
                for key, item in value.items()
                if item is not None and not self._is_absent(canonical := self._unknown(item))
            ]
            return sorted(items, key=repr)
        if isinstance(value, list):
            return [self._unknown(item) for item in value]
        return value

    def _is_absent(self, canonical: Any) -> bool:
        return self.server and any(
            type(canonical) is type(absent) and canonical == absent for absent in _ABSENT_ON_SERVER
        )


def _exact(value: Any) -> Any:
    """Wrap a free-form value so that 1, 1.0 and true differ."""
    if isinstance(value, Mapping):
        return ("object", {key: _exact(item) for key, item in value.items()})
    if isinstance(value, list):
        return ("list", [_exact(item) for item in value])
    return (type(value).__name__, value)


def _id_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_id_text(item) for item in value]
    return str(value) if type(value) is int else value


def _scalar(value: Any, kind: Any) -> Any:
    if is_enum(kind):
        return value.upper() if isinstance(value, str) else value
    if is_duration(kind):
        return _duration(value)
    if kind is int or is_int64(kind):
        return _whole(value)
    if kind is float:
        return _number(value)
    if kind is bytes:
        return _bytes(value)
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value, re.ASCII):
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return value
    # 0.0 equals absence as 0 does.
    return number or 0


def _duration(value: Any) -> Any:
    seconds: float | None = None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]{1,9})?s", value, re.ASCII):
        seconds = float(value[:-1])
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, Mapping) and value and value.keys() <= {"seconds", "nanos"}:
        whole, nanos = _whole(value.get("seconds") or 0), _whole(value.get("nanos") or 0)
        if isinstance(whole, int) and isinstance(nanos, int):
            seconds = (whole * 10**9 + nanos) / 10**9
    return value if seconds is None else ("seconds", round(seconds, 9))


def _bytes(value: Any) -> Any:
    """Decode base64 without the help of the code that is to be tested."""
    if not isinstance(value, str):
        return value
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    if not re.fullmatch(r"[A-Za-z0-9+/]*", text, re.ASCII) or len(text) % 4 == 1:
        return value
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))
