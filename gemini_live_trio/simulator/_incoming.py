"""What a client's messages say, in the words of a conversation."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from .. import wire
from ._eyes import describe_image
from ._rules import CATCH_ALL, Refused
from ._sessions import Turn

__all__ = ["DEFAULT_RATE_HZ", "answers_to", "heard_for", "rate_of", "text_of", "turn_from"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

DEFAULT_RATE_HZ: Final = 16_000
RATES_HZ: Final = range(4_000, 192_001)


def text_of(content: wire.Content) -> str:
    return " ".join(part.text for part in content.parts if part.text)


def turn_from(content: wire.Content) -> Turn:
    images = []
    seconds = 0.0
    for part in content.parts:
        blob = part.inline_data
        if blob is None:
            continue
        if (blob.mime_type or "").startswith("audio/"):
            seconds += len(blob.data or b"") / 2 / rate_of(blob)
        else:
            images.append(describe_image(blob.data or b""))
    role: Literal["user", "model"] = "model" if content.role == "model" else "user"
    return Turn(role=role, text=text_of(content), audio_seconds=seconds, images=tuple(images))


def rate_of(blob: wire.Blob) -> int:
    kind, *parameters = (blob.mime_type or "").replace(" ", "").split(";")
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


def answers_to(
    calls: Mapping[str, str], responses: Sequence[wire.FunctionResponse]
) -> tuple[str, Mapping[str, str]]:
    """Take answers to open calls, whose names are given by id.

    Returns:
      What they say, empty if no call was open; and the calls that are still open. The service
      ignores answers to calls it doesn't know.
    """
    left = dict(calls)
    said = []
    for response in responses:
        name = left.get(response.id or "")
        if name is None:
            log.info("a tool response for a call that isn't open: ignored")
            continue
        if not response.will_continue:
            del left[response.id or ""]
        said.append(f"[{name} answered: {json.dumps(response.response, default=str)}]")
    return " ".join(said), left


def heard_for(seconds: float) -> str:
    """What stands in for a transcript: we hear that somebody speaks, not what."""
    return f"[{seconds:.1f} s of speech]"
