"""What the service sends."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Duration, Int64, Message, Struct, json_name, sealed
from .content import Content, FunctionCall, Transcription
from .enums import (
    InteractionStatus,
    SpeechState,
    TurnCompleteReason,
    VadSignalType,
    VoiceActivityType,
)
from .grounding import GroundingMetadata, UrlContextMetadata
from .speech import VoiceConsentSignature
from .usage import UsageMetadata

__all__ = [
    "LiveServerContent",
    "LiveServerGoAway",
    "LiveServerMessage",
    "LiveServerSessionResumptionUpdate",
    "LiveServerSetupComplete",
    "LiveServerToolCall",
    "LiveServerToolCallCancellation",
    "RpcStatus",
    "VoiceActivity",
    "VoiceActivityDetectionSignal",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerMessage(Message):
    """One frame from the service.

    The documents promise one field per frame, the service keeps no such promise: ``usage_metadata``
    and ``voice_activity`` come beside others, and a frame with none at all (``{}``) is legal.
    """

    setup_complete: LiveServerSetupComplete | None = None
    server_content: LiveServerContent | None = None
    tool_call: LiveServerToolCall | None = None
    tool_call_cancellation: LiveServerToolCallCancellation | None = None
    usage_metadata: UsageMetadata | None = None
    """Usually beside ``turnComplete``."""
    go_away: LiveServerGoAway | None = None
    session_resumption_update: LiveServerSessionResumptionUpdate | None = None
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = None
    """The older form of ``voice_activity``, for allow-listed accounts."""
    voice_activity: VoiceActivity | None = None
    """Comes unasked on Gemini 3.8; on Vertex it needs ``explicit_vad_signal``."""
    interaction_status: InteractionStatus | str | None = None
    """Where Gemini's thinking guide shows it; the official SDKs read it from ``server_content``."""
    error: RpcStatus | None = None
    """In no definition and never seen; read because some clients look for it. The service tells
    errors by closing.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerSetupComplete(Message):
    """The session is ready; nothing may be sent between ``setup`` and this."""

    session_id: str | None = None
    """Vertex; Gemini sends an empty object."""
    voice_consent_signature: VoiceConsentSignature | None = None
    """Gemini only, after a replicated voice with a consent recording."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerContent(Message):
    """What the model says and how its turn goes. An empty object is legal.

    The usual order is ``model_turn`` (often), ``generation_complete``, ``turn_complete``; after an
    interruption ``interrupted``, then ``turn_complete``. Flags are left out when false.
    """

    model_turn: Content | None = None
    """A piece of the answer. 2.5 sends one part at a time, 3.x several, with a transcript beside
    them. Parts marked ``thought`` are not speech.
    """
    output_transcription: Transcription | None = None
    """The next piece of what the model says; the last one comes before ``generation_complete`` or
    ``interrupted``.
    """
    input_transcription: Transcription | None = None
    """The next piece of what the user said, in no fixed order against the rest."""
    interim_input_transcription: Transcription | None = None
    """A guess which each new one replaces, not a further piece. Seen with transcribe models."""
    generation_complete: bool | None = None
    """All was sent; the client may still be playing it."""
    interrupted: bool | None = None
    """Input cut the answer short: throw away audio that isn't played yet."""
    turn_complete: bool | None = None
    """The turn is over, often only when playback should have ended. With extended thinking one
    utterance is over and more may follow: see ``interaction_status``.
    """
    turn_complete_reason: TurnCompleteReason | str | None = None
    """Why the turn ended, when it didn't end by itself."""
    waiting_for_input: bool | None = None
    """The model holds back since it expects the user to go on. Not on Vertex's pages."""
    interaction_status: InteractionStatus | str | None = None
    """For extended thinking the real end of an answer is ``IDLE``."""
    grounding_metadata: GroundingMetadata | None = None
    url_context_metadata: UrlContextMetadata | None = None
    speech_state: SpeechState | str | None = None
    """On Vertex's reference page only; never seen."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerToolCall(Message):
    """Functions that the client should run, each with an answer of its own."""

    function_calls: Sequence[FunctionCall] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerToolCallCancellation(Message):
    """Calls to abandon, with no answer, since the user interrupted.

    Documented, but measurements of 3.8 never saw one: its calls are dropped silently.
    """

    ids: Sequence[str] = ABSENT
    """The ``id`` of each call."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerGoAway(Message):
    """The service will end this connection soon. Resume on a new one."""

    time_left: Duration | None = None
    """Seconds until then: 60, 50, 30 and 10 were seen."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerSessionResumptionUpdate(Message):
    """A new point from which the session can be resumed.

    Documented as periodic; 3.8 was seen to send one per connection, right after ``setupComplete``.
    """

    new_handle: str | None = None
    """Opaque, for ``SessionResumptionConfig.handle``; a secret. Absent or empty while not
    resumable. Valid for 2 hours after the connection on Gemini; Vertex's pages say 24 hours, and 10
    minutes.
    """
    resumable: bool | None = None
    """``False`` while generating or running functions, by the documents; never seen on 3.8."""
    last_consumed_client_message_index: Int64 | None = None
    """Vertex, transparent resumption only. The number of the last client message in this state,
    counted from 1 on each connection; 0 means not resumable.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceActivity(Message):
    """The service heard the user begin or stop speaking."""

    voice_activity_type: VoiceActivityType | str | None = attrs.field(
        default=None, metadata=json_name("type")
    )
    """Named ``type`` on the wire."""
    audio_offset: Duration | None = None
    """Seconds of audio received, not of clock time; goes on counting when resumed."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceActivityDetectionSignal(Message):
    """The older message for the beginning and end of speech, for allow-listed accounts."""

    vad_signal_type: VadSignalType | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RpcStatus(Message):
    """An error as Google's HTTP interfaces write it. Not part of this protocol; read in case it
    comes.
    """

    code: int | None = None
    """An HTTP or RPC status number."""
    message: str | None = None
    status: str | None = None
    """Its name, as in ``INVALID_ARGUMENT``."""
    details: Sequence[Struct] = ABSENT
