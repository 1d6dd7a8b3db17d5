"""A recording as a server: the frames that were recorded, at the times that they had.

The n-th connection of the recording answers the n-th client. A frame of the server has its place
after the steps of the client that preceded it in the recording. A step is

* any message that isn't sound or picture, counted by its root, for ``realtimeInput`` by the field
  in it: the second ``clientContent`` answers to the second, whatever came between;
* the first ``realtimeInput.audio`` of a connection, and its first ``video``. How many frames follow
  doesn't matter, since no two runs cut their sound alike.

The frame is sent when all of its steps have arrived, and then as long after the last of them as in
the recording, divided by the speed. Frames keep their order. So a client that is slower gets its
answers later, and one that never sends what the recording has gets none: the log tells what is
waited for. What it sends differently is noted for ``Simulator.replay_differences``, and never
refused. A recorded connection that was refused is refused again, with its code and reason.

A client takes its place in the recording with its first message, when its credentials are judged;
one that isn't let in takes none.

Files are read and differences are looked for in steps of a few milliseconds, so that an event loop
goes on meanwhile; not in a thread, for which a virtual clock wouldn't wait.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Self, TypeAlias

import attrs
import trio

from ... import codec, wire
from ..._redact import parse
from ...errors import DecodeError
from ...recording import Difference, Ended, Frame, Happening, Lost, Opened, Place, Recording
from ...recording._diff import Said, comparable, compare_in_steps, told_ending
from .._checks._refused import Refused
from .._door._socket import ConnectionEnded, Ending, Socket
from .._hub import ClientFrame, Hub

__all__ = ["Replay"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

MOST_DIFFERENCES: Final = 10_000
MOST_AHEAD: Final = 10_000
"""Messages of one kind that a client may be ahead of the recording; more aren't waited for."""
COMPARE_TIMEOUT: Final = 5.0
"""Seconds that a connection that is over is compared with the recorded one."""
_STEP_LINES: Final = 16
_MEDIA: Final = frozenset({"realtimeInput.audio", "realtimeInput.video", "realtimeInput.chunks"})
_FIELDS: Final = {
    "audio": "audio",
    "video": "video",
    "mediaChunks": "chunks",
    "text": "text",
    "activityStart": "activityStart",
    "activityEnd": "activityEnd",
    "audioStreamEnd": "audioStreamEnd",
}
_ROOTS: Final[tuple[str, ...]] = ("setup", "clientContent", "toolResponse", "contextUpdate")
_UNSENT: Final = frozenset({1004, 1006, 1015})
_CODES: Final = range(1000, 5000)

Judge: TypeAlias = Callable[[str | bytes], None]
"""Raises ``Refused`` for a first message whose sender isn't let in."""


class Replay:
    """Serves a recording.

    Args:
      recording: What to serve. It is read as it is served, so its file must stay.
      speed: How many times faster than it was recorded; infinity waits only for the client.
      places: Where its connections begin.
    """

    def __init__(self, recording: Recording, speed: float, places: Sequence[Place]) -> None:
        self._recording = recording
        self._speed = speed
        self._places = places
        self._served = 0
        self._differences: list[Difference] = []

    @classmethod
    async def open(cls, recording: Recording, speed: float) -> Self:
        """Read a recording once, to see that it can be served.

        Raises:
          RecordingError: a line of it can't be read.
        """
        places: list[Place] = []
        for number, (place, happening) in enumerate(recording.places()):
            if isinstance(happening, Opened):
                places.append(place)
            if number % _STEP_LINES == _STEP_LINES - 1:
                await trio.lowlevel.checkpoint()
        return cls(recording, speed, places)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What clients sent differently, of the connections that are over; the first 10,000."""
        return tuple(self._differences)

    async def serve(self, hub: Hub, number: int, socket: Socket, judge: Judge) -> None:
        """Serve one client to its end; the n-th that is let in gets the n-th connection.

        Raises:
          Refused: it isn't let in, or the recording has no more connections.
        """
        self._check_room()
        client = _Client(hub, number, socket)
        with suppress(ConnectionEnded):  # it left without a word, as a recorded one may have
            await client.take(judge)
        self._check_room()
        self._served += 1
        client.position = self._served
        expected = Said()
        ending: Ended | None = None
        lines = _Lines(self._recording.read_from(self._places[client.position - 1]))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.listen)
                ending = await self._play(client, lines, expected)
        except* ConnectionEnded:
            pass
        finally:
            with trio.move_on_after(COMPARE_TIMEOUT, shield=True) as scope:
                # What the client left unsaid when it went is still in the lines.
                async for happening in lines:
                    if isinstance(happening, Ended):
                        ending = happening
                    elif happening.sender == "client":
                        expected.add(comparable(happening, self._recording.header.media))
                await self._compare(expected, client, ending)
            if scope.cancelled_caught:
                text = "there was no time to compare it all"
                self._note(Difference(client.position, "client", "cut", 1, first=text))

    def _check_room(self) -> None:
        count = len(self._places)
        if self._served >= count:
            connections = "1 connection" if count == 1 else f"{count} connections"
            raise Refused(1008, f"The recording has {connections}, and this is the next.")

    async def _play(self, client: _Client, lines: _Lines, expected: Said) -> Ended | None:
        steps: list[tuple[str, float]] = []
        begun: set[str] = set()
        recorded, arrived = lines.opened, client.opened
        async for happening in lines:
            if isinstance(happening, Frame) and happening.sender == "client":
                expected.add(comparable(happening, self._recording.header.media))
                kind = _kind_of(happening.json)
                if kind not in begun:
                    steps.append((kind, happening.time))
                begun |= {kind} & _MEDIA
                continue
            if isinstance(happening, Ended) and happening.by == "client":
                return happening
            for kind, time in steps:
                arrived = max(arrived, await client.step(kind))
                recorded = time
            steps.clear()
            await trio.sleep_until(arrived + max(0.0, happening.time - recorded) / self._speed)
            if isinstance(happening, Ended):
                await _end(client.socket, happening)
                return happening
            await client.socket.send(happening.payload)
        log.info("connection %d: the recording stops here", client.number)
        return None

    async def _compare(self, expected: Said, client: _Client, ending: Ended | None) -> None:
        position = client.position
        for found in compare_in_steps(position, "client", expected.entries, client.said.entries):
            if found is None:
                await trio.lowlevel.checkpoint()
            else:
                self._note(found)
            if len(self._differences) >= MOST_DIFFERENCES:
                return
        ended = client.socket.ending
        if ending is not None and ended is not None:
            before, now = _parts(ending), _parts(ended)
            if before != now:
                first, second = told_ending(before), told_ending(now)
                self._note(Difference(position, None, "ending", first=first, second=second))

    def _note(self, difference: Difference) -> None:
        if len(self._differences) < MOST_DIFFERENCES:
            self._differences.append(difference)


class _Lines:
    """What happened on one connection, to its end, read in steps.

    Who was cancelled in waiting for a line gets it the next time.

    Attributes:
      opened: When it was opened, by the recording's clock.
    """

    def __init__(self, happenings: Iterator[Happening]) -> None:
        opening = next(happenings)
        self.opened: float = getattr(opening, "time", 0.0)
        self._connection = getattr(opening, "connection", 0)
        self._happenings = happenings
        self._read = 0
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame | Ended:
        while not self._over:
            if self._read == _STEP_LINES:
                self._read = 0
                await trio.lowlevel.checkpoint()
            self._read += 1
            happening = next(self._happenings, None)
            if isinstance(happening, Lost):
                log.info("the recording lacks %d frames here", happening.count)
            elif happening is None:
                self._over = True
            elif getattr(happening, "connection", None) == self._connection:
                self._over = not isinstance(happening, Frame)
                if isinstance(happening, Frame | Ended):
                    return happening
        raise StopAsyncIteration


@attrs.define
class _Client:
    """What has come from a client so far.

    Attributes:
      number: Of its connection.
      opened: When it came.
      position: Which of the recording's connections it gets.
    """

    hub: Hub
    number: int
    socket: Socket
    opened: float = attrs.field(factory=trio.current_time)
    position: int = 0
    said: Said = attrs.field(factory=Said)
    _arrivals: dict[str, deque[float]] = attrs.field(factory=dict)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def listen(self) -> None:
        """Take note of all that comes, until the connection ends."""
        while True:
            await self.take()

    async def take(self, judge: Judge | None = None) -> None:
        """Take note of the next message, if it passes."""
        frame = await self.socket.receive()
        now = trio.current_time()
        self.hub.received.append(ClientFrame(now, self.number, frame))
        if judge is not None:
            judge(frame)
        self.said.add_frame(frame)
        kind = _kind_of(_tree_of(frame))
        if kind == "setup" and (setup := _setup_in(frame)) is not None:
            self.hub.note_setup(setup)
        times = self._arrivals.get(kind)
        if times is None:
            self._arrivals[kind] = deque([now])
        elif kind not in _MEDIA and len(times) < MOST_AHEAD:
            times.append(now)
        self._news.unpark_all()

    async def step(self, kind: str) -> float:
        """Wait for the next message of a kind; tell when it came."""
        if not self._arrivals.get(kind):
            log.info("connection %d: waiting for %s, as recorded", self.number, kind)
        while not self._arrivals.get(kind):
            await self._news.park()
        return self._arrivals[kind].popleft()


def _setup_in(frame: str | bytes) -> wire.LiveClientSetup | None:
    try:
        return codec.decode_client(frame).setup
    except DecodeError:
        return None


def _tree_of(frame: str | bytes) -> Any:
    try:
        return parse(frame)
    except ValueError:
        return None


def _kind_of(tree: Any) -> str:
    """What a message is, by its names; redaction has left these."""
    if not isinstance(tree, dict):
        return "what can't be read"
    roots = {_camel(key): value for key, value in tree.items() if value is not None}
    kinds = [root for root in _ROOTS if root in roots]
    given = roots.get("realtimeInput")
    if isinstance(given, dict):
        fields = {_camel(key) for key, value in given.items() if value not in (None, [])}
        kinds += [f"realtimeInput.{name}" for field, name in _FIELDS.items() if field in fields]
    return "+".join(kinds) or "an empty message"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


async def _end(socket: Socket, ended: Ended) -> None:
    if ended.by == "nobody" or ended.code in _UNSENT or ended.code not in _CODES:
        await socket.drop("dropped as recorded")
    else:
        await socket.close(ended.code, ended.reason, why="closed as recorded")


def _parts(ending: Ended | Ending) -> tuple[str, int, str]:
    return ending.by, ending.code, ending.reason
