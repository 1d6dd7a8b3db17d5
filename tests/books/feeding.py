"""Scripted conversations for the books: frames as the service sends them, in a few words each."""

from collections.abc import Sequence

import attrs

from gemini_live_trio import codec, wire
from gemini_live_trio.events import Event, TranscriptUpdate
from gemini_live_trio.transcript import Transcript

SECOND = bytes(48_000)
"""One second of the model's voice."""


def content(**fields: object) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(server_content=wire.LiveServerContent(**fields))  # type: ignore[arg-type]


def heard(text: str | None, *, finished: bool | None = None) -> wire.LiveServerMessage:
    return content(input_transcription=wire.Transcription(text=text, finished=finished))


def guessed(text: str) -> wire.LiveServerMessage:
    return content(interim_input_transcription=wire.Transcription(text=text))


def said(text: str | None, *, sound: bytes | None = None) -> wire.LiveServerMessage:
    """A piece of the model's transcript; with ``sound`` in one frame, as on 3.1 and 3.8."""
    return content(
        output_transcription=wire.Transcription(text=text),
        model_turn=None if sound is None else _turn(sound),
    )


def sounds(pcm: bytes = SECOND) -> wire.LiveServerMessage:
    return content(model_turn=_turn(pcm))


def _turn(pcm: bytes) -> wire.Content:
    blob = wire.Blob(data=pcm, mime_type="audio/pcm;rate=24000")
    return wire.Content(parts=[wire.Part(inline_data=blob)])


def thinks(text: str) -> wire.LiveServerMessage:
    return content(model_turn=wire.Content(parts=[wire.Part(text=text, thought=True)]))


def writes(text: str) -> wire.LiveServerMessage:
    return content(model_turn=wire.Content(parts=[wire.Part(text=text)]))


def calls(*ids: str | None, name: str = "get_weather") -> wire.LiveServerMessage:
    made = [wire.FunctionCall(id=call, name=name, args={}) for call in ids]
    return wire.LiveServerMessage(tool_call=wire.LiveServerToolCall(function_calls=made))


def cancels(*ids: str) -> wire.LiveServerMessage:
    gone = wire.LiveServerToolCallCancellation(ids=ids)
    return wire.LiveServerMessage(tool_call_cancellation=gone)


def activity(start: bool) -> wire.LiveServerMessage:
    kind = wire.VoiceActivityType.ACTIVITY_START if start else wire.VoiceActivityType.ACTIVITY_END
    # Transcription models send it beside an empty content.
    return wire.LiveServerMessage(
        server_content=wire.LiveServerContent(),
        voice_activity=wire.VoiceActivity(voice_activity_type=kind),
    )


START, END = activity(True), activity(False)
EMPTY = wire.LiveServerMessage()
NOTHING = content()
GENERATED = content(generation_complete=True)
INTERRUPTED = content(interrupted=True)
COMPLETE = content(turn_complete=True)
GOES_ON = content(turn_complete=True, interaction_status=wire.InteractionStatus.IN_PROGRESS)
IDLE = content(interaction_status=wire.InteractionStatus.IDLE)


def counted(message: wire.LiveServerMessage, **counts: object) -> wire.LiveServerMessage:
    """The same message with ``usageMetadata`` beside it."""
    return attrs.evolve(message, usage_metadata=wire.UsageMetadata(**counts))  # type: ignore[arg-type]


def events_of(messages: Sequence[wire.LiveServerMessage]) -> list[Event]:
    return [event for message in messages for event in codec.to_events(message)]


def feed(
    transcript: Transcript, *messages: wire.LiveServerMessage, start: float = 0.0, step: float = 0.1
) -> list[TranscriptUpdate]:
    """Feed one message after the other, ``step`` seconds apart."""
    updates: list[TranscriptUpdate] = []
    for number, message in enumerate(messages):
        for event in codec.to_events(message):
            updates += transcript.feed(event, start + number * step)
    return updates


def texts(transcript: Transcript) -> list[tuple[str, str]]:
    return [(entry.speaker.value, entry.text) for entry in transcript]
