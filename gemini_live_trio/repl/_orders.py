"""What a line of JSON asks for, in ``--json-input``."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import attrs

from .. import codec, wire
from ..errors import DecodeError

__all__ = [
    "AnswerCalls",
    "BadOrder",
    "EndSound",
    "Hear",
    "Interrupt",
    "Order",
    "Quit",
    "Reconnect",
    "Say",
    "See",
    "SendFile",
    "Wait",
    "read_order",
]

LONGEST_WAIT: Final = 86_400.0
"""Seconds, a day."""


class BadOrder(Exception):
    """A line can't be carried out; the text says why."""


@attrs.frozen
class Say:
    """Say something in writing."""

    text: str


@attrs.frozen
class SendFile:
    """Show a picture, or speak a recording."""

    path: Path


@attrs.frozen
class Hear:
    """Let the model hear a piece of sound: signed 16-bit little-endian mono."""

    pcm: bytes
    rate_hz: int


@attrs.frozen
class EndSound:
    """Say that the microphone pauses."""


@attrs.frozen
class See:
    """Let the model see an encoded picture."""

    data: bytes
    mime_type: str


@attrs.frozen
class AnswerCalls:
    """Give what functions gave."""

    responses: Sequence[wire.FunctionResponse]


@attrs.frozen
class Interrupt:
    """Have the model fall silent."""


@attrs.frozen
class Reconnect:
    """Move to a new connection."""


@attrs.frozen
class Wait:
    """Wait before the next order."""

    until: str | float
    """``"turn"``, ``"idle"``, or a number of seconds."""


@attrs.frozen
class Quit:
    """Leave at once."""


Order: TypeAlias = (
    Say | SendFile | Hear | EndSound | See | AnswerCalls | Interrupt | Reconnect | Wait | Quit
)


def read_order(line: str) -> Order:
    """Read a line.

    Raises:
      BadOrder: It is none.
    """
    try:
        given = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise BadOrder(f"This isn't JSON: {reason}.") from None
    if not isinstance(given, dict):
        raise BadOrder('An order is a JSON object, such as {"text": "Hello"}.')
    names = [name for name in given if name in _READERS]
    if len(names) > 1:
        raise BadOrder(f"These are two orders, {names[0]} and {names[1]}; give each its own line.")
    if not names:
        raise BadOrder(_unknown(given))
    (name,) = names
    reader, companions = _READERS[name]
    for key in given:
        if key != name and key not in companions:
            raise BadOrder(f"{name} doesn't go with {key!r}.")
    return reader(given.pop(name), given)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _unknown(given: Mapping[str, Any]) -> str:
    if not given:
        return "The object is empty; an order is one of " + ", ".join(_READERS) + "."
    word = next(iter(given))
    near = difflib.get_close_matches(word, _READERS, 1)
    hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(_READERS)}."
    return f"There is no order {word!r}; {hint}"


def _text(value: Any, _: Mapping[str, Any]) -> Order:
    text = _string("text", value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadOrder("text has half a character in it (a lone surrogate).") from None
    return Say(text)


def _file(value: Any, _: Mapping[str, Any]) -> Order:
    return SendFile(Path(_string("file", value)))


def _audio(value: Any, given: Mapping[str, Any]) -> Order:
    rate_hz = given.get("rate_hz", 16_000)
    if type(rate_hz) is not int or not 1_000 <= rate_hz <= 768_000:
        raise BadOrder("rate_hz must be a whole number from 1,000 to 768,000.")
    pcm = _bytes("audio", value)
    if len(pcm) % 2:
        raise BadOrder("audio ends in the middle of a sample: it has an odd number of bytes.")
    return Hear(pcm, rate_hz)


def _video(value: Any, given: Mapping[str, Any]) -> Order:
    return See(_bytes("video", value), _string("mime_type", given.get("mime_type", "image/jpeg")))


def _tool_response(value: Any, _: Mapping[str, Any]) -> Order:
    responses = value if isinstance(value, list) else [value]
    frame = json.dumps({"toolResponse": {"functionResponses": responses}})
    try:
        answer = codec.decode_client(frame).tool_response
    except DecodeError as error:
        where = error.path.rpartition("functionResponses")[2].partition(".")[2] or "tool_response"
        raise BadOrder(f"{where}: expected {error.expected}, found {error.found}.") from None
    assert answer is not None
    for response in answer.function_responses:
        if response.extra:
            raise BadOrder(
                f"tool_response doesn't know {next(iter(response.extra))!r}; it takes id, name, "
                "response, scheduling and will_continue."
            )
        if not response.id:
            raise BadOrder("tool_response needs the id of the call that it answers.")
        if response.response is None:
            raise BadOrder('tool_response needs a response, an object such as {"output": 21}.')
    if not answer.function_responses:
        raise BadOrder("tool_response answers nothing.")
    return AnswerCalls(answer.function_responses)


def _wait(value: Any, _: Mapping[str, Any]) -> Order:
    if value in ("turn", "idle"):
        return Wait(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        if value <= LONGEST_WAIT:
            return Wait(float(value))
        raise BadOrder(f"wait takes {LONGEST_WAIT:,.0f} seconds at most, a day.")
    raise BadOrder('wait takes "turn", "idle" or a number of seconds.')


def _plain(name: str, order: Order) -> Callable[[Any, Mapping[str, Any]], Order]:
    def read(value: Any, _: Mapping[str, Any]) -> Order:
        if value is not True:
            raise BadOrder(f'{name} takes true and nothing else: {{"{name}": true}}.')
        return order

    return read


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadOrder(f"{name} must be a text with something in it.")
    return value


def _bytes(name: str, value: Any) -> bytes:
    try:
        data = base64.b64decode(_string(name, value), validate=True)
    except (binascii.Error, ValueError):
        raise BadOrder(f"{name} must be base64.") from None
    return data


_READERS: Final[Mapping[str, tuple[Callable[[Any, Mapping[str, Any]], Order], Sequence[str]]]] = {
    "text": (_text, ()),
    "file": (_file, ()),
    "audio": (_audio, ("rate_hz",)),
    "audio_stream_end": (_plain("audio_stream_end", EndSound()), ()),
    "video": (_video, ("mime_type",)),
    "tool_response": (_tool_response, ()),
    "interrupt": (_plain("interrupt", Interrupt()), ()),
    "reconnect": (_plain("reconnect", Reconnect()), ()),
    "wait": (_wait, ()),
    "quit": (_plain("quit", Quit()), ()),
}
"""How the value of each order is read, and which keys may stand beside it."""
