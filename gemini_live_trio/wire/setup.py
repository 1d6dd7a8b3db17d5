"""The first message of a connection: what the session shall be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ._base import ABSENT, Duration, Int64, JsonValue, Message, json_name, sealed
from .content import Content
from .enums import (
    ActivityHandling,
    AspectRatio,
    AudioTranscriptionConfigMode,
    Delivery,
    EndSensitivity,
    FeatureSelectionPreference,
    HarmBlockMethod,
    HarmBlockThreshold,
    HarmCategory,
    ImageSize,
    MediaResolution,
    Modality,
    StartSensitivity,
    ThinkingLevel,
    TurnCoverage,
)
from .tools import Schema, Tool

__all__ = [
    "AudioResponseFormat",
    "AudioTranscriptionConfig",
    "AutomaticActivityDetection",
    "AvatarConfig",
    "ContextWindowCompressionConfig",
    "CustomizedAvatar",
    "GenerationConfig",
    "GenerationConfigRoutingConfig",
    "GenerationConfigRoutingConfigAutoRoutingMode",
    "GenerationConfigRoutingConfigManualRoutingMode",
    "HistoryConfig",
    "ImageResponseFormat",
    "LanguageAuto",
    "LanguageHints",
    "LiveClientSetup",
    "ModelSelectionConfig",
    "MultiSpeakerVoiceConfig",
    "PrebuiltVoiceConfig",
    "ProactivityConfig",
    "RealtimeInputConfig",
    "ReplicatedVoiceConfig",
    "ResponseFormat",
    "SafetySetting",
    "SessionResumptionConfig",
    "SlidingWindow",
    "SpeakerVoiceConfig",
    "SpeechConfig",
    "TextResponseFormat",
    "ThinkingConfig",
    "TranslationConfig",
    "VideoResponseFormat",
    "VoiceConfig",
    "VoiceConsentSignature",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientSetup(Message):
    """LiveClientSetup."""

    model: str | None = None
    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    tools: Sequence[Tool] = ABSENT
    realtime_input_config: RealtimeInputConfig | None = None
    session_resumption: SessionResumptionConfig | None = None
    context_window_compression: ContextWindowCompressionConfig | None = None
    input_audio_transcription: AudioTranscriptionConfig | None = None
    output_audio_transcription: AudioTranscriptionConfig | None = None
    proactivity: ProactivityConfig | None = None
    explicit_vad_signal: bool | None = None
    history_config: HistoryConfig | None = None
    avatar_config: AvatarConfig | None = None
    safety_settings: Sequence[SafetySetting] = ABSENT
    labels: Mapping[str, str] | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfig(Message):
    """GenerationConfig."""

    model_selection_config: ModelSelectionConfig | None = attrs.field(
        default=None, metadata=json_name("modelConfig")
    )
    response_json_schema: JsonValue = None
    audio_timestamp: bool | None = None
    candidate_count: int | None = None
    enable_affective_dialog: bool | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    max_output_tokens: int | None = None
    media_resolution: MediaResolution | str | None = None
    presence_penalty: float | None = None
    response_logprobs: bool | None = None
    response_mime_type: str | None = None
    response_modalities: Sequence[Modality | str] = ABSENT
    response_schema: Schema | None = None
    routing_config: GenerationConfigRoutingConfig | None = None
    seed: int | None = None
    speech_config: SpeechConfig | None = None
    stop_sequences: Sequence[str] = ABSENT
    temperature: float | None = None
    thinking_config: ThinkingConfig | None = None
    top_k: float | None = None
    top_p: float | None = None
    enable_enhanced_civic_answers: bool | None = None
    response_format: Sequence[ResponseFormat] = ABSENT
    translation_config: TranslationConfig | None = None
    audio_transcription_config: AudioTranscriptionConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ModelSelectionConfig(Message):
    """ModelSelectionConfig."""

    feature_selection_preference: FeatureSelectionPreference | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfig(Message):
    """GenerationConfigRoutingConfig."""

    auto_mode: GenerationConfigRoutingConfigAutoRoutingMode | None = None
    manual_mode: GenerationConfigRoutingConfigManualRoutingMode | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfigAutoRoutingMode(Message):
    """GenerationConfigRoutingConfigAutoRoutingMode."""

    model_routing_preference: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfigManualRoutingMode(Message):
    """GenerationConfigRoutingConfigManualRoutingMode."""

    model_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeechConfig(Message):
    """SpeechConfig."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceConfig(Message):
    """VoiceConfig."""

    replicated_voice_config: ReplicatedVoiceConfig | None = None
    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    voice: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PrebuiltVoiceConfig(Message):
    """PrebuiltVoiceConfig."""

    voice_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ReplicatedVoiceConfig(Message):
    """ReplicatedVoiceConfig."""

    mime_type: str | None = None
    voice_sample_audio: bytes | None = None
    consent_audio: bytes | None = None
    voice_consent_signature: VoiceConsentSignature | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceConsentSignature(Message):
    """VoiceConsentSignature."""

    signature: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class MultiSpeakerVoiceConfig(Message):
    """MultiSpeakerVoiceConfig."""

    speaker_voice_configs: Sequence[SpeakerVoiceConfig] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeakerVoiceConfig(Message):
    """SpeakerVoiceConfig."""

    speaker: str | None = None
    voice_config: VoiceConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ThinkingConfig(Message):
    """ThinkingConfig."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: ThinkingLevel | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class TranslationConfig(Message):
    """TranslationConfig."""

    echo_target_language: bool | None = None
    target_language_code: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ResponseFormat(Message):
    """ResponseFormat."""

    audio: AudioResponseFormat | None = None
    image: ImageResponseFormat | None = None
    text: TextResponseFormat | None = None
    video: VideoResponseFormat | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioResponseFormat(Message):
    """AudioResponseFormat."""

    bit_rate: int | None = None
    delivery: Delivery | str | None = None
    mime_type: str | None = None
    sample_rate: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ImageResponseFormat(Message):
    """ImageResponseFormat."""

    aspect_ratio: AspectRatio | str | None = None
    delivery: Delivery | str | None = None
    image_size: ImageSize | str | None = None
    mime_type: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class TextResponseFormat(Message):
    """TextResponseFormat."""

    mime_type: str | None = None
    json_schema: JsonValue = attrs.field(default=None, metadata=json_name("schema"))


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VideoResponseFormat(Message):
    """VideoResponseFormat."""

    aspect_ratio: AspectRatio | str | None = None
    delivery: Delivery | str | None = None
    duration: Duration | None = None
    gcs_uri: str | None = None
    resolution: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RealtimeInputConfig(Message):
    """RealtimeInputConfig."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    activity_handling: ActivityHandling | str | None = None
    turn_coverage: TurnCoverage | str | None = None
    interim_transcript_timestamp_enabled: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AutomaticActivityDetection(Message):
    """AutomaticActivityDetection."""

    disabled: bool | None = None
    start_of_speech_sensitivity: StartSensitivity | str | None = None
    end_of_speech_sensitivity: EndSensitivity | str | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SessionResumptionConfig(Message):
    """SessionResumptionConfig."""

    handle: str | None = None
    transparent: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ContextWindowCompressionConfig(Message):
    """ContextWindowCompressionConfig."""

    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SlidingWindow(Message):
    """SlidingWindow."""

    target_tokens: Int64 | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioTranscriptionConfig(Message):
    """AudioTranscriptionConfig."""

    language_codes: Sequence[str] = ABSENT
    language_auto: LanguageAuto | None = None
    language_hints: LanguageHints | None = None
    custom_vocabulary: Sequence[str] = ABSENT
    adaptation_phrases: Sequence[str] = ABSENT
    word_timestamp: bool | None = None
    diarization: bool | None = None
    mode: AudioTranscriptionConfigMode | str | None = None
    source_text: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LanguageAuto(Message):
    """LanguageAuto."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LanguageHints(Message):
    """LanguageHints."""

    language_codes: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ProactivityConfig(Message):
    """ProactivityConfig."""

    proactive_audio: bool | None = None
    proactive_video: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class HistoryConfig(Message):
    """HistoryConfig."""

    initial_history_in_client_content: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AvatarConfig(Message):
    """AvatarConfig."""

    avatar_name: str | None = None
    customized_avatar: CustomizedAvatar | None = None
    audio_bitrate_bps: int | None = None
    video_bitrate_bps: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class CustomizedAvatar(Message):
    """CustomizedAvatar."""

    image_mime_type: str | None = None
    image_data: bytes | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SafetySetting(Message):
    """SafetySetting."""

    category: HarmCategory | str | None = None
    method: HarmBlockMethod | str | None = None
    threshold: HarmBlockThreshold | str | None = None
