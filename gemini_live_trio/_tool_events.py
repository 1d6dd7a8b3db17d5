"""What is told of tool calls and of what they bring about; ``events`` has these too."""

from __future__ import annotations

import enum

import attrs

from .wire import Struct

__all__ = [
    "InputGate",
    "ToolEnded",
    "ToolEvent",
    "ToolFinished",
    "ToolOutcome",
    "ToolProgress",
    "ToolStarted",
]


class ToolOutcome(enum.Enum):
    """What became of a call."""

    ANSWERED = "answered"
    """Its answer went out, whether it told a result or a failure."""
    CANCELLED = "cancelled"
    """The service took it back; nothing was sent."""
    TIMED_OUT = "timed out"
    """The tool took too long, and the model was told so."""
    REFUSED = "refused"
    """It never ran, or not to its end: the tool is unknown, the arguments are wrong, there are too
    many calls, or the session was ending."""
    RETOLD = "retold"
    """The service no longer knew the call, so the result was told in text, or as the answer to the
    same call under a new id."""


@attrs.frozen
class ToolEvent:
    """Base of the events that tell how tool calls fare."""

    @property
    def message(self) -> None:
        """There is no frame behind it."""
        return None


@attrs.frozen
class ToolStarted(ToolEvent):
    """A tool begins to run; one that is called with wrong arguments never does."""

    call_id: str | None
    name: str
    args: Struct = attrs.field(factory=dict, hash=False)


@attrs.frozen
class ToolProgress(ToolEvent):
    """A tool tells how far it is; the model isn't told."""

    call_id: str | None
    name: str
    text: str


@attrs.frozen
class ToolFinished(ToolEvent):
    """A function that had begun is over. What becomes of the call is told by ``ToolEnded``."""

    call_id: str | None
    name: str
    seconds: float
    """How long it ran."""
    failed: bool = False
    late: bool = False
    """Nobody wanted what it gave any more."""
    error: BaseException | None = attrs.field(default=None, repr=False, eq=False)
    """What it raised, or why what it gave can't be sent."""


@attrs.frozen
class ToolEnded(ToolEvent):
    """A call has its outcome: comes exactly once for each.

    For an answer it comes with the first sign that the service has it, which is when the model
    goes on, or at the end of the session.
    """

    call_id: str | None
    name: str
    outcome: ToolOutcome
    reason: str = ""
    """Why, where the outcome alone doesn't say."""
    seconds: float = 0.0
    """Since the call came."""


@attrs.frozen
class InputGate(ToolEvent):
    """The microphone was shut off, or let through again, because the model waits for a tool.

    Some models close the connection, or drop the call, when they hear something meanwhile.
    """

    open: bool
    reason: str
    """Why, in a few words: ``"answered"``, ``"cancelled"``, ``"expired"`` and so on."""
    dropped_audio_seconds: float = 0.0
    """What was held back since it was shut."""
    dropped_video_frames: int = 0
