"""Hypothesis strategies for the whole wire: objects, and frames from faultless to hostile.

They are made from the wire classes' annotations, so they know every field. Objects have a handful
of fields each and go a few levels deep: that finds what there is to find, quickly.

* ``messages(cls)``: objects of any wire class
* ``client_messages()``, ``server_messages()``: the two roots; what ``codec.encode`` takes, and what
  the service may send
* ``frames(root)``: frames that a codec must read and give back, in every spelling that is allowed
* ``near_frames(root)``: such frames with one thing broken
* ``hostile_frames()``: what an enemy would send
* ``json_values()``, ``structs()``: free-form JSON

A codec gives a value or its error for each of them, never anything else, and soon.
"""

from __future__ import annotations

import base64
import functools
import json
import typing
from collections.abc import Callable
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from .. import wire
from ..codec._shapes import (
    enum_of,
    is_duration,
    is_enum,
    is_int64,
    is_mapping,
    is_message,
    is_sequence,
    shape_of,
    snake_case,
)
from .frames import Root

__all__ = [
    "client_messages",
    "frames",
    "hostile_frames",
    "json_values",
    "messages",
    "near_frames",
    "server_messages",
    "structs",
]

_M = TypeVar("_M", bound=wire.Message)

_MOST_FIELDS: Final = 4
_MOST_ITEMS: Final = 3
_LEVELS: Final = 4
"""Of objects in objects that are drawn freely; a frame's necessary levels come on top."""


# --- Values ---------------------------------------------------------------------------------

_INTEGERS: Final = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0, 1, 2**53 + 1, 2**63 - 1]),
)
_WIDE_INTEGERS: Final = st.one_of(_INTEGERS, st.sampled_from([2**64, -(2**63) - 1, 10**30]))
_FLOATS: Final = st.floats(allow_nan=False, allow_infinity=False)
_TEXTS: Final = st.text(max_size=20)
_DURATIONS: Final = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)
_NEW_NAMES: Final = st.integers(1, 99).map(lambda number: f"SOMETHING_NEW_{number}")
_NEW_KEYS: Final = st.integers(1, 99).flatmap(
    lambda number: st.sampled_from([f"xyzzy{number}Plugh", f"xyzzy_{number}_plugh"])
)


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, integers beyond 64 bits among them."""
    return _JSON_VALUES


def structs() -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON object."""
    return st.dictionaries(_TEXTS, _JSON_VALUES, max_size=_MOST_ITEMS)


_JSON_VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), _WIDE_INTEGERS, _FLOATS, _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=_MOST_ITEMS),
        st.dictionaries(_TEXTS, inner, max_size=_MOST_ITEMS),
    ),
    max_leaves=8,
)
_NON_NULLS: Final = _JSON_VALUES.filter(lambda value: value is not None)
_EXTRAS: Final = st.one_of(st.just({}), st.dictionaries(_NEW_KEYS, _NON_NULLS, max_size=2))


# --- Objects --------------------------------------------------------------------------------


def messages(cls: type[_M]) -> st.SearchStrategy[_M]:
    """Objects of a wire class, such as a client may send where the class is part of a message.

    They hold what comes back unchanged: whole milliseconds, unknown enum names that aren't another
    casing of a known one, unknown keys that aren't another spelling of a known one.
    """
    of: Any = cls
    drawn: st.SearchStrategy[_M] = _objects(of, _LEVELS)
    return drawn


def server_messages() -> st.SearchStrategy[wire.LiveServerMessage]:
    """Messages of the service, in any combination of fields."""
    return messages(wire.LiveServerMessage)


def client_messages() -> st.SearchStrategy[wire.LiveClientMessage]:
    """Messages that ``codec.encode`` accepts."""
    return messages(wire.LiveClientMessage)


@functools.cache
def _objects(cls: Any, levels: int) -> st.SearchStrategy[Any]:
    legal = _LEGAL.get(cls)
    return legal(levels) if legal is not None else _any_fields(cls, levels)


@st.composite
def _any_fields(
    draw: st.DrawFn,
    cls: Any,
    levels: int,
    always: dict[str, st.SearchStrategy[Any]] | None = None,
) -> Any:
    always = always or {}
    names = [
        name for name, kind in shape_of(cls).types.items() if levels > 0 or not _has_objects(kind)
    ]
    chosen = set(draw(st.lists(st.sampled_from(names), max_size=_MOST_FIELDS)) if names else ())
    fields = {
        name: draw(always[name] if name in always else _fields(cls, name, levels))
        for name in shape_of(cls).names
        if name in chosen or name in always
    }
    return cls(**fields, extra=draw(_EXTRAS))


@functools.cache
def _fields(cls: Any, name: str, levels: int) -> st.SearchStrategy[Any]:
    return _values(shape_of(cls).types[name], levels)


def _has_objects(kind: Any) -> bool:
    return is_message(kind) or any(_has_objects(part) for part in typing.get_args(kind))


def _values(kind: Any, levels: int) -> st.SearchStrategy[Any]:
    if is_message(kind):
        return _objects(kind, levels - 1)
    if is_sequence(kind):
        (item,) = typing.get_args(kind)
        return st.lists(_values(item, levels), max_size=_MOST_ITEMS).map(tuple)
    if is_mapping(kind):
        _, item = typing.get_args(kind)
        if item is Any:
            return structs()
        return st.dictionaries(_TEXTS, _values(item, levels), max_size=_MOST_ITEMS)
    members = enum_of(kind)
    if members is not None:
        return st.one_of(st.sampled_from(members), _NEW_NAMES)
    if is_int64(kind):
        return st.integers(-(2**63), 2**63 - 1)
    if is_duration(kind):
        return _DURATIONS
    return _PLAIN[kind]


_PLAIN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: _TEXTS,
    bool: st.booleans(),
    int: _INTEGERS,
    float: _FLOATS,
    bytes: st.binary(max_size=40),
    Any: _NON_NULLS,
}


# --- What the service insists on ------------------------------------------------------------

_NAMES: Final = st.text(min_size=1, max_size=20)
_SAMPLES: Final = st.binary(max_size=20).map(lambda half: half + half)
_RATES: Final = st.sampled_from([8_000, 16_000, 24_000, 48_000])


@functools.cache
def _pcm() -> st.SearchStrategy[wire.Blob]:
    mime_types = _RATES.map(lambda rate_hz: f"audio/pcm;rate={rate_hz}")
    return st.builds(wire.Blob, data=_SAMPLES, mime_type=mime_types)


@functools.cache
def _images() -> st.SearchStrategy[wire.Blob]:
    mime_types = st.sampled_from(["image/jpeg", "image/png"])
    return st.builds(wire.Blob, data=st.binary(max_size=40), mime_type=mime_types)


def _requiring(cls: Any, **always: st.SearchStrategy[Any]) -> Callable[[int], Any]:
    return lambda levels: _any_fields(cls, levels, always)


def _blobs(_levels: int) -> st.SearchStrategy[Any]:
    return st.one_of(_pcm(), _images(), st.builds(wire.Blob, data=st.binary(max_size=40)))


def _realtime(_levels: int) -> st.SearchStrategy[Any]:
    make = wire.LiveClientRealtimeInput
    return st.one_of(
        st.builds(make, audio=_pcm()),
        st.builds(make, video=_images()),
        st.builds(make, media_chunks=st.lists(_pcm(), max_size=2).map(tuple)),
        st.builds(make, text=_TEXTS),
        st.builds(make, audio_stream_end=st.booleans()),
        st.builds(make, activity_start=st.builds(wire.ActivityStart, extra=_EXTRAS)),
        st.builds(make, activity_end=st.builds(wire.ActivityEnd)),
    )


def _client_roots(levels: int) -> st.SearchStrategy[Any]:
    types_by_name = shape_of(wire.LiveClientMessage).types
    return st.sampled_from(sorted(types_by_name)).flatmap(
        lambda name: st.builds(
            wire.LiveClientMessage, **{name: _objects(types_by_name[name], levels)}
        )
    )


_LEGAL: Final[dict[Any, Callable[[int], st.SearchStrategy[Any]]]] = {
    wire.Blob: _blobs,
    wire.FunctionDeclaration: _requiring(wire.FunctionDeclaration, name=_NAMES),
    wire.FunctionResponse: _requiring(wire.FunctionResponse, id=_NAMES),
    wire.LiveClientMessage: _client_roots,
    wire.LiveClientRealtimeInput: _realtime,
    wire.LiveClientSetup: _requiring(wire.LiveClientSetup, model=_NAMES),
}


# --- Frames ---------------------------------------------------------------------------------


def frames(root: Root = wire.LiveServerMessage) -> st.SearchStrategy[str | bytes]:
    """Frames that must be read, and given back the same as ``same_frame`` sees it.

    Keys in both casings, unknown keys, nulls, both base64 alphabets with and without padding,
    numbers as text, enum names in any case and unknown ones, every form of a duration, text with
    and without escapes, in text and binary frames.
    """
    return _trees(root, _LEVELS).flatmap(_spelled)


def near_frames(root: Root = wire.LiveServerMessage) -> st.SearchStrategy[str | bytes]:
    """Frames in which one value is of another kind, or the text has lost or gained something."""
    return st.one_of(_misfits(root).flatmap(_spelled), _torn(root))


def hostile_frames() -> st.SearchStrategy[str | bytes]:
    """Frames that no honest peer sends; each must give a value or an error, soon."""
    return st.one_of(
        # By number, since Hypothesis prints its strategies, and some of these are long.
        st.integers(0, len(_HOSTILE) - 1).map(lambda number: _HOSTILE[number]),
        st.binary(max_size=60),
        st.text(max_size=60),
        st.one_of(_JSON_VALUES, structs()).flatmap(_spelled),
        st.tuples(st.integers(190, 1_200), st.sampled_from(_NESTS)).map(_nested),
        st.integers(20, 6_000).map(lambda digits: '{"goAway":{"x":' + "9" * digits + "}}"),
    )


_NESTS: Final = (
    ("{}", '{"toolCall":{"functionCalls":[{"args":{"a":', "}}]}}", "[", "]"),
    ("{}", '{"newThing":', "}", '{"a":', "}"),
    ('{"type":"STRING"}', _SETUP := '{"setup":{"model":"m","tools":[{"functionDeclarations":'
        '[{"name":"f","parameters":', "}]}]}}", '{"items":', "}"),
    ("1", "", "", "[", "]"),
)  # fmt: skip


def _nested(drawn: tuple[int, tuple[str, str, str, str, str]]) -> str:
    levels, (core, head, tail, opening, closing) = drawn
    return head + opening * levels + core + closing * levels + tail


_HOSTILE: Final[tuple[str | bytes, ...]] = (
    "",
    b"",
    " ",
    "null",
    "[]",
    '"x"',
    "{",
    "{}{}",
    "\ufeff{}",
    b"\xff\xfe{\x00}\x00",
    b'{"a":"\xe2\x82"}',
    b'{"a":"\xc0\x80"}',
    '{"a":"\\ud800"}',
    '{"a":"\ud800"}',
    '{"\\udfff":1}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-Infinity}',
    '{"a":1e999}',
    '{"a":18446744073709551616,"a":[]}',
    '{"goAway":{},"goAway":[]}',
    '{"serverContent":{"turnComplete":true,"turn_complete":false}}',
    '{"__class__":{},"__dict__":1,"extra":{"extra":2}}',
    '{"serverContent":' * 10_000,
    "[" * 10_000,
    "[" * 10_000 + "]" * 10_000,
    '{"a":' * 10_000 + "1" + "}" * 10_000,
    '{"serverContent":{"modelTurn":{"parts":[' + ",".join(["{}"] * 10_000) + "]}}}",
    '{"usageMetadata":{"totalTokenCount":' + "1" * 5_000 + "}}",
)


@st.composite
def _spelled(draw: st.DrawFn, tree: Any) -> str | bytes:
    indent, escaped = draw(st.sampled_from([(None, True), (None, False), (2, False)]))
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(tree, ensure_ascii=escaped, indent=indent, separators=separators)
    return text.encode() if draw(st.booleans()) else text


@st.composite
def _trees(draw: st.DrawFn, cls: Any, levels: int) -> dict[str, Any]:
    shape = shape_of(cls)
    names = [name for name, kind in shape.types.items() if levels > 0 or not _has_objects(kind)]
    tree: dict[str, Any] = {}
    some = st.lists(st.sampled_from(names), max_size=_MOST_FIELDS, unique=True)
    for name in draw(some) if names else ():
        keys = [key for key, (owner, _) in shape.spellings.items() if owner == name]
        # The usual key mostly; otherwise any key for it, or two.
        for key in draw(
            st.one_of(
                st.just([shape.json[name]]),
                st.just([snake_case(shape.json[name])]),
                st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True),
            )
        ):
            identifier = name in ("id", "ids")
            value = draw(st.one_of(_well_spelled(shape.types[name], levels, identifier), st.none()))
            tree[key] = value
    tree.update(draw(st.one_of(st.just({}), st.dictionaries(_NEW_KEYS, _JSON_VALUES, max_size=2))))
    return tree


def _well_spelled(kind: Any, levels: int, identifier: bool) -> st.SearchStrategy[Any]:
    if is_message(kind):
        return _trees(kind, levels - 1)
    if is_sequence(kind):
        (item,) = typing.get_args(kind)
        return st.lists(_well_spelled(item, levels, identifier), max_size=_MOST_ITEMS)
    if is_mapping(kind):
        _, item = typing.get_args(kind)
        if item is Any:
            return structs()
        return st.dictionaries(_TEXTS, _well_spelled(item, levels, False), max_size=_MOST_ITEMS)
    if is_enum(kind):
        members = enum_of(kind)
        assert members is not None
        known = st.sampled_from([member.value for member in members])
        return st.one_of(known, known.map(str.lower), known.map(str.title), _NEW_NAMES)
    if is_int64(kind) or kind is int:
        numbers = st.integers(-(2**63), 2**63 - 1)
        return st.one_of(numbers, numbers.map(str))
    if is_duration(kind):
        return _DURATION_SPELLINGS
    if identifier:
        return st.one_of(_TEXTS, _WIDE_INTEGERS)
    return _SPELLINGS[kind]


_DURATION_SPELLINGS: Final = st.one_of(
    _DURATIONS,
    st.integers(0, 10**6),
    _DURATIONS.map(lambda seconds: f"{seconds:.3f}s"),
    st.integers(0, 10**6).map(lambda seconds: f"{seconds}s"),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**9 - 1)).map(
        lambda pair: {"seconds": str(pair[0]), "nanos": pair[1]}
    ),
    st.sampled_from(["soon", "", "5", "1.5 s", {}, {"seconds": "x"}, True]),
)


@st.composite
def _base64(draw: st.DrawFn) -> str:
    data = draw(st.binary(max_size=40))
    encode = draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
    text = encode(data).decode()
    return text.rstrip("=") if draw(st.booleans()) else text


_SPELLINGS: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: _TEXTS,
    bool: st.one_of(st.booleans(), st.booleans(), st.sampled_from(["true", "no", 1, ""])),
    float: st.one_of(_FLOATS, st.integers(-1_000, 1_000), _FLOATS.map(repr)),
    bytes: _base64(),
    Any: _JSON_VALUES,
}


# --- Broken frames --------------------------------------------------------------------------

_MISFITS: Final = st.one_of(
    st.sampled_from(["oops", "!!!!", 7, -1.5, True, [], {}, [[]], [None], {"seconds": []}]),
    _JSON_VALUES,
)


@st.composite
def _misfits(draw: st.DrawFn, root: Root) -> Any:
    tree = draw(_trees(root, _LEVELS))
    places = list(_places(tree))
    if not places:
        return draw(_JSON_VALUES)
    holder, key = draw(st.sampled_from(places))
    holder[key] = draw(_MISFITS)
    return tree


def _places(tree: Any) -> typing.Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


@st.composite
def _torn(draw: st.DrawFn, root: Root) -> str | bytes:
    frame = draw(frames(root))
    data = frame if isinstance(frame, bytes) else frame.encode()
    place = draw(st.integers(0, len(data)))
    match draw(st.sampled_from(["cut", "insert", "drop", "replace"])):
        case "cut":
            return data[:place]
        case "insert":
            return data[:place] + draw(st.binary(min_size=1, max_size=3)) + data[place:]
        case "drop":
            return data[:place] + data[place + 1 :]
        case _:
            return data[:place] + draw(st.binary(min_size=1, max_size=1)) + data[place + 1 :]
