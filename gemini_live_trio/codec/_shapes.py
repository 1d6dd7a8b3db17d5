"""What the codec knows of a wire class, read once from its annotations."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeVar, cast

import attrs

from .. import wire
from ..wire import ABSENT

__all__ = [
    "Shape",
    "camel_case",
    "enum_of",
    "is_duration",
    "is_enum",
    "is_int64",
    "is_mapping",
    "is_message",
    "is_sequence",
    "maker",
    "shape_of",
    "snake_case",
]

_T = TypeVar("_T")


def camel_case(name: str) -> str:
    """Turn a key into camel case as protobuf does: ``model_turn`` to ``modelTurn``."""
    return re.sub(r"(?<=[A-Za-z0-9])_+([a-z0-9])", lambda found: found[1].upper(), name)


def snake_case(name: str) -> str:
    """Turn a key into snake case: ``modelTurn`` to ``model_turn``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)


class Shape(NamedTuple):
    """The fields of one wire class."""

    names: tuple[str, ...]
    """The attributes, in order, without ``extra``."""
    json: dict[str, str]
    """Attribute to the key that is written."""
    types: dict[str, Any]
    """Attribute to its type, without ``None``."""
    spellings: dict[str, tuple[str, int]]
    """Every key that is read: its attribute, and how far from the written key it is. 0 and 1 are
    that key in camel and snake case; 2 and more are other names for the same thing.
    """


_SHAPES: dict[type[wire.Message], Shape] = {}


def shape_of(cls: type[wire.Message]) -> Shape:
    """Read a wire class's annotations, once."""
    shape = _SHAPES.get(cls)
    if shape is None:
        shape = _SHAPES[cls] = _read_shape(cls)
    return shape


def _read_shape(cls: type[wire.Message]) -> Shape:
    attrs.resolve_types(cls, include_extras=True)
    json: dict[str, str] = {}
    kinds: dict[str, Any] = {}
    spellings: dict[str, tuple[str, int]] = {}
    for field in attrs.fields(cls):
        name = field.name
        if name == "extra":
            continue
        camel = camel_case(name)
        written, *others = field.metadata.get("json", (camel,))
        json[name] = written
        kinds[name] = _without_none(field.type)
        keys = [written, snake_case(written)]
        for other in (*others, camel):
            keys += [other, snake_case(other)]
        for rank, key in enumerate(keys):
            spellings.setdefault(key, (name, rank))
    return Shape(tuple(json), json, kinds, spellings)


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        left = tuple(arg for arg in typing.get_args(annotation) if arg is not types.NoneType)
        return left[0] if len(left) == 1 else functools.reduce(lambda a, b: a | b, left)
    return annotation


# --- Kinds of annotations, as predicates for hooks ------------------------------------------


def is_message(kind: Any) -> bool:
    """Tell whether an annotation is a wire class."""
    return isinstance(kind, type) and issubclass(kind, wire.Message)


def enum_of(kind: Any) -> type[StrEnum] | None:
    """Find the enum in ``Member | str``."""
    for part in typing.get_args(kind):
        if isinstance(part, type) and issubclass(part, StrEnum):
            return part
    return None


def is_enum(kind: Any) -> bool:
    """Tell whether an annotation is ``Member | str``."""
    return enum_of(kind) is not None


def is_sequence(kind: Any) -> bool:
    """Tell whether an annotation is ``Sequence[...]``."""
    return typing.get_origin(kind) is Sequence


def is_mapping(kind: Any) -> bool:
    """Tell whether an annotation is ``Mapping[str, ...]``, a ``Struct`` among them."""
    return typing.get_origin(kind) is Mapping


def is_int64(kind: Any) -> bool:
    """Tell whether an annotation is ``Int64``."""
    return _is_annotated(kind, "int64")


def is_duration(kind: Any) -> bool:
    """Tell whether an annotation is ``Duration``."""
    return _is_annotated(kind, "duration")


def _is_annotated(kind: Any, what: str) -> bool:
    return typing.get_origin(kind) is Annotated and what in kind.__metadata__


# --- Making objects -------------------------------------------------------------------------

_MAKER = """
def make():
    self = new(Twin)
    {assignments}
    return self
"""


def maker(cls: type[_T]) -> Callable[[], _T]:
    """Make a function that gives an object with nothing set and still open to ``setattr``.

    The caller seals it with ``object.__class__ = cls``. The attrs ``__init__`` of a frozen class
    goes through ``object.__setattr__`` for each field: 2.1 us for the twenty of ``Part``, of which
    most frames set one. A twin of the class, with the same slots but not frozen, is filled by plain
    assignments in 0.4 us. Both are the same in memory, so that Python lets one become the other; it
    checks that itself, and raises ``TypeError`` otherwise.
    """
    fields = attrs.fields(cast("type[attrs.AttrsInstance]", cls))
    (base,) = cls.__bases__
    slots = [field.name for field in fields if not field.inherited]
    twin = type(
        cls.__name__,
        (base,),
        {
            "__slots__": tuple(slots),
            # Both, or neither lets Python take its short way for assignments.
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__module__": cls.__module__,
            "__doc__": cls.__doc__,
        },
    )
    lines = [f"self.{field.name} = {_blank(field)}" for field in fields]
    scope: dict[str, Any] = {"new": object.__new__, "Twin": twin, "ABSENT": ABSENT}
    # The text holds nothing but the names of our own fields.
    exec(_MAKER.format(assignments="\n    ".join(lines)), scope)  # noqa: S102
    make: Callable[[], _T] = scope["make"]
    return make


def _blank(field: attrs.Attribute[Any]) -> str:
    if field.name == "extra":
        return "{}"
    if field.default is ABSENT:
        return "ABSENT"
    return repr(field.default) if isinstance(field.default, int | str) else "None"
