"""The wire classes against the protocol's facts, both ways, and what every class promises.

``protocol_facts.json`` lists every message, field and enum of the protocol. A class, field or value
that stands on one side only fails here, and so does one that differs.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pickle
import pkgutil
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union

import attrs
import pytest

from gemini_live_trio import wire
from gemini_live_trio.wire import ABSENT, Message

FACTS = json.loads(Path(__file__).with_name("protocol_facts.json").read_text("utf-8"))
BASE = "gemini_live_trio.wire._base"
BASE_NAMES = {"ABSENT", "Duration", "Int64", "JsonValue", "Message", "Struct"}

MODULES = [
    importlib.import_module(f"{wire.__name__}.{found.name}")
    for found in pkgutil.iter_modules(wire.__path__)
]
DEFINED = {
    name: value
    for module in MODULES
    if module.__name__ != BASE
    for name, value in vars(module).items()
    if inspect.isclass(value) and value.__module__ == module.__name__
}
CLASSES: dict[str, type[Message]] = {
    name: value for name, value in DEFINED.items() if issubclass(value, Message)
}
ENUMS: dict[str, type[Enum]] = {
    name: value for name, value in DEFINED.items() if issubclass(value, Enum)
}

each_class = pytest.mark.parametrize("name", sorted(CLASSES))
each_enum = pytest.mark.parametrize("name", sorted(ENUMS))


class Row(NamedTuple):
    """One JSON key of a message, as the facts list it."""

    json: str
    python: str
    type: str
    kind: str
    repeated: bool


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def inner(hint: object) -> object:
    """A hint without its ``| None`` and, for an enum, without its ``| str``."""
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    if len(members) == 2 and str in members:
        members.remove(str)
        assert inspect.isclass(members[0])
        assert issubclass(members[0], Enum)
    [only] = members
    return only


SCALARS: dict[object, str] = {
    str: "string",
    bool: "bool",
    int: "int32",
    float: "number",
    bytes: "bytes",
    Annotated[int, "int64"]: "int64",
    Annotated[float, "duration"]: "duration",
    Any: "value",
}


def read(hint: object) -> tuple[str, str, bool]:
    """Type, kind and repetition of an annotation; a ``TypeError`` for one that isn't allowed."""
    hint = inner(hint)
    if hint in SCALARS:
        return SCALARS[hint], "scalar", False
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Sequence:
        type_, kind, repeated = read(args[0])
        assert not repeated
        return type_, kind, True
    if origin is Mapping:
        assert args[0] is str
        if args[1] is Any:
            return "struct", "struct", False
        type_, kind, repeated = read(args[1])
        assert not repeated
        return f"map<string,{type_}>", "message" if kind == "message" else "map", False
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return hint.__name__, "enum", False
    if inspect.isclass(hint) and issubclass(hint, Message):
        return hint.__name__, "message", False
    raise TypeError(f"not in the table of annotations: {hint}")


def hints(cls: type[Message]) -> dict[str, object]:
    found = typing.get_type_hints(cls, include_extras=True)
    return {field.name: found[field.name] for field in attrs.fields(cls) if field.name != "extra"}


def rows(cls: type[Message]) -> Iterator[Row]:
    for name, hint in hints(cls).items():
        metadata = getattr(attrs.fields(cls), name).metadata
        for key in metadata.get("json", (camel(name),)):
            yield Row(key, name, *read(hint))


def fact_rows(name: str) -> Iterator[Row]:
    for field in FACTS["messages"][name]["fields"]:
        row = Row(**field)
        # Times of day are kept as the text they come in.
        yield row._replace(type="string") if row.type == "timestamp" else row


# The facts, both ways


def test_there_is_one_class_for_each_message() -> None:
    assert sorted(CLASSES) == sorted(FACTS["messages"])


def test_there_is_one_class_for_each_enum() -> None:
    assert sorted(ENUMS) == sorted(FACTS["enums"])


def test_nothing_else_is_defined_beside_messages_and_enums() -> None:
    assert DEFINED == CLASSES | ENUMS


@each_class
def test_fields_are_those_of_the_facts(name: str) -> None:
    assert sorted(rows(CLASSES[name])) == sorted(fact_rows(name))


@each_enum
def test_values_are_those_of_the_facts(name: str) -> None:
    assert [member.value for member in ENUMS[name]] == FACTS["enums"][name]


@each_enum
def test_a_member_is_named_like_its_value(name: str) -> None:
    # ``__members__`` has aliases too, which two equal values would make.
    assert list(ENUMS[name].__members__) == [value.upper() for value in FACTS["enums"][name]]


def reached(root: str) -> set[str]:
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            types_ = (read(hint)[0] for hint in hints(CLASSES[name]).values())
            names = (type_.removeprefix("map<string,").removesuffix(">") for type_ in types_)
            waiting += [type_ for type_ in names if type_ in CLASSES]
    return found


def test_each_message_travels_in_the_directions_of_the_facts() -> None:
    client, server = reached("LiveClientMessage"), reached("LiveServerMessage")
    found = dict.fromkeys(client & server, "both")
    found |= dict.fromkeys(client - server, "client")
    found |= dict.fromkeys(server - client, "server")
    assert found == {name: fact["direction"] for name, fact in FACTS["messages"].items()}


@pytest.mark.parametrize(
    "hint", [set[str], list[str], dict[str, str], object, int | float, Sequence[Sequence[str]]]
)
def test_an_annotation_outside_the_table_is_noticed(hint: object) -> None:
    with pytest.raises((TypeError, AssertionError, ValueError)):
        read(hint)


# Names


def test_all_is_complete_and_sorted() -> None:
    assert sorted(DEFINED.keys() | BASE_NAMES) == wire.__all__


def test_what_is_exported_is_what_is_defined() -> None:
    assert {name: getattr(wire, name) for name in DEFINED} == DEFINED


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_module_exports_its_own(module: types.ModuleType) -> None:
    if module.__name__ != BASE:
        own = [name for name, value in DEFINED.items() if value.__module__ == module.__name__]
        assert sorted(own) == module.__all__


@pytest.mark.parametrize("name", sorted(DEFINED))
def test_docstring_says_something(name: str) -> None:
    doc = DEFINED[name].__doc__
    assert doc
    assert len(doc.split()) > 2
    assert doc.strip(" .\n") != name


# What every class promises


@each_class
def test_class_is_frozen_and_slotted(name: str) -> None:
    value = CLASSES[name]()
    assert not hasattr(value, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.extra = {}  # type: ignore[misc]


@each_class
def test_nothing_is_required_and_all_is_keyword_only(name: str) -> None:
    for field in attrs.fields(CLASSES[name]):
        assert field.kw_only
        assert field.init
        assert field.default is not attrs.NOTHING


@each_class
def test_extra_is_inherited_and_not_shared(name: str) -> None:
    cls = CLASSES[name]
    assert cls.__bases__ == (Message,)
    assert "extra" not in cls.__annotations__
    assert cls().extra == {}
    assert cls().extra is not cls().extra


@each_class
def test_a_list_is_absent_by_default_and_all_else_is_none(name: str) -> None:
    cls = CLASSES[name]
    value = cls()
    for field, hint in hints(cls).items():
        assert getattr(value, field) is (ABSENT if read(hint)[2] else None), field


@each_class
def test_a_list_becomes_a_tuple(name: str) -> None:
    cls = CLASSES[name]
    for field, hint in hints(cls).items():
        if read(hint)[2]:
            empty = getattr(cls(**{field: []}), field)
            assert type(empty) is tuple
            given = [sample(typing.get_args(hint)[0])]
            kept = getattr(cls(**{field: given}), field)
            assert kept == tuple(given)
            assert type(kept) is tuple


@pytest.mark.parametrize("given", ["AUDIO", b"AUDIO", ""])
def test_a_single_string_is_no_list(given: Any) -> None:
    with pytest.raises(TypeError, match="response_modalities takes a list, not a single"):
        wire.GenerationConfig(response_modalities=given)


def test_other_single_things_are_no_list_either() -> None:
    with pytest.raises(TypeError, match=r"turns takes a list, not a single str; .*send_text"):
        wire.LiveClientContent(turns="hi")
    for given in ({}, wire.Content(), None, 5):
        with pytest.raises(TypeError, match="turns takes a list, not a single"):
            wire.LiveClientContent(turns=given)  # type: ignore[arg-type]


def test_the_repr_of_unknown_fields_is_their_keys() -> None:
    value = wire.LiveServerMessage(extra={"newHandle": "s3cret", "k" * 400: 1})
    assert "s3cret" not in repr(value)
    assert repr(value).startswith("LiveServerMessage(extra=<newHandle, kkk")
    assert len(repr(value)) < 100
    many = repr(wire.Part(extra={str(number): 1 for number in range(10)}))
    assert many == "Part(extra=<0, 1, 2, 3, 4, 5, 6, 7, …>)"


# Values


def sample(hint: object, depth: int = 2) -> Any:
    """A value for an annotation; below ``depth`` messages are left empty."""
    hint = inner(hint)
    args = typing.get_args(hint)
    simple: dict[object, object] = {
        str: "text",
        bool: False,
        int: 7,
        float: 1.5,
        bytes: bytes(range(100)),
        Annotated[int, "int64"]: 2**53 + 1,
        Annotated[float, "duration"]: 4.1,
        Any: {"list": [1, None, {"deep": True}]},
    }
    if hint in simple:
        return copy.deepcopy(simple[hint])
    if typing.get_origin(hint) is Sequence:
        return [sample(args[0], depth), sample(args[0], depth)]
    if typing.get_origin(hint) is Mapping:
        return {"some_key": sample(args[1], depth)}
    assert inspect.isclass(hint)
    if issubclass(hint, Enum):
        return list(hint)[-1]
    return full(hint, depth - 1)


def full(cls: type[Message], depth: int = 2) -> Message:
    """A value with every field set."""
    if depth < 0:
        return cls()
    given = {name: sample(hint, depth) for name, hint in hints(cls).items()}
    return cls(**given, extra={"newField": [1, 2]})


@each_class
def test_equal_values_are_equal_and_have_one_hash(name: str) -> None:
    one, two = full(CLASSES[name]), full(CLASSES[name])
    assert one == two
    assert hash(one) == hash(two)
    assert one != attrs.evolve(one, extra={})
    for field, hint in hints(CLASSES[name]).items():
        assert one != attrs.evolve(one, **{field: ABSENT if read(hint)[2] else None}), field


@each_class
def test_values_survive_pickle_and_copy(name: str) -> None:
    for value in (CLASSES[name](), full(CLASSES[name])):
        for same in (
            pickle.loads(pickle.dumps(value)),
            copy.copy(value),
            copy.deepcopy(value),
        ):
            assert same == value
            for field in hints(CLASSES[name]):
                assert (getattr(same, field) is ABSENT) == (getattr(value, field) is ABSENT)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_absent_survives_pickle(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(ABSENT, protocol)) is ABSENT


def test_absent_survives_copy() -> None:
    assert copy.copy(ABSENT) is ABSENT
    assert copy.deepcopy(ABSENT) is ABSENT
    assert copy.deepcopy([ABSENT])[0] is ABSENT


def test_absent_reads_as_an_empty_sequence() -> None:
    assert list(ABSENT) == []
    assert not ABSENT
    assert len(ABSENT) == 0
    assert repr(ABSENT) == "ABSENT"


def test_an_explicit_empty_list_equals_absent_and_can_be_told_from_it() -> None:
    given = wire.LiveClientContextUpdateTools(tools=[])
    assert given == wire.LiveClientContextUpdateTools()
    assert given.tools is not ABSENT
    assert repr(given) == "LiveClientContextUpdateTools(tools=())"


# repr


def test_repr_shows_only_what_was_given() -> None:
    assert repr(wire.Part()) == "Part()"
    value = wire.Part(text="", thought=False, extra={"new": 1})
    assert repr(value) == "Part(extra=<new>, text='', thought=False)"


def test_repr_shortens_long_bytes_wherever_they_stand() -> None:
    part = wire.Part(inline_data=wire.Blob(data=bytes(4_800), mime_type="audio/pcm;rate=24000"))
    shown = repr(wire.Content(parts=[part]))
    assert "<4800 bytes>" in shown
    assert "\\x00" not in shown
    assert len(shown) < 200


def test_repr_shows_short_bytes() -> None:
    assert repr(wire.Blob(data=bytes(2))) == r"Blob(data=b'\x00\x00')"


@pytest.mark.parametrize(
    ("cls", "field"),
    [
        (wire.SessionResumptionConfig, "handle"),
        (wire.LiveServerSessionResumptionUpdate, "new_handle"),
        (wire.AuthConfig, "api_key"),
        (wire.ApiKeyConfig, "api_key_string"),
        (wire.ApiAuthApiKeyConfig, "api_key_string"),
        (wire.AuthConfigOauthConfig, "access_token"),
        (wire.AuthConfigOidcConfig, "id_token"),
        (wire.ToolExaAiSearch, "api_key"),
        (wire.ToolParallelAiSearch, "api_key"),
        (wire.StreamableHttpTransport, "headers"),
        (wire.VoiceConsentSignature, "signature"),
    ],
)
def test_repr_redacts_secrets(cls: type[Message], field: str) -> None:
    secret: object = "s3cr3t"
    if typing.get_origin(inner(hints(cls)[field])) is Mapping:
        secret = {"Authorization": "s3cr3t"}
    assert repr(cls(**{field: secret})) == f"{cls.__name__}({field}=<redacted>)"
