"""What a session knows, apart from sockets, tasks and clocks.

Connection, session and conversation are three things. A connection lives for minutes, the session
for as long as its block, and the conversation is what the service remembers. ``Conversation`` holds
what is needed to carry the last over the first: the handle, the state of the turn, the time to
leave. ``Outbox`` holds what has still to be sent. Both are told what happened and asked what to do;
time is a parameter (seconds on any steady clock).
"""

from __future__ import annotations

import enum
import math
from collections import deque

import attrs

from . import wire
from ._closes import Rule

__all__ = ["Conversation", "Kind", "Outbox", "Outgoing"]

GO_AWAY_MARGIN = 2.0
"""Seconds before the service's own deadline at which we leave, whatever is going on."""

GO_AWAY_DEFAULT = 10.0
"""Seconds to leave in where the service didn't say; the shortest notice that was ever seen."""


class Kind(enum.Enum):
    """How much a message is worth while there is no connection."""

    CONTROL = "control"
    """Held, in order."""
    AUDIO = "audio"
    """Held for some seconds; the oldest goes first."""
    VIDEO = "video"
    """Only the newest is held."""


@attrs.frozen
class Outgoing:
    """One frame on its way out."""

    frame: str = attrs.field(repr=lambda frame: f"<{len(frame)} characters>")
    kind: Kind = Kind.CONTROL
    seconds: float = 0.0
    """How long it plays, for audio."""


class Outbox:
    """What is waiting to be written, in the order in which it was handed in.

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
        self.dropped_audio_seconds: float = 0.0
        self.dropped_video_frames: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether as many messages wait as may be kept."""
        return self._control_waiting >= self._capacity

    def put(self, item: Outgoing) -> None:
        """Take one message, and drop older media where the bound says so."""
        if item.kind is Kind.VIDEO:
            self.dropped_video_frames += self._drop(Kind.VIDEO, math.inf)[0]
        self._waiting.append(item)
        if item.kind is Kind.CONTROL:
            self._control_waiting += 1
        elif item.kind is Kind.AUDIO:
            self._audio_waiting += item.seconds
            excess = self._audio_waiting - self._audio_bound
            if excess > 0:
                self.dropped_audio_seconds += self._drop(Kind.AUDIO, excess)[1]

    def _drop(self, kind: Kind, at_least: float) -> tuple[int, float]:
        """Throw away the oldest of a kind until that many seconds are gone."""
        kept: deque[Outgoing] = deque()
        count, seconds = 0, 0.0
        for item in self._waiting:
            if item.kind is kind and seconds < at_least:
                count += 1
                seconds += item.seconds
            else:
                kept.append(item)
        self._waiting = kept
        if kind is Kind.AUDIO:
            self._audio_waiting -= seconds
        return count, seconds

    def take(self) -> Outgoing:
        """Take the next message, to write it."""
        item = self._waiting.popleft()
        if item.kind is Kind.CONTROL:
            self._control_waiting -= 1
        elif item.kind is Kind.AUDIO:
            self._audio_waiting -= item.seconds
        return item

    def put_back(self, item: Outgoing) -> None:
        """Return a message that was taken and could not be written: it is the next again."""
        self._waiting.appendleft(item)
        if item.kind is Kind.CONTROL:
            self._control_waiting += 1
        elif item.kind is Kind.AUDIO:
            self._audio_waiting += item.seconds


class Conversation:
    """The state that outlives a connection."""

    def __init__(self, setup: wire.LiveClientSetup) -> None:
        self._setup = setup
        self._handle: str | None = None
        self._leave_by = math.inf
        self._generating = False
        self._connected = False

    @property
    def resumable(self) -> bool:
        """Whether there is a handle to resume with."""
        return self._handle is not None

    def next_setup(self) -> wire.LiveClientSetup:
        """Return the ``setup`` for the next connection, with the newest handle if there is one."""
        if self._handle is None:
            return self._setup
        # The service waits for history after a setup that announces it, even on a resume.
        return attrs.evolve(
            self._setup,
            session_resumption=attrs.evolve(
                self._setup.session_resumption or wire.SessionResumptionConfig(),
                handle=self._handle,
            ),
            history_config=None,
        )

    def connected(self) -> None:
        """A connection is ready."""
        self._connected = True
        self._leave_by = math.inf
        self._generating = False

    def disconnected(self, rule: Rule) -> None:
        """A connection ended, or was refused."""
        if rule.drops_handle:
            self._handle = None
        self._connected = False
        self._leave_by = math.inf
        self._generating = False

    def received(self, message: wire.LiveServerMessage, now: float) -> None:
        """A message came in."""
        update = message.session_resumption_update
        if update is not None and update.resumable and update.new_handle:
            self._handle = update.new_handle
        content = message.server_content
        if content is not None:
            if content.model_turn is not None:
                self._generating = True
            if content.turn_complete or content.interrupted:
                status = content.interaction_status or message.interaction_status
                self._generating = status == wire.InteractionStatus.IN_PROGRESS
        if message.go_away is not None:
            left = message.go_away.time_left
            self._leave_by = now + max(
                0.0, (GO_AWAY_DEFAULT if left is None else left) - GO_AWAY_MARGIN
            )

    def leave_at(self, now: float) -> float:
        """Return when to move to a new connection: ``math.inf`` for not at all."""
        if self._leave_by == math.inf or self._generating:
            return self._leave_by
        return now
