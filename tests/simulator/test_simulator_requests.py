"""What the simulator understands when it is asked to call a function."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import wire
from gemini_live_trio.simulator import Call, DefaultMind, Situation, Turn

WEATHER = wire.FunctionDeclaration(
    name="get_weather",
    parameters=wire.Schema(
        type="OBJECT",
        properties={
            "city": wire.Schema(type="STRING"),
            "days": wire.Schema(type="INTEGER"),
            "exact": wire.Schema(type="BOOLEAN"),
            "radius": wire.Schema(type="NUMBER"),
            "unit": wire.Schema(type="STRING", enum=["CELSIUS", "KELVIN"]),
            "hours": wire.Schema(type="ARRAY", items=wire.Schema(type="INTEGER")),
            "place": wire.Schema(type="OBJECT"),
        },
    ),
)
ADD = wire.FunctionDeclaration(
    name="add",
    parameters_json_schema={
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": ["integer", "null"]}},
        "required": ["x", "y"],
    },
)
BARE = wire.FunctionDeclaration(name="refresh")
TOOLS = (wire.Tool(function_declarations=(WEATHER, ADD)), wire.Tool(function_declarations=(BARE,)))


def asked(text: str) -> tuple[Call, ...]:
    return tuple(answer(text).calls)


def answer(text: str, tools: Any = TOOLS) -> Any:
    return DefaultMind()(Situation(history=(Turn(role="user", text=text),), tools=tools))


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("call get_weather", {}),
        ("Call get_weather!", {}),
        ("Please call the function get_weather.", {}),
        ("call get_weather with city=Paris", {"city": "Paris"}),
        ("call get_weather with city=Paris.", {"city": "Paris"}),
        ("call get_weather with City=Paris", {"city": "Paris"}),
        ("call get weather with city equals New York", {"city": "New York"}),
        ("call get_weather(city=Paris, days=3)", {"city": "Paris", "days": 3}),
        ('call get_weather with city="Paris, Texas"', {"city": "Paris, Texas"}),
        ("call get_weather with city=salt and pepper", {"city": "salt and pepper"}),
        ("call get_weather with city=Paris and days=3", {"city": "Paris", "days": 3}),
        ("call get_weather with city: Paris; days: -3", {"city": "Paris", "days": -3}),
        ("call get_weather with exact=yes", {"exact": True}),
        ("call get_weather with exact=false", {"exact": False}),
        ("call get_weather with radius=1.5", {"radius": 1.5}),
        ("call get_weather with radius=2", {"radius": 2}),
        ("call get_weather with unit=kelvin", {"unit": "KELVIN"}),
        ("call get_weather with city=42", {"city": "42"}),
        ("call get_weather with hours=1, 2, 3", {"hours": [1, 2, 3]}),
        ("call get_weather with hours=[4, 5]", {"hours": [4, 5]}),
        ('call get_weather with place={"x": 1}', {"place": {"x": 1}}),
        ("call get_weather with unheard=1.5", {"unheard": 1.5}),
        ("call get_weather with unheard=of", {"unheard": "of"}),
        ('call get_weather {"city": "Paris", "days": "3"}', {"city": "Paris", "days": "3"}),
        ('call get_weather with {"a": [null, {"b": 1e3}]}', {"a": [None, {"b": 1000.0}]}),
        ('call get_weather({"city": "Köln"})', {"city": "Köln"}),
        ('call get_weather {"half": "\\ud800"}', {"half": "?"}),
        ("What does get_weather say with city=Rome?", {"city": "Rome"}),
        ("I wonder what get weather knows", {}),
    ],
)
def test_one_call(text: str, args: dict[str, Any]) -> None:
    assert asked(text) == (Call("get_weather", args),)


@pytest.mark.parametrize(
    "text",
    [
        "call add with x=1, y=2 and get_weather with city=Rome",
        "call add with x=1 and y=2 and call get_weather with city=Rome",
        'call add {"x": 1, "y": 2} and get_weather {"city": "Rome"}',
        "call add(x=1, y=2), then call get_weather(city=Rome)",
    ],
)
def test_two_calls_at_once(text: str) -> None:
    assert asked(text) == (Call("add", {"x": 1, "y": 2}), Call("get_weather", {"city": "Rome"}))


def test_what_is_required_is_made_up() -> None:
    assert asked("call add") == (Call("add", {"x": 1, "y": 1}),)
    assert asked("call add with y=7") == (Call("add", {"y": 7, "x": 1}),)
    kinds = {
        "text": "string",
        "flag": "boolean",
        "many": "array",
        "deep": "object",
        "any": None,
    }
    schema = wire.Schema(
        properties={name: wire.Schema(type=kind) for name, kind in kinds.items()}
        | {"pick": wire.Schema(enum=["b", "c"]), "own": wire.Schema(default=5)},
        required=[*kinds, "pick", "own"],
    )
    tool = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="f", parameters=schema)])
    (call,) = answer("call f", [tool]).calls
    assert call.args == {
        "text": "anything",
        "flag": True,
        "many": [],
        "deep": {},
        "any": "anything",
        "pick": "b",
        "own": 5,
    }


def test_meanwhile_there_is_something_to_say() -> None:
    reply = answer("call get_weather with city=Rome; meanwhile count to 3")
    assert reply.calls == (Call("get_weather", {"city": "Rome"}),)
    assert reply.text == "1, 2, 3."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("call get_time", "I can't call get_time"),
        ("call get_time with zone=UTC", "get_weather, add, refresh"),
        ("call add with x=many", "x is to be a whole number, and 'many' is none"),
        ("call get_weather with radius=far", "a number"),
        ("call get_weather with exact=perhaps", "true or false"),
        ("call get_weather with place=here", "an object"),
        ('call get_weather with hours={"a": 1}', "a list"),
        ('call get_weather {"city": ', "aren't JSON"),
        ("call get_weather " + '{"a":' * 40, "levels of brackets"),
        ("call refresh and get_time", "neither a function"),
    ],
)
def test_what_cannot_be_called_is_told(text: str, said: str) -> None:
    reply = answer(text)
    assert said in reply.text
    assert not reply.calls


@pytest.mark.parametrize(
    "text",
    ["call me Bob", "Call it a day.", "call", "You can call get_weather tomorrow", "I add salt"],
)
def test_not_every_call_is_one(text: str) -> None:
    tools = [wire.Tool(function_declarations=[ADD])]
    reply = answer(text, tools)
    assert not reply.calls
    assert "can't call" not in reply.text


def test_a_short_name_has_to_be_asked_for() -> None:
    assert asked("use add with x=1, y=1") == (Call("add", {"x": 1, "y": 1}),)
    assert asked("repeat after me: get_weather") == ()


def test_without_functions_none_is_called() -> None:
    assert "are: none" in answer("call get_weather", ()).text


@given(st.text(st.sampled_from('cal get_wher=,;{}[]()":1\\ \n'), max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert answer("call " + text) is not None
    assert answer(text) is not None


@pytest.mark.parametrize("filler", [" ", "=", ", ", "a", "{", "[", ";and ", "x=1,", '"'])
def test_no_text_is_slow_to_read(filler: str) -> None:
    for head in ("call get_weather with city=", "call get_weather ", "call ", ""):
        assert answer(head + filler * (20_000 // len(filler))) is not None
