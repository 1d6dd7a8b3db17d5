"""A recording as a server: the frames that were recorded, at the times that they had.

The n-th connection of the recording answers the n-th client. A frame of the server has its place
after the steps of the client that preceded it in the recording. A step is

* any message that isn't sound or picture, counted by its root, for ``realtimeInput`` by the field
  in it: the second ``clientContent`` answers to the second, whatever came between;
* the first ``realtimeInput.audio`` of a connection, and its first ``video``. How many frames follow
  doesn't matter, since no two runs cut their sound alike.

The frame is sent when all of its steps have arrived, and then as long after the last of them as in
the recording, divided by the speed. Frames keep their order. So a client that is slower gets its
answers later, and one that never sends what the recording has gets none: ``waiting_for`` in the log
tells. What it sends differently is noted for ``Simulator.replay_differences``, and never refused.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import Final

import attrs
import trio

from ... import codec, wire
from ...errors import DecodeError
from ...recording import Difference, Ended, Frame, Lost, Recording
from ...recording._diff import Said, comparable, compare_messages
from .._checks._refused import Refused
from .._door._socket import ConnectionEnded, Ending, Socket
from .._hub import ClientFrame, Hub

__all__ = ["Replay"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

MOST_DIFFERENCES: Final = 10_000
MOST_AHEAD: Final = 10_000
"""Messages of one kind that a client may be ahead of the recording; more aren't waited for."""
_MEDIA: Final = frozenset({"realtimeInput.audio", "realtimeInput.video", "realtimeInput.chunks"})
_FIELDS: Final = {
    "audio": "audio",
    "video": "video",
    "media_chunks": "chunks",
    "text": "text",
    "activity_start": "activityStart",
    "activity_end": "activityEnd",
    "audio_stream_end": "audioStreamEnd",
}
_ROOTS: Final = {
    "setup": "setup",
    "client_content": "clientContent",
    "tool_response": "toolResponse",
    "context_update": "contextUpdate",
}
_NO_STATUS: Final = 1005
_UNSENT: Final = frozenset({1004, 1006, 1015})


class Replay:
    """Serves a recording.

    Args:
      recording: What to serve. It is read as it is served, so its file must stay.
      speed: How many times faster than it was recorded; infinity waits only for the client.

    Raises:
      RecordingError: a line of it can't be read.
    """

    def __init__(self, recording: Recording, speed: float) -> None:
        self._recording = recording
        self._speed = speed
        self._places = recording.openings()
        self._differences: list[Difference] = []

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What clients sent differently, of the connections that are over; the first 10,000."""
        return tuple(self._differences)

    async def serve(self, hub: Hub, number: int, socket: Socket) -> None:
        """Serve one client to its end.

        Raises:
          Refused: the recording has no more connections.
        """
        if number > len(self._places):
            count = len(self._places)
            raise Refused(1008, f"The recording has {count} connections, and this is the next.")
        client = _Client(hub, number, socket)
        lines = self._lines(number)
        expected = Said()
        ending: Ended | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.listen)
                ending = await self._play(client, lines, expected)
        except* ConnectionEnded:
            pass
        finally:
            # What the client left unsaid when it went is still in the lines.
            for happening in lines:
                if isinstance(happening, Ended):
                    ending = happening
                elif happening.sender == "client":
                    expected.add(comparable(happening, self._recording.header.media))
            self._compare(number, expected, client, ending)

    def _lines(self, number: int) -> Iterator[Frame | Ended]:
        """Read what happened on one connection, to its end."""
        place = self._places[number - 1]
        lines = self._recording.read_from(place)
        connection = getattr(next(lines), "connection", 0)
        for happening in lines:
            if isinstance(happening, Lost):
                log.info("the recording lacks %d frames here", happening.count)
            elif isinstance(happening, Frame | Ended) and happening.connection == connection:
                yield happening
                if isinstance(happening, Ended):
                    return

    async def _play(
        self, client: _Client, lines: Iterator[Frame | Ended], expected: Said
    ) -> Ended | None:
        steps: list[tuple[str, float]] = []
        begun: set[str] = set()
        opening = next(self._recording.read_from(self._places[client.number - 1]))
        recorded = getattr(opening, "time", 0.0)
        arrived = trio.current_time()
        for happening in lines:
            if isinstance(happening, Frame) and happening.sender == "client":
                expected.add(comparable(happening, self._recording.header.media))
                kind = _kind_of(_decoded(happening.payload))
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

    def _compare(self, number: int, expected: Said, client: _Client, ending: Ended | None) -> None:
        room = MOST_DIFFERENCES - len(self._differences)
        found = list(compare_messages(number, "client", expected.entries, client.said.entries))
        ended = client.socket.ending
        if ending is not None and ended is not None:
            before, now = _told(ending), _told(ended)
            if before != now:
                found.append(Difference(number, None, "ending", first=before, second=now))
        self._differences += found[:room]


@attrs.define
class _Client:
    """What has come from a client so far."""

    hub: Hub
    number: int
    socket: Socket
    said: Said = attrs.field(factory=Said)
    _arrivals: dict[str, deque[float]] = attrs.field(factory=dict)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def listen(self) -> None:
        """Take note of all that comes, until the connection ends."""
        while True:
            frame = await self.socket.receive()
            now = trio.current_time()
            self.hub.received.append(ClientFrame(now, self.number, frame))
            self.said.add_frame(frame)
            message = _decoded(frame)
            if message is not None and message.setup is not None:
                self.hub.note_setup(message.setup)
            kind = _kind_of(message)
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


def _decoded(frame: str | bytes) -> wire.LiveClientMessage | None:
    try:
        return codec.decode_client(frame)
    except DecodeError:
        return None


def _kind_of(message: wire.LiveClientMessage | None) -> str:
    if message is None:
        return "what can't be read"
    kinds = [name for field, name in _ROOTS.items() if getattr(message, field) is not None]
    given = message.realtime_input
    if given is not None:
        kinds += [
            f"realtimeInput.{name}"
            for field, name in _FIELDS.items()
            if getattr(given, field) not in (None, ())
        ]
    return "+".join(kinds) or "an empty message"


async def _end(socket: Socket, ended: Ended) -> None:
    if ended.by == "nobody" or ended.code in _UNSENT:
        await socket.drop("dropped as recorded")
    else:
        await socket.close(ended.code, ended.reason, why="closed as recorded")


def _told(ending: Ended | Ending) -> str:
    return f"ended by {ending.by} with {ending.code} {ending.reason}".rstrip()
