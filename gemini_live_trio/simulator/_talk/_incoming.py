"""What a client's messages say, in the words of a conversation."""

from __future__ import annotations

import functools
from typing import Final

from ... import wire
from .._checks._rules import CATCH_ALL, Refused
from .._mind._eyes import describe_image
from .._mind._hands import Answer, Call
from .._sessions import Turn

__all__ = ["DEFAULT_RATE_HZ", "heard_for", "rate_of", "text_of", "turn_from"]

DEFAULT_RATE_HZ: Final = 16_000
RATES_HZ: Final = range(4_000, 192_001)


def text_of(content: wire.Content) -> str:
    return " ".join(part.text for part in content.parts if part.text)


def turn_from(content: wire.Content) -> Turn:
    """Read one turn of ``clientContent``; calls and answers in it are history, and open nothing."""
    images = []
    calls = []
    answers = []
    seconds = 0.0
    for part in content.parts:
        if (call := part.function_call) is not None:
            calls.append(Call(call.name or "", call.args or {}))
        if (answer := part.function_response) is not None:
            answers.append(Answer(answer.name or "", answer.response or {}))
        blob = part.inline_data
        if blob is None:
            continue
        if (blob.mime_type or "").startswith("audio/"):
            seconds += len(blob.data or b"") / 2 / rate_of(blob)
        else:
            images.append(describe_image(blob.data or b""))
    said = text_of(content)
    if answers and not said:
        return Turn.of_answers(answers)
    return Turn(
        role="model" if content.role == "model" else "user",
        text=said,
        audio_seconds=seconds,
        images=tuple(images),
        calls=tuple(calls),
        answers=tuple(answers),
        understood=bool(said) or not seconds,
    )


def rate_of(blob: wire.Blob) -> int:
    """The sample rate that a piece of audio names, 16 kHz by default."""
    return _rate_in(blob.mime_type or "")


@functools.lru_cache(maxsize=64)
def _rate_in(mime_type: str) -> int:
    kind, *parameters = mime_type.replace(" ", "").split(";")
    if not kind.startswith("audio/"):
        raise Refused(1007, CATCH_ALL, f"audio must have an audio type, not {kind!r}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "rate":
            digits = value.isascii() and value.isdigit() and len(value) < 10
            if not digits or int(value) not in RATES_HZ:
                raise Refused(1007, CATCH_ALL, f"{value!r} is no sample rate")
            return int(value)
    return DEFAULT_RATE_HZ


def heard_for(seconds: float) -> str:
    """What stands in for a transcript: we hear that somebody speaks, not what."""
    return f"[{seconds:.1f} s of speech]"
