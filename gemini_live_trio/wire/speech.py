"""Voices, languages, transcripts and translation."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Message, sealed
from .enums import AudioTranscriptionConfigMode

__all__ = [
    "AudioTranscriptionConfig",
    "LanguageAuto",
    "LanguageHints",
    "MultiSpeakerVoiceConfig",
    "PrebuiltVoiceConfig",
    "ReplicatedVoiceConfig",
    "SpeakerVoiceConfig",
    "SpeechConfig",
    "TranslationConfig",
    "VoiceConfig",
    "VoiceConsentSignature",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeechConfig(Message):
    """The voice in which the model speaks, and its language."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None
    """BCP-47, as in ``"en-US"``. 2.5 closes with 1007 for a language it doesn't list."""
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None
    """Not for Live: the official SDKs refuse it."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceConfig(Message):
    """One voice: set one of the fields."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    replicated_voice_config: ReplicatedVoiceConfig | None = None
    voice: str | None = None
    """A speaker's name; a newer way that no guide for Live shows."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class PrebuiltVoiceConfig(Message):
    """A voice of the service's own."""

    voice_name: str | None = None
    """As in ``"Puck"``, ``"Kore"``, ``"Charon"`` or ``"Aoede"``; there are some 30."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ReplicatedVoiceConfig(Message):
    """A copy of a person's voice, who must have consented."""

    mime_type: str | None = None
    """``audio/wav``: 16-bit little-endian at 24 kHz."""
    voice_sample_audio: bytes | None = None
    """A recording of the voice."""
    consent_audio: bytes | None = None
    """Gemini only. A recording of the consent, in the same format."""
    voice_consent_signature: VoiceConsentSignature | None = None
    """Gemini only. An earlier proof, instead of the recording."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VoiceConsentSignature(Message):
    """The service's proof that a voice's owner has consented; to be kept and used again. Gemini
    only.
    """

    signature: str | None = None
    """A secret."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class MultiSpeakerVoiceConfig(Message):
    """Voices for a text that two speakers share. Not for Live."""

    speaker_voice_configs: Sequence[SpeakerVoiceConfig] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SpeakerVoiceConfig(Message):
    """The voice of one speaker in such a text."""

    speaker: str | None = None
    """The name that the text gives."""
    voice_config: VoiceConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AudioTranscriptionConfig(Message):
    """Transcripts of speech. Its presence turns them on, even when empty."""

    language_codes: Sequence[str] = ABSENT
    """BCP-47 hints; without any the language is detected."""
    custom_vocabulary: Sequence[str] = ABSENT
    """Words to expect; transcribe models take up to 1,000."""
    mode: AudioTranscriptionConfigMode | str | None = None
    """The default is ``VERBATIM``. Transcribe models."""
    source_text: str | None = None
    """A text that the user edits by voice, in ``SMART`` mode."""
    word_timestamp: bool | None = None
    """Not available over Live."""
    diarization: bool | None = None
    """Not available over Live."""
    language_auto: LanguageAuto | None = None
    """Deprecated."""
    language_hints: LanguageHints | None = None
    """Deprecated: use ``language_codes``."""
    adaptation_phrases: Sequence[str] = ABSENT
    """Deprecated: use ``custom_vocabulary``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LanguageAuto(Message):
    """Detect the language. Deprecated, and empty."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LanguageHints(Message):
    """Languages to expect. Deprecated."""

    language_codes: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class TranslationConfig(Message):
    """What a live-translate model translates into."""

    target_language_code: str | None = None
    """BCP-47, as in ``"es"``."""
    echo_target_language: bool | None = None
    """What to do with speech that is in the target language already: ``True`` repeats it, ``False``
    stays silent.
    """
