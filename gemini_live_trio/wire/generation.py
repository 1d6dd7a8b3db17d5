"""How answers are made: modality, sampling, thinking, formats."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Duration, JsonValue, Message, json_name, sealed
from .enums import (
    AspectRatio,
    Delivery,
    FeatureSelectionPreference,
    ImageSize,
    MediaResolution,
    Modality,
    ThinkingLevel,
)
from .schema import Schema
from .speech import AudioTranscriptionConfig, SpeechConfig, TranslationConfig

__all__ = [
    "AudioResponseFormat",
    "GenerationConfig",
    "GenerationConfigRoutingConfig",
    "GenerationConfigRoutingConfigAutoRoutingMode",
    "GenerationConfigRoutingConfigManualRoutingMode",
    "ImageResponseFormat",
    "ModelSelectionConfig",
    "ResponseFormat",
    "TextResponseFormat",
    "ThinkingConfig",
    "VideoResponseFormat",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfig(Message):
    """How the model answers.

    Shared with services that aren't live: the last group does nothing here, or is refused.
    """

    response_modalities: Sequence[Modality | str] = ABSENT
    """Exactly one: ``AUDIO`` for speaking models, ``TEXT`` for transcribe models, ``VIDEO`` with an
    avatar. The wrong one closes with 1007 (3.1 with ``TEXT``: 1011).
    """
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    """Leave it out for ``gemini-3.8-live``."""
    media_resolution: MediaResolution | str | None = None
    """How many tokens an image may cost."""
    translation_config: TranslationConfig | None = None
    """Live-translate models only."""
    enable_affective_dialog: bool | None = None
    """2.5 only (``v1alpha`` on Gemini); don't send it to 3.8."""

    # Sampling.
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    """A whole number, although the official SDKs type it as a float."""
    seed: int | None = None
    """Repeatability as far as the service manages."""
    max_output_tokens: int | None = None
    """A bound for each turn."""
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    # Accepted by the definitions, undocumented for Live.
    model_selection_config: ModelSelectionConfig | None = attrs.field(
        default=None, metadata=json_name("modelConfig")
    )
    """Named ``modelConfig`` on the wire. Vertex only."""
    enable_enhanced_civic_answers: bool | None = None
    """Gemini only."""
    response_format: Sequence[ResponseFormat] = ABSENT
    candidate_count: int | None = None
    """Only 1 makes sense."""

    # Not for Live.
    response_mime_type: str | None = None
    response_schema: Schema | None = None
    response_json_schema: JsonValue = None
    stop_sequences: Sequence[str] = ABSENT
    response_logprobs: bool | None = None
    logprobs: int | None = None
    audio_timestamp: bool | None = None
    """Vertex only."""
    routing_config: GenerationConfigRoutingConfig | None = None
    """Vertex only."""
    audio_transcription_config: AudioTranscriptionConfig | None = None
    """Live takes ``LiveClientSetup.input_audio_transcription`` instead."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ThinkingConfig(Message):
    """How much the model thinks before it answers.

    2.5 takes a budget, 3.1 a level, 3.8 extended thinking requires a level, ``gemini-3.8-live``
    refuses one.
    """

    include_thoughts: bool | None = None
    """Send summaries of the thoughts, as parts with ``thought`` set."""
    thinking_budget: int | None = None
    """Tokens; 0 turns thinking off and -1 lets the model decide. 2.5 only."""
    thinking_level: ThinkingLevel | str | None = None
    """3.1: ``MINIMAL`` (the default) to ``HIGH``. 3.8 extended thinking: ``LOW``, ``MEDIUM`` or
    ``HIGH``.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ResponseFormat(Message):
    """The shape of an answer, one field per kind of medium. Undocumented for Live."""

    audio: AudioResponseFormat | None = None
    image: ImageResponseFormat | None = None
    text: TextResponseFormat | None = None
    video: VideoResponseFormat | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioResponseFormat(Message):
    """The shape of answers in audio."""

    bit_rate: int | None = None
    """Bits per second, for compressed formats."""
    delivery: Delivery | str | None = None
    mime_type: str | None = None
    sample_rate: int | None = None
    """Hertz."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ImageResponseFormat(Message):
    """The shape of answers in images."""

    aspect_ratio: AspectRatio | str | None = None
    delivery: Delivery | str | None = None
    image_size: ImageSize | str | None = None
    mime_type: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class TextResponseFormat(Message):
    """The shape of answers in text."""

    mime_type: str | None = None
    json_schema: JsonValue = attrs.field(default=None, metadata=json_name("schema"))
    """Named ``schema`` on the wire. Needs the MIME type of JSON."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VideoResponseFormat(Message):
    """The shape of answers in video."""

    aspect_ratio: AspectRatio | str | None = None
    delivery: Delivery | str | None = None
    duration: Duration | None = None
    """Seconds."""
    gcs_uri: str | None = None
    """Where in Cloud Storage to put it; needed on Vertex for delivery by URI."""
    resolution: str | None = None
    """``"360p"``, ``"720p"``, ``"1080p"`` or ``"4k"``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ModelSelectionConfig(Message):
    """What matters when the service chooses a model. Vertex only; undocumented for Live."""

    feature_selection_preference: FeatureSelectionPreference | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfig(Message):
    """Which model answers. Vertex only, and not used by Live."""

    auto_mode: GenerationConfigRoutingConfigAutoRoutingMode | None = None
    manual_mode: GenerationConfigRoutingConfigManualRoutingMode | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfigAutoRoutingMode(Message):
    """The service chooses the model."""

    model_routing_preference: str | None = None
    """``UNKNOWN``, ``PRIORITIZE_QUALITY``, ``BALANCED`` or ``PRIORITIZE_COST``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GenerationConfigRoutingConfigManualRoutingMode(Message):
    """The named model answers."""

    model_name: str | None = None
