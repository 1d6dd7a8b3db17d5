"""``@tool``: which functions become tools, how they are called, and what is refused at once."""

from __future__ import annotations

import contextvars
import datetime
import enum
import functools
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import InitVar, dataclass
from types import SimpleNamespace
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeVar,
    cast,
)

import annotated_types as at
import attrs
import pytest
import trio
import trio.testing

from gemini_live_trio import wire
from gemini_live_trio.errors import ConfigError, ToolError
from gemini_live_trio.tools import ArgumentsError, Bounds, Tool, tool
from gemini_live_trio.tools._function import require_bound

if TYPE_CHECKING:
    from gemini_live_trio import LiveSession
    from gemini_live_trio.tools import ToolContext


@dataclass
class Outer:
    class Inner(enum.Enum):
        A = "a"

    inner: Inner


def _outer(value: Outer) -> None: ...


P = ParamSpec("P")
R = TypeVar("R")
NOWHERE: Any = None


async def run(made: Tool, args: Mapping[str, Any] | None = None, context: Any = None) -> Any:
    """Call a tool as the runner does."""
    return await cast("Awaitable[Any]", made.handler(args or {}, context))


@tool
async def get_weather(city: str, days: int = 3) -> str:
    """The weather to come."""
    return f"{city}, {days} days"


def plain(city: str) -> str:
    """Something about a city."""
    return city.upper()


# --- What it can be called like ---------------------------------------------------------------


async def test_the_function_can_still_be_called() -> None:
    assert await get_weather("Paris", days=1) == "Paris, 1 days"
    assert tool(plain)("Paris") == "PARIS"


async def test_the_model_calls_it_by_its_arguments() -> None:
    assert await run(get_weather, {"city": "Paris"}) == "Paris, 3 days"
    assert await run(tool(plain), {"city": "Paris"}) == "PARIS"


def test_a_tool_is_a_value() -> None:
    assert len({get_weather, get_weather, tool(plain)}) == 2
    slow = attrs.evolve(get_weather, timeout=60.0)
    assert (slow.timeout, slow.name) == (60.0, "get_weather")


def test_it_looks_like_the_function() -> None:
    assert get_weather.__name__ == "get_weather"
    assert inspect.getdoc(get_weather) == "The weather to come."
    assert list(inspect.signature(get_weather).parameters) == ["city", "days"]
    assert inspect.unwrap(get_weather) is get_weather.function
    assert repr(get_weather) == "<FunctionTool get_weather>"


async def test_parameters_are_given_as_the_function_takes_them() -> None:
    @tool
    async def give(first: int, second: int = 2, /, third: int = 3, *, fourth: int = 4) -> Any:
        return first, second, third, fourth

    assert await run(give, {"first": 1}) == (1, 2, 3, 4)
    assert await run(give, {"first": 1, "second": 5, "fourth": 6}) == (1, 5, 3, 6)
    assert await run(give, {"first": 1, "third": 7}) == (1, 2, 7, 4)


async def test_an_async_generator_streams() -> None:
    @tool
    async def count(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    assert count.streams
    assert not get_weather.streams
    stream = cast("AsyncIterator[int]", count.handler({"to": 3}, NOWHERE))
    assert [number async for number in stream] == [0, 1, 2]
    with pytest.raises(ArgumentsError):
        count.handler({"to": "three"}, NOWHERE)


async def test_a_partial_hides_what_it_has_given() -> None:
    async def price(item: str, currency: str, rate: float = 1.0) -> str:
        """The price of something."""
        return f"{item} in {currency} at {rate}"

    made = tool(functools.partial(price, currency="EUR"))
    assert made.name == "price"
    assert made.declaration.description == "The price of something."
    assert list(made.json_schema["properties"]) == ["item", "rate"]
    assert await run(made, {"item": "tea", "rate": 2}) == "tea in EUR at 2.0"
    assert list(tool(functools.partial(price, "tea")).json_schema["properties"]) == [
        "currency",
        "rate",
    ]


async def test_a_partial_may_give_a_method_its_self() -> None:
    home = Home()
    made = tool(functools.partial(Home.light.function, home))
    assert list(made.json_schema["properties"]) == ["room", "on"]
    assert await run(made, {"room": "hall"}) == "hall"
    assert home.lamps == {"hall": True}


async def test_an_object_that_can_be_called_is_a_tool() -> None:
    class Doubler:
        """Doubles things."""

        async def __call__(self, number: int) -> int:
            """Twice a number."""
            return 2 * number

    made = tool(name="double")(Doubler())
    assert made.declaration.description == "Twice a number."
    assert await run(made, {"number": 2}) == 4
    assert tool(Doubler()).name == "Doubler"


async def test_a_decorated_function_is_called_as_the_inner_one_asks() -> None:
    def logged(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(*args, **kwargs)

        return wrapper

    @tool
    @logged
    async def double(number: int) -> int:
        """Twice a number."""
        return 2 * number

    assert await run(double, {"number": 2}) == 4
    assert double.declaration.description == "Twice a number."


# --- Methods ----------------------------------------------------------------------------------


class Home:
    def __init__(self) -> None:
        self.lamps: dict[str, bool] = {}

    @tool
    async def light(self, room: str, on: bool = True) -> str:
        """Switch a lamp.

        Args:
          room: Where the lamp is.
        """
        self.lamps[room] = on
        return room

    @tool(limit=1)
    def heat(self, room: str) -> str:
        return f"{room} at {len(self.lamps)}"

    @tool
    async def steps(self, room: str) -> AsyncIterator[str]:
        yield room

    @tool
    @classmethod
    def rooms(cls, floor: int) -> str:
        return f"{cls.__name__} {floor}"

    @tool
    @staticmethod
    def area(width: float) -> float:
        return width * width

    @staticmethod
    @tool
    def volume(width: float) -> float:
        return width**3


class Palace(Home):
    pass


async def test_a_method_is_a_tool_of_its_object() -> None:
    home, other = Home(), Home()
    assert await run(home.light, {"room": "hall"}) == "hall"
    assert await home.light("attic", on=False) == "attic"
    assert (home.lamps, other.lamps) == ({"hall": True, "attic": False}, {})
    assert list(home.light.json_schema["properties"]) == ["room", "on"]
    assert home.light.name == "light"
    assert await run(home.heat, {"room": "hall"}) == "hall at 2"
    assert home.heat.limit == 1
    stream = cast("AsyncIterator[str]", home.steps.handler({"room": "hall"}, NOWHERE))
    assert [part async for part in stream] == ["hall"]


async def test_class_and_static_methods_are_tools() -> None:
    rooms = Palace.rooms
    assert await run(rooms, {"floor": 2}) == "Palace 2"
    assert await run(Home().rooms, {"floor": 1}) == "Home 1"
    assert await run(Home.area, {"width": 2}) == 4.0
    assert await run(Home().volume, {"width": 2}) == 8.0


async def test_a_method_without_its_object_says_so() -> None:
    with pytest.raises(ConfigError, match="take the tool from an instance"):
        Home.light.handler({"room": "hall"}, NOWHERE)
    with pytest.raises(ConfigError, match="@tool light is a method"):
        require_bound(Home.light)
    home = Home()
    for bound in (home.light, Home.rooms, Home.area, get_weather):
        require_bound(bound)
    assert await Home.light(home, "hall") == "hall"


async def test_a_bound_method_becomes_a_tool_too() -> None:
    class Clock:
        hour = 7

        async def tell(self, add: int) -> int:
            """The time."""
            return self.hour + add

    assert await run(tool(Clock().tell), {"add": 1}) == 8


# --- Names that annotations use ---------------------------------------------------------------


async def test_local_classes_are_found() -> None:
    @dataclass
    class Inner:
        x: int

    @dataclass
    class Outer:
        inner: Inner
        more: list[Inner]

    @tool
    async def give(value: Outer) -> Any:
        return value.more

    @tool(name="again")
    async def give_again(value: Outer) -> Any:
        return value.inner

    args = {"value": {"inner": {"x": 1}, "more": [{"x": 2}]}}
    assert await run(give, args) == [Inner(2)]
    assert await run(give_again, args) == Inner(1)

    class Holder:
        @tool
        async def give(self, value: Inner) -> Any:
            return value.x

    assert await run(Holder().give, {"value": {"x": 3}}) == 3


async def test_the_context_is_known_even_if_it_is_imported_for_type_checkers() -> None:
    @tool
    async def give(context: ToolContext, number: int, again: ToolContext | None = None) -> Any:
        return context, number, again

    assert list(give.json_schema["properties"]) == ["number"]
    context = object()
    assert await run(give, {"number": 1}, context) == (context, 1, context)


def test_what_it_returns_may_be_known_to_type_checkers_only() -> None:
    @tool
    def f(value: int) -> LiveSession: ...  # type: ignore[empty-body]

    assert f.json_schema["required"] == ["value"]


def test_names_may_be_text_within_a_type() -> None:
    @dataclass
    class Local:
        x: int

    def f(value: dict[str, list[Local]]) -> None: ...

    f.__annotations__["value"] = dict[str, list["Local"]]  # type: ignore[name-defined]
    assert tool(f).json_schema["properties"]["value"]["additionalProperties"]["items"][
        "properties"
    ] == {"x": {"type": "integer"}}


def test_a_class_may_name_what_stands_in_it() -> None:
    assert tool(_outer).json_schema["properties"]["value"]["properties"] == {
        "inner": {"enum": ["a"], "type": "string"}
    }


def test_a_name_that_is_nowhere_is_told() -> None:
    with pytest.raises(ConfigError, match=r"An annotation of @tool f names Missing, which can't"):

        @tool
        def f(value: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
            ...


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in Python 3.12")
async def test_the_type_statement_may_make_what_contains_itself() -> None:
    names: dict[str, Any] = {"tool": tool}
    source = """
type Json = dict[str, Json] | list[Json] | str | int | None
type Pair[T] = tuple[T, T]
@tool(dialect="json_schema")
async def give(value: Json, pair: Pair[int] = (1, 2)):
    return value, pair
"""
    exec(source, names)
    give = names["give"]
    assert give.json_schema["properties"]["value"] == {"$ref": "#/$defs/Json"}
    value = {"a": [1, {"b": None}]}
    assert await run(give, {"value": value}) == (value, (1, 2))
    with pytest.raises(ArgumentsError, match="value"):
        await run(give, {"value": {"a": [True]}})


# --- What the model is told -------------------------------------------------------------------


def test_name_and_description_can_be_given() -> None:
    made = tool(name="weather.get", description="What it is like outside.")(plain)
    assert made.declaration.name == made.name == "weather.get"
    assert made.declaration.description == "What it is like outside."


def test_without_a_description_the_model_reads_the_name() -> None:
    @tool
    def turn_on_the_light() -> None: ...

    assert turn_on_the_light.declaration == wire.FunctionDeclaration(
        name="turn_on_the_light", description="Turn on the light."
    )


GOOGLE = """Does it.

At length.

Args:
  city (str): Where: it is,
    in words.
  days: How long.

Returns:
  city: Nothing.
"""
NUMPY = """Does it.

At length.

Parameters
----------
city : str
    Where: it is,
    in words.
days
    How long.

Returns
-------
city
    Nothing.
"""
SPHINX = """Does it.

At length.

:param str city: Where: it is,
    in words.
:param days: How long.
:type days: int
:returns: city: Nothing.
"""


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_of_every_style_are_read(doc: str) -> None:
    async def f(city: str, days: int) -> None: ...

    f.__doc__ = doc
    made = tool(f)
    assert made.declaration.description == "Does it.\n\nAt length."
    told = {name: each["description"] for name, each in made.json_schema["properties"].items()}
    assert told == {"city": "Where: it is, in words.", "days": "How long."}


def test_a_text_with_a_colon_is_no_section() -> None:
    async def f(city: str) -> None:
        """Look at this: it stays.

        Usage:
          so does this

        Args:
          city: Where.

        And this.
        """

    made = tool(f)
    assert made.declaration.description == (
        "Look at this: it stays.\n\nUsage:\n  so does this\n\nAnd this."
    )


def test_an_annotation_says_more_than_the_docstring() -> None:
    async def f(city: Annotated[str, "The city's name.", at.MaxLen(20)]) -> None:
        """Does it.

        Args:
          city: Where.
        """

    assert tool(f).json_schema["properties"]["city"] == {
        "type": "string",
        "maxLength": 20,
        "description": "The city's name.",
    }


def test_a_description_may_be_an_object_that_documents() -> None:
    async def f(city: Annotated[str, at.doc("Where.")]) -> None: ...

    assert tool(f).json_schema["properties"]["city"]["description"] == "Where."


def test_two_classes_of_one_name_that_contain_themselves_are_told_apart() -> None:
    def make() -> type:
        @dataclass
        class Node:
            again: list[Node]

        # Where they are found is where the tool is made, so each brings itself.
        Node.__annotations__["again"] = list[Node]
        return Node

    first, second = make(), make()

    async def f(a: Any, b: Any) -> None: ...

    f.__annotations__ = {"a": first, "b": second}
    schema = tool(dialect="json_schema")(f).json_schema
    assert {name: each["$ref"] for name, each in schema["properties"].items()} == {
        "a": "#/$defs/Node",
        "b": "#/$defs/Node2",
    }
    assert schema["$defs"]["Node2"]["properties"]["again"]["items"] == {"$ref": "#/$defs/Node2"}


def test_a_default_that_json_cannot_hold_is_not_shown() -> None:
    marker: Any = object()

    async def f(a: int = marker, b: str = marker, c: float = float("nan")) -> None: ...

    assert tool(f).json_schema == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "number"}},
    }


def test_options_are_kept() -> None:
    made = tool(
        blocking=False,
        on_result="silent",
        timeout=2.5,
        limit=3,
        must_finish=True,
        limit_bytes=1000,
    )(plain)
    assert (made.blocking, made.on_result, made.timeout) == (False, "silent", 2.5)
    assert (made.limit, made.must_finish, made.limit_bytes) == (3, True, 1000)


# --- Another schema ---------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"], "const": "Paris"}},
    "required": ["city"],
}


async def test_a_json_schema_can_be_given() -> None:
    @tool(schema=SCHEMA)
    async def give(city) -> Any:  # type: ignore[no-untyped-def]
        return city

    assert give.declaration.parameters == wire.Schema(
        type=wire.Type.OBJECT,
        properties={"city": wire.Schema(type=wire.Type.STRING, enum=["Paris"])},
        required=["city"],
    )
    # What is accepted is up to the hints, and there are none.
    assert await run(give, {"city": [1]}) == [1]
    made = tool(schema=SCHEMA, dialect="json_schema")(plain)
    assert made.declaration.parameters_json_schema == SCHEMA
    assert made.declaration.parameters is None


async def test_a_function_may_take_whatever_a_given_schema_says() -> None:
    parameters = wire.Schema(
        type=wire.Type.OBJECT, properties={"city": wire.Schema(type=wire.Type.STRING)}
    )

    @tool(schema=parameters)
    async def give(**others: Any) -> Any:
        return others

    assert give.declaration.parameters is parameters
    assert await run(give, {"city": "Paris", "others": {"a": 1}}) == {
        "city": "Paris",
        "others": {"a": 1},
    }


async def test_a_whole_declaration_can_be_given() -> None:
    declaration = wire.FunctionDeclaration(
        name="shout", description="Loud.", parameters_json_schema=SCHEMA
    )
    made = tool(declaration=declaration)(plain)
    assert made.declaration is declaration
    assert made.name == "shout"
    assert await run(made, {"city": "Paris"}) == "PARIS"


# --- Threads ----------------------------------------------------------------------------------


async def test_a_plain_function_runs_in_a_thread_with_its_context_variables() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    @tool
    def give() -> tuple[str, bool]:
        return who.get(), threading.current_thread() is threading.main_thread()

    who.set("Ada")
    assert await run(give) == ("Ada", False)


async def test_a_cancelled_thread_is_left_alone_but_keeps_its_place() -> None:
    released = threading.Event()
    calls: list[int] = []

    @tool(limit=1)
    def wait(number: int) -> int:
        calls.append(number)
        released.wait()
        return number

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, wait, {"number": 1})
        while not calls:
            await trio.testing.wait_all_tasks_blocked(0.001)
        nursery.cancel_scope.cancel()
    # The block is over, the thread isn't; another call waits for it.
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, wait, {"number": 2})
        await trio.testing.wait_all_tasks_blocked(0.001)
        assert calls == [1]
        released.set()
    assert calls == [1, 2]


async def test_a_plain_function_may_notice_that_it_was_cancelled() -> None:
    started, ended = threading.Event(), threading.Event()

    @tool
    def wait() -> None:
        started.set()
        try:
            while True:
                trio.from_thread.check_cancelled()
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, wait)
        await trio.to_thread.run_sync(started.wait)
        nursery.cancel_scope.cancel()
    await trio.to_thread.run_sync(ended.wait)


def test_a_tool_serves_one_run_after_the_other() -> None:
    made = tool(plain)
    for _ in range(2):
        assert trio.run(run, made, {"city": "Paris"}) == "PARIS"


async def test_progress_is_told_in_the_sessions_thread() -> None:
    told: list[tuple[str, threading.Thread]] = []
    context = SimpleNamespace(
        call_id="7",
        session="the session",
        cancel_reason=None,
        progress=lambda text: told.append((text, threading.current_thread())),
    )

    @tool
    def work(context: ToolContext) -> Any:
        context.progress("half")
        return context.call_id, context.session, context.cancel_reason

    assert await run(work, context=context) == ("7", "the session", None)
    assert told == [("half", threading.main_thread())]


async def test_a_plain_function_that_gives_a_coroutine_is_told_so() -> None:
    @tool
    def give() -> Any:
        return get_weather("Paris")

    with pytest.raises(TypeError, match="appears to be asynchronous"):
        await run(give)


async def test_errors_come_through() -> None:
    @tool
    def fail() -> None:
        raise ToolError("No.")

    with pytest.raises(ToolError, match=r"No\."):
        await run(fail)


# --- What is refused --------------------------------------------------------------------------


def _unannotated(city) -> None: ...  # type: ignore[no-untyped-def]
def _many(*cities: str) -> None: ...
def _named(**cities: str) -> None: ...
def _wrapper(*args: Any, **kwargs: Any) -> None: ...
def _any_object(value: threading.Thread) -> None: ...
def _function(value: Callable[[], int]) -> None: ...
def _in_list(value: list[complex]) -> None: ...
def _wrong_keys(value: dict[int, str]) -> None: ...
def _variable(value: R) -> None: ...
def _wrong_bound(value: Annotated[str, at.Ge(1)]) -> None: ...
def _bound_of_dates(value: Annotated[int, at.Ge(cast(Any, "x"))]) -> None: ...
def _twice(value: Annotated[int, at.Ge(1), at.Ge(2)]) -> None: ...
def _non_ascii(größe: int) -> None: ...
def _generator(value: int) -> Iterator[int]:
    yield value


class Subclass(str):
    pass


@dataclass
class Holder:
    inner: list[complex]


@dataclass
class Place:
    name: str


@dataclass
class Loop:
    again: list[Loop]


class Rights(enum.Flag):
    READ = 1


class Nothing(enum.Enum):
    pass


class Pair(NamedTuple):
    left: int


@dataclass
class Secret:
    name: InitVar[str]


@attrs.define
class Untyped:
    x = attrs.field()  # type: ignore[var-annotated]


@dataclass
class Box(Generic[R]):
    inside: R


def _subclass(value: Subclass) -> None: ...
def _flag(value: Rights) -> None: ...
def _empty_enum(value: Nothing) -> None: ...
def _bytes_literal(value: Literal[b"a"]) -> None: ...
def _named_tuple(value: Pair) -> None: ...
def _init_var(value: Secret) -> None: ...
def _untyped_field(value: Untyped) -> None: ...
def _generic(value: Box[int]) -> None: ...
def _seconds(value: datetime.timedelta) -> None: ...
def _broken(value: 1 / 0) -> None: ...  # type: ignore[valid-type]
def _holder(value: Holder) -> None: ...
def _loop(value: Loop) -> None: ...
def _set(value: set[Place]) -> None: ...


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (_unannotated, "@tool _unannotated, parameter city: it has no type"),
        (_wrapper, "@tool _wrapper, parameter args: .* in a decorator, functools.wraps shows"),
        (_many, "@tool _many, parameter cities: .* take a list"),
        (_named, "@tool _named, parameter cities: .* take a dict"),
        (
            _any_object,
            "parameter value: the type Thread can't be said .* or annotate it Any",
        ),
        (_function, "a function can't come out of JSON"),
        (_in_list, "@tool _in_list, parameter value: the type complex"),
        (_wrong_keys, r"dict\[int, str\] has keys that aren't text"),
        (_variable, "parameter value: the type ~R .* no type parameters"),
        (_wrong_bound, r"parameter value: the bound ge=1 isn't for values of this type"),
        (_bound_of_dates, r"parameter value: ge='x' is no bound"),
        (_twice, "parameter value: ge is given twice"),
        (_non_ascii, "parameter größe: .* rename it"),
        (_generator, "@tool _generator: it is a generator"),
        (_subclass, r"parameter value: the type Subclass .* use typing.NewType"),
        (_holder, "parameter value: in Holder.inner, the type complex"),
        (_loop, "@tool _loop: Loop contains itself: give @tool dialect='json_schema'"),
        (_flag, "Rights is a Flag, whose members combine: take a list"),
        (_empty_enum, "the enum Nothing has no members"),
        (_bytes_literal, "a literal of bytes"),
        (_named_tuple, "the type Pair .* write a dataclass instead"),
        (_init_var, "Secret.name is an InitVar"),
        (_untyped_field, "Untyped.x has no type"),
        (_generic, r"the type .*Box\[int\] .* without type parameters"),
        (_seconds, "the type timedelta .* take seconds"),
        (_broken, "An annotation of @tool _broken can't be evaluated: division by zero"),
        (dict.update, "@tool update: it has no signature"),
        (_set, "which have no hash: use a list"),
        (lambda: None, "'<lambda>' is no name for a tool.* name="),
        (get_weather, "@tool get_weather: it is a tool already"),
        (Home, "not the class Home"),
        (3, "takes a function, not 3"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_when_it_is_decorated(function: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tool(function)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "get weather"}, "'get weather' is no name"),
        ({"name": "x" * 65}, "64 at most"),
        ({"on_result": "soon"}, "on_result='soon' is none"),
        ({"on_result": "silent", "blocking": True}, "leave out on_result="),
        ({"timeout": 0}, "timeout=0 is none"),
        ({"timeout": "3"}, "timeout='3' is none"),
        ({"timeout": True}, "timeout=True is none"),
        ({"timeout": float("nan")}, "timeout=nan is none"),
        ({"blocking": "no"}, "blocking='no' is none: use True or False"),
        ({"must_finish": None}, "must_finish=None is none: use True or False"),
        ({"description": 3}, "description=3 is none: use text"),
        ({"name": 3}, "name=3 is none: use text"),
        ({"schema": "object"}, "schema='object' is none: use JSON Schema"),
        ({"declaration": {"name": "f"}}, "is none: use a wire.FunctionDeclaration"),
        ({"limit": 0}, "limit=0 is none"),
        ({"limit_bytes": 1.5}, "limit_bytes=1.5 is none"),
        ({"dialect": "xml"}, "dialect='xml' is none"),
        ({"schema": {"type": "array"}}, 'one of {"type": "object"}'),
        (
            {"schema": {"type": "object", "properties": {"city": {"not": {}}}}},
            "keyword not can't be said",
        ),
        (
            {"schema": {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}}},
            "refers to #/[$]defs/City",
        ),
        (
            {"schema": {"type": "object", "properties": {"town": {"type": "string"}}}},
            "told of town, which the function doesn't take",
        ),
        (
            {"schema": {"type": "object", "properties": {"city": {"enum": []}}}},
            r"@tool plain: the schema has \[\] under enum",
        ),
        (
            {
                "schema": {"type": "object", "properties": {"city": {"enum": []}}},
                "dialect": "json_schema",
            },
            r"@tool plain: the schema has \[\] under enum",
        ),
        (
            {"schema": {"type": "object", "properties": {}}},
            "parameter city: the function needs it, but the model isn't told",
        ),
        (
            {"declaration": wire.FunctionDeclaration(name="f"), "name": "g"},
            "leave out name=",
        ),
        ({"declaration": wire.FunctionDeclaration()}, "None is no name"),
        (
            {"schema": wire.Schema(type="OBJECT"), "dialect": "json_schema"},
            "leave out dialect=",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tool(**options)(plain)


@pytest.mark.parametrize(
    "bounds",
    [
        {"ge": 3, "le": 2},
        {"gt": 2, "le": 2},
        {"ge": float("nan")},
        {"ge": True},
        {"min_length": -1},
        {"min_length": 1.5},
        {"min_length": 3, "max_length": 2},
        {"multiple_of": 0},
        {"pattern": "("},
        {"pattern": 3},
    ],
)
def test_impossible_bounds_are_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Bounds(**bounds)
