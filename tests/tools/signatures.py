"""Functions of every kind that can be a tool, with what the model is told of each.

``python tests/tools/signatures.py`` writes ``signatures.json`` anew.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, Union

import annotated_types as at
import attrs
from typing_extensions import TypeAliasType, TypedDict

from gemini_live_trio import codec, wire
from gemini_live_trio.tools import Bounds, FunctionTool, ToolContext, tool

GOLDEN = Path(__file__).parent / "signatures.json"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.StrEnum):
    """How large it is."""

    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Shape(enum.Enum):
    """Shown by name, since JSON has no points."""

    DOT = (0, 0)
    LINE = (0, 1)


@dataclass
class Point:
    x: float
    y: float = 0.0


@attrs.frozen
class Address:
    """Where somebody lives.

    Attributes:
      street: With the number.
      postcode: Five digits.
    """

    street: str
    postcode: Annotated[str, Bounds(pattern=r"^\d{5}$")]
    tags: Sequence[str] = ()
    _country: str = "DE"
    seen: int = attrs.field(init=False, default=0)


class Person(TypedDict):
    name: str
    age: NotRequired[int]


class Options(TypedDict, total=False):
    loud: bool
    path: list[Point]


@dataclass
class Line:
    """From one point to another."""

    start: Point
    end: Point
    labels: list[str] = field(default_factory=list)


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)


@attrs.define
class Folder:
    name: str
    parent: Folder | None = None
    files: dict[str, File] = attrs.Factory(dict)


@attrs.define
class File:
    size: int
    folder: Folder | None = None


UserId = NewType("UserId", int)
Percent = Annotated[float, at.Interval(ge=0, le=100)]
Names = TypeAliasType("Names", list[str])


def nothing() -> None: ...
def text(value: str) -> None: ...
def integer(value: int) -> None: ...
def number(value: float) -> None: ...
def flag(value: bool) -> None: ...
def null(value: None) -> None: ...
def several(city: str, days: int, celsius: bool) -> None: ...
def with_defaults(city: str, days: int = 3, celsius: bool = True, unit: str = "km") -> None: ...
def keyword_only(city: str, *, days: int = 3) -> None: ...
def positional_only(city: str, days: int = 3, /, unit: str = "km") -> None: ...
def optional(value: int | None) -> None: ...
def optional_with_default(value: Optional[str] = None) -> None: ...  # noqa: UP045
def union(value: int | str) -> None: ...
def old_union(value: Union[int, str, None] = None) -> None: ...  # noqa: UP007
def union_of_classes(value: Point | Address) -> None: ...
def literal(value: Literal["a", "b"]) -> None: ...
def one_literal(value: Literal["only"]) -> None: ...
def literal_integers(value: Literal[1, 2]) -> None: ...
def mixed_literal(value: Literal["auto", 1, True]) -> None: ...
def literal_with_none(value: Literal["a", None] = None) -> None: ...
def text_enum(value: Color) -> None: ...
def text_enum_with_default(value: Color = Color.RED) -> None: ...
def str_enum(value: Size) -> None: ...
def int_enum(value: Level) -> None: ...
def mixed_enum(value: Mixed) -> None: ...
def enum_of_objects(value: Shape) -> None: ...
def bare_list(value: list) -> None: ...  # type: ignore[type-arg]
def list_of_text(value: list[str]) -> None: ...
def nested_list(value: list[list[int]]) -> None: ...
def sequence(value: Sequence[float]) -> None: ...
def iterable(value: Iterable[str]) -> None: ...
def a_set(value: set[int]) -> None: ...
def a_frozenset(value: frozenset[Color]) -> None: ...
def abstract_set(value: Set[str]) -> None: ...
def homogeneous_tuple(value: tuple[int, ...]) -> None: ...
def fixed_tuple(value: tuple[float, float]) -> None: ...
def mixed_tuple(value: tuple[str, int, bool]) -> None: ...
def list_default(value: list[str] = ["a"]) -> None: ...  # noqa: B006
def bare_dict(value: dict) -> None: ...  # type: ignore[type-arg]
def dict_of_integers(value: dict[str, int]) -> None: ...
def mapping(value: Mapping[str, list[str]]) -> None: ...
def dict_of_classes(value: dict[str, Point]) -> None: ...
def anything(value: Any) -> None: ...
def dict_of_anything(value: dict[str, Any]) -> None: ...
def a_dataclass(value: Point) -> None: ...
def nested_dataclass(value: Line) -> None: ...
def dataclass_default(value: Point = Point(1.0)) -> None: ...  # noqa: B008
def attrs_class(value: Address) -> None: ...
def typed_dict(value: Person) -> None: ...
def partial_typed_dict(value: Options) -> None: ...
def list_of_classes(value: list[Person]) -> None: ...
def optional_class(value: Point | None = None) -> None: ...
def new_type(value: UserId) -> None: ...
def type_alias(value: Names) -> None: ...
def date_and_time(value: datetime.datetime) -> None: ...
def date(value: datetime.date = datetime.date(2026, 1, 31)) -> None: ...
def time(value: datetime.time) -> None: ...
def a_uuid(value: uuid.UUID) -> None: ...
def path(value: pathlib.Path = Path("notes.txt")) -> None: ...
def a_decimal(value: decimal.Decimal) -> None: ...
def raw_bytes(value: bytes) -> None: ...
def bounds(value: Annotated[int, at.Ge(1), at.Le(7)]) -> None: ...
def open_bounds(value: Annotated[float, at.Gt(0), at.Lt(1)]) -> None: ...
def open_integer_bounds(value: Annotated[int, at.Gt(0), at.Lt(10)] = 5) -> None: ...
def interval(value: Percent) -> None: ...
def multiple(value: Annotated[int, at.MultipleOf(5)]) -> None: ...
def lengths(value: Annotated[str, at.Len(1, 20)]) -> None: ...
def list_lengths(value: Annotated[list[int], at.MinLen(1)]) -> None: ...
def bounded_items(value: list[Annotated[int, at.Ge(0)]]) -> None: ...
def bounded_optional(value: Annotated[int | None, at.Ge(0)] = None) -> None: ...
def our_bounds(value: Annotated[int, Bounds(ge=1, le=7)]) -> None: ...
def a_pattern(value: Annotated[str, Bounds(pattern="^[A-Z]{3}$")]) -> None: ...
def described(value: Annotated[int, "How many days."]) -> None: ...
def with_context(context: ToolContext, value: int) -> None: ...


def documented(city: str, days: int = 3) -> None:
    """The weather to come.

    In plain words.

    Args:
      city: Where.
      days: How many days, today
        included.

    Returns:
      Nothing.
    """


async def asynchronous(city: str) -> None:
    """The weather now."""


def tree(value: Tree) -> None: ...
def mutual(value: Folder) -> None: ...


RECURSIVE = {tree, mutual}
"""These contain themselves, which only JSON Schema can say."""

SIGNATURES: dict[str, Callable[..., Any]] = {
    name: thing
    for name, thing in list(globals().items())
    if callable(thing)
    and not isinstance(thing, type)
    and getattr(thing, "__module__", "") == __name__
    and name not in ("UserId", "Names")
}


def as_tool(function: Callable[..., Any]) -> FunctionTool[..., Any]:
    """The tool that is made of one of the functions."""
    return tool(dialect="json_schema" if function in RECURSIVE else "openapi")(function)


def parameters_of(function: Callable[..., Any]) -> Any:
    """What stands in a frame as the parameters of a function."""
    declaration = as_tool(function).declaration
    setup = wire.LiveClientSetup(
        model="models/m", tools=[wire.Tool(function_declarations=[declaration])]
    )
    frame = json.loads(codec.encode(wire.LiveClientMessage(setup=setup)))
    (written,) = frame["setup"]["tools"][0]["functionDeclarations"]
    return written.get("parameters", written.get("parametersJsonSchema"))


def golden() -> str:
    """The golden file, as it should be."""
    entries = {
        name: {"schema": as_tool(function).json_schema, "parameters": parameters_of(function)}
        for name, function in SIGNATURES.items()
    }
    return json.dumps(entries, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(golden(), encoding="utf-8")
    sys.stdout.write(f"{len(SIGNATURES)} signatures\n")
