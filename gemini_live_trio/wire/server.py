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
from .setup import VoiceConsentSignature
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
    """LiveServerMessage."""

    setup_complete: LiveServerSetupComplete | None = None
    server_content: LiveServerContent | None = None
    tool_call: LiveServerToolCall | None = None
    tool_call_cancellation: LiveServerToolCallCancellation | None = None
    usage_metadata: UsageMetadata | None = None
    go_away: LiveServerGoAway | None = None
    session_resumption_update: LiveServerSessionResumptionUpdate | None = None
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = None
    voice_activity: VoiceActivity | None = None
    interaction_status: InteractionStatus | str | None = None
    error: RpcStatus | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerSetupComplete(Message):
    """LiveServerSetupComplete."""

    session_id: str | None = None
    voice_consent_signature: VoiceConsentSignature | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerContent(Message):
    """LiveServerContent."""

    model_turn: Content | None = None
    turn_complete: bool | None = None
    interrupted: bool | None = None
    grounding_metadata: GroundingMetadata | None = None
    generation_complete: bool | None = None
    input_transcription: Transcription | None = None
    output_transcription: Transcription | None = None
    url_context_metadata: UrlContextMetadata | None = None
    turn_complete_reason: TurnCompleteReason | str | None = None
    waiting_for_input: bool | None = None
    interim_input_transcription: Transcription | None = None
    interaction_status: InteractionStatus | str | None = None
    speech_state: SpeechState | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerToolCall(Message):
    """LiveServerToolCall."""

    function_calls: Sequence[FunctionCall] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerToolCallCancellation(Message):
    """LiveServerToolCallCancellation."""

    ids: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerGoAway(Message):
    """LiveServerGoAway."""

    time_left: Duration | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveServerSessionResumptionUpdate(Message):
    """LiveServerSessionResumptionUpdate."""

    new_handle: str | None = None
    resumable: bool | None = None
    last_consumed_client_message_index: Int64 | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceActivity(Message):
    """VoiceActivity."""

    voice_activity_type: VoiceActivityType | str | None = attrs.field(
        default=None, metadata=json_name("type")
    )
    audio_offset: Duration | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceActivityDetectionSignal(Message):
    """VoiceActivityDetectionSignal."""

    vad_signal_type: VadSignalType | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RpcStatus(Message):
    """RpcStatus."""

    code: int | None = None
    message: str | None = None
    status: str | None = None
    details: Sequence[Struct] = ABSENT
