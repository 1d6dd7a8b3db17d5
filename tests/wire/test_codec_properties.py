"""Properties of the codec over everything that the strategies can think of."""

import base64
import json
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_live_trio import codec, wire
from gemini_live_trio.codec import _direct
from gemini_live_trio.codec._reading import fresh_reader
from gemini_live_trio.codec._shapes import shape_of
from gemini_live_trio.codec._writing import fresh_writer
from gemini_live_trio.errors import DecodeError
from gemini_live_trio.testing import canonical_frame, same_frame, strategies

CLASSES = [
    value
    for name in wire.__all__
    if isinstance(value := getattr(wire, name), type)
    and issubclass(value, wire.Message)
    and value is not wire.Message
]


@given(strategies.client_messages())
def test_what_a_client_writes_is_read_as_it_was(message: wire.LiveClientMessage) -> None:
    assert codec.decode_client(codec.encode(message)) == message


@given(strategies.server_messages())
def test_what_a_server_writes_is_read_as_it_was(message: wire.LiveServerMessage) -> None:
    assert codec.decode(codec.encode_server(message)) == message


@given(strategies.frames())
def test_what_came_in_can_go_out_again(frame: str | bytes) -> None:
    message = codec.decode(frame)
    assert canonical_frame(codec.encode_server(message)) == canonical_frame(frame)


@given(strategies.frames(wire.LiveClientMessage))
def test_client_frames_are_read(frame: str | bytes) -> None:
    codec.decode_client(frame)


@given(st.one_of(strategies.frames(), strategies.server_messages().map(codec.encode_server)))
def test_every_message_becomes_events(frame: str | bytes) -> None:
    message = codec.decode(frame)
    events = codec.to_events(message)
    assert all(event.message is message for event in events)


@given(
    st.one_of(
        strategies.near_frames(),
        strategies.near_frames(wire.LiveClientMessage),
        strategies.hostile_frames(),
    )
)
def test_any_input_gives_a_value_or_a_decode_error(frame: str | bytes) -> None:
    for decode in (codec.decode, codec.decode_client):
        failure: DecodeError | None = None
        try:
            assert isinstance(decode(frame), wire.Message)
        except DecodeError as error:
            failure = error
        if failure is not None:
            assert failure.__cause__ is None
            assert failure.__context__ is None
            assert len(str(failure)) < 500


@given(strategies.near_frames())
def test_what_is_read_can_be_written_whatever_it_was(frame: str | bytes) -> None:
    try:
        message = codec.decode(frame)
    except DecodeError:
        return
    assert codec.decode(codec.encode_server(message)) == message


# --- Nothing is dropped ---------------------------------------------------------------------

NAUGHTS = {bool: False, int: 0, float: 0.0, str: "", bytes: b""}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_explicit_naught_is_sent(cls: type[Any]) -> None:
    for name, kind in shape_of(cls).types.items():
        plain = getattr(kind, "__origin__", kind)  # Int64 and Duration are annotated
        if plain in NAUGHTS:
            (value,) = written(cls(**{name: NAUGHTS[plain]})).values()
            assert value in (False, 0, "", "0", "0s")


def written(message: wire.Message) -> dict[str, Any]:
    tree: dict[str, Any] = fresh_writer(strict=True).unstructure(message, type(message))
    return tree


PLACES = st.sampled_from(
    [
        "{%s}",
        '{"serverContent":{%s}}',
        '{"serverContent":{"modelTurn":{"parts":[{"text":"a"},{%s}]}}}',
        '{"serverContent":{"groundingMetadata":{"groundingChunks":[{"web":{%s}}]}}}',
        '{"usageMetadata":{"candidatesTokenCount":3,"promptTokensDetails":[{%s}]}}',
        '{"tool_call":{"function_calls":[{"args":{"b":1},%s}]}}',
    ]
)


@given(
    place=PLACES,
    key=st.one_of(st.just("new_key"), st.just("NewKey"), st.text().map(lambda text: "§" + text)),
    value=strategies.json_values().filter(lambda value: value is not None),
)
def test_unknown_keys_never_fail_and_never_vanish(place: str, key: str, value: Any) -> None:
    pair = f"{json.dumps(key)}:{json.dumps(value)}"
    message = codec.decode(place.replace("%s", pair))
    back = codec.encode_server(message)
    # As text: the key as it was spelt, the value as it was written.
    assert json.dumps({key: value}) in json.dumps([json.loads(back), *inner_objects(back, key)])


def inner_objects(frame: bytes, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def collect(item: dict[str, Any]) -> dict[str, Any]:
        if key in item:
            found.append({key: item[key]})
        return item

    json.loads(frame, object_hook=collect)
    return found


# --- The short ways agree with the long ones --------------------------------------------------

TEXTS = st.one_of(st.text(), st.sampled_from(['"', "\\", '"}]}}}', '","text":"', "\u2028", "\0"]))
ROLES = st.sampled_from([{}, {"role": "model"}, {"role": "user"}])
ENCODERS = st.sampled_from([base64.b64encode, base64.urlsafe_b64encode])


@st.composite
def deltas(draw: st.DrawFn) -> dict[str, Any]:
    """Frames as they mostly come, and some that only look like them."""
    text = draw(TEXTS)
    data = draw(ENCODERS)(draw(st.binary())).decode()
    named = draw(
        st.sampled_from([{}, {"mimeType": "audio/pcm"}, {"mimeType": "audio/pcm;rate=24000"}])
    )
    part = draw(
        st.sampled_from(
            [
                {"inlineData": {**named, "data": data}},
                {"inlineData": {"data": data, **named}},
                {"text": text},
                {"text": text, "thought": True},
                {"inlineData": {"data": data, **named, "text": text}},
                {"functionCall": {"args": {"data": data, "text": text}}},
            ]
        )
    )
    turn = {"modelTurn": {"parts": [part], **draw(ROLES)}}
    language = draw(st.sampled_from([{}, {"languageCode": "fr"}]))
    return draw(
        st.sampled_from(
            [
                {"serverContent": turn},
                {"serverContent": {"outputTranscription": {"text": text, **language}}},
                {"serverContent": {"inputTranscription": {**language, "text": text}}},
                {"serverContent": {"outputTranscription": {"text": text}, **turn}},
                {"serverContent": {**turn, "turnComplete": True}},
                {"serverContent": turn, "usageMetadata": {"totalTokenCount": 1}},
                {"toolCall": {"functionCalls": [{"name": "f", "args": {"data": data}}]}},
                {"mystery": {"text": text}},
            ]
        )
    )


@given(st.lists(deltas(), min_size=2, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_the_short_way_in_is_the_long_way(
    trees: list[dict[str, Any]], indent: int | None, escaped: bool
) -> None:
    _direct._known.clear()
    separators = (",", ": ") if indent else (",", ":")
    for tree in trees:
        frame = json.dumps(tree, indent=indent, separators=separators, ensure_ascii=escaped)
        # Text never goes the short way; the second time the surroundings are known.
        expected = codec.decode(frame)
        for _ in range(2):
            message = codec.decode(frame.encode())
            assert message == expected
            assert repr(message) == repr(expected)
            assert list(codec.to_events(message)) == list(codec.to_events(expected))
    assert same_frame(codec.encode_server(message), frame)


@given(st.binary(min_size=1, max_size=12), st.binary(max_size=12))
@example(b'"}},"x":{"data":"', b"")
@example(b"\\u0041AAA", b"")
@example(b"A\n", b"")
@example(b'a","text":"b', b'"')
def test_nothing_gets_past_the_short_way(middle: bytes, tail: bytes) -> None:
    _direct._known.clear()
    for start, end in (
        (b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"', b'"}}]}}}'),
        (b'{"serverContent":{"modelTurn":{"parts":[{"text":"', b'"}]}}}'),
    ):
        codec.decode(start + b"AAAA" + end)
        assert codec.decode(start + b"BBBB" + end) == codec.decode((start + b"BBBB" + end).decode())
        frame = start + middle + end + tail
        assert outcome(frame) == outcome(frame.decode("utf-8", "surrogateescape"))


PLAIN = [
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"","mimeType":"a"}}]}}}',
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"a","data":""}}]}}}',
    b'{"serverContent":{"modelTurn":{"parts":[{"text":""}]}}}',
    b'{"serverContent": {"outputTranscription": {"text": ""}}}',
    b'{"serverContent":{"inputTranscription":{"text":"","languageCode":"de"}}}',
]


@pytest.mark.parametrize("plain", PLAIN)
def test_plain_frames_that_lack_or_repeat_something(plain: bytes) -> None:
    _direct._known.clear()
    key = plain.find(b'"data"') if b'"data"' in plain else plain.find(b'"text"')
    start = plain.index(b'"', key + 7) + 1
    head, tail = plain[:start], plain[start:]
    for known in (b"AAAA", b"BBBB"):
        codec.decode(head + known + tail)
    for middle in (b"", b"CCCC", b'"', b"\\", b'\\"'):
        for cut in range(-len(head), len(tail) + 1):
            # A piece of the head, or of the tail, is missing or there twice.
            pieces = (head[:cut] if cut < 0 else head, tail[cut:] if cut > 0 else tail)
            doubled = (head + head[cut:] if cut < 0 else head, tail[:cut] + tail)
            for before, after in (pieces, doubled):
                frame = before + middle + after
                assert outcome(frame) == outcome(frame.decode())


@given(st.sampled_from(PLAIN), st.data())
def test_mutated_frames_are_read_alike(plain: bytes, data: st.DataObject) -> None:
    codec.decode(plain)
    place = data.draw(st.integers(0, len(plain)))
    width = data.draw(st.integers(0, 3))
    frame = plain[:place] + data.draw(st.binary(max_size=3)) + plain[place + width :]
    assert outcome(frame) == outcome(frame.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("text", ["AB/+", "CD+/"])
def test_a_second_string_that_says_the_same_is_noticed(text: str) -> None:
    _direct._known.clear()
    frame = '{"serverContent":{"modelTurn":{"parts":[{"text":"%s","text":"%s"}]}}}'
    codec.decode((frame % (text, text)).encode())
    other = frame % ("other", text)
    assert codec.decode(other.encode()) == codec.decode(other)


def outcome(frame: str | bytes) -> object:
    try:
        return codec.decode(frame)
    except DecodeError as error:
        return error.path


def test_the_memory_of_the_short_way_is_bounded() -> None:
    _direct._known.clear()
    for number in range(200):
        for role in range(20):
            tree = {"parts": [{"text": "a"}], "role": f"r{role}"}
            frame = {"serverContent": {"modelTurn": tree, "partial": number}}
            for _ in range(2):
                codec.decode(json.dumps(frame, separators=(",", ":")).encode())
                codec.decode(json.dumps({"n": number, **frame}, separators=(",", ":")).encode())
    assert len(_direct._known) <= 32
    assert all(len(tails) <= 8 for tails in _direct._known.values())
    _direct._known.clear()


@given(st.binary().map(lambda half: half * 2), st.integers(1, 200_000))
def test_the_short_way_out_is_the_long_way(pcm: bytes, rate_hz: int) -> None:
    blob = wire.Blob(data=pcm, mime_type=f"audio/pcm;rate={rate_hz}")
    realtime_input = wire.LiveClientRealtimeInput(audio=blob)
    message = wire.LiveClientMessage(realtime_input=realtime_input)
    assert codec.encode_audio(pcm, rate_hz=rate_hz) == codec.encode(message)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_objects_made_by_reading_are_like_any_other(cls: type[Any]) -> None:
    read = fresh_reader(exact=False).structure({}, cls)
    made = cls()
    assert type(read) is cls
    assert read == made
    assert repr(read) == repr(made)
    assert attrs.asdict(read) == attrs.asdict(made)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read.extra = {}


@given(st.data())
def test_every_class_has_a_strategy(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from(CLASSES))
    assert isinstance(data.draw(strategies.messages(cls)), cls)


# --- The measure itself -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"goAway": {"timeLeft": "1.50s"}}, {"go_away": {"time_left": 1.5}}, True),
        ({"goAway": {"timeLeft": "1.5s"}}, {"goAway": {"timeLeft": "1.6s"}}, False),
        ({"goAway": {}}, {}, False),
        ({"serverContent": {"turnComplete": False}}, {"serverContent": {}}, True),
        ({"serverContent": {"turnComplete": "false"}}, {"serverContent": {}}, False),
        ({"toolCall": {"functionCalls": []}}, {"toolCall": {}}, True),
        (
            {"toolCall": {"functionCalls": [{"id": 4}]}},
            {"toolCall": {"functionCalls": [{"id": "4"}]}},
            True,
        ),
        (
            {"toolCall": {"functionCalls": [{"args": {"a": 1}}]}},
            {"toolCall": {"functionCalls": [{"args": {"a": 1.0}}]}},
            False,
        ),
        (
            {"toolCall": {"functionCalls": [{"args": {"a_b": 0}}]}},
            {"toolCall": {"functionCalls": [{"args": {"aB": 0}}]}},
            False,
        ),
        (
            {"toolCall": {"functionCalls": [{"args": {"a": None}}]}},
            {"toolCall": {"functionCalls": [{"args": {}}]}},
            False,
        ),
        (
            {"usageMetadata": {"totalTokenCount": "5"}},
            {"usageMetadata": {"totalTokenCount": 5.0}},
            True,
        ),
        ({"usageMetadata": {"totalTokenCount": 0}}, {"usageMetadata": {}}, True),
        ({"new_key": {"inner_key": 0, "n": None}}, {"newKey": {}}, True),
        ({"newKey": [1]}, {"newKey": [2]}, False),
        ({"interactionStatus": "idle"}, {"interaction_status": "IDLE"}, True),
        (
            {"serverContent": {"modelTurn": {"parts": [{"thoughtSignature": "-_8"}]}}},
            {"serverContent": {"modelTurn": {"parts": [{"thoughtSignature": "+/8="}]}}},
            True,
        ),
        (
            {"serverContent": {"modelTurn": {"parts": [{"thoughtSignature": "!"}]}}},
            {"serverContent": {"modelTurn": {"parts": [{"thoughtSignature": "?"}]}}},
            False,
        ),
    ],
)
def test_when_frames_are_the_same(
    first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    assert same_frame(first, second) is same
    assert same_frame(json.dumps(second), json.dumps(first).encode()) is same


def test_client_frames_have_no_absent_defaults() -> None:
    empty: dict[str, Any] = {"contextUpdate": {"tools": {}}}
    none: dict[str, Any] = {"contextUpdate": {"tools": {"tools": []}}}
    assert not same_frame(empty, none, root=wire.LiveClientMessage)
