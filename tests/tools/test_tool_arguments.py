"""From a call's arguments to a function's: what fits, and what the model is told of the rest."""

from __future__ import annotations

import collections
import copy
import datetime
import decimal
import enum
import inspect
import json
import keyword
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, Literal, NewType, NotRequired

import annotated_types as at
import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typing_extensions import TypeAliasType, TypedDict

from gemini_live_trio.tools import ArgumentsError, Bounds, ToolContext, tool
from gemini_live_trio.tools._results import to_json


def function_of(
    annotations: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """An async function with these parameters that gives what it was called with."""
    given = defaults or {}

    async def give(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    signature = inspect.Signature(
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hint,
            default=given.get(name, inspect.Parameter.empty),
        )
        for name, hint in annotations.items()
    )
    give.__signature__ = signature  # type: ignore[attr-defined]
    give.__annotations__ = dict(annotations)
    return give


def called(
    annotations: Mapping[str, Any],
    args: Mapping[str, Any] | None,
    defaults: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """What the function is called with when the model gives these arguments."""
    made = tool(name="give", dialect="json_schema")(function_of(annotations, defaults))
    context: Any = None

    async def call() -> Any:
        return await made.handler(args, context)  # type: ignore[misc, arg-type]

    return trio.run(call)  # type: ignore[no-any-return]


def faults(
    annotations: Mapping[str, Any], args: Any, defaults: Mapping[str, Any] | None = None
) -> Sequence[str]:
    with pytest.raises(ArgumentsError) as caught:
        called(annotations, args, defaults)
    assert str(caught.value) == f"The arguments don't fit: {'; '.join(caught.value.faults)}"
    return caught.value.faults


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Word(enum.StrEnum):
    """Its members are text too, as anything asked by class would find."""

    YES = "yes"
    NO = "no"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Shape(enum.Enum):
    DOT = (0, 0)
    LINE = (0, 1)


@dataclass
class Point:
    x: float
    y: float = 0.0


@attrs.frozen
class Address:
    street: str
    number: int = attrs.field(validator=attrs.validators.gt(0))
    _country: str = "DE"
    known: bool = attrs.field(init=False, default=True)


class Person(TypedDict):
    name: str
    age: NotRequired[int]


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)


@dataclass(kw_only=True)
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("the number must be even")


UTC = datetime.UTC
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])

FITS = [
    (str, "a", "a"),
    (str, "", ""),
    (int, 3, 3),
    (int, 3.0, 3),
    (int, -(2**70), -(2**70)),
    (float, 3, 3.0),
    (float, 2.5, 2.5),
    (bool, True, True),
    (None, None, None),
    (int | None, None, None),
    (int | str, "3", "3"),
    (int | float, 2.5, 2.5),
    (Point | Address, {"street": "s", "number": 1}, Address("s", 1)),
    (Literal["a", 1, True], True, True),
    (Literal["a", 1, True], 1, 1),
    (Literal[Color.RED], "red", Color.RED),
    (Color, "blue", Color.BLUE),
    (Word, "yes", Word.YES),
    (Level, 2, Level.HIGH),
    (Level, 2.0, Level.HIGH),
    (Shape, "LINE", Shape.LINE),
    (datetime.datetime, "2026-01-31T12:00:00Z", datetime.datetime(2026, 1, 31, 12, tzinfo=UTC)),
    (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
    (datetime.time, "18:30:00", datetime.time(18, 30)),
    (uuid.UUID, str(ID), ID),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (decimal.Decimal, "12.50", decimal.Decimal("12.50")),
    (decimal.Decimal, 0.1, decimal.Decimal("0.1")),
    (decimal.Decimal, 3, decimal.Decimal(3)),
    (bytes, "aGk=", b"hi"),
    (bytes, "_-8", b"\xff\xef"),
    (list, [1, "a"], [1, "a"]),
    (list[int], [1, 2.0], [1, 2]),
    (Sequence[int], [1], [1]),
    (collections.deque[int], [1], collections.deque([1])),
    (set[int], [2, 1, 2], {1, 2}),
    (Set[str], ["a"], frozenset({"a"})),
    (frozenset[Color], ["red"], frozenset({Color.RED})),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[()], [], ()),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Mapping[str, Point], {"a": {"x": 1}}, {"a": Point(1.0)}),
    (dict, {"a": [1]}, {"a": [1]}),
    (Any, {"a": [None]}, {"a": [None]}),
    (object, 3, 3),
    (Point, {"x": 1}, Point(1.0, 0.0)),
    (Point, {"x": 1, "y": None}, Point(1.0, 0.0)),
    (Address, {"street": "s", "number": 1, "country": "FR"}, Address("s", 1, "FR")),
    (Person, {"name": "Ada"}, {"name": "Ada"}),
    (list[Person], [{"name": "Ada", "age": 3}], [{"name": "Ada", "age": 3}]),
    (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
    (UserId, 3, 3),
    (Names, ["a"], ["a"]),
    (Annotated[int, at.Ge(1), at.Le(7)], 7, 7),
    (Annotated[float, at.Gt(0)], 0.5, 0.5),
    (Annotated[float, at.MultipleOf(0.1)], 0.3, 0.3),
    (Annotated[int | None, at.Ge(1)], None, None),
    (Annotated[str, at.Len(1, 2)], "ab", "ab"),
    (Annotated[list[int], at.MinLen(1)], [1], [1]),
    (Annotated[dict[str, int], at.MaxLen(1)], {"a": 1}, {"a": 1}),
    (Annotated[str, Bounds(pattern="b+")], "abbc", "abbc"),
    (Annotated[Annotated[int, at.Ge(1)], "and said twice"], 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "given_", "expected"), FITS)
def test_json_becomes_the_declared_type(hint: Any, given_: Any, expected: Any) -> None:
    (value,) = called({"value": hint}, {"value": given_}).values()
    assert value == expected
    assert type(value) is type(expected)


MISFITS = [
    (str, 3, "expected text, got the number 3"),
    (int, "3", 'expected an integer, got the text "3"'),
    (int, 3.5, "expected an integer, got the number 3.5"),
    (int, True, "expected an integer, got true"),
    (float, True, "expected a number, got true"),
    (float, "1.5", 'expected a number, got the text "1.5"'),
    (float, 10**400, "expected a number, got a number of 1329 bits"),
    (bool, 1, "expected true or false, got the number 1"),
    (bool, "false", 'expected true or false, got the text "false"'),
    (str, None, "expected text, got null"),
    (int | None, "x", 'expected an integer or null, got the text "x"'),
    (Literal["a", "b"], "c", 'expected one of "a", "b", got the text "c"'),
    (Literal[1], True, "expected 1, got true"),
    (Literal[True], 1, "expected true, got the number 1"),
    (Color, "RED", 'expected one of "red", "blue", got the text "RED"'),
    (Word, "maybe", 'expected one of "yes", "no", got the text "maybe"'),
    (Shape, "dot", 'expected one of "DOT", "LINE", got the text "dot"'),
    (
        datetime.date,
        "tomorrow",
        'expected a date such as 2025-01-31, got the text "tomorrow"',
    ),
    (uuid.UUID, "x", 'expected a UUID, got the text "x"'),
    (
        decimal.Decimal,
        "NaN",
        'expected a decimal number such as 12.50, got the text "NaN"',
    ),
    (bytes, "a", 'expected base64 text, got the text "a"'),
    (list[str], "abc", 'expected a list, got the text "abc"'),
    (list[str], {"a": 1}, "expected a list, got an object"),
    (tuple[int, str], [1], "expected a list of 2 items, got 1 of them"),
    (dict[str, int], [], "expected an object, got 0 of them"),
    (Point, 3, "expected an object, got the number 3"),
    (Even, {"number": 3}, "the number must be even"),
    (Address, {"street": "s", "number": 0}, "'number' must be > 0: 0"),
    (Annotated[int, at.Ge(1), at.Le(7)], 8, "expected an integer from 1 to 7, got the number 8"),
    (
        Annotated[int, at.Interval(ge=1)],
        "many",
        'expected an integer of at least 1, got the text "many"',
    ),
    (
        Annotated[float, at.Gt(0), at.Lt(1)],
        1,
        "expected a number above 0 and below 1, got the number 1",
    ),
    (
        Annotated[int, at.MultipleOf(5)],
        7,
        "expected an integer that is a multiple of 5, got the number 7",
    ),
    (
        Annotated[str, at.Len(1, 2)],
        "abc",
        'expected text of 1 to 2 characters, got the text "abc"',
    ),
    (Annotated[list[int], at.MinLen(2)], [1], "expected a list of at least 2 items, got 1 of them"),
    (
        Annotated[str, Bounds(pattern="^b")],
        "ab",
        'expected text that matches ^b, got the text "ab"',
    ),
    (
        Annotated[int | None, at.Ge(1)],
        0,
        "expected an integer of at least 1 or null, got the number 0",
    ),
    (set, [[]], "has items that can't be in a set"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "given_", "told"), MISFITS)
def test_what_does_not_fit_is_told_in_words(hint: Any, given_: Any, told: str) -> None:
    assert faults({"value": hint}, {"value": given_}) == [f"value: {told}"]


@pytest.mark.parametrize(
    ("hint", "given_", "told"),
    [
        (list[int], [1, "a", True], ["value[1]: {a}", "value[2]: {b}"]),
        (dict[str, list[int]], {"x": [0, "a"]}, ["value.x[1]: {a}"]),
        (tuple[int, int], ["a", True], ["value[0]: {a}", "value[1]: {b}"]),
        (Tree, {"name": "t", "children": [{}]}, ["value.children[0].name: missing"]),
        (Point, {"z": 1}, ["value.x: missing", "value.z: unknown"]),
        (list[Point] | None, [{}], ["value[0].x: missing"]),
        # Of several alternatives that are nearly right, the nearest.
        (Point | Address, {"street": "s"}, ["value.number: missing"]),
    ],
)
def test_every_fault_is_told_with_its_place(hint: Any, given_: Any, told: list[str]) -> None:
    words = {
        "a": 'expected an integer, got the text "a"',
        "b": "expected an integer, got true",
    }
    assert faults({"value": hint}, {"value": given_}) == [text.format(**words) for text in told]


def test_all_faults_of_a_call_are_told_at_once() -> None:
    annotations = {"city": str, "days": Annotated[int, at.Ge(1), at.Le(7)], "unit": str}
    assert faults(annotations, {"days": "many", "town": "Paris", "unit": "C"}) == [
        "city: missing",
        'days: expected an integer from 1 to 7, got the text "many"',
        "town: unknown",
    ]


def test_a_name_nearly_right_is_suggested() -> None:
    assert faults({"city": str}, {"citty": "Paris"}) == [
        "city: missing",
        "citty: unknown (did you mean city?)",
    ]


@pytest.mark.parametrize("args", [None, {}])
def test_absent_arguments_are_none(args: Any) -> None:
    assert called({}, args) == {}
    assert called({"days": int}, args, {"days": 3}) == {"days": 3}
    assert faults({"days": int}, args) == ["days: missing"]


def test_arguments_that_are_no_object_are_refused() -> None:
    assert faults({"days": int}, ["days"]) == ["expected an object, got a list"]


def test_null_leaves_out_what_has_a_default() -> None:
    assert called({"days": int}, {"days": None}, {"days": 3}) == {"days": 3}
    # Where null is a value of its own, it is one.
    assert called({"days": int | None}, {"days": None}, {"days": 3}) == {"days": None}
    assert called({"days": Any}, {"days": None}, {"days": 3}) == {"days": None}


def test_what_the_model_gave_is_not_touched() -> None:
    args = {"data": {"list": [1]}, "points": [{"x": 1}]}
    before = copy.deepcopy(args)
    result = called({"data": Any, "points": list[Point]}, args)
    result["data"]["list"].append(2)
    result["points"].clear()
    assert args == before


def test_what_is_told_is_bounded() -> None:
    many = {f"name{number}" * 20: 1 for number in range(1000)}
    found = faults({"values": list[int]}, {"values": ["x" * 10_000] * 1000, **many})
    assert len(found) == 11
    assert found[-1] == "and 1990 more"
    assert max(map(len, found)) <= 200


def test_a_secret_looking_value_is_not_repeated() -> None:
    (told,) = faults({"days": int}, {"days": "AIzaSyD-secret-secret-secret-secret-sec"})
    assert told == "days: expected an integer, got a text of 39 characters"


def test_arguments_nested_deeper_than_the_stack_are_refused() -> None:
    nested: dict[str, Any] = {"name": "x"}
    for _ in range(5000):
        nested = {"name": "x", "children": [nested]}
    assert faults({"tree": Tree}, {"tree": nested}) == ["nested too deeply"]


def test_arguments_as_deep_as_a_frame_can_be_are_read() -> None:
    nested: dict[str, Any] = {"name": "x"}
    for _ in range(95):
        nested = {"name": "x", "children": [nested]}
    assert called({"tree": Tree}, {"tree": nested})


# --- Random signatures ------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and name != "self"
)

HASHABLE: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, TEXT),
    (int, st.integers(-(2**63), 2**63)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (datetime.datetime, st.datetimes(timezones=st.sampled_from([None, datetime.UTC]))),
    (datetime.date, st.dates()),
    (datetime.time, st.times()),
    (uuid.UUID, st.uuids()),
    (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (pathlib.PurePath, st.sampled_from([pathlib.PurePath("a/b"), pathlib.PurePath("/")])),
    (Color, st.sampled_from(Color)),
    (Word, st.sampled_from(Word)),
    (Level, st.sampled_from(Level)),
    (Shape, st.sampled_from(Shape)),
    (Literal["a", 1, True, None], st.sampled_from(["a", 1, True, None])),
    (UserId, st.integers(0, 9)),
    (Annotated[int, at.Interval(ge=-3, lt=9)], st.integers(-3, 8)),
    (Annotated[int, at.MultipleOf(3)], st.integers(-9, 9).map(lambda number: 3 * number)),
    (Annotated[str, at.Len(1, 3)], st.text("ab", min_size=1, max_size=3)),
    (Annotated[float, at.Gt(0), at.Le(2.5)], st.floats(0, 2.5, exclude_min=True)),
]
BYTES = (bytes, st.binary(max_size=8))
NULL = (type(None), st.none())

Typed = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def typed(draw: st.DrawFn, depth: int = 2) -> Typed:
    """A type and a strategy for its values."""
    simple = st.sampled_from([*HASHABLE, NULL])
    kinds = ["simple"] if depth == 0 else ["simple", "collection", "object", "optional"]
    match draw(st.sampled_from(kinds)):
        case "collection":
            return draw(_collections(depth))
        case "object":
            return draw(_objects(depth))
        case "optional":
            hint, values = draw(typed(depth - 1))
            return hint | None, values | st.none()
    return draw(simple)


@st.composite
def _collections(draw: st.DrawFn, depth: int) -> Typed:
    kind = draw(st.sampled_from([list, set, frozenset, tuple, dict, "fixed", "bounded"]))
    hint, values = draw(st.sampled_from(HASHABLE) if kind in (set, frozenset) else typed(depth - 1))
    match kind:
        case "fixed":
            other, more = draw(typed(depth - 1))
            return tuple[hint, other], st.tuples(values, more)
        case "bounded":
            return Annotated[list[hint], at.Len(1, 3)], st.lists(values, min_size=1, max_size=3)
    if kind is dict:
        return dict[str, hint], st.dictionaries(TEXT, values, max_size=3)
    if kind is tuple:
        return tuple[hint, ...], st.lists(values, max_size=3).map(tuple)
    return kind[hint], st.lists(values, max_size=3).map(kind)


@st.composite
def _objects(draw: st.DrawFn, depth: int) -> Typed:
    members = draw(st.dictionaries(NAMES, typed(depth - 1), min_size=1, max_size=3))
    hints = {name: hint for name, (hint, _) in members.items()}
    values = st.fixed_dictionaries({name: each for name, (_, each) in members.items()})
    match draw(st.sampled_from(["attrs", "dataclass", "typed dict", "partial"])):
        case "attrs":
            fields = {name: attrs.field(type=hint) for name, hint in hints.items()}
            made = attrs.make_class("Made", fields)
        case "dataclass":
            made = make_dataclass("Made", list(hints.items()))
        case "typed dict":
            return TypedDict("Made", hints), values  # type: ignore[operator]
        case _:
            some = st.fixed_dictionaries(
                {}, optional={name: each for name, (_, each) in members.items()}
            )
            return TypedDict("Made", hints, total=False), some  # type: ignore[operator]
    return made, values.map(lambda given: made(**given))


@given(st.data())
def test_what_the_schema_allows_is_read_and_comes_out_as_it_went_in(data: st.DataObject) -> None:
    members = data.draw(st.dictionaries(NAMES, typed(), max_size=3))
    annotations = {name: hint for name, (hint, _) in members.items()}
    values = {name: data.draw(each) for name, (_, each) in members.items()}
    schema = tool(name="give", dialect="json_schema")(function_of(annotations)).json_schema
    Draft202012Validator.check_schema(schema)
    args = json.loads(json.dumps(to_json(values)))
    Draft202012Validator(schema).validate(args)
    assert called(annotations, args) == values


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_json_is_read_or_refused_in_words(data: st.DataObject) -> None:
    members = data.draw(st.dictionaries(NAMES, typed(), max_size=3))
    annotations = {name: hint for name, (hint, _) in members.items()}
    some = dict.fromkeys(annotations, JSON)
    args = data.draw(
        st.fixed_dictionaries({}, optional=some) | st.dictionaries(NAMES, JSON, max_size=2)
    )
    before = copy.deepcopy(args)
    told = ""
    try:
        called(annotations, args)
    except ArgumentsError as error:
        told = str(error)
    assert len(told) <= 11 * 210 + 30
    assert args == before


def test_a_context_is_nobodys_argument() -> None:
    async def give(days: int, context: ToolContext) -> tuple[int, object]:
        return days, context

    made = tool(give)
    context: Any = object()

    async def call(**args: Any) -> Any:
        return await made.handler(args, context)  # type: ignore[misc]

    assert trio.run(lambda: call(days=3)) == (3, context)
    with pytest.raises(ArgumentsError, match="context: unknown"):
        trio.run(lambda: call(days=3, context="mine"))
