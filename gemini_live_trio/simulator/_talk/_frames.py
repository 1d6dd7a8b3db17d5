"""The frames that the simulator sends, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ... import wire
from .._checks._profiles import Profile
from .._mind._hands import Answer, Call, as_json
from .._mind._voice import RATE_HZ

__all__ = [
    "EMPTY",
    "audio_part",
    "code_of",
    "content",
    "fragments",
    "phrases",
    "result_of",
    "turn_of",
    "voice_activity",
]

EMPTY: Final = wire.LiveServerMessage()
"""``{}``: the service sends it between others, and it means nothing."""

_MIME_BARE: Final = "audio/pcm"
_MIME: Final = f"{_MIME_BARE};rate={RATE_HZ}"
_WORDS_AT_ONCE: Final = 3


def content(
    *,
    model_turn: wire.Content | None = None,
    said: str | None = None,
    heard: str | None = None,
    guessed: str | None = None,
    generation_complete: bool | None = None,
    interrupted: bool | None = None,
    turn_complete: bool | None = None,
    usage: wire.UsageMetadata | None = None,
    status: wire.InteractionStatus | None = None,
    waiting: bool = False,
) -> wire.LiveServerMessage:
    """A ``serverContent`` frame; ``usage`` goes beside it, as the service does.

    With ``waiting`` it says that the model expects the user to go on.
    """
    return wire.LiveServerMessage(
        server_content=wire.LiveServerContent(
            model_turn=model_turn,
            output_transcription=None if said is None else wire.Transcription(text=said),
            input_transcription=None if heard is None else wire.Transcription(text=heard),
            interim_input_transcription=(
                None if guessed is None else wire.Transcription(text=guessed)
            ),
            generation_complete=generation_complete,
            interrupted=interrupted,
            turn_complete=turn_complete,
            turn_complete_reason=wire.TurnCompleteReason.NEED_MORE_INPUT if waiting else None,
            waiting_for_input=waiting or None,
            interaction_status=status,
        ),
        usage_metadata=usage,
    )


def turn_of(profile: Profile, *parts: wire.Part) -> wire.Content:
    """A ``modelTurn``, with the role where the model says it."""
    return wire.Content(parts=parts, role="model" if profile.role else None)


def audio_part(pcm: bytes, *, rate: bool = True) -> wire.Part:
    """A part with speech in it; Vertex AI doesn't say its rate."""
    mime_type = _MIME if rate else _MIME_BARE
    return wire.Part(inline_data=wire.Blob(data=pcm, mime_type=mime_type))


def code_of(call: Call) -> wire.Part:
    """The code that stands for a call."""
    args = ", ".join(f"{name}={value!r}" for name, value in call.args.items())
    code = f"print(default_api.{call.name}({args}))\n"
    return wire.Part(executable_code=wire.ExecutableCode(language=wire.Language.PYTHON, code=code))


def result_of(answer: Answer) -> wire.Part:
    """What came of that code."""
    result = wire.CodeExecutionResult(
        outcome=wire.Outcome.OUTCOME_OK, output=as_json(answer.response)
    )
    return wire.Part(code_execution_result=result)


def voice_activity(
    profile: Profile, kind: wire.VoiceActivityType, offset: float
) -> wire.LiveServerMessage:
    """What a model that tells of voice activity sends, alone or beside an empty content."""
    beside = profile.voice_activity == "beside"
    return wire.LiveServerMessage(
        server_content=wire.LiveServerContent() if beside else None,
        voice_activity=wire.VoiceActivity(voice_activity_type=kind, audio_offset=round(offset, 3)),
    )


def fragments(text: str, profile: Profile) -> Iterator[str]:
    """Cut a text into words with their space before or after them; joined they are the text."""
    pattern = r"\s*\S+|\s+$" if profile.space == "before" else r"^\s+|\S+\s*"
    yield from re.findall(pattern, text)


def phrases(text: str, profile: Profile) -> Iterator[str]:
    """Cut a text into pieces of a few words, as a model that writes sends it."""
    words = list(fragments(text, profile))
    for start in range(0, len(words), _WORDS_AT_ONCE):
        yield "".join(words[start : start + _WORDS_AT_ONCE])
