"""What all connections of one simulator share: settings, sessions, records, and planned faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

import attrs
import trio

from .. import codec, wire
from ..errors import DecodeError
from ._dialogue import Manner
from ._sessions import Conversation, Session, SessionStore

if TYPE_CHECKING:
    from ._connection import ServerConnection

__all__ = ["ClientFrame", "FrameLog", "Hub", "Settings", "UpgradeFault"]

MOST_FRAMES: Final = 100_000
MOST_SETUPS: Final = 1_000
MOST_ARRIVALS: Final = 256
MOST_CONVERSATIONS: Final = 1_000
_FRAME_OVERHEAD: Final = 200


@attrs.frozen
class ClientFrame:
    """One frame that a client sent.

    Attributes:
      time: When it arrived, on Trio's clock.
      connection: The number of its connection, from 1.
      frame: As it came: text, or bytes from a binary frame.
    """

    time: float
    connection: int
    frame: str | bytes = attrs.field(repr=lambda frame: f"<{len(frame)} long>")

    @property
    def message(self) -> wire.LiveClientMessage | None:
        """The frame, decoded; ``None`` where it can't be read."""
        try:
            return codec.decode_client(self.frame)
        except DecodeError:
            return None


class FrameLog(Sequence[ClientFrame]):
    """What the clients sent, oldest first; bounded, and the oldest make room.

    Attributes:
      dropped: How many frames are no longer in it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._frames: deque[ClientFrame] = deque()
        self.dropped: int = 0

    def append(self, frame: ClientFrame) -> None:
        """Note one frame."""
        self._frames.append(frame)
        self._bytes += len(frame.frame) + _FRAME_OVERHEAD
        while self._bytes > self._most_bytes or len(self._frames) > MOST_FRAMES:
            oldest = self._frames.popleft()
            self._bytes -= len(oldest.frame) + _FRAME_OVERHEAD
            self.dropped += 1

    @overload
    def __getitem__(self, index: int) -> ClientFrame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ClientFrame]: ...
    def __getitem__(self, index: int | slice) -> ClientFrame | Sequence[ClientFrame]:
        if isinstance(index, slice):
            return tuple(self._frames)[index]
        return self._frames[index]

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"<FrameLog of {len(self)} frames, {self.dropped} dropped>"


@attrs.frozen(kw_only=True)
class Settings:
    """How a simulator was opened; ``open_simulator`` explains each."""

    manner: Manner
    api_key: str | None = attrs.field(default=None, repr=False)
    frames: Literal["binary", "text"] = "binary"
    connection_limit: float | None = None
    go_away_lead: float = 50.0
    resume_lock: bool = True
    resume_restores: Literal["latest", "handle"] | None = None
    handle_every: int | None = None
    setup_is_counted: bool = False


@attrs.frozen
class UpgradeFault:
    """The next upgrade is answered with plain HTTP; without a status, with nothing."""

    status: int | None
    body: bytes = b""


@attrs.frozen
class SetupRefusal:
    """A setup is answered with a close frame."""

    code: int
    reason: str
    only_resumes: bool = False
    for_ever: bool = False


@attrs.frozen
class SetupAnswer:
    """Something else is said before ``setupComplete``, or instead of it."""

    message: wire.LiveServerMessage
    then_complete: bool


@attrs.frozen
class SetupDrop:
    """A setup is answered with the end of the connection."""


@attrs.frozen
class EmptyResume:
    """A handle is taken, but brings nothing back."""


@attrs.frozen
class SetupSilence:
    """A setup is never answered."""


@attrs.frozen
class SetupDelay:
    """A setup is answered late."""

    seconds: float


SetupFault: TypeAlias = (
    SetupRefusal | SetupSilence | SetupDelay | SetupAnswer | SetupDrop | EmptyResume
)


def _spares_fresh(fault: SetupFault) -> bool:
    return isinstance(fault, EmptyResume) or (
        isinstance(fault, SetupRefusal) and fault.only_resumes
    )


@attrs.define
class Hub:
    """The shared state of one simulator."""

    settings: Settings
    received: FrameLog
    store: SessionStore = attrs.field(factory=lambda: SessionStore(trio.current_time))
    setups: list[wire.LiveClientSetup] = attrs.field(factory=list)
    connections: list[ServerConnection] = attrs.field(factory=list)
    upgrade_faults: deque[UpgradeFault] = attrs.field(factory=deque)
    setup_faults: deque[SetupFault] = attrs.field(factory=deque)
    accepting: bool = True
    count: int = 0
    conversations: deque[Conversation] = attrs.field(
        factory=lambda: deque(maxlen=MOST_CONVERSATIONS)
    )
    conversation_count: int = 0
    _arrivals: deque[ServerConnection] = attrs.field(
        factory=lambda: deque(maxlen=MOST_ARRIVALS), init=False
    )
    _waiting: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot, init=False)

    def next_number(self) -> int:
        """Number the next connection."""
        self.count += 1
        return self.count

    def begin_session(self, model: str) -> Session:
        """Begin a conversation."""
        self.conversation_count += 1
        session = Session(model, self.conversation_count)
        self.conversations.append(Conversation(session))
        return session

    def note_setup(self, setup: wire.LiveClientSetup) -> None:
        """Keep a setup that arrived, whatever becomes of it."""
        self.setups.append(setup)
        del self.setups[:-MOST_SETUPS]

    def take_setup_fault(self, *, resumes: bool) -> SetupFault | None:
        """Take the next fault planned for a setup of this kind."""
        for fault in self.setup_faults:
            if resumes or not _spares_fresh(fault):
                if not (isinstance(fault, SetupRefusal) and fault.for_ever):
                    self.setup_faults.remove(fault)
                return fault
        return None

    def arrived(self, connection: ServerConnection) -> None:
        """A connection finished its setup."""
        self.connections.append(connection)
        self._arrivals.append(connection)
        self._waiting.unpark()

    async def accept(self) -> ServerConnection:
        """Wait for the next connection that finished its setup."""
        await trio.lowlevel.checkpoint()
        while not self._arrivals:
            await self._waiting.park()
        return self._arrivals.popleft()
