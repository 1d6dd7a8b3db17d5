"""The first message of a connection: what the session shall be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ._base import ABSENT, Int64, Message, sealed
from .content import Content
from .enums import (
    ActivityHandling,
    EndSensitivity,
    HarmBlockMethod,
    HarmBlockThreshold,
    HarmCategory,
    StartSensitivity,
    TurnCoverage,
)
from .generation import GenerationConfig
from .speech import AudioTranscriptionConfig
from .tools import Tool

__all__ = [
    "AutomaticActivityDetection",
    "AvatarConfig",
    "ContextWindowCompressionConfig",
    "CustomizedAvatar",
    "HistoryConfig",
    "LiveClientSetup",
    "ProactivityConfig",
    "RealtimeInputConfig",
    "SafetySetting",
    "SessionResumptionConfig",
    "SlidingWindow",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientSetup(Message):
    """What the session shall be; sent once, before anything else.

    Fixed for as long as the connection lasts, save for ``LiveClientContextUpdate``. When resuming,
    everything but the model may change. A field in the wrong place closes with 1007: what stands
    here doesn't belong into ``generation_config``, and the other way round.
    """

    model: str | None = None
    """Required. Gemini: ``models/{id}``. Vertex:
    ``projects/{project}/locations/{location}/publishers/google/models/{id}``, or
    ``publishers/google/models/{id}`` in express mode.
    """
    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    """Text parts only."""
    tools: Sequence[Tool] = ABSENT
    realtime_input_config: RealtimeInputConfig | None = None
    session_resumption: SessionResumptionConfig | None = None
    """An empty object already asks for handles."""
    context_window_compression: ContextWindowCompressionConfig | None = None
    """Lifts the limit of 15 minutes of audio, or 2 with video, on a session."""
    input_audio_transcription: AudioTranscriptionConfig | None = None
    """An empty object turns on transcripts of the user. Here, not in ``generation_config``."""
    output_audio_transcription: AudioTranscriptionConfig | None = None
    """An empty object turns on transcripts of the model. Here, not in ``generation_config``."""
    proactivity: ProactivityConfig | None = None
    """2.5 models only; leave it out for 3.1 and 3.8."""
    explicit_vad_signal: bool | None = None
    """Vertex only: asks for ``LiveServerMessage.voice_activity``."""
    history_config: HistoryConfig | None = None
    """Leave it out when resuming."""
    avatar_config: AvatarConfig | None = None
    """In practice ``gemini-3.8-live`` on Vertex only."""
    safety_settings: Sequence[SafetySetting] = ABSENT
    labels: Mapping[str, str] | None = None
    """For billing; lower case, at most 63 characters each."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RealtimeInputConfig(Message):
    """How live input becomes turns."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    """Absent means that the service detects speech."""
    activity_handling: ActivityHandling | str | None = None
    """The default lets the user interrupt (``START_OF_ACTIVITY_INTERRUPTS``)."""
    turn_coverage: TurnCoverage | str | None = None
    """The default is ``TURN_INCLUDES_ONLY_ACTIVITY`` for 2.5 and
    ``TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO`` for 3.1 and later, by the guides.
    """
    interim_transcript_timestamp_enabled: bool | None = None
    """Times in interim transcripts; undocumented for Live."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AutomaticActivityDetection(Message):
    """How the service finds the beginning and the end of speech."""

    disabled: bool | None = None
    """``True``: the client marks activity itself, with ``ActivityStart`` and ``ActivityEnd``."""
    start_of_speech_sensitivity: StartSensitivity | str | None = None
    """Unset means high on Gemini, low on Vertex, by the documents."""
    end_of_speech_sensitivity: EndSensitivity | str | None = None
    """Unset means high on Gemini, low on Vertex, by the documents."""
    prefix_padding_ms: int | None = None
    """Speech needed before its beginning counts, in milliseconds."""
    silence_duration_ms: int | None = None
    """Silence needed before the end of speech counts, in milliseconds."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SessionResumptionConfig(Message):
    """Asks for handles, and resumes a session from one. Empty: a new session, with handles."""

    handle: str | None = None
    """From ``LiveServerSessionResumptionUpdate``; absent for a new session. A secret."""
    transparent: bool | None = None
    """Vertex only (Gemini closes with 1007): updates then say which client messages they contain.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ContextWindowCompressionConfig(Message):
    """Keeps the context below the model's limit, so that a session can go on."""

    trigger_tokens: Int64 | None = None
    """Compress above this many tokens; by default 80 % of the window. Vertex takes 5,000 to
    128,000.
    """
    sliding_window: SlidingWindow | None = None
    """The only method there is. Without it, even as an empty object, nothing is compressed."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SlidingWindow(Message):
    """Drops the oldest turns; the instruction stays, and what is kept begins with a user's turn."""

    target_tokens: Int64 | None = None
    """How many tokens to keep; by default half of ``trigger_tokens``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ProactivityConfig(Message):
    """Lets the model decide whether to speak.

    2.5 only (``v1alpha`` on Gemini). 3.1 doesn't have it; on 3.8 it is always on and ``False`` is
    an error.
    """

    proactive_audio: bool | None = None
    """The model may stay silent when it isn't meant."""
    proactive_video: bool | None = None
    """The model may answer to each image. Needs ``proactive_audio``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class HistoryConfig(Message):
    """Whether ``LiveClientContent`` brings a history before live input begins."""

    initial_history_in_client_content: bool | None = None
    """``True``: turns are taken as history, without an answer, until one has ``turn_complete``; the
    last may be the model's.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AvatarConfig(Message):
    """A face for the model, sent as video. In practice ``gemini-3.8-live`` on Vertex only."""

    avatar_name: str | None = None
    """One of the service's own; or give ``customized_avatar``."""
    customized_avatar: CustomizedAvatar | None = None
    audio_bitrate_bps: int | None = None
    """Bits per second."""
    video_bitrate_bps: int | None = None
    """Bits per second."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class CustomizedAvatar(Message):
    """An avatar made from a picture."""

    image_mime_type: str | None = None
    image_data: bytes | None = None
    """Portrait, 9:16, at least 704 x 1280 pixels."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SafetySetting(Message):
    """How strictly one kind of harm is filtered."""

    category: HarmCategory | str | None = None
    method: HarmBlockMethod | str | None = None
    """Vertex only."""
    threshold: HarmBlockThreshold | str | None = None
