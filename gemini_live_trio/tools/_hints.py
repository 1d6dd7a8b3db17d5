"""What a type hint says: which kinds of values there are, and what classes are made of.

Schema and arguments both ask here, so that what the model is told and what is then accepted can't
be two things.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import attrs

from .. import wire
from ..errors import ConfigError
from ._docstring import read_docstring

__all__ = [
    "Choice",
    "Field",
    "Hints",
    "Unsayable",
    "aliased",
    "alternatives",
    "annotated",
    "array_parts",
    "choices",
    "fixed_parts",
    "hint_name",
    "is_object",
    "renamed",
    "table_part",
    "underlying",
]


class Unsayable(Exception):
    """A hint says something that a schema can't, with what to do instead."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}: {advice}")
        self.what = what
        self.advice = advice


# --- Choices ---------------------------------------------------------------------------------

Choice: TypeAlias = tuple[wire.JsonValue, object]


def choices(hint: Any) -> Sequence[Choice] | None:
    """What an enum or a literal may be: pairs of JSON and Python values; ``None`` for other hints.

    Members of an enum are shown by their values, or all by their names where a value isn't a JSON
    scalar.
    """
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _members(hint)
    if typing.get_origin(hint) is Literal:
        return [pair for value in typing.get_args(hint) for pair in _literal(value)]
    return None


def _members(kind: type[enum.Enum]) -> Sequence[Choice]:
    if issubclass(kind, enum.Flag):
        raise Unsayable(
            f"{kind.__name__} is a Flag, whose members combine",
            "take a list of an ordinary enum's members.",
        )
    members = list(kind)
    if not members:
        raise Unsayable(f"the enum {kind.__name__} has no members", "give it some.")
    values = [_json_scalar(member.value) for member in members]
    if all(value is not None for value in values):
        return list(zip(values, members, strict=True))
    return [(member.name, member) for member in members]


def _json_scalar(value: object) -> str | int | float | bool | None:
    # The subclass of a StrEnum's or IntEnum's member is of no interest to JSON.
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return None


def _literal(value: object) -> Sequence[Choice]:
    if isinstance(value, enum.Enum):
        return [pair for pair in _members(type(value)) if pair[1] is value]
    if isinstance(value, bytes):
        raise Unsayable("a literal of bytes can't stand in JSON", "use text.")
    return [(typing.cast("wire.JsonValue", value), value)]


# --- Collections -----------------------------------------------------------------------------

_ARRAYS: Final[Mapping[Any, Callable[[Iterable[Any]], Any]]] = {
    list: list,
    collections.deque: collections.deque,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
_TABLES: Final = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})


def array_parts(hint: Any) -> tuple[Callable[[Iterable[Any]], Any], Any] | None:
    """What makes a homogeneous collection, and the hint of its items; ``None`` for other hints."""
    origin = typing.get_origin(hint) or hint
    arguments = typing.get_args(hint)
    if origin is tuple:
        if not arguments and hint != tuple[()]:
            return tuple, Any
        return (tuple, arguments[0]) if arguments[-1:] == (...,) else None
    make = _ARRAYS.get(origin) if _hashable(origin) else None
    return None if make is None else (make, arguments[0] if arguments else Any)


def fixed_parts(hint: Any) -> Sequence[Any] | None:
    """The hints of a tuple of fixed length; ``None`` for other hints."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and ... not in arguments:
        return arguments
    return None


def table_part(hint: Any) -> tuple[Any] | None:
    """The hint of a mapping's values, alone in a tuple; ``None`` for other hints."""
    origin = typing.get_origin(hint) or hint
    if not _hashable(origin) or origin not in _TABLES:
        return None
    key, value = typing.get_args(hint) or (str, Any)
    if underlying(key) is not str and underlying(key) is not Any:
        raise Unsayable(
            f"{hint_name(hint)} has keys that aren't text", "JSON's are: use dict[str, ...]."
        )
    return (value,)


def _hashable(thing: Any) -> bool:
    return getattr(type(thing), "__hash__", None) is not None


# --- Wrappings -------------------------------------------------------------------------------


def annotated(hint: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """What ``Annotated`` annotates, and with what; ``None`` for other hints."""
    if typing.get_origin(hint) is Annotated:
        return hint.__origin__, hint.__metadata__
    return None


def aliased(hint: Any) -> Any:
    """What an alias made by the ``type`` statement stands for; ``None`` for other hints."""
    # The class is new in Python 3.12, and typing_extensions has one for older ones.
    if type(hint).__name__ == "TypeAliasType":
        return hint.__value__
    origin = typing.get_origin(hint)
    if type(origin).__name__ == "TypeAliasType":
        return origin.__value__[typing.get_args(hint)]
    return None


_QUALIFIERS: Final = frozenset({"Required", "NotRequired", "ReadOnly", "Final"})


def _qualifier(hint: Any) -> str | None:
    # typing_extensions has its own on Pythons that lack one.
    name = getattr(typing.get_origin(hint), "_name", None) or getattr(
        typing.get_origin(hint), "__name__", None
    )
    return name if name in _QUALIFIERS else None


def renamed(hint: Any) -> Any:
    """What a ``NewType`` or a qualifier such as ``Required`` stands for; ``None`` for others."""
    if isinstance(hint, typing.NewType):
        return hint.__supertype__
    if _qualifier(hint) is not None:
        return typing.get_args(hint)[0]
    return None


def underlying(hint: Any) -> Any:
    """The hint without all that gives it another name, or says more about it."""
    while True:
        inside = annotated(hint)
        below = inside[0] if inside is not None else renamed(hint) or aliased(hint)
        if below is None:
            return hint
        hint = below


def alternatives(hint: Any) -> Sequence[Any] | None:
    """The members of a union; ``None`` for other hints."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return None


def hint_name(hint: Any) -> str:
    """A hint as one writes it, shortened."""
    name = hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    name = name.replace("typing.", "").rpartition("<locals>.")[2]
    return name if len(name) <= 80 else f"{name[:79]}…"


# --- Classes ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Field:
    """A part of an object: a parameter of a function, or a field of a class."""

    name: str
    """As JSON spells it."""
    hint: Any
    argument: str
    """The keyword by which it is given to what is made of it."""
    default: object
    """``attrs.NOTHING`` where there is none, or none that can be shown."""
    required: bool = True
    description: str = ""


def is_object(hint: Any) -> bool:
    """Tell whether a hint is a class with named fields."""
    return isinstance(hint, type) and (
        attrs.has(hint) or dataclasses.is_dataclass(hint) or _is_typed_dict(hint)
    )


def is_model(hint: Any) -> bool:
    """Tell whether a hint is a pydantic model: where there is one, pydantic was imported."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(hint, type) and issubclass(hint, pydantic.BaseModel)


def _is_typed_dict(kind: type) -> bool:
    # typing.is_typeddict doesn't know the one of typing_extensions.
    return issubclass(kind, dict) and hasattr(kind, "__required_keys__")


class Hints:
    """Reads annotations, with the names that were visible where a tool was made."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = dict(names)
        self._fields: dict[type, Sequence[Field]] = {}

    def forget_names(self) -> None:
        """Let go of the names, which may hold whole frames; classes already read stay known."""
        self._names = {}

    def of_function(self, function: Any, whose: str) -> Mapping[str, Any]:
        """Evaluate the annotations of a function's parameters.

        Raises:
          ConfigError: one can't be evaluated.
        """
        # What it returns is nobody's concern here, and may be known to type checkers only.
        given: Mapping[str, Any] = getattr(function, "__annotations__", {})
        wanted = {name: hint for name, hint in given.items() if name != "return"}
        known = getattr(inspect.unwrap(function), "__globals__", {})
        return self._evaluate(
            types.SimpleNamespace(__annotations__=wanted), known, self._names, whose
        )

    def _of_class(self, kind: type) -> Mapping[str, Any]:
        nested = {
            name: thing
            for base in reversed(kind.__mro__)
            for name, thing in vars(base).items()
            if isinstance(thing, type)
        }
        return self._evaluate(kind, None, nested | self._names, kind.__qualname__)

    def _evaluate(
        self, thing: Any, known: dict[str, Any] | None, local: dict[str, Any], whose: str
    ) -> Mapping[str, Any]:
        try:
            return typing.get_type_hints(thing, known, local, include_extras=True)
        except NameError as error:
            raise ConfigError(
                f"An annotation of {whose} names {error.name}, which can't be found where it is "
                f"needed: import it outside of `if TYPE_CHECKING:`, or define it before."
            ) from error
        except Exception as error:
            raise ConfigError(f"An annotation of {whose} can't be evaluated: {error}") from error

    def fields(self, kind: type) -> Sequence[Field]:
        """The fields of an attrs class, dataclass or TypedDict, in order."""
        found = self._fields.get(kind)
        if found is None:
            found = self._fields[kind] = list(self._read_fields(kind))
        return found

    def _read_fields(self, kind: type) -> Iterable[Field]:
        hints = dict(self._of_class(kind))
        told = read_docstring(kind.__doc__).parameters
        if attrs.has(kind):
            for field in attrs.fields(kind):
                if field.type is not None:
                    hints.setdefault(field.name, field.type)  # as in attrs.field(type=int)
                if field.init:
                    yield Field(
                        name=field.alias,
                        argument=field.alias,
                        hint=_given(hints, field.name, kind),
                        default=_constant(field.default),
                        required=field.default is attrs.NOTHING,
                        description=told.get(field.name) or told.get(field.alias, ""),
                    )
        elif dataclasses.is_dataclass(kind):
            for name, hint in hints.items():
                if isinstance(hint, dataclasses.InitVar):
                    raise Unsayable(f"{kind.__qualname__}.{name} is an InitVar", "make it a field.")
            for member in dataclasses.fields(kind):
                if member.init:
                    default = member.default
                    missing = default is dataclasses.MISSING
                    yield Field(
                        name=member.name,
                        argument=member.name,
                        hint=_given(hints, member.name, kind),
                        default=attrs.NOTHING if missing else default,
                        required=missing and member.default_factory is dataclasses.MISSING,
                        description=told.get(member.name, ""),
                    )
        else:
            needed: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
            for name, hint in hints.items():
                yield Field(
                    name=name,
                    argument=name,
                    hint=hint,
                    default=attrs.NOTHING,
                    # Where annotations are text, the class doesn't know of its NotRequired.
                    required=_is_required(hint, otherwise=name in needed),
                    description=told.get(name, ""),
                )


def _given(hints: Mapping[str, Any], name: str, kind: type) -> Any:
    if name not in hints:
        raise Unsayable(f"{kind.__qualname__}.{name} has no type", "annotate it.")
    return hints[name]


def _constant(default: object) -> object:
    return attrs.NOTHING if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _is_required(hint: Any, *, otherwise: bool) -> bool:
    while (qualifier := _qualifier(hint)) is not None:
        if qualifier in ("Required", "NotRequired"):
            return qualifier == "Required"
        hint = typing.get_args(hint)[0]
    inside = annotated(hint)
    return _is_required(inside[0], otherwise=otherwise) if inside else otherwise
