"""The official SDK's types and ours, held against each other with random messages.

Left out, with the reasons:

* ``serverContent.speechState``, ``interactionStatus`` and ``error`` at the top: documented or seen,
  but in no SDK;
* ``setup.realtimeInputConfig``: on the wire, but only the SDK's converter knows it, not its type;
* ``modelConfig`` and ``TextResponseFormat.schema``: the SDK's converter writes them, its types call
  them ``modelSelectionConfig`` and ``jsonSchema``;
* ``partialArgs.nullValue``: an enum with one member there, text here;
* ``Interval``: times there, RFC 3339 text here, and random text is no time;
* unknown fields, which its types refuse.
"""

import json
import warnings
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import codec, wire
from gemini_live_trio.codec._shapes import (
    enum_of,
    is_duration,
    is_int64,
    is_mapping,
    is_message,
    is_sequence,
    shape_of,
)
from gemini_live_trio.testing import strategies

# It warns of enum names that it doesn't know, of its own future, and on import.
pytestmark = pytest.mark.filterwarnings("ignore")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.genai")


# --- Its messages, our decoder --------------------------------------------------------------

ONLY_OURS = {
    "LiveServerContent": {"speech_state"},
    "LiveServerMessage": {"interaction_status", "error"},
}
TEXTS = st.text(max_size=12)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bytes: st.binary(max_size=12),
}


@st.composite
def their_messages(draw: st.DrawFn, cls: type[wire.Message], levels: int) -> Any:
    shape = shape_of(cls)
    names = [name for name in shape.names if name not in ONLY_OURS.get(cls.__name__, ())]
    chosen = draw(st.lists(st.sampled_from(names), max_size=4, unique=True)) if names else []
    fields = {
        name: draw(their_values(shape.types[name], levels))
        for name in chosen
        if levels > 0 or not contains_messages(shape.types[name])
    }
    if fields.get("null_value") is not None:
        fields["null_value"] = "NULL_VALUE"  # the only one that its type has
    return getattr(genai.types, cls.__name__)(**fields)


def their_values(kind: Any, levels: int) -> st.SearchStrategy[Any]:
    if is_message(kind):
        return their_messages(kind, levels - 1)
    if is_sequence(kind):
        return st.lists(their_values(get_args(kind)[0], levels), max_size=2)
    if is_mapping(kind):
        return st.dictionaries(TEXTS, strategies.json_values(), max_size=2)
    members = enum_of(kind)
    if members is not None:
        return st.sampled_from([member.value for member in members])
    if is_duration(kind):
        return st.integers(0, 10**6).map(lambda milliseconds: f"{milliseconds / 1000}s")
    if is_int64(kind):
        return st.integers(0, 2**63 - 1)
    return PLAIN[kind]


def contains_messages(kind: Any) -> bool:
    return is_message(kind) or any(contains_messages(part) for part in get_args(kind))


@given(their_messages(wire.LiveServerMessage, 5))
def test_its_server_messages_are_read_with_the_same_values(theirs: Any) -> None:
    ours = codec.decode(theirs.model_dump_json(by_alias=True, exclude_none=True))
    assert list(differences(ours, theirs, "")) == []


def differences(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    for name, kind in shape_of(type(ours)).types.items():
        if name not in ONLY_OURS.get(type(ours).__name__, ()):
            yield from unequal(getattr(ours, name), getattr(theirs, name), kind, f"{path}.{name}")


def unequal(ours: Any, theirs: Any, kind: Any, path: str) -> Iterator[str]:
    if theirs is None:
        if ours not in (None, ()):
            yield f"{path}: {ours!r} is not None"
    elif is_message(kind):
        yield from differences(ours, theirs, path)
    elif is_sequence(kind):
        (item,) = get_args(kind)
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} is not {len(theirs)}"
        for one, other in zip(ours, theirs, strict=True):
            yield from unequal(one, other, item, f"{path}[]")
    else:
        value = getattr(theirs, "value", theirs)
        if is_duration(kind):
            value = float(value.removesuffix("s"))
        if ours != value:
            yield f"{path}: {ours!r} is not {theirs!r}"


# The SDK names the few values that two text fields may have.
ONLY_TEXT_OR_OURS = {"realtime_input_config", "null_value", "model_routing_preference"}

# --- Our messages, its types ------------------------------------------------------------------


@given(strategies.client_messages())
def test_our_client_messages_are_valid_there(message: wire.LiveClientMessage) -> None:
    tree = as_its_types_have_it(json.loads(codec.encode(message)), wire.LiveClientMessage)
    genai.types.LiveClientMessage.model_validate(tree)


def as_its_types_have_it(value: Any, kind: Any) -> Any:
    """Take out what its types lack, and unknown fields."""
    if is_message(kind):
        shape = shape_of(kind)
        renamed = {"modelConfig": "modelSelectionConfig"}
        if kind is wire.TextResponseFormat:
            renamed["schema"] = "jsonSchema"
        return {
            renamed.get(key, key): as_its_types_have_it(value[key], shape.types[name])
            for name, key in shape.json.items()
            if key in value and kind is not wire.Interval and name not in ONLY_TEXT_OR_OURS
        }
    if is_sequence(kind):
        return [as_its_types_have_it(item, get_args(kind)[0]) for item in value]
    if is_mapping(kind) and is_message(get_args(kind)[1]):
        return {key: as_its_types_have_it(item, get_args(kind)[1]) for key, item in value.items()}
    return value
