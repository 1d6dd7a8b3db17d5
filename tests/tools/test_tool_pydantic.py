"""Pydantic models as parameters and results: pydantic says what they take, and reads them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gemini_live_trio.errors import ConfigError
from gemini_live_trio.tools import ArgumentsError, tool
from gemini_live_trio.tools._results import answer

pydantic = pytest.importorskip("pydantic")


class Point(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """A place."""

    x: int = pydantic.Field(ge=0, description="Across.")
    y: float = 1.5


class Walk(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    points: list[Point]
    title: str = "home"


class Tree(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    name: str
    children: list[Tree] = pydantic.Field(default=[])


class Odd(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    call: Callable[[], None]


def go(at: Point, along: Walk | None = None, home: Point = Point(x=1)) -> Point:  # noqa: B008
    return at


def read(function: Any, args: Any) -> Any:
    handler: Any = tool(function).handler
    return handler.arguments.read(args)


def test_a_model_is_told_as_pydantic_tells_it() -> None:
    made = tool(go)
    schema: Any = made.json_schema
    Draft202012Validator.check_schema(schema)
    place = {
        "type": "object",
        "description": "A place.",
        "properties": {
            "x": {"type": "integer", "minimum": 0, "description": "Across."},
            "y": {"type": "number", "default": 1.5},
        },
        "required": ["x"],
    }
    assert schema["properties"]["at"] == place
    assert schema["properties"]["home"] == place | {"default": {"x": 1, "y": 1.5}}
    # A property may be called like a keyword.
    assert schema["properties"]["along"]["anyOf"][0]["properties"].keys() == {"points", "title"}
    assert schema["$defs"] == {"Point": place}
    assert made.declaration.parameters is not None


def test_a_model_is_read_by_pydantic() -> None:
    given = {"at": {"x": 3}, "along": {"points": [{"x": 1}], "title": "out"}}
    assert read(go, given) == {
        "at": Point(x=3),
        "along": Walk(points=[Point(x=1)], title="out"),
    }


def test_everything_that_is_wrong_is_told_with_its_place() -> None:
    with pytest.raises(ArgumentsError) as caught:
        read(go, {"at": {"x": -3, "y": "q"}, "along": {"points": [{"x": 1}, {}]}})
    assert caught.value.faults == [
        "at.x: Input should be greater than or equal to 0",
        "at.y: Input should be a valid number, unable to parse string as a number",
        "along.points[1].x: Field required",
    ]


def test_a_model_that_contains_itself_goes_as_json_schema() -> None:
    def grow(tree: Tree) -> None: ...

    made = tool(dialect="json_schema")(grow)
    schema: Any = made.json_schema
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    handler: Any = made.handler
    (tree,) = handler.arguments.read({"tree": {"name": "a", "children": [{"name": "b"}]}}).values()
    assert tree == Tree(name="a", children=[Tree(name="b")])


def test_what_pydantic_can_not_say_is_refused_with_the_parameters_name() -> None:
    def call(odd: Odd) -> None: ...

    with pytest.raises(ConfigError, match=r"call, parameter odd: pydantic makes no schema of Odd"):
        tool(call)


def test_two_models_of_one_name_are_refused() -> None:
    def namesake() -> Any:
        class Point(pydantic.BaseModel):  # type: ignore[misc, name-defined]
            z: int

        return Point

    other = pydantic.create_model("Other", points=list[namesake()])  # type: ignore[misc]

    def go(along: Any, others: Any) -> None: ...

    go.__annotations__ = {"along": Walk, "others": other}
    with pytest.raises(ConfigError, match="there are two classes Point: rename one"):
        tool(go)


def test_a_model_is_a_result() -> None:
    assert answer(Point(x=1)).response == {"x": 1, "y": 1.5}
    tree = Tree(name="a", children=[Tree(name="b")])
    assert answer([tree]).response == {
        "output": [{"name": "a", "children": [{"name": "b", "children": []}]}]
    }


def test_pydantic_is_not_imported_for_others() -> None:
    code = (
        "import sys, gemini_live_trio.tools as t\n"
        "def f(a: int) -> int: ...\n"
        "t.tool(f)\nassert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
