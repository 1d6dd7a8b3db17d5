"""What all connections of one simulator share: settings, sessions, records, and planned faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, overload

import attrs
import trio

from .. import codec, wire
from ..errors import DecodeError
from ._checks._legality import LegalityBook
from ._sessions import Conversation, Session, SessionStore
from ._talk._manner import Manner

if TYPE_CHECKING:
    from ..recording import RecordingWriter
    from ._books._replay import Replay
    from ._connection import ServerConnection
    from ._door._stream import GatedStream

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

    It keeps plain tuples, which the garbage collector takes off its lists: with 200 clients it
    would stop everything for a fifth of a second, every few seconds, to look at as many objects.

    Attributes:
      dropped: How many frames are no longer in it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._frames: deque[tuple[float, int, str | bytes]] = deque()
        self.dropped: int = 0

    def append(self, frame: ClientFrame) -> None:
        """Note one frame."""
        self._frames.append((frame.time, frame.connection, frame.frame))
        self._bytes += len(frame.frame) + _FRAME_OVERHEAD
        while self._bytes > self._most_bytes or len(self._frames) > MOST_FRAMES:
            *_, oldest = self._frames.popleft()
            self._bytes -= len(oldest) + _FRAME_OVERHEAD
            self.dropped += 1

    @overload
    def __getitem__(self, index: int) -> ClientFrame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ClientFrame]: ...
    def __getitem__(self, index: int | slice) -> ClientFrame | Sequence[ClientFrame]:
        if isinstance(index, slice):
            return tuple(ClientFrame(*frame) for frame in tuple(self._frames)[index])
        return ClientFrame(*self._frames[index])

    def __iter__(self) -> Iterator[ClientFrame]:
        return (ClientFrame(*frame) for frame in self._frames)

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
    go_away_lead: float | None = 50.0
    resume_lock: bool = True
    resume_restores: Literal["latest", "handle"] | None = None
    handle_every: int | None = None
    setup_is_counted: bool = False
    commands: bool = False
    unknown_models: Literal["refuse", "like-3.8"] = "refuse"


@attrs.frozen
class UpgradeFault:
    """The next upgrade is answered with plain HTTP; without a status, with nothing."""

    status: int | None
    body: bytes | None = None


@attrs.frozen
class SetupRefusal:
    """A setup is answered with a close frame."""

    code: int
    reason: str
    only_resumes: bool = False
    for_ever: bool = False
    when: Callable[[wire.LiveClientSetup], bool] | None = None


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


def _meant(fault: SetupFault, setup: wire.LiveClientSetup) -> bool:
    resumption = setup.session_resumption
    resumes = bool(resumption and resumption.handle)
    if isinstance(fault, SetupRefusal):
        rule = fault.when
        return (resumes or not fault.only_resumes) and (rule is None or rule(setup))
    return resumes or not isinstance(fault, EmptyResume)


class Audience(Protocol):
    """Somebody who is told what happens: a script."""

    def arrived(self, connection: ServerConnection, /) -> None:
        """A connection finished its setup."""
        ...

    def heard(
        self, connection: ServerConnection, message: wire.LiveClientMessage, size: int, /
    ) -> None:
        """A message of so many bytes was taken."""
        ...

    def left(self, connection: ServerConnection, /) -> None:
        """A connection is over."""
        ...


@attrs.define
class Hub:
    """The shared state of one simulator."""

    settings: Settings
    received: FrameLog
    legality: LegalityBook = attrs.field(factory=LegalityBook)
    recorder: RecordingWriter | None = None
    replay: Replay | None = None
    store: SessionStore = attrs.field(factory=lambda: SessionStore(trio.current_time))
    setups: list[wire.LiveClientSetup] = attrs.field(factory=list)
    connections: list[ServerConnection] = attrs.field(factory=list)
    upgrade_faults: deque[UpgradeFault] = attrs.field(factory=deque)
    setup_faults: deque[SetupFault] = attrs.field(factory=deque)
    streams: set[GatedStream] = attrs.field(factory=set)
    """Every byte stream that is being served: in its handshake, too, and after its end."""
    accepting: bool = True
    closed: bool = False
    count: int = 0
    conversations: deque[Conversation] = attrs.field(
        factory=lambda: deque(maxlen=MOST_CONVERSATIONS)
    )
    conversation_count: int = 0
    audience: list[Audience] = attrs.field(factory=list)
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

    def take_setup_fault(self, setup: wire.LiveClientSetup) -> SetupFault | None:
        """Take the next fault planned for a setup like this."""
        for fault in self.setup_faults:
            if _meant(fault, setup):
                if not (isinstance(fault, SetupRefusal) and fault.for_ever):
                    self.setup_faults.remove(fault)
                return fault
        return None

    def arrived(self, connection: ServerConnection) -> None:
        """A connection finished its setup, and got its first handle."""
        self._arrivals.append(connection)
        for one in self.audience:
            one.arrived(connection)
        self._waiting.unpark()

    async def accept(self) -> ServerConnection:
        """Wait for the next connection that finished its setup.

        Raises:
          trio.ClosedResourceError: the simulator is closed, and there is none left.
        """
        await trio.lowlevel.checkpoint()
        while not self._arrivals:
            if self.closed:
                raise trio.ClosedResourceError("the simulator is closed")
            await self._waiting.park()
        return self._arrivals.popleft()

    def close(self) -> None:
        """Let nobody in any more; who waits for somebody to come is told."""
        self.accepting = False
        self.closed = True
        self._waiting.unpark_all()
