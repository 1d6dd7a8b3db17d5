"""What a session shall be."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

import attrs

from . import wire
from ._auth import Credential, CredentialSource, EphemeralToken, check_pair
from ._builtin import BuiltinTool, as_wire_tools
from ._endpoint import Endpoint, GeminiApi
from ._overlay import laid_over
from .capabilities import TABLE, CapabilityTable, Finding
from .errors import ConfigError
from .wire import Modality

__all__ = ["CapabilityWarning", "Liveness", "ReconnectPolicy", "SessionConfig"]

_C = TypeVar("_C")


class CapabilityWarning(UserWarning):
    """A setup has something in it that its model won't take, or makes no use of."""


def _modalities(value: Iterable[Modality | str] | None) -> tuple[Modality | str, ...] | None:
    if value is None:
        return None
    # A string is iterable too, and would become its letters.
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise ConfigError('response_modalities takes one modality, such as "AUDIO".')
    return tuple(
        Modality[name.upper()] if name.upper() in Modality.__members__ else name for name in names
    )


def _tools(
    value: Iterable[wire.Tool | wire.FunctionDeclaration | BuiltinTool],
) -> tuple[wire.Tool, ...]:
    return as_wire_tools(value)


def _safety(value: Iterable[wire.SafetySetting]) -> tuple[wire.SafetySetting, ...]:
    return _listed("safety_settings", value, wire.SafetySetting)


def _listed(name: str, value: Any, kind: type[_C]) -> tuple[_C, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str | Mapping):
        raise ConfigError(f"{name} takes a list of wire.{kind.__name__}.")
    items = tuple(value)
    for item in items:
        if not isinstance(item, kind):
            raise ConfigError(
                f"{name} takes a list of wire.{kind.__name__}, with no {type(item).__name__} in it."
            )
    return items


def _one_modality(
    _instance: object, _attribute: object, value: Sequence[Modality | str] | None
) -> None:
    if value is not None and len(value) != 1:
        raise ConfigError(
            f"response_modalities takes exactly one modality, not {len(value)}; "
            "for words beside the voice, leave output_audio_transcription on."
        )


def _a_switch(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    kind = _SWITCHED[attribute.name]
    if not isinstance(value, bool | kind):
        # An empty dict means "on" elsewhere, and a text may be a handle: neither is guessed at.
        raise ConfigError(
            f"{attribute.name} takes True, False or a wire.{kind.__name__}, "
            f"not a {type(value).__name__}."
        )


_SWITCHED: Final[Mapping[str, type[wire.Message]]] = {
    "input_audio_transcription": wire.AudioTranscriptionConfig,
    "output_audio_transcription": wire.AudioTranscriptionConfig,
    "session_resumption": wire.SessionResumptionConfig,
    "context_window_compression": wire.ContextWindowCompressionConfig,
}


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


def _labels(value: Any) -> Mapping[str, str] | None:
    return None if value is None else _own("labels", value)


def _extra_setup(value: Any) -> Mapping[str, Any]:
    return _own("extra_setup", value)


def _own(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} takes a mapping, not a {type(value).__name__}.")
    try:
        return MappingProxyType(_copied(name, value))
    except RecursionError:
        raise ConfigError(f"{name} is nested too deeply.") from None


def _copied(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ConfigError(f"{name} takes text as a key, not a {type(key).__name__}.")
        return {key: _copied(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(name, item) for item in value]
    return value


def _keys_only(value: Mapping[str, Any]) -> str:
    # What is younger than this release may be a key, a handle, or media.
    return f"<{', '.join(value)}>" if value else "{}"


def _a_way_to_check(_instance: object, _attribute: object, value: Any) -> None:
    if value not in ("strict", "warn", "off"):
        raise ConfigError(f'check takes "strict", "warn" or "off", not {value!r}.')


def _a_table(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, CapabilityTable):
        raise ConfigError(
            "capabilities takes a CapabilityTable, such as TABLE.extended(...), "
            f"not a {type(value).__name__}."
        )


def _with_hints(cls: type[_C]) -> type[_C]:
    """Let a slip in an option's name be answered with the name that was meant."""
    plain, names = cls.__init__, [field.name for field in attrs.fields(cls)]  # type: ignore[arg-type]

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **options: Any) -> None:
        for name in options:
            if name not in names:
                nearest = difflib.get_close_matches(name, names, 1)
                raise ConfigError(
                    f"{cls.__name__} has no option {name!r}"
                    + (
                        f"; did you mean {nearest[0]!r}?"
                        if nearest
                        else "; what is younger than this release goes into extra_setup."
                    )
                )
        plain(self, *args, **options)

    cls.__init__ = init  # type: ignore[method-assign]
    return cls


@_with_hints
@attrs.frozen(kw_only=True)
class SessionConfig:
    """Everything that is settled before the conversation begins.

    Raises:
      ConfigError: An option doesn't exist, or the combination can't work; nothing was sent.
    """

    model: str = attrs.field(validator=_named)
    """Short (``"gemini-3.8-live"``) or whole (``"models/gemini-3.8-live"``)."""

    auth: Credential | CredentialSource | None = attrs.field(default=None, validator=_an_auth)
    """Who we are: ``ApiKey``, ``EphemeralToken``, ``BearerToken``, ``ApplicationDefault()``, or any
    async function from a ``DialReason`` to one of the first three, called before every dial.
    Needed by the service; a simulator may do without."""

    endpoint: Endpoint = attrs.field(factory=GeminiApi, validator=_an_endpoint)
    """Where the service is: ``GeminiApi``, ``VertexAi`` or ``CustomEndpoint``."""

    check: Literal["strict", "warn", "off"] = attrs.field(  # pyright: ignore[reportAssignmentType]
        default="strict", validator=_a_way_to_check
    )
    """What to do with a setup that its model is known to refuse: raise ``ConfigError`` before
    anything is dialled, or give a ``CapabilityWarning`` and dial all the same, or not look. What a
    model only ignores, what isn't certain, and unknown models are warned about by the first two.
    ``explain(config)`` shows all of it."""

    capabilities: CapabilityTable = attrs.field(default=TABLE, validator=_a_table, repr=False)
    """What is known of models; ``TABLE.extended(...)`` adds what you know."""

    response_modalities: Sequence[Modality | str] | None = attrs.field(
        default=None, converter=_modalities, validator=_one_modality
    )
    """Exactly one: the service refuses two. ``None`` for what the model is made for. Models for
    voice speak and can't write."""

    system_instruction: str | wire.Content | None = None
    voice: str | None = None
    """Name of a prebuilt voice, such as ``"Puck"``."""

    language_code: str | None = None
    """BCP 47, such as ``"de-DE"``."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    seed: int | None = None
    """Repeatability as far as the service manages."""

    max_output_tokens: int | None = None
    """A bound for each turn."""

    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    thinking: wire.ThinkingConfig | None = None
    """2.5 models take a budget, extended thinking needs a level, ``gemini-3.8-live`` takes none."""

    translation: wire.TranslationConfig | None = None
    """What a translation model translates into; other models don't take it."""

    media_resolution: wire.MediaResolution | str | None = None
    """How many tokens an image may cost."""

    enable_affective_dialog: bool | None = None
    """2.5 models only, on Gemini in ``v1alpha``."""

    proactivity: wire.ProactivityConfig | None = None
    """2.5 models only, on Gemini in ``v1alpha``; 3.8 is always proactive."""

    tools: Sequence[wire.Tool] = attrs.field(default=(), converter=_tools)
    """Tools that run at the service, such as ``tools.builtin.GoogleSearch()``; and declarations of
    functions whose calls the program answers by hand."""

    input_audio_transcription: bool | wire.AudioTranscriptionConfig = attrs.field(
        default=True, validator=_a_switch
    )
    """Ask for the words that the service heard."""

    output_audio_transcription: bool | wire.AudioTranscriptionConfig = attrs.field(
        default=True, validator=_a_switch
    )
    """Ask for the words that the model speaks; sent only where the model speaks."""

    realtime_input: wire.RealtimeInputConfig | None = None
    """How the service tells speech from silence."""

    explicit_vad_signal: bool | None = None
    """Vertex AI only: tell when the user begins and ends to speak. Gemini 3.8 does so unasked.
    """

    session_resumption: bool | wire.SessionResumptionConfig = attrs.field(
        default=True, validator=_a_switch
    )
    """Ask for handles, so that the conversation survives its connection. Vertex AI alone knows
    ``SessionResumptionConfig(transparent=True)``, which tells exactly what must be sent again."""

    context_window_compression: bool | wire.ContextWindowCompressionConfig = attrs.field(
        default=True, validator=_a_switch
    )
    """Let the service forget the oldest turns instead of ending the session at a full window."""

    safety_settings: Sequence[wire.SafetySetting] = attrs.field(default=(), converter=_safety)
    labels: Mapping[str, str] | None = attrs.field(default=None, converter=_labels, hash=False)
    """For billing; lower case, at most 63 characters each."""

    avatar: wire.AvatarConfig | None = None
    """A face for the model: ``gemini-3.8-live`` on Vertex AI."""

    extra_setup: Mapping[str, wire.JsonValue] = attrs.field(
        factory=dict, converter=_extra_setup, hash=False, repr=_keys_only
    )
    """What is younger than this release: JSON that is laid over ``setup``, object into object, so
    that ``{"generationConfig": {"newField": 1}}`` keeps the rest of it. Keys in camel or snake
    case; it wins over the options."""

    def __attrs_post_init__(self) -> None:
        check_pair(self.endpoint, self.auth)

    def __deepcopy__(self, _memo: dict[int, Any]) -> SessionConfig:
        return self  # nothing in it changes

    def setup(self) -> wire.LiveClientSetup:
        """Return the first message of a connection, without a handle.

        Raises:
          ConfigError: ``extra_setup`` has something in it that can't be laid over it.
        """
        return laid_over(self._plain_setup(), self.extra_setup)

    def findings(self) -> tuple[Finding, ...]:
        """Look for what the model won't take or makes no use of, whatever ``check`` says."""
        # What an ephemeral token has locked counts, whatever the setup says or leaves out.
        perhaps_a_token = isinstance(self.auth, EphemeralToken) or (
            isinstance(self.endpoint, GeminiApi) and not isinstance(self.auth, Credential | None)
        )
        return self.capabilities.check(
            self.setup(),
            backend=self.endpoint.backend,
            version=self.endpoint.version,
            partial=perhaps_a_token,
        )

    @property
    def modality(self) -> Modality | str:
        """What the model is asked to answer in."""
        if self.response_modalities is not None:
            return self.response_modalities[0]
        known = self.capabilities.capability_of(self.model, self.endpoint.backend)
        return known.modalities[0]

    def _plain_setup(self) -> wire.LiveClientSetup:
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
                response_modalities=(self.modality,),
                speech_config=speech if speech != wire.SpeechConfig() else None,
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                seed=self.seed,
                max_output_tokens=self.max_output_tokens,
                presence_penalty=self.presence_penalty,
                frequency_penalty=self.frequency_penalty,
                thinking_config=self.thinking,
                media_resolution=self.media_resolution,
                translation_config=self.translation,
                enable_affective_dialog=self.enable_affective_dialog,
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
            if self.modality == Modality.AUDIO
            else None,
            proactivity=self.proactivity,
            explicit_vad_signal=self.explicit_vad_signal,
            avatar_config=self.avatar,
            safety_settings=self.safety_settings or wire.ABSENT,
            labels=self.labels,
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
