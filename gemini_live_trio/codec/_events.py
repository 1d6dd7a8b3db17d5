"""What a frame from the service tells the user, piece by piece."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from .. import events, wire
from ..events import Event
from ._checks import is_pcm
from ._scalars import describe_python
from ._shapes import maker

__all__ = ["to_events"]

_DEFAULT_RATE_HZ: Final = 24_000
_RATE = re.compile(r";\s*rate\s*=\s*\"?([0-9]{1,7})", re.ASCII | re.IGNORECASE)


def to_events(message: wire.LiveServerMessage) -> Sequence[Event]:
    """Take a frame apart into events, which share it as ``.message``.

    The order inside one frame is fixed, since JSON objects have none:

    1. ``SetupComplete``
    2. what was heard: ``VoiceActivity``, ``VoiceActivitySignal``, ``SpeechStateChanged``, then
       ``InputTranscription``, ``InterimInputTranscription``, ``OutputTranscription``
    3. the model's parts in the order of the frame, then ``Grounding``, ``UrlContext``
    4. the flags: ``Interrupted``, ``GenerationComplete``, ``WaitingForInput``,
       ``InteractionStatusChanged``, ``TurnComplete``
    5. one ``ToolCall`` for each call, ``ToolCallCancellation``
    6. ``ResumptionUpdate``, ``GoAway``
    7. ``Usage``
    8. ``ServerError``
    9. ``Unknown`` for each field that this version doesn't know

    Three places matter beyond tidiness. Speech activity comes before everything it causes.
    ``Interrupted`` comes after the parts of its frame, because they belong to the answer that it
    cuts off: were it first, a player would empty its queue and then fill it with stale sound.
    ``TurnComplete`` comes after everything else that is said of the turn, so a reader that stops
    there has seen the status which says whether more will follow.

    Objects that say nothing give no event: ``{}`` as a frame or ``serverContent``, a transcription
    with neither text nor language nor anything else, empty usage or grounding. A part with several
    contents gives one event for each; a part with none that has an event of its own gives a
    ``ModelPart``. Thoughts are ``ModelThought``, and a thought that isn't text is a ``ModelPart``,
    so that nobody plays it.

    Raises:
      TypeError: ``message`` isn't what ``decode`` returns.
    """
    if not isinstance(message, wire.LiveServerMessage):
        raise TypeError(
            "to_events takes what codec.decode returns, a wire.LiveServerMessage, "
            f"not {describe_python(message)}."
        )
    found: list[Event] = []
    add = found.append
    if message.setup_complete is not None:
        add(events.SetupComplete(message.setup_complete.session_id, message=message))
    if message.voice_activity is not None:
        activity = message.voice_activity
        add(
            events.VoiceActivity(
                activity.voice_activity_type, activity.audio_offset, message=message
            )
        )
    if message.voice_activity_detection_signal is not None:
        signal = message.voice_activity_detection_signal.vad_signal_type
        add(events.VoiceActivitySignal(signal, message=message))

    content = message.server_content
    if content is not None:
        _add_content(message, content, add)
    elif message.interaction_status is not None:
        add(events.InteractionStatusChanged(message.interaction_status, message=message))

    if message.tool_call is not None:
        for call in message.tool_call.function_calls:
            name, args = call.name or "", call.args or {}
            add(events.ToolCall(call.id, name, args, call, message=message))
    if message.tool_call_cancellation is not None and message.tool_call_cancellation.ids:
        add(events.ToolCallCancellation(message.tool_call_cancellation.ids, message=message))

    if message.session_resumption_update is not None:
        update = message.session_resumption_update
        add(
            events.ResumptionUpdate(
                update.new_handle,
                update.resumable,
                update.last_consumed_client_message_index,
                message=message,
            )
        )
    if message.go_away is not None:
        add(events.GoAway(message.go_away.time_left, message=message))
    usage = message.usage_metadata
    if usage is not None and usage != _NO_USAGE:
        add(events.Usage(usage, message=message))
    if message.error is not None:
        error = message.error
        text = error.message or ""
        add(events.ServerError(text, error.code, error.status, error.details, message=message))

    _add_unknown(message, add)
    return found


_Add = Callable[[Event], None]
_NO_USAGE: Final = wire.UsageMetadata()
_NO_GROUNDING: Final = wire.GroundingMetadata()
_NO_URL_CONTEXT: Final = wire.UrlContextMetadata()


def _add_content(
    message: wire.LiveServerMessage, content: wire.LiveServerContent, add: _Add
) -> None:
    if content.speech_state is not None:
        add(events.SpeechStateChanged(content.speech_state, message=message))
    heard = content.input_transcription
    if heard is not None and _says_something(heard):
        add(
            events.InputTranscription(
                heard.text or "", heard.finished, heard.language_code, heard, message=message
            )
        )
    guess = content.interim_input_transcription
    if guess is not None and _says_something(guess):
        add(
            events.InterimInputTranscription(
                guess.text or "", guess.language_code, guess, message=message
            )
        )
    spoken = content.output_transcription
    if spoken is not None and _says_something(spoken):
        add(
            events.OutputTranscription(
                spoken.text or "", spoken.finished, spoken.language_code, spoken, message=message
            )
        )
    if content.model_turn is not None:
        for part in content.model_turn.parts:
            _add_part(message, part, add)
    grounding = content.grounding_metadata
    if grounding is not None and grounding != _NO_GROUNDING:
        add(events.Grounding(grounding, message=message))
    pages = content.url_context_metadata
    if pages is not None and pages != _NO_URL_CONTEXT:
        add(events.UrlContext(pages, message=message))

    if content.interrupted:
        add(events.Interrupted(message=message))
    if content.generation_complete:
        add(events.GenerationComplete(message=message))
    if content.waiting_for_input:
        add(events.WaitingForInput(message=message))
    status = content.interaction_status or message.interaction_status
    if status is not None:
        add(events.InteractionStatusChanged(status, message=message))
    reason = content.turn_complete_reason
    if content.turn_complete:
        add(events.TurnComplete(reason, status, message=message))
    elif reason is not None:
        add(events.Unknown("serverContent.turnCompleteReason", reason, message=message))


def _says_something(transcription: wire.Transcription) -> bool:
    if transcription.text:
        return True
    told = (
        transcription.finished,
        transcription.language_code,
        transcription.speaker_label,
        transcription.words,
        transcription.extra,
    )
    return (
        any(told)
        or transcription.start_offset is not None
        or (transcription.end_offset is not None)
    )


def _add_part(message: wire.LiveServerMessage, part: wire.Part, add: _Add) -> None:
    described = False
    if part.text:
        described = True
        if part.thought:
            add(events.ModelThought(part.text, message=message))
        else:
            add(_model_text(part.text, message))
    blob = part.inline_data
    if blob is not None and blob.data and not part.thought:
        described = True
        rate_hz = _pcm_rate(blob.mime_type)
        if rate_hz is not None:
            add(_model_audio(blob.data, rate_hz, message))
        else:
            add(events.ModelMedia(blob.data, blob.mime_type, part, message=message))
    code = part.executable_code
    if code is not None:
        described = True
        add(events.ExecutableCode(code.code or "", code.language, code.id, message=message))
    result = part.code_execution_result
    if result is not None:
        described = True
        add(events.CodeResult(result.output or "", result.outcome, result.id, message=message))
    if _has_more(part) or not (described or part in _EMPTY_PARTS):
        add(events.ModelPart(part, message=message))


_EMPTY_PARTS: Final = (wire.Part(), wire.Part(text=""))


def _has_more(part: wire.Part) -> bool:
    """Tell whether a part holds contents, rather than notes on its contents, that have no event."""
    return (
        part.file_data is not None
        or part.function_call is not None
        or part.function_response is not None
        or part.tool_call is not None
        or part.tool_response is not None
        or part.audio_transcription is not None
        or (part.inline_data is not None and bool(part.thought))
        or bool(part.extra)
    )


@functools.lru_cache(maxsize=64)
def _pcm_rate(mime_type: str | None) -> int | None:
    """Read the sample rate out of a MIME type; ``None`` where it names no PCM."""
    if not mime_type:
        return _DEFAULT_RATE_HZ
    if not is_pcm(mime_type):
        return None
    rate = _RATE.search(mime_type)
    return (int(rate[1]) if rate else 0) or _DEFAULT_RATE_HZ


def _add_unknown(message: wire.LiveServerMessage, add: _Add) -> None:
    if message.extra:
        _add_extra("", message, message, add)
    content = message.server_content
    if content is not None:
        if content.extra:
            _add_extra("serverContent.", content, message, add)
        if content.model_turn is not None and content.model_turn.extra:
            _add_extra("serverContent.modelTurn.", content.model_turn, message, add)
    if message.tool_call is not None:
        _add_extra("toolCall.", message.tool_call, message, add)
    if message.tool_call_cancellation is not None:
        _add_extra("toolCallCancellation.", message.tool_call_cancellation, message, add)


def _add_extra(path: str, place: wire.Message, message: wire.LiveServerMessage, add: _Add) -> None:
    for key, value in place.extra.items():
        add(events.Unknown(path + key, value, message=message))


# --- The most frequent events, made without their __init__; see maker -------------------------

_make_text = maker(events.ModelText)
_make_audio = maker(events.ModelAudio)


def _model_text(text: str, message: wire.LiveServerMessage) -> events.ModelText:
    event: Any = _make_text()
    event.text = text
    event.message = message
    event.__class__ = events.ModelText
    made: events.ModelText = event
    return made


def _model_audio(pcm: bytes, rate_hz: int, message: wire.LiveServerMessage) -> events.ModelAudio:
    event: Any = _make_audio()
    event.pcm = pcm
    event.rate_hz = rate_hz
    event.message = message
    event.__class__ = events.ModelAudio
    made: events.ModelAudio = event
    return made
