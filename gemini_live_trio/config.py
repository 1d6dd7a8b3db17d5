"""What a session shall be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from . import wire
from ._auth import Credential, CredentialSource, check_pair
from ._endpoint import Endpoint, GeminiApi
from .errors import ConfigError
from .wire import Modality

__all__ = ["Liveness", "ReconnectPolicy", "SessionConfig"]


def _modalities(value: Iterable[Modality | str]) -> tuple[Modality | str, ...]:
    # A string is iterable too, and would become its letters.
    names = [value] if isinstance(value, str) else value
    return tuple(
        Modality[name.upper()] if name.upper() in Modality.__members__ else name for name in names
    )


def _tools(value: Iterable[wire.Tool]) -> tuple[wire.Tool, ...]:
    return tuple(value)


def _one_modality(_instance: object, _attribute: object, value: Sequence[Modality | str]) -> None:
    if len(value) != 1:
        raise ConfigError(
            f"response_modalities takes exactly one modality, not {len(value)}; "
            "for words beside the voice, leave output_audio_transcription on."
        )


def _an_auth(_instance: object, _attribute: object, value: Any) -> None:
    # A key given as plain text would show in every repr.
    if not isinstance(value, Credential | None) and (
        isinstance(value, type) or not callable(value)
    ):
        raise ConfigError(
            'auth takes ApiKey("..."), EphemeralToken("..."), BearerToken("..."), '
            f"ApplicationDefault() or an async function, not a {type(value).__name__}."
        )


def _an_endpoint(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, Endpoint):
        raise ConfigError(
            'endpoint takes GeminiApi(), VertexAi("project", "location") or '
            f'CustomEndpoint("wss://..."), not a {type(value).__name__}.'
        )


def _named(_instance: object, _attribute: object, value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError('model is empty; name one, for example "gemini-3.8-live".')


@attrs.frozen(kw_only=True)
class SessionConfig:
    """Everything that is settled before the conversation begins.

    Raises:
      ConfigError: The combination can't work; nothing was sent.
    """

    model: str = attrs.field(validator=_named)
    """Short (``"gemini-3.8-live"``) or whole (``"models/gemini-3.8-live"``)."""

    auth: Credential | CredentialSource | None = attrs.field(default=None, validator=_an_auth)
    """Who we are: ``ApiKey``, ``EphemeralToken``, ``BearerToken``, ``ApplicationDefault()``, or any
    async function from a ``DialReason`` to one of the first three, called before every dial.
    Needed by the service; a simulator may do without."""

    endpoint: Endpoint = attrs.field(factory=GeminiApi, validator=_an_endpoint)
    """Where the service is: ``GeminiApi``, ``VertexAi`` or ``CustomEndpoint``."""

    response_modalities: Sequence[Modality | str] = attrs.field(
        default=(Modality.AUDIO,), converter=_modalities, validator=_one_modality
    )
    """Exactly one: the service refuses two. Models for voice speak and can't write."""

    system_instruction: str | wire.Content | None = None
    voice: str | None = None
    """Name of a prebuilt voice, such as ``"Puck"``."""

    language_code: str | None = None
    """BCP 47, such as ``"de-DE"``."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    thinking: wire.ThinkingConfig | None = None
    translation: wire.TranslationConfig | None = None
    """What a translation model translates into; other models don't take it."""

    media_resolution: wire.MediaResolution | str | None = None
    tools: Sequence[wire.Tool] = attrs.field(default=(), converter=_tools)

    input_audio_transcription: bool | wire.AudioTranscriptionConfig = True
    """Ask for the words that the service heard."""

    output_audio_transcription: bool | wire.AudioTranscriptionConfig = True
    """Ask for the words that the model speaks; sent only where the model speaks."""

    realtime_input: wire.RealtimeInputConfig | None = None
    """How the service tells speech from silence."""

    session_resumption: bool | wire.SessionResumptionConfig = True
    """Ask for handles, so that the conversation survives its connection. Vertex AI alone knows
    ``SessionResumptionConfig(transparent=True)``, which tells exactly what must be sent again."""

    context_window_compression: bool | wire.ContextWindowCompressionConfig = True
    """Let the service forget the oldest turns instead of ending the session at a full window."""

    extra_setup: Mapping[str, wire.JsonValue] = attrs.field(factory=dict)
    """Fields of ``setup`` that are younger than this release, by their JSON names."""

    def __attrs_post_init__(self) -> None:
        check_pair(self.endpoint, self.auth)

    def setup(self) -> wire.LiveClientSetup:
        """Return the first message of a connection, without a handle."""
        speaks = Modality.AUDIO in self.response_modalities
        speech = wire.SpeechConfig(
            voice_config=None
            if self.voice is None
            else wire.VoiceConfig(
                prebuilt_voice_config=wire.PrebuiltVoiceConfig(voice_name=self.voice)
            ),
            language_code=self.language_code,
        )
        instruction = self.system_instruction
        if isinstance(instruction, str):
            instruction = wire.Content(parts=[wire.Part(text=instruction)])
        compression = self.context_window_compression
        if compression is True:
            compression = wire.ContextWindowCompressionConfig(sliding_window=wire.SlidingWindow())
        return wire.LiveClientSetup(
            model=self.endpoint.model_name(self.model),
            generation_config=wire.GenerationConfig(
                response_modalities=self.response_modalities,
                speech_config=speech if speech != wire.SpeechConfig() else None,
                temperature=self.temperature,
                max_output_tokens=self.max_output_tokens,
                thinking_config=self.thinking,
                media_resolution=self.media_resolution,
                translation_config=self.translation,
            ),
            system_instruction=instruction,
            tools=self.tools or wire.ABSENT,
            realtime_input_config=self.realtime_input,
            session_resumption=wire.SessionResumptionConfig()
            if self.session_resumption is True
            else self.session_resumption or None,
            context_window_compression=compression or None,
            input_audio_transcription=_transcription(self.input_audio_transcription),
            output_audio_transcription=_transcription(self.output_audio_transcription)
            if speaks
            else None,
            extra=dict(self.extra_setup),
        )


def _transcription(
    wanted: bool | wire.AudioTranscriptionConfig,
) -> wire.AudioTranscriptionConfig | None:
    if wanted is True:
        return wire.AudioTranscriptionConfig()
    return wanted or None


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{attribute.name} must be greater than 0, not {value}.")


@attrs.frozen(kw_only=True)
class ReconnectPolicy:
    """When to dial again after a connection ended, and when to give up.

    The first attempt is made at once. Before attempt ``n + 1`` the session waits a random time of
    up to ``base * factor ** (n - 1)`` seconds, never more than ``cap``.

    Raises:
      ConfigError: A number is zero or negative.
    """

    enabled: bool = True
    base: float = attrs.field(default=0.5, validator=_positive)
    """Seconds."""
    factor: float = attrs.field(default=2.0, validator=_positive)
    cap: float = attrs.field(default=5.0, validator=_positive)
    """Seconds."""
    attempts: int = attrs.field(default=10, validator=_positive)
    deadline: float = attrs.field(default=120.0, validator=_positive)
    """Seconds from the end of the connection until no further attempt is begun."""
    resume_for: float = attrs.field(default=10.0, validator=_positive)
    """Seconds for which a handle is tried against a service that says "not yet" (1011). A session
    whose old connection never ended properly stays locked; then a fresh one is begun."""
    reseed: bool = True
    """Tell a fresh session in text what was said before, when the handle is lost."""
    replay_unconfirmed: bool = True
    """Send a message once more when a cut left it open whether the service has it, and two seconds
    after resuming the model has not begun to answer."""
    max_connection_age: float = attrs.field(default=math.inf, validator=_positive)
    """Seconds after which a connection is exchanged for a new one, when that cuts nothing; for
    proxies that cut at a fixed age."""
    setup_is_counted: bool = False
    """Transparent resumption only: whether the index of consumed messages counts ``setup``."""

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait before an attempt.

        Args:
          attempt: From 1.
          chance: A random number from 0 to 1.
        """
        if attempt <= 1:
            return 0.0
        try:
            grown = self.base * self.factor ** (attempt - 2)
        except OverflowError:
            grown = math.inf
        return chance * min(self.cap, grown)


@attrs.frozen(kw_only=True)
class Liveness:
    """When silence means something.

    Raises:
      ConfigError: A number is zero or negative.
    """

    ping_after: float = attrs.field(default=20.0, validator=_positive)
    """Seconds without a byte from the service before it is pinged; it never pings by itself."""
    timeout: float = attrs.field(default=60.0, validator=_positive)
    """Seconds without a byte before the connection is given up. Answers of 30 s are normal."""
    stalled_after: float | None = 30.0
    """Seconds of waiting for something before ``Stalled`` says so; ``None`` for never."""
    recover_after: float | None = None
    """Seconds of such waiting for the model or the server after which the connection is given up
    and the conversation resumed over another; ``None`` for never."""
