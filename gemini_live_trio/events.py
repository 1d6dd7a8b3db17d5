"""What a session tells its user: one small frozen class per kind, made for ``match``.

One frame of the service may become several events; they share it as ``.message``, so whatever an
event doesn't spell out is still at hand. The order inside one frame is written down at
``codec.to_events``, which makes all of them but the last group.

``Event`` is the closed union of all classes here: a ``match`` over it can be checked for
completeness with ``typing.assert_never``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from . import wire
from ._tool_events import InputGate as InputGate
from ._tool_events import ToolEnded as ToolEnded
from ._tool_events import ToolEvent as ToolEvent
from ._tool_events import ToolFinished as ToolFinished
from ._tool_events import ToolOutcome as ToolOutcome
from ._tool_events import ToolProgress as ToolProgress
from ._tool_events import ToolStarted as ToolStarted
from .errors import DecodeError
from .wire import JsonValue, Struct

__all__ = [
    "BookEvent",
    "BudgetWarning",
    "CodeResult",
    "Event",
    "ExecutableCode",
    "GenerationComplete",
    "GoAway",
    "Grounding",
    "InputGate",
    "InputTranscription",
    "InteractionStatusChanged",
    "InterimInputTranscription",
    "Interrupted",
    "Lagged",
    "ModelAudio",
    "ModelMedia",
    "ModelPart",
    "ModelText",
    "ModelThought",
    "OutputTranscription",
    "ReconnectState",
    "Reconnected",
    "Reconnecting",
    "ResumptionUpdate",
    "ServerError",
    "ServerEvent",
    "SessionEvent",
    "SetupComplete",
    "Speaker",
    "SpeechStateChanged",
    "StallState",
    "Stalled",
    "TextState",
    "ToolCall",
    "ToolCallCancellation",
    "ToolEnded",
    "ToolEvent",
    "ToolFinished",
    "ToolOutcome",
    "ToolProgress",
    "ToolStarted",
    "TranscriptUpdate",
    "TurnComplete",
    "Undecodable",
    "Unknown",
    "UrlContext",
    "Usage",
    "VoiceActivity",
    "VoiceActivitySignal",
    "WaitingForInput",
]

_NO_MESSAGE = wire.LiveServerMessage()
_SHOWN = 24


def _brief(value: JsonValue) -> str:
    """Show an unknown value by its kind: it may be a key, a handle, or media."""
    match value:
        case str() if len(value) > _SHOWN:
            return f"<{len(value)} characters>"
        case Mapping():
            return f"<object of {len(value)}>"
        case Sequence() if not isinstance(value, str):
            return f"<list of {len(value)}>"
        case _:
            return repr(value)


@attrs.frozen
class ServerEvent:
    """Base of the events that came in a frame."""

    message: wire.LiveServerMessage = attrs.field(
        default=_NO_MESSAGE, kw_only=True, repr=False, eq=False
    )
    """The whole frame, shared by all its events."""


@attrs.frozen
class SessionEvent:
    """Base of the events that the session itself has to tell."""

    @property
    def message(self) -> None:
        """There is no frame behind it."""
        return None


@attrs.frozen
class BookEvent:
    """Base of the events that say in another form what others have said."""

    @property
    def message(self) -> None:
        """There is no frame behind it."""
        return None


# --- The session is ready -------------------------------------------------------------------


@attrs.frozen
class SetupComplete(ServerEvent):
    """The service took the setup (wire: ``setupComplete``)."""

    session_id: str | None = None
    """The service's name for the session; Vertex only."""


# --- What was heard and said ----------------------------------------------------------------


@attrs.frozen
class InputTranscription(ServerEvent):
    """A piece of what the user said; join the pieces as they are, without spaces."""

    text: str
    finished: bool | None = None
    """Seen on Vertex only, and then without text: never wait for it."""
    language_code: str | None = None
    transcription: wire.Transcription = attrs.field(factory=wire.Transcription, repr=False)


@attrs.frozen
class InterimInputTranscription(ServerEvent):
    """A guess at what the user is saying; replaces the guess before it."""

    text: str
    language_code: str | None = None
    transcription: wire.Transcription = attrs.field(factory=wire.Transcription, repr=False)


@attrs.frozen
class OutputTranscription(ServerEvent):
    """A piece of what the model's voice says; join the pieces as they are, without spaces."""

    text: str
    finished: bool | None = None
    language_code: str | None = None
    transcription: wire.Transcription = attrs.field(factory=wire.Transcription, repr=False)


# --- What the model makes -------------------------------------------------------------------


@attrs.frozen
class ModelText(ServerEvent):
    """A piece of the model's answer in text; join the pieces as they are."""

    text: str


@attrs.frozen
class ModelThought(ServerEvent):
    """A piece of the model's reasoning: not meant for the user's ears."""

    text: str


@attrs.frozen
class ModelAudio(ServerEvent):
    """A piece of the model's voice."""

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    """Signed 16-bit little-endian mono samples; the first piece of a turn may be a single one."""
    rate_hz: int = 24_000
    """From the MIME type; 24,000 where it names none, as on Vertex."""
    generation: int = 0
    """Number of the run of output that it belongs to, from 1; 0 outside a session."""
    stale: bool = False
    """It belongs to an answer that was interrupted: don't play it."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.pcm) / 2 / self.rate_hz


@attrs.frozen
class ModelMedia(ServerEvent):
    """Inline data that isn't PCM audio: an image, a video segment."""

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    mime_type: str | None = None
    part: wire.Part = attrs.field(factory=wire.Part, repr=False)


@attrs.frozen
class ExecutableCode(ServerEvent):
    """Code that the model wrote and the service runs."""

    code: str
    language: wire.Language | str | None = None
    id: str | None = None


@attrs.frozen
class CodeResult(ServerEvent):
    """What came out of code that the service ran."""

    output: str
    outcome: wire.Outcome | str | None = None
    id: str | None = None


@attrs.frozen
class ModelPart(ServerEvent):
    """A part of the model's turn that no other event describes: file data, built-in tool use."""

    part: wire.Part


# --- Where the turn stands ------------------------------------------------------------------


@attrs.frozen
class Grounding(ServerEvent):
    """The sources behind the answer."""

    metadata: wire.GroundingMetadata


@attrs.frozen
class UrlContext(ServerEvent):
    """The pages that the model read."""

    metadata: wire.UrlContextMetadata


@attrs.frozen
class GenerationComplete(ServerEvent):
    """All of the answer was made; the rest of it may still be on its way to the ear."""


@attrs.frozen
class Interrupted(ServerEvent):
    """The answer was cut off: drop what is still waiting to be played."""

    spurious: bool = False
    """Nothing was being generated or spoken, so there is nothing to drop."""


@attrs.frozen
class TurnComplete(ServerEvent):
    """The model's turn is over."""

    reason: wire.TurnCompleteReason | str | None = None
    """Why, when it wasn't the ordinary end."""
    interaction_status: wire.InteractionStatus | str | None = None
    """``IN_PROGRESS`` when more will follow without the user saying anything."""


@attrs.frozen
class WaitingForInput(ServerEvent):
    """The model wants the user to go on before it answers."""


@attrs.frozen
class InteractionStatusChanged(ServerEvent):
    """Whether the model is still at work between its turns."""

    status: wire.InteractionStatus | str


@attrs.frozen
class SpeechStateChanged(ServerEvent):
    """Whether the service hears speech; documented for Vertex, never seen."""

    state: wire.SpeechState | str


@attrs.frozen
class VoiceActivity(ServerEvent):
    """The user began or stopped speaking, as the service heard it."""

    activity: wire.VoiceActivityType | str | None = None
    audio_offset: float | None = None
    """Seconds of audio that the service had received by then; goes on across a resume."""


@attrs.frozen
class VoiceActivitySignal(ServerEvent):
    """The older form of ``VoiceActivity``."""

    signal: wire.VadSignalType | str | None = None


# --- Tools ----------------------------------------------------------------------------------


@attrs.frozen
class ToolCall(ServerEvent):
    """The model wants a function called.

    One that was given as ``tools`` is answered by the session, another with ``send_tool_response``.
    """

    id: str | None
    """Opaque, always text; absent on old Vertex models."""
    name: str
    args: Struct = attrs.field(factory=dict, hash=False)
    call: wire.FunctionCall = attrs.field(factory=wire.FunctionCall, repr=False)


@attrs.frozen
class ToolCallCancellation(ServerEvent):
    """The model no longer wants the answers to these calls."""

    ids: Sequence[str]


# --- Life of the connection -----------------------------------------------------------------


@attrs.frozen
class GoAway(ServerEvent):
    """The service will end this connection soon; the session moves to a new one by itself."""

    time_left: float | None = None
    """Seconds, ``None`` where the service didn't say it readably."""


@attrs.frozen
class ResumptionUpdate(ServerEvent):
    """A handle to resume the session with; the session keeps the newest usable one by itself."""

    handle: str | None = attrs.field(
        default=None, repr=lambda handle: "None" if handle is None else "<handle>"
    )
    resumable: bool | None = None
    last_consumed_client_message_index: int | None = None
    """Transparent mode only: how many of this connection's messages the service has taken."""


@attrs.frozen
class Usage(ServerEvent):
    """Tokens counted by the service, usually once a turn."""

    metadata: wire.UsageMetadata


@attrs.frozen
class ServerError(ServerEvent):
    """An error inside a frame; documented by nobody, looked for by some."""

    text: str
    code: int | None = None
    status: str | None = None
    details: Sequence[Struct] = attrs.field(default=(), hash=False)


@attrs.frozen
class Unknown(ServerEvent):
    """A field of the frame that this version doesn't know."""

    path: str
    """Its place in the frame, as in ``serverContent.newThing``."""
    value: JsonValue = attrs.field(repr=_brief, hash=False)


@attrs.frozen
class Undecodable(ServerEvent):
    """A frame that could not be read; it stands where the frame stood."""

    error: DecodeError
    frame: str | bytes = attrs.field(repr=lambda frame: f"<{len(frame)} long>")


# --- Told by the session itself -------------------------------------------------------------


class ReconnectState(enum.Enum):
    """What a reconnect kept of the conversation."""

    RESUMED = "resumed"
    """The service has the conversation: it took the handle."""
    RESEEDED = "reseeded"
    """A new conversation, told in text what was said before."""
    FRESH = "fresh"
    """A new conversation: what was said before is lost to the model."""


@attrs.frozen
class Reconnecting(SessionEvent):
    """The connection ended; the session is about to dial again."""

    attempt: int
    """From 1."""
    delay: float
    """Seconds until the dial."""
    cause: str
    """One sentence."""
    code: int | None = None
    reason: str = ""


@attrs.frozen
class Reconnected(SessionEvent):
    """The session goes on over a new connection."""

    state: ReconnectState
    attempts: int = 1
    gap_seconds: float = 0.0
    """How long there was no connection."""
    dropped_audio_seconds: float = 0.0
    """Audio handed in that will never arrive."""
    dropped_video_frames: int = 0
    """Pictures that a newer one replaced before it could be sent."""
    replayed: int = 0
    """Messages sent again since the event before, because the service showed no sign of having
    them. After a resume that is decided two seconds later, so it is told with the next."""
    unknown: int = 0
    """Messages of which it will never be known whether the service has them."""


@attrs.frozen
class BudgetWarning(SessionEvent):
    """Most of the session's budget is spent; comes once."""

    spent: int
    """Tokens."""
    tokens: int
    """The budget; at this count the session ends with ``BudgetExhausted``."""


class StallState(enum.Enum):
    """What a silence is waiting for."""

    MODEL = "model"
    """Something was asked, and nothing of an answer has come."""
    THINKING = "thinking"
    """The model is reasoning, or said that it goes on."""
    TOOL = "tool"
    """A tool call is open: it is the user's turn."""
    SERVER = "server"
    """A generation stopped in the middle."""


@attrs.frozen
class Stalled(SessionEvent):
    """Nothing has happened for long, though something should."""

    state: StallState
    seconds: float


class Speaker(enum.Enum):
    """Whose words they are; the value is the role on the wire."""

    USER = "user"
    MODEL = "model"


class TextState(enum.Enum):
    """Whether more of an utterance may come."""

    PARTIAL = "partial"
    FINAL = "final"
    """The service said that it is over, or it came whole."""
    INFERRED = "inferred"
    """Something else shows that it is over; ``reason`` says what."""


@attrs.frozen
class TranscriptUpdate(BookEvent):
    """``session.transcript`` has changed; comes right before the event that changed it."""

    index: int
    """Number of the entry, from 0."""
    speaker: Speaker
    delta: str
    """What was appended; empty when only the state changed."""
    text: str
    """The whole entry by now."""
    state: TextState = TextState.PARTIAL
    reason: str = ""
    """Why it is taken to be final, where that was inferred."""


@attrs.frozen
class Lagged(SessionEvent):
    """Here events are missing: the receiver was slower than the service for too long."""

    count: int


Event: TypeAlias = (
    SetupComplete
    | InputTranscription
    | InterimInputTranscription
    | OutputTranscription
    | ModelText
    | ModelThought
    | ModelAudio
    | ModelMedia
    | ExecutableCode
    | CodeResult
    | ModelPart
    | Grounding
    | UrlContext
    | GenerationComplete
    | Interrupted
    | TurnComplete
    | WaitingForInput
    | InteractionStatusChanged
    | SpeechStateChanged
    | VoiceActivity
    | VoiceActivitySignal
    | ToolCall
    | ToolCallCancellation
    | GoAway
    | ResumptionUpdate
    | Usage
    | ServerError
    | Unknown
    | Undecodable
    | Reconnecting
    | Reconnected
    | BudgetWarning
    | Lagged
    | TranscriptUpdate
    | InputGate
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | ToolEnded
    | Stalled
)
