"""The short way for the frames that are most of the traffic, in both directions.

Outward, a frame of microphone audio is joined around one base64 call.

Inward, most frames differ from others in a single string: the audio, or the next piece of text or
transcript. Once such a frame has been read the ordinary way, its text before and after that string
is remembered with what it meant, and the next frame with the same surroundings is put together
without looking at the rest of it. This takes 100 ms of audio from 8 to 4 us, and a piece of text
from 4.3 to 2. Anything unusual (an error, another alphabet) takes the ordinary way, so that the two
can only agree.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson
import pybase64

from .. import wire
from ..errors import LocalProtocolError
from ..wire import LiveServerMessage
from ._shapes import maker

__all__ = ["encode_audio", "learn", "read_directly"]

_AUDIO_HEADS: Final[dict[int, str]] = {}
_MOST_AUDIO_HEADS: Final = 64
_AUDIO_TAIL: Final = '"}}}'


def encode_audio(pcm: bytes, *, rate_hz: int = 16_000) -> str:
    """Write one chunk of microphone audio; the same text as ``encode`` makes of it, sooner.

    Args:
      pcm: Signed 16-bit little-endian mono; even length.
      rate_hz: Sample rate in hertz.

    Raises:
      LocalProtocolError: ``pcm`` has odd length, or the rate is no positive whole number.
    """
    # The type first: 16000.0 and True would find the entries of 16000 and 1.
    head = _AUDIO_HEADS.get(rate_hz) if type(rate_hz) is int else None
    if head is None:
        head = _audio_head(rate_hz)
    if len(pcm) & 1:
        raise LocalProtocolError(
            "Can't send the message: realtime_input.audio.data: expected 16-bit samples, "
            f"so an even number of bytes, found {len(pcm)} bytes."
        )
    return head + pybase64.b64encode_as_string(pcm) + _AUDIO_TAIL


def _audio_head(rate_hz: int) -> str:
    if not isinstance(rate_hz, int) or isinstance(rate_hz, bool) or rate_hz <= 0:
        raise LocalProtocolError(
            "Can't send the message: the sample rate is a positive whole number of hertz, "
            f"not {rate_hz!r}."
        )
    head = f'{{"realtimeInput":{{"audio":{{"mimeType":"audio/pcm;rate={int(rate_hz)}","data":"'
    if len(_AUDIO_HEADS) < _MOST_AUDIO_HEADS:
        _AUDIO_HEADS[rate_hz] = head
    return head


# --- What the model says --------------------------------------------------------------------

_LONGEST_HEAD: Final = 200
_LONGEST_TAIL: Final = 100
_MOST_HEADS: Final = 32
_MOST_TAILS_OF_A_HEAD: Final = 8
_PROBES: Final = ("AB/+", "CD+/")

Assembler: TypeAlias = Callable[[Any, str | None, str | None], LiveServerMessage]
_Known: TypeAlias = tuple[bytes, Assembler | None, str | None, str | None]

_known: Final[dict[bytes, tuple[_Known, ...]]] = {}
"""The text up to the string, and for each text after it: how to put such a frame together, or
``None`` where that was tried and isn't possible.
"""

_make_message = maker(LiveServerMessage)
_make_server_content = maker(wire.LiveServerContent)
_make_content = maker(wire.Content)
_make_part = maker(wire.Part)
_make_blob = maker(wire.Blob)
_make_transcription = maker(wire.Transcription)


def _with_audio(pcm: Any, role: str | None, mime_type: str | None) -> LiveServerMessage:
    blob: Any = _make_blob()
    blob.data = pcm
    blob.mime_type = mime_type
    blob.__class__ = wire.Blob
    part: Any = _make_part()
    part.inline_data = blob
    part.__class__ = wire.Part
    return _with_part(part, role)


def _with_text(text: Any, role: str | None, _: str | None) -> LiveServerMessage:
    part: Any = _make_part()
    part.text = text
    part.__class__ = wire.Part
    return _with_part(part, role)


def _with_part(part: wire.Part, role: str | None) -> LiveServerMessage:
    turn: Any = _make_content()
    turn.parts = (part,)
    turn.role = role
    turn.__class__ = wire.Content
    content: Any = _make_server_content()
    content.model_turn = turn
    return _with_content(content)


def _with_heard(text: Any, _: str | None, language_code: str | None) -> LiveServerMessage:
    content: Any = _make_server_content()
    content.input_transcription = _transcription(text, language_code)
    return _with_content(content)


def _with_spoken(text: Any, _: str | None, language_code: str | None) -> LiveServerMessage:
    content: Any = _make_server_content()
    content.output_transcription = _transcription(text, language_code)
    return _with_content(content)


def _transcription(text: Any, language_code: str | None) -> wire.Transcription:
    transcription: Any = _make_transcription()
    transcription.text = text
    transcription.language_code = language_code
    transcription.__class__ = wire.Transcription
    finished: wire.Transcription = transcription
    return finished


def _with_content(content: Any) -> LiveServerMessage:
    content.__class__ = wire.LiveServerContent
    message: Any = _make_message()
    message.server_content = content
    message.__class__ = LiveServerMessage
    finished: LiveServerMessage = message
    return finished


def _string_start(frame: bytes) -> int:
    """Find where the first string begins that may be the one, behind its quote; 0 if there is none.

    The service writes compact JSON or, on old models, one space behind the colon.
    """
    key = frame.find(b'"data"', 0, _LONGEST_HEAD)
    if key < 0:
        key = frame.find(b'"text"', 0, _LONGEST_HEAD)
        if key < 0:
            return 0
    return frame.find(b'"', key + 6, key + 9) + 1


def read_directly(frame: bytes) -> LiveServerMessage | None:
    """Read a frame whose surroundings are known; ``None`` for every other frame."""
    start = _string_start(frame)
    if not start:
        return None
    for tail, assemble, role, detail in _known.get(frame[:start], ()):
        end = len(frame) - len(tail)
        # The quote that ends the string is the tail's, never the one that begins it.
        if end >= start and frame.endswith(tail):
            if assemble is None:
                return None
            try:
                if assemble is _with_audio:
                    value = pybase64.b64decode(frame[start:end], validate=True)
                else:
                    # With its quotes: what isn't one whole string is an error here.
                    value = orjson.loads(frame[start - 1 : end + 1])
            except (binascii.Error, ValueError):
                continue
            return assemble(value, role, detail)
    return None


def learn(
    frame: bytes,
    message: LiveServerMessage,
    read: Callable[[bytes, type[LiveServerMessage]], LiveServerMessage],
) -> None:
    """Remember the surroundings of a frame that was read the ordinary way, if it is a plain one.

    A probe in place of the string proves that it is the one that matters, and the only one: the
    same key might come twice, or as an argument of something else.
    """
    content = message.server_content
    if content is None or len(_known) >= _MOST_HEADS:
        return
    plain = _plain(content)
    start = _string_start(frame)
    if plain is None or not start:
        return
    assemble, role, detail, written = plain
    end = start + len(written)
    head, tail = frame[:start], frame[end:]
    known = _known.get(head, ())
    if frame[start:end] != written or not 0 < len(tail) <= _LONGEST_TAIL:
        return
    if len(known) >= _MOST_TAILS_OF_A_HEAD or any(tail == one[0] for one in known):
        return
    # Another text than the frame's own: a second string that says the same would not be noticed.
    probe = _PROBES[written == _PROBES[0].encode()]
    value = pybase64.b64decode(probe) if assemble is _with_audio else probe
    # This can't fail where the frame itself didn't: the probe is good as text and as base64.
    probed = read(head + probe.encode() + tail, LiveServerMessage)
    is_plain = probed == assemble(value, role, detail)
    _known[head] = (*known, (tail, assemble if is_plain else None, role, detail))


def _plain(
    content: wire.LiveServerContent,
) -> tuple[Assembler, str | None, str | None, bytes] | None:
    """Tell how a frame might be put together, and how its one string was written.

    What else is in the frame needn't be looked at: if there is anything, the probe fails.
    """
    turn = content.model_turn
    if turn is not None:
        if len(turn.parts) != 1 or content.output_transcription is not None:
            return None
        part = turn.parts[0]
        if part.inline_data is not None and part.inline_data.data:
            written = pybase64.b64encode(part.inline_data.data)
            return _with_audio, turn.role, part.inline_data.mime_type, written
        return _with_text, turn.role, None, _written(part.text)
    if content.output_transcription is not None:
        spoken = content.output_transcription
        return _with_spoken, None, spoken.language_code, _written(spoken.text)
    if content.input_transcription is not None:
        heard = content.input_transcription
        return _with_heard, None, heard.language_code, _written(heard.text)
    return None


def _written(text: str | None) -> bytes:
    return orjson.dumps(text or "")[1:-1]
