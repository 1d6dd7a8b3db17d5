"""What differs from model to model, as data: one table, each entry with where it comes from.

``measured`` was seen on the service by somebody who wrote it down; ``documented`` stands in the
service's own pages; ``assumed`` is ours, where nobody has published anything.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from ...wire import Modality

__all__ = ["PROFILES", "UNKNOWN", "CallId", "Profile", "on_vertex", "profile_of"]

Refusal: TypeAlias = tuple[int, str]
CallId: TypeAlias = Literal["function-call", "fc", "call", "uuid"]

_NO_VOICES: Final = (1007, "Cannot extract voices from a non-audio request.")
_INTERNAL: Final = (1011, "Internal error encountered.")


def _not_supported(modality: Modality) -> Refusal:
    return (
        1007,
        f"The requested combination of response modalities ({modality}) is not supported",
    )


@attrs.frozen(kw_only=True)
class Profile:
    """How one generation of models behaves.

    Attributes:
      name: What we call it.
      models: The model names, without ``models/``.
      refused: Response modalities it won't have, with the close code and reason for each; those
        absent are taken.
      default_modality: What it answers in when ``setup`` doesn't say.
      setup_seconds: From ``setup`` to ``setupComplete``.
      think_seconds: From the end of the input to the first piece of the answer.
      piece_seconds: Audio in one frame.
      speed: How many times faster than it plays the audio is sent.
      shared_frame: Whether a piece of the transcript travels in the same frame as its audio.
      space: On which side of a fragment of text its space stands.
      role: Whether ``modelTurn`` says ``"role": "model"``.
      first_sample: Whether the first audio of a turn is a single sample.
      empty_frames: ``"before"``: ``{"serverContent":{}}`` comes before an answer; ``"between"``:
        that, and ``{}`` after every piece of audio; ``"none"``.
      voice_activity: ``"alone"``, ``"beside"`` an empty ``serverContent``, or ``None``: not sent.
      handles: ``"once"``: one handle a connection; ``"turn"``: a new one after every turn, none
        while an answer is made.
      restores: What a handle brings back: the ``"latest"`` state, or that of the ``"handle"``.
      resume_quiet: Seconds after the end of an idle connection in which resuming is refused.
      refuse_seconds: How long the service thinks about such a refusal.
      thinking_level: Whether ``thinkingConfig.thinkingLevel`` is ``"free"``, ``"refused"`` or
        ``"required"``.
      media_chunks: Whether the old ``realtimeInput.mediaChunks`` is still taken.
      proactive_off: Whether ``proactivity.proactiveAudio: false`` is taken.
      only_transcribes: Whether it writes down what it hears and never answers.
      translates: Whether it repeats what it hears in another language as it goes, in no turns.
      calls: Whether the answer to a function call is waited for, unless the declaration says
        otherwise: ``"blocking"`` or ``"non_blocking"``.
      calls_allowed: What a declaration may say: ``"both"``, ``"blocking"`` or
        ``"non_blocking"``.
      schedules: Whether an answer may say when to speak of it.
      call_id: What the ids of calls look like.
      cancels_calls: Whether ``toolCallCancellation`` tells of calls that an interruption has
        ended; otherwise they are dropped without notice.
      talks_on: Whether it goes on talking after a call whose answer it doesn't wait for, instead
        of ending its turn with the call.
      shows_code: Whether a call is also shown as code that the service runs.
      preamble: Whether it first says that it thinks, as a turn of its own with
        ``interactionStatus``.
      thoughts_count: Whether ``usageMetadata`` counts the tokens of its thoughts.
      pretty: Whether its JSON is indented.
      vertex: Whether it is the model as Vertex AI has it: ``candidatesTokenCount`` and
        ``trafficType``, a ``sessionId``, audio without its rate, ``finished`` transcripts,
        ``generationComplete`` behind a call.
    """

    name: str
    models: tuple[str, ...]
    refused: Mapping[Modality, Refusal]
    default_modality: Modality = Modality.AUDIO
    setup_seconds: float = 0.2  # measured on 3.1 (205 ms); assumed elsewhere
    think_seconds: float = 0.4  # measured on 3.1 (0.42 s to the first frame); assumed elsewhere
    piece_seconds: float = 0.25
    speed: float = 1.0
    shared_frame: bool
    space: Literal["before", "after"]
    role: bool
    first_sample: bool = False
    empty_frames: Literal["none", "before", "between"] = "none"
    voice_activity: Literal["alone", "beside"] | None = None
    handles: Literal["once", "turn"]
    restores: Literal["latest", "handle"]
    resume_quiet: float = 0.0
    refuse_seconds: float = 0.6  # measured on 3.8 (0.5-0.7 s); assumed elsewhere
    thinking_level: Literal["free", "refused", "required"] = "free"
    media_chunks: bool = False
    proactive_off: bool = True
    only_transcribes: bool = False
    translates: bool = False
    calls: Literal["blocking", "non_blocking"] = "blocking"
    calls_allowed: Literal["both", "blocking", "non_blocking"] = "both"
    schedules: bool = True
    call_id: CallId = "call"
    cancels_calls: bool = True
    talks_on: bool = False
    shows_code: bool = False
    preamble: bool = False
    thoughts_count: bool = False
    pretty: bool = False
    vertex: bool = False


_GEMINI_25: Final = Profile(
    name="2.5",
    models=(
        "gemini-2.5-flash-native-audio-preview-09-2025",
        "gemini-2.5-flash-native-audio-preview-12-2025",
        "gemini-2.5-flash-native-audio-latest",
        "gemini-live-2.5-flash-native-audio",  # its name on Vertex AI, where it is GA
    ),
    refused={Modality.TEXT: _NO_VOICES, Modality.VIDEO: _not_supported(Modality.VIDEO)},  # measured
    piece_seconds=0.04,  # assumed
    speed=2.0,  # assumed
    shared_frame=False,  # measured: one part an event, transcripts apart
    space="before",  # measured: " Hello", ",", " is"
    role=False,  # measured: absent on 2.x and 3.1
    handles="turn",  # documented: periodic, and none while generating
    restores="handle",  # assumed: a handle stands for the moment it was issued
    media_chunks=True,  # measured
    calls="blocking",  # documented, and that both are allowed
    call_id="function-call",  # measured: up to 20 digits
    cancels_calls=True,  # documented
    talks_on=True,  # measured: toolCall, then speech, generationComplete, turnComplete
    thoughts_count=True,  # measured: 28 in a turn of 37
    pretty=True,  # measured: two spaces and a newline at the end
)

_TEXT_25: Final = attrs.evolve(
    _GEMINI_25,
    name="2.5-text",
    models=(
        # The service has shut these down. They are kept because they are the last conversational
        # models that answer in text, and people still have programs that want that.
        "gemini-live-2.5-flash-preview",
        "gemini-2.0-flash-live-001",
    ),
    refused={Modality.VIDEO: _not_supported(Modality.VIDEO)},  # measured: TEXT and AUDIO both work
    shows_code=True,  # measured: executableCode before a call, its result after the answer
    thoughts_count=False,  # assumed: it doesn't think
)

_GEMINI_31: Final = Profile(
    name="3.1",
    models=("gemini-3.1-flash-live-preview",),
    refused={Modality.TEXT: _INTERNAL, Modality.VIDEO: _not_supported(Modality.VIDEO)},  # measured
    speed=1.0,  # measured: about real time
    shared_frame=True,  # measured: modelTurn and outputTranscription in one frame
    space="before",  # assumed, as 2.5
    role=False,  # measured
    first_sample=True,  # measured: "AAA=" first
    empty_frames="before",  # measured
    handles="turn",  # measured: an update after a tool round
    restores="handle",  # assumed, as 2.5
    calls="blocking",  # documented
    calls_allowed="blocking",  # documented; that others are refused is assumed
    call_id="fc",  # measured
    cancels_calls=True,  # documented
)

_GEMINI_38: Final = Profile(
    name="3.8",
    models=("gemini-3.8-live",),
    refused={Modality.TEXT: _NO_VOICES, Modality.VIDEO: _not_supported(Modality.VIDEO)},
    # (documented: AUDIO only; the wording was measured on other native-audio models)
    piece_seconds=0.36,  # measured: 4.7 s came as 13 chunks
    speed=5.3,  # measured: 4.7 s came in 0.88 s
    shared_frame=True,  # measured
    space="after",  # measured: "The image shows a "
    role=True,  # measured
    empty_frames="between",  # measured: {} after nearly every chunk of audio
    voice_activity="alone",  # measured: unasked
    handles="once",  # measured: exactly one update a connection
    restores="latest",  # measured
    resume_quiet=1.6,  # measured: at once 0 of 12, after 1.6 s it works
    thinking_level="refused",  # documented
    proactive_off=False,  # documented
    calls="non_blocking",  # documented, and that both are allowed
    call_id="call",  # measured
    cancels_calls=False,  # measured: none in more than 41 sessions
)

_THINKING_38: Final = attrs.evolve(
    _GEMINI_38,
    name="3.8-extended-thinking",
    models=("gemini-3.8-live-extended-thinking",),
    think_seconds=1.5,  # assumed
    thinking_level="required",  # documented
    calls_allowed="non_blocking",  # documented: BLOCKING is an error
    schedules=False,  # documented
    preamble=True,  # documented: an utterance, then more until interactionStatus is IDLE
    thoughts_count=True,  # assumed, as 2.5
)

_TRANSCRIBE: Final = Profile(
    name="transcribe-live",
    models=("gemini-3.5-transcribe-live",),
    refused={
        Modality.AUDIO: _not_supported(Modality.AUDIO),  # measured
        Modality.VIDEO: _not_supported(Modality.VIDEO),  # assumed
    },
    default_modality=Modality.TEXT,  # documented
    shared_frame=False,
    space="before",
    role=False,
    voice_activity="beside",  # measured: next to an empty serverContent
    handles="once",  # assumed, as 3.8
    restores="latest",  # assumed, as 3.8
    only_transcribes=True,  # documented
)

_TRANSLATE: Final = Profile(
    name="live-translate",
    models=("gemini-3.5-live-translate-preview",),
    refused={
        Modality.TEXT: _not_supported(Modality.TEXT),  # assumed
        Modality.VIDEO: _not_supported(Modality.VIDEO),  # assumed
    },
    piece_seconds=0.25,  # measured: 12,000 bytes, silent ones too
    shared_frame=False,  # measured
    space="after",  # assumed, as 3.8
    role=False,  # assumed
    handles="turn",  # measured: about one a second, which is what it has for turns
    restores="latest",  # assumed, as 3.8
    translates=True,  # documented; that it never ends a turn is measured
)

UNKNOWN: Final = attrs.evolve(
    _GEMINI_38,
    name="unknown",
    models=(),
    refused={},  # assumed: nothing can be said about it
    thinking_level="free",  # assumed
    proactive_off=True,  # assumed
)
"""How a model behaves that nobody knows, where such models are let in: like 3.8."""

PROFILES: Final = (
    _GEMINI_25,
    _TEXT_25,
    _GEMINI_31,
    _GEMINI_38,
    _THINKING_38,
    _TRANSCRIBE,
    _TRANSLATE,
    UNKNOWN,
)

_BY_MODEL: Final = {model: profile for profile in PROFILES for model in profile.models}


def profile_of(model: str) -> Profile | None:
    """Find the behaviour of ``models/...``; ``None`` for a model that nobody knows."""
    return _BY_MODEL.get(model.removeprefix("models/")) if model.startswith("models/") else None


@functools.cache
def on_vertex(name: str, *, voice_activity: bool) -> Profile:
    """The profile of this name as Vertex AI has it.

    Args:
      name: A name in ``PROFILES``.
      voice_activity: Whether the client asked for it, with ``explicitVadSignal``.
    """
    (profile,) = (profile for profile in PROFILES if profile.name == name)
    return attrs.evolve(
        profile,
        vertex=True,
        role=True,  # measured
        call_id="uuid",  # measured
        pretty=profile.pretty,  # measured on both
        # documented: not unasked
        voice_activity=(profile.voice_activity or "alone") if voice_activity else None,
    )
