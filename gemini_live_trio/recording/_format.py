"""The lines of a recording, and what they are in Python.

A recording is UTF-8 text, one JSON object a line. The first line is the header; each of the others
is one happening, in the order in which they happened. ``t`` is in seconds since the header's
``begun``::

    {"gemini_live_recording": 1, "begun": "2026-11-22T12:00:00.000Z", "by": "...", "media": "hash"}
    {"t": 0.01, "connection": 1, "opened": "/ws/...BidiGenerateContent", "backend": "gemini"}
    {"t": 0.02, "connection": 1, "from": "client", "opcode": "text", "json": {"setup": {...}}}
    {"t": 0.25, "connection": 1, "from": "server", "opcode": "binary", "json": {...}}
    {"t": 0.31, "connection": 1, "from": "client", "opcode": "text", "raw": "no JSON"}
    {"t": 0.40, "lost": 3}
    {"t": 9.00, "connection": 1, "ended": "client", "code": 1000, "reason": ""}
    {"t": 9.10, "complete": true}

``raw`` is the text of a text frame, and base64 of a binary one. A file without the last line was
cut off: the program that wrote it was stopped, or the disk was full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import attrs
import orjson
import pybase64

from .. import codec, events, wire
from .._redact import MediaMode, Redactor, check_marker, check_markers, parse, restore
from ..errors import DecodeError
from ._shown import shown

__all__ = [
    "VERSION",
    "Ended",
    "Ender",
    "Frame",
    "Happening",
    "Header",
    "Incomplete",
    "Lost",
    "Opcode",
    "Opened",
    "Sender",
    "dump",
    "frame_fields",
    "read_happening",
    "read_header",
]

VERSION: Final = 1
LONGEST_RAW: Final = 4_096
"""Bytes of a frame that isn't JSON which are written where media are left out."""
LONGEST: Final = 1e9
"""Seconds that a recording may last."""
_LARGEST: Final = 2**53
_LARGEST_CODE: Final = 2**16 - 1

Sender: TypeAlias = Literal["client", "server"]
Ender: TypeAlias = Literal["client", "server", "nobody"]
Opcode: TypeAlias = Literal["text", "binary"]


@attrs.frozen
class Header:
    """How a recording begins.

    Attributes:
      begun: The time of day at which it begins.
      by: Which program wrote it.
      media: Whether sounds and pictures are ``"whole"`` in it, or their ``"hash"``.
      version: Of the format.
    """

    begun: datetime
    by: str
    media: MediaMode
    version: int = VERSION


@attrs.frozen
class Opened:
    """A WebSocket was opened.

    Attributes:
      time: Seconds since the recording began.
      connection: Its number, from 1.
      path: What was asked for, without the credentials in it.
      backend: ``"gemini"`` or ``"vertex"``; empty if unknown.
      line: In the file, from 1.
    """

    time: float
    connection: int
    path: str
    backend: str
    line: int = 0


@attrs.define(frozen=True, slots=False)
class Frame:
    """One message of a WebSocket.

    Attributes:
      time: Seconds since the recording began: when it was written, or when it arrived.
      connection: The number of its connection.
      sender: ``"client"`` or ``"server"``.
      opcode: ``"text"`` or ``"binary"``.
      json: The frame's JSON as it stands in the file, with markers in place of media; ``None`` if
        it isn't JSON.
      raw: What stands there instead: text, or base64 of a binary frame.
      line: In the file, from 1.
    """

    time: float
    connection: int
    sender: Sender
    opcode: Opcode
    json: Any = attrs.field(default=None, repr=False)
    raw: Any = attrs.field(default=None, repr=False)
    line: int = 0

    @cached_property
    def payload(self) -> str | bytes:
        """The frame as it can be sent again: text, or bytes for a binary one.

        JSON is compact. Media that were left out are zeros of the same length, which is silence.
        """
        if self.json is not None:
            data = dump(restore(self.json))
            return data if self.opcode == "binary" else data.decode()
        if isinstance(self.raw, dict):
            return restore(self.raw) if self.opcode == "text" else _binary(restore(self.raw))
        return self.raw if self.opcode == "text" else _binary(self.raw)

    @cached_property
    def message(self) -> wire.LiveClientMessage | wire.LiveServerMessage | None:
        """The frame, decoded; ``None`` where it can't be read."""
        try:
            if self.sender == "client":
                return codec.decode_client(self.payload)
            return codec.decode(self.payload)
        except DecodeError:
            return None

    @cached_property
    def events(self) -> Sequence[events.Event]:
        """What a session would tell its user of it; nothing for a client's frame."""
        message = self.message
        return codec.to_events(message) if isinstance(message, wire.LiveServerMessage) else ()


@attrs.frozen
class Ended:
    """A connection ended.

    Attributes:
      time: Seconds since the recording began.
      connection: Its number.
      by: ``"client"`` or ``"server"`` sent the first close frame; ``"nobody"``: there was none.
      code: The close code; 1006 where there was no close frame.
      reason: The text in the close frame.
      line: In the file, from 1.
    """

    time: float
    connection: int
    by: Ender
    code: int
    reason: str
    line: int = 0


@attrs.frozen
class Lost:
    """Frames are missing here: whoever wrote the recording couldn't keep up.

    Attributes:
      time: Seconds since the recording began.
      count: How many.
      line: In the file, from 1.
    """

    time: float
    count: int
    line: int = 0


@attrs.frozen
class Incomplete:
    """The recording stops here, without its last line.

    Attributes:
      why: What is wrong, for a person.
      line: In the file, from 1.
    """

    why: str
    line: int


Happening: TypeAlias = Opened | Frame | Ended | Lost | Incomplete


def dump(value: Any) -> bytes:
    """Write JSON, compact, with all its digits."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, or text that isn't Unicode
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="replace")


def frame_fields(frame: str | bytes, redactor: Redactor) -> dict[str, Any]:
    """What a line says of one frame: ``opcode``, and ``json`` or ``raw``."""
    opcode = "binary" if isinstance(frame, bytes) else "text"
    try:
        tree = parse(frame)
    except ValueError:
        return {"opcode": opcode, "raw": _raw(frame, redactor)}
    if tree is None:
        return {"opcode": opcode, "raw": _raw(frame, redactor)}
    return {"opcode": opcode, "json": redactor.tree(tree)}


def _binary(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("raw should be base64 in a binary frame") from None


def _raw(frame: str | bytes, redactor: Redactor) -> Any:
    if isinstance(frame, str):
        if redactor.media == "hash" and len(frame) > LONGEST_RAW:
            return redactor.medium(frame)
        return redactor.text(frame)
    if redactor.media == "hash" and len(frame) > LONGEST_RAW:
        return redactor.medium(pybase64.b64encode_as_string(frame))
    clean = redactor.text(frame.decode(errors="surrogateescape"))
    frame = clean.encode(errors="surrogateescape")
    return pybase64.b64encode_as_string(frame)


def read_header(value: Any) -> Header:
    """Read the first line.

    Raises:
      ValueError: it is no header, or one of a later version.
    """
    if not isinstance(value, Mapping) or "gemini_live_recording" not in value:
        raise ValueError("the first line of a recording names its format; this is another file")
    version = value["gemini_live_recording"]
    if version != VERSION:
        raise ValueError(f"this release reads format {VERSION}, and the file has {version!r:.40}")
    media = value.get("media")
    if media != "whole" and media != "hash":
        raise ValueError(f"expected media to be whole or hash, found {media!r:.40}")
    try:
        begun = datetime.fromisoformat(_text(value, "begun"))
    except ValueError as error:
        raise ValueError(shown(str(error))) from None
    return Header(begun, _text(value, "by"), media)


def read_happening(value: Any, line: int) -> Happening | None:
    """Read another line; ``None`` for one of a kind that this release doesn't know.

    Raises:
      ValueError: something in it can't be.
    """
    if not isinstance(value, Mapping):
        raise ValueError("expected a JSON object")
    time = value.get("t")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time <= LONGEST:
        raise ValueError(f"expected t in seconds, found {time!r:.40}")
    if "lost" in value:
        return Lost(time, _integer(value, "lost"), line)
    if "from" in value:
        sender = value["from"]
        opcode = value.get("opcode")
        if sender not in ("client", "server") or opcode not in ("text", "binary"):
            raise ValueError(f"a frame from {sender!r:.40} with opcode {opcode!r:.40}")
        frame = Frame(
            time,
            _integer(value, "connection"),
            sender,
            opcode,
            value.get("json"),
            value.get("raw"),
            line,
        )
        _check_frame(frame)
        return frame
    if "opened" in value:
        backend = value.get("backend", "")
        return Opened(
            time, _integer(value, "connection"), _text(value, "opened"), str(backend), line
        )
    if "ended" in value:
        by = value["ended"]
        if by not in ("client", "server", "nobody"):
            raise ValueError(f"ended by {by!r:.40}")
        reason = _text(value, "reason")
        code = _integer(value, "code", _LARGEST_CODE)
        return Ended(time, _integer(value, "connection"), by, code, reason, line)
    return None


def _check_frame(frame: Frame) -> None:
    """See that a frame could be sent again, without making what would be sent."""
    if frame.json is not None:
        check_markers(frame.json)
    elif frame.raw is None:
        raise ValueError("a frame with neither json nor raw")
    elif not isinstance(frame.raw, str):
        check_marker(frame.raw, binary=frame.opcode == "binary")
    elif frame.opcode == "binary":
        _binary(frame.raw)


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise ValueError(f"expected {name} to be a text, found {found!r:.40}")
    return found


def _integer(value: Mapping[str, Any], name: str, most: int = _LARGEST) -> int:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= most:
        raise ValueError(f"expected {name} to be a whole number, found {found!r:.40}")
    return found
