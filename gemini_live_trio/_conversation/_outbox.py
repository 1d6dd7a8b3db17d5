"""What is waiting to be written, in the order in which it was handed in."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from .. import wire

__all__ = ["Bracket", "Fate", "Kind", "Outbox", "Outgoing", "Ticket"]


class Kind(enum.Enum):
    """How much a message is worth while there is no connection."""

    CONTROL = "control"
    """Held, in order."""
    AUDIO = "audio"
    """Held for some seconds; the oldest goes first."""
    VIDEO = "video"
    """Only the newest is held."""


class Fate(enum.Enum):
    """What became of a message."""

    QUEUED = "queued"
    """It waits to be written."""
    SENT = "sent"
    """It was written to its last byte; whether the service took it isn't known yet."""
    CONFIRMED = "confirmed"
    """The service took it."""
    UNKNOWN = "unknown"
    """It was written, and whether the service took it will never be known."""
    DROPPED = "dropped"
    """The service never got it; the reason says why."""

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""
        return self in (Fate.CONFIRMED, Fate.UNKNOWN, Fate.DROPPED)


class Bracket(enum.Enum):
    """Marks around what the user says, with manual activity detection."""

    START = "start"
    END = "end"


class Ticket:
    """The state of one message, for whoever handed it in."""

    __slots__ = ("fate", "listener", "reason", "replays")

    def __init__(self) -> None:
        self.fate: Fate = Fate.QUEUED
        self.reason: str = ""
        self.replays: int = 0
        self.listener: Callable[[], None] | None = None

    def become(self, fate: Fate, reason: str = "") -> None:
        """Go to another state; a final one stays."""
        if not self.fate.final:
            self.fate = fate
            self.reason = reason
            if self.listener is not None:
                self.listener()


@attrs.frozen(eq=False)
class Outgoing:
    """One frame on its way out, and what must be known of it after a cut."""

    frame: str = attrs.field(repr=lambda frame: f"<{len(frame)} characters>")
    kind: Kind = Kind.CONTROL
    seconds: float = 0.0
    """How long it plays, for audio."""
    ticket: Ticket | None = None
    bracket: Bracket | None = None
    call_ids: tuple[str, ...] = ()
    """The tool calls that it answers."""
    partial: bool = False
    """A tool answer that others will follow: never sent twice."""
    seed: bool = False
    """It tells a fresh session what was said before."""
    rate_hz: int = 0
    """Samples a second, for audio."""
    ends_speech: bool = False
    """The user stops speaking with it."""
    asks: bool = False
    """The model answers it with a generation."""
    said: Sequence[tuple[str, str]] = ()
    """Role and text of what it says, for the transcript."""
    typed: bool = False
    """It is real-time input without being sound, picture or mark."""
    update: wire.LiveClientContextUpdate | None = None
    """What it changes of the setup; each connection made after that begins with it."""

    @property
    def realtime(self) -> bool:
        """Whether it is real-time input, as opposed to whole turns, answers and settings."""
        return self.typed or self.bracket is not None or self.kind is not Kind.CONTROL

    def become(self, fate: Fate, reason: str = "") -> None:
        """Tell the ticket, where there is one."""
        if self.ticket is not None:
            self.ticket.become(fate, reason)


class Outbox:
    """A queue that knows what its content is worth.

    Audio is bounded in seconds and video to one frame, since both are worth nothing late, as they
    would be after a gap in the connection; what is thrown away is counted. Everything else is
    kept, and ``full`` tells when to take no more.
    """

    def __init__(self, *, audio_seconds: float = 10.0, capacity: int = 256) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._audio_bound = audio_seconds
        self._audio_waiting = 0.0
        self._control_waiting = 0
        self._capacity = capacity
        self.asks: int = 0
        """How many of them call for an answer."""
        self.dropped_audio_seconds: float = 0.0
        self.dropped_video_frames: int = 0

    def __iter__(self) -> Iterator[Outgoing]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def audio_seconds(self) -> float:
        """How much audio waits."""
        return self._audio_waiting

    @property
    def full(self) -> bool:
        """Whether as many messages wait as may be kept."""
        return self._control_waiting >= self._capacity

    def put(self, item: Outgoing) -> None:
        """Take one message, and drop older media where the bound says so."""
        if item.kind is Kind.VIDEO:
            self.dropped_video_frames += self._drop(Kind.VIDEO, math.inf)[0]
        self._waiting.append(item)
        self._count(item, 1)
        if item.kind is Kind.AUDIO:
            excess = self._audio_waiting - self._audio_bound
            if excess > 0:
                self.dropped_audio_seconds += self._drop(Kind.AUDIO, excess)[1]

    def put_back(self, items: Iterable[Outgoing]) -> None:
        """Make messages the next to be written, in their order."""
        for item in reversed(list(items)):
            self._waiting.appendleft(item)
            self._count(item, 1)

    def take(self) -> Outgoing:
        """Take the next message, to write it."""
        item = self._waiting.popleft()
        self._count(item, -1)
        return item

    def clear(self) -> list[Outgoing]:
        """Take all that waits."""
        return [self.take() for _ in range(len(self._waiting))]

    def drop(self, unwanted: Callable[[Outgoing], bool]) -> list[Outgoing]:
        """Take out what isn't wanted any more."""
        dropped = [item for item in self._waiting if unwanted(item)]
        for item in dropped:
            self._waiting.remove(item)
            self._count(item, -1)
        return dropped

    def _count(self, item: Outgoing, sign: int) -> None:
        self.asks += sign * item.asks
        if item.kind is Kind.CONTROL:
            self._control_waiting += sign
        elif item.kind is Kind.AUDIO:
            self._audio_waiting += sign * item.seconds

    def _drop(self, kind: Kind, at_least: float) -> tuple[int, float]:
        """Throw away the oldest of a kind until that many seconds are gone."""
        kept: deque[Outgoing] = deque()
        count, seconds = 0, 0.0
        for item in self._waiting:
            if item.kind is kind and seconds < at_least:
                count += 1
                seconds += item.seconds
                item.become(Fate.DROPPED, "newer media took its place")
            else:
                kept.append(item)
        self._waiting = kept
        if kind is Kind.AUDIO:
            self._audio_waiting -= seconds
        return count, seconds
