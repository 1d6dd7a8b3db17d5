"""What every wire class has in common, and how one is written.

A wire class is a plain value: one attrs class per JSON object of the protocol, with upstream's
field names in snake case. How it becomes JSON is ``codec``'s business alone, which reads the
annotations; what can't be read from them stands in the field's ``metadata``:

========================  ====================================================================
annotation                JSON
========================  ====================================================================
``str``, ``bool``         the same
``int``, ``float``        a number (the float also where an integer is spelt)
``Int64``                 a string of digits, read from a number too
``Duration``              ``"1.5s"``; float seconds here
``bytes``                 base64 text
``Member | str``          an enum: a known name is a member, any other stays the text it was
another wire class        an object
``Sequence[X]``           an array; ``ABSENT`` by default
``Mapping[str, X]``       an object whose keys are data, never converted
``JsonValue``             anything, untouched
========================  ====================================================================

The JSON name is the Python name in camel case unless ``metadata=json_name("...")`` says otherwise.
Only ``None`` and ``ABSENT`` are left out of a frame: an explicit ``0``, ``False``, ``""`` or ``[]``
is sent.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, final

import attrs

__all__ = [
    "ABSENT",
    "Duration",
    "Int64",
    "JsonValue",
    "Message",
    "Struct",
    "json_name",
    "sealed",
]

if TYPE_CHECKING:
    JsonValue: TypeAlias = (
        "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
    )
else:
    # A recursive alias can't be evaluated at run time before Python 3.12, and the codec has
    # nothing to do for it: it hands such values through.
    JsonValue = Any

Struct: TypeAlias = Mapping[str, JsonValue]
"""A free-form JSON object; its keys belong to the user and are never converted."""

Int64: TypeAlias = Annotated[int, "int64"]
"""An integer that the wire spells as a string of digits."""

Duration: TypeAlias = Annotated[float, "duration"]
"""Seconds; the wire spells it ``"1.5s"``."""


@final
class _Absent(tuple[Any, ...]):
    """The empty sequence that was never given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Default of every list: reads as an empty sequence, and is left out of the frame.

An explicit empty list is not the same thing (``contextUpdate`` removes all tools with one), so the
two are told apart by identity, while they compare equal.
"""


_INSTEAD: Final = {"turns": "; session.send_text takes plain text"}


def _as_tuple(value: Sequence[Any], field: attrs.Attribute[Any]) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    # Text is a sequence too, and so past any type checker; as a tuple it would be its letters.
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(
            f"{field.name} takes a list, not a single {type(value).__name__}"
            f"{_INSTEAD.get(field.name, '')}."
        )
    return tuple(value)


_TO_TUPLE: Final = attrs.Converter(_as_tuple, takes_field=True)


def sealed(_cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Make what the fields hold fit for a frozen value.

    List arguments become tuples. An attrs ``field_transformer`` does so rather than a
    ``converter=`` on each field: type checkers then see ``Sequence[X]``, which is what a caller may
    pass and what a reader may rely on.

    Objects with free keys stay as they are, and are left out of the hash, since a ``dict`` has
    none. Equality does look at them.
    """
    return [_seal(field) for field in fields]


_FREE: Final = re.compile("JsonValue|Mapping|Struct")
"""In the text of a type: an object whose keys are data."""


def _seal(field: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    changes: dict[str, Any] = {}
    if field.default is ABSENT:
        changes["converter"] = _TO_TUPLE
    # The type is still text here.
    if field.hash is not False and _FREE.search(str(field.type)):
        changes["hash"] = False
    return field.evolve(**changes) if changes else field


def json_name(name: str, *others: str) -> dict[str, Any]:
    """Metadata for a field whose JSON name is not its Python name in camel case.

    ``others`` are further names under which the service sends the same field.
    """
    return {"json": (name, *others)}


_SHOWN_BYTES = 16
_SHOWN_KEY = 40
_SHOWN_KEYS = 8
_SECRET = frozenset(
    {
        "access_token",
        "api_key",
        "api_key_string",
        "handle",
        "headers",
        "id_token",
        "new_handle",
        "signature",
    }
)


def _shown(name: str, value: object) -> str:
    if name in _SECRET:
        return "<redacted>"
    if name == "extra" and isinstance(value, Mapping):
        # What we don't know may be a key, a handle, or media.
        keys = [str(key)[:_SHOWN_KEY] for key in itertools.islice(value, _SHOWN_KEYS)]
        return f"<{', '.join(keys)}{', …' if len(value) > _SHOWN_KEYS else ''}>"
    if isinstance(value, bytes) and len(value) > _SHOWN_BYTES:
        return f"<{len(value)} bytes>"
    return repr(value)


@attrs.frozen(kw_only=True, repr=False)
class Message:
    """Base of every wire class."""

    extra: Struct = attrs.field(factory=dict, hash=False)
    """Fields that this version doesn't know, or could not read, as they came; sent out again."""

    def __repr__(self) -> str:
        given = (
            f"{field.name}={_shown(field.name, value)}"
            for field in attrs.fields(type(self))
            if (value := getattr(self, field.name)) is not None
            and value is not ABSENT
            and not (field.name == "extra" and not value)
        )
        return f"{type(self).__name__}({', '.join(given)})"
