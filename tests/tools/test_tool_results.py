"""What a tool gave, or how it failed, as the answer to its call."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import json
import pathlib
import types
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import codec, wire
from gemini_live_trio.errors import ConfigError, ToolError
from gemini_live_trio.tools import ArgumentsError, ToolMedia
from gemini_live_trio.tools._results import LIMIT_BYTES, MEDIA_LIMIT_BYTES, answer, failure

PNG = b"\x89PNG\r\n\x1a\n"


class Color(enum.Enum):
    RED = "red"


class Shape(enum.Enum):
    DOT = (0, 0)


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Point:
    x: float
    tags: set[str] = field(default_factory=set)


@attrs.frozen
class Address:
    street: str
    at: Point | None = None
    _country: str = "DE"


class Pair(NamedTuple):
    left: int
    right: object


@pytest.mark.parametrize(
    ("result", "response"),
    [
        ("sunny", {"output": "sunny"}),
        (21, {"output": 21}),
        (21.5, {"output": 21.5}),
        (False, {"output": False}),
        (0, {"output": 0}),
        ([1, "a", None], {"output": [1, "a", None]}),
        ({"celsius": 21}, {"celsius": 21}),
        ({"output": 3}, {"output": 3}),
        ({"output": 3, "error": None}, {"output": 3, "error": None}),
        # The service would look at the one key only.
        ({"output": 3, "unit": "C"}, {"output": {"output": 3, "unit": "C"}}),
        ({"error": 0.1, "mean": 3}, {"output": {"error": 0.1, "mean": 3}}),
        (
            Address("s", Point(1.0, {"b", "a"})),
            {"street": "s", "at": {"x": 1.0, "tags": ["a", "b"]}, "country": "DE"},
        ),
        ([Point(1.0)], {"output": [{"x": 1.0, "tags": []}]}),
        (Pair(1, Color.RED), {"left": 1, "right": "red"}),
        ((1, 2), {"output": [1, 2]}),
        ({3, 1}, {"output": [1, 3]}),
        (frozenset(["a"]), {"output": ["a"]}),
        (collections.deque([1]), {"output": [1]}),
        (range(3), {"output": [0, 1, 2]}),
        ({"a": 1}.values(), {"output": [1]}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (
            {1: "a", Color.RED: "b", datetime.date(2026, 1, 31): "c"},
            {"1": "a", "red": "b", "2026-01-31": "c"},
        ),
        (Color.RED, {"output": "red"}),
        (Shape.DOT, {"output": "DOT"}),
        (Rights.READ | Rights.WRITE, {"output": 3}),
        (
            datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
            {"output": "2026-01-31T12:00:00+00:00"},
        ),
        (datetime.time(18, 30), {"output": "18:30:00"}),
        (pathlib.Path("a/b"), {"output": "a/b"}),
        (uuid.UUID(int=1), {"output": "00000000-0000-0000-0000-000000000001"}),
        (decimal.Decimal("12.50"), {"output": "12.50"}),
        (2**64 - 1, {"output": 2**64 - 1}),
        (-(2**63), {"output": -(2**63)}),
    ],
)  # fmt: skip
def test_a_result_becomes_an_object(result: object, response: Mapping[str, Any]) -> None:
    made = answer(result)
    assert made.response == response
    assert not made.failed
    assert made.error is None
    assert made.parts == ()


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (None, "done"),
        ("", "(empty text)"),
        ([], "(empty list)"),
        (set(), "(empty list)"),
        ({}, "(empty object)"),
    ],
)
def test_nothing_is_said_in_words(result: object, told: str) -> None:
    # A model that is told nothing tends to call again.
    assert answer(result).response == {"output": told}
    assert not answer(result).failed


def test_a_tool_can_say_itself_that_it_failed() -> None:
    assert answer({"error": "no such city"}).failed
    assert not answer({"output": 1, "error": "half of it"}).failed


def _itself() -> list[object]:
    inner: list[object] = []
    inner.append({"again": inner})
    return inner


def _deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def _numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (b"abc", "it holds bytes; a tool gives media as ToolMedia, and text as text"),
        (
            {"photo": [memoryview(b"a")]},
            "photo[0] holds bytes; a tool gives media as ToolMedia, and text as text",
        ),
        (float("nan"), "it is nan, which JSON doesn't have"),
        ({"a": {"b": [1, float("-inf")]}}, "a.b[1] is -inf, which JSON doesn't have"),
        (2**64, "it holds an integer beyond 64 bits; a tool may give it as text"),
        (-(2**63) - 1, "it holds an integer beyond 64 bits; a tool may give it as text"),
        ({(1, 2): 3}, "it has a key of type tuple; keys are text"),
        ({None: 3}, "it has a key of type NoneType; keys are text"),
        ({1: "a", "1": "b"}, "it has two keys that are 1 in JSON"),
        (_itself(), "[0].again contains itself"),
        (object(), "it holds an object of type object"),
        ({"f": print}, "f holds an object of type builtin_function_or_method"),
        (_numbers(), "it holds an object of type generator"),
        ("half \ud800", "it holds half of a surrogate pair, which isn't Unicode"),
        (wire.Blob(mime_type="image/png"), "it holds media without data or without a MIME type"),
        (Point(float("inf")), "x is inf, which JSON doesn't have"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_a_failure_in_words(result: object, told: str) -> None:
    made = answer(result)
    assert made.response == {"error": f"The tool's result can't be sent: {told}."}
    assert made.failed
    assert made.error is not None


def test_depth_is_bounded_where_a_frame_can_still_hold_it() -> None:
    made = answer(_deep(150))
    assert not made.failed
    response = wire.FunctionResponse(id="1", name="f", response=made.response)
    answers = wire.LiveClientToolResponse(function_responses=[response])
    frame = codec.encode(wire.LiveClientMessage(tool_response=answers))
    assert codec.decode_client(frame).tool_response is not None
    assert answer(_deep(151)).response == {
        "error": f"The tool's result can't be sent: {'[0]' * 12}… has more than 150 levels."
    }
    assert answer(_deep(100_000)).failed


@pytest.mark.parametrize(
    "result",
    ["x" * LIMIT_BYTES, ["x" * 1000] * 1000, list(range(LIMIT_BYTES)), {"ü" * LIMIT_BYTES: 1}],
)
def test_a_huge_result_is_a_failure_and_not_cut(result: object) -> None:
    made = answer(result)
    assert made.response == {
        "error": "The tool's result can't be sent: it is longer than 262,144 bytes; ask for less "
        "at a time."
    }
    assert made.failed


class Counted(collections.abc.Sequence[int]):
    """Counts how far it was read."""

    def __init__(self) -> None:
        self.read = 0

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return 1


def test_a_result_is_not_read_far_beyond_the_limit() -> None:
    result = Counted()
    assert answer(result, limit_bytes=1000).failed
    assert result.read <= 501
    assert answer(range(10**12)).failed


def test_the_limit_counts_bytes_to_the_last_one() -> None:
    result = "ü" * 100
    exact = len(json.dumps({"output": result}, ensure_ascii=False, separators=(",", ":")).encode())
    assert not answer(result, limit_bytes=exact).failed
    assert answer(result, limit_bytes=exact - 1).failed


class Broken(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise OSError("/vault/secret")

    def __iter__(self) -> Iterator[str]:
        yield "a"

    def __len__(self) -> int:
        return 1


def test_a_result_whose_own_code_fails_is_a_failure() -> None:
    made = answer(Broken())
    assert made.response == {"error": "The tool failed (OSError)."}
    assert isinstance(made.error, OSError)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    )
)
def test_json_comes_through_unchanged(result: Any) -> None:
    made = answer(result)
    assert not made.failed or "error" in result
    assert made.response
    if result not in (None, "", [], {}):
        assert result in (made.response, made.response.get("output"))
        assert json.loads(json.dumps(made.response)) == made.response


@given(st.from_type(object) | st.from_type(type))
def test_no_result_raises(result: object) -> None:
    made = answer(result)
    assert made.response
    json.dumps(made.response, allow_nan=False)


# --- Media ------------------------------------------------------------------------------------


def test_media_travel_beside_the_json() -> None:
    made = answer({"text": "the map", "map": ToolMedia(PNG, mime_type="image/png")})
    assert made.response == {"text": "the map", "map": "(image/png, attached as media-1)"}
    (part,) = made.parts
    assert part.inline_data == wire.FunctionResponseBlob(
        data=PNG, mime_type="image/png", display_name="media-1"
    )


def test_media_alone_are_a_result() -> None:
    made = answer(ToolMedia(b"RIFF", mime_type="audio/wav", name="the note"))
    assert made.response == {"output": "(audio/wav, attached as the note)"}
    assert not made.failed
    (part,) = made.parts
    assert part.inline_data is not None
    assert part.inline_data.display_name == "the note"


def test_the_wires_own_media_are_taken() -> None:
    blobs = [
        wire.Blob(data=PNG, mime_type="image/png"),
        wire.FunctionResponseBlob(data=b"%PDF", mime_type="application/pdf", display_name="bill"),
    ]
    made = answer(Pair(1, blobs))
    assert made.response["right"] == [
        "(image/png, attached as media-1)",
        "(application/pdf, attached as bill)",
    ]
    assert len(made.parts) == 2


def test_media_are_bounded() -> None:
    half = ToolMedia(bytes(MEDIA_LIMIT_BYTES // 2), mime_type="image/png")
    assert not answer([half, half]).failed
    made = answer([half, half, ToolMedia(b"a", mime_type="image/png")])
    assert made.failed
    assert made.parts == ()


@pytest.mark.parametrize("mime_type", ["", "png", "image/", "/png"])
def test_media_need_a_mime_type(mime_type: str) -> None:
    with pytest.raises(ConfigError, match="MIME type"):
        ToolMedia(PNG, mime_type=mime_type)


def test_media_need_data() -> None:
    with pytest.raises(ConfigError, match="bytes"):
        ToolMedia(b"", mime_type="image/png")


def test_media_are_not_printed() -> None:
    assert repr(ToolMedia(b"a" * 99, mime_type="image/png")) == (
        "ToolMedia(data=<99 bytes>, mime_type='image/png', name='')"
    )


# --- Failures ---------------------------------------------------------------------------------


def test_a_tool_error_speaks_in_exactly_its_words() -> None:
    error = ToolError("There is no lamp in the attic.")
    made = failure(error)
    assert made.response == {"error": "There is no lamp in the attic."}
    assert made.failed
    assert made.error is error


def test_wrong_arguments_are_told() -> None:
    made = failure(ArgumentsError(["city: missing"]))
    assert made.response == {"error": "The arguments don't fit: city: missing"}


@pytest.mark.parametrize(
    "error",
    [
        OSError("can't open /vault/id_rsa"),
        ValueError("invalid literal for int() with base 10: 'hunter2'"),
        KeyError("password"),
        ExceptionGroup("secret", [ValueError("secret"), ToolError("told")]),
    ],
)
def test_other_exceptions_keep_their_words_to_themselves(error: Exception) -> None:
    made = failure(error)
    assert made.response == {"error": f"The tool failed ({type(error).__name__})."}
    assert made.error is error


def test_a_tool_error_out_of_a_nursery_speaks_too() -> None:
    group = ExceptionGroup("", [ExceptionGroup("", [ToolError("No lamp.")]), ToolError("No sofa.")])
    assert failure(group).response == {"error": "No lamp. No sofa."}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "The tool failed."),
        ("half \ud800", "half ?"),
        ("x" * 10_000, "x" * 4095 + "…"),
    ],
)
def test_what_a_tool_error_says_can_be_sent(words: str, told: str) -> None:
    assert failure(ToolError(words)).response == {"error": told}


def test_an_error_that_can_not_be_told_is_told_of_all_the_same() -> None:
    class Mute(ToolError):
        def __str__(self) -> str:
            raise ValueError("it has no words")

    assert failure(Mute()).response == {"error": "The tool failed (Mute)."}
