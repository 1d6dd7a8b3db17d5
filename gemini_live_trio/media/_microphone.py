"""What the microphone hears, in blocks as the service takes them.

The callback copies the block and counts; mixing and resampling are done by whoever iterates. If
that is too slow, the oldest blocks make room, and that is counted: PortAudio sees no overflow then,
so nobody else could tell.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import trio

from ._devices import Latency, Link, check_stream
from ._limits import check_number
from ._lines import DeviceLost, DeviceRestored, Line, Work

if TYPE_CHECKING:
    from .pcm import AudioEncoder

__all__ = [
    "Microphone",
    "MicrophoneBlock",
    "MicrophoneEvent",
    "MicrophonePaused",
    "MicrophoneStatistics",
    "open_microphone",
]

INPUT_RATE_HZ = 16_000
MOST_BUFFER_MS = 60_000
TAIL_SECONDS = 0.5
"""Silence that is sent when the sound pauses: it ends what the service hears, absence doesn't."""
LOOK_SECONDS = 0.5
"""How often a silent device is looked at."""


SILENCE_DBFS: Final = -120.0
"""What silence counts for, since its level has no number."""


@attrs.frozen
class MicrophoneBlock:
    """Sound, as ``session.send_audio`` takes it.

    Attributes:
      pcm: Signed 16-bit little-endian mono samples.
      rate_hz: Their rate.
      adc_time: When the first of them was at the device, in seconds on PortAudio's clock, which the
        blocks of a speaker are stamped with too.
      frame: How many samples came before it, those that were lost included.
    """

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    rate_hz: int
    adc_time: float
    frame: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / 2 / self.rate_hz

    @property
    def level_dbfs(self) -> float:
        """Its loudness: the RMS in dB of full scale, as ``pcm.level`` has it; silence is -120."""
        from .pcm import level

        return max(SILENCE_DBFS, level(self.pcm).rms_db)


@attrs.frozen
class MicrophonePaused:
    """Nothing more comes for a while: call ``session.send_audio_stream_end``.

    The service then answers what it has heard. Comes after half a second of silence, when the
    microphone was muted or its device is gone.
    """


MicrophoneEvent: TypeAlias = MicrophoneBlock | MicrophonePaused | DeviceLost | DeviceRestored


@attrs.frozen(kw_only=True)
class MicrophoneStatistics:
    """How a microphone is doing, since it was opened.

    Attributes:
      blocks: Blocks that were given out.
      captured: Blocks that the device gave.
      dropped: Of these, so many made room because nobody took them in time.
      muted: Of these, so many were thrown away while muted.
      waiting: Of these, so many wait now.
      overflows: How often the system says that it lost sound before it came here.
      gaps: At how many places something is missing, for either reason.
      restored: How often the device was lost and found again.
    """

    blocks: int
    captured: int
    dropped: int
    muted: int
    waiting: int
    overflows: int
    gaps: int
    restored: int


@attrs.frozen
class _Raw:
    link: Link
    encoder: AudioEncoder
    captured: int
    """How many blocks the device gave before it."""
    number: int
    """How many of them were to be given out."""
    adc_time: float
    pcm: bytes
    muted: bool
    follows_loss: bool


class Microphone:
    """An open microphone, as an async iterator; ``open_microphone`` makes it.

    It gives ``MicrophoneBlock`` after ``MicrophoneBlock``; ``MicrophonePaused`` when they stop; and
    ``DeviceLost`` and ``DeviceRestored`` if the device goes and comes. It doesn't end by itself: a
    lost device is looked for until it is back. One task may iterate.

    Attributes:
      rate_hz: Sample rate of the blocks.
    """

    def __init__(
        self,
        device: str | int | None,
        *,
        rate_hz: int,
        block_ms: int,
        buffer_ms: int,
        latency: Latency,
    ) -> None:
        self.rate_hz: int = rate_hz
        self._line = Line(
            "input",
            device,
            rate_hz=rate_hz,
            block_ms=block_ms,
            latency=latency,
            work=self._capturing,
            wake=self._wake,
        )
        self._block_ms = block_ms
        self._block_frames = rate_hz * block_ms // 1000
        self._tail_blocks = max(1, round(TAIL_SECONDS * 1000 / block_ms))
        self._most = int(buffer_ms // block_ms)
        self._news = trio.Event()
        self._reading = False
        self._closed = False
        # Written by the callback.
        self._ring: deque[_Raw] = deque()
        self._captured = 0
        self._offered = 0
        self._dropped = 0
        self._overflows = 0
        self._away = 0
        """Blocks that were thrown away at once."""
        # Read by the callback.
        self._muted = False
        self._paused = False
        """Nothing is given out: ``MicrophonePaused`` was, or will be next."""
        # Trio's thread alone.
        self._tail = self._tail_blocks
        """How many blocks of silence are left before a pause."""
        self._ready: deque[MicrophoneEvent] = deque()
        self._next_number = 0
        self._next_captured = 0
        self._frame = 0
        self._newest = MicrophoneBlock(bytes(self._block_frames * 2), rate_hz, 0.0, 0)
        self._given = 0
        self._zeroed = 0
        self._gaps = 0

    # --- For everybody ---------------------------------------------------------------------

    @property
    def device(self) -> str:
        """The name of the device."""
        return self._line.name

    @property
    def muted(self) -> bool:
        """Whether nothing of what is heard is given out."""
        return self._muted

    def mute(self) -> None:
        """Give out silence for half a second, then ``MicrophonePaused``, then nothing.

        Sound that waits already is silenced too. Muting twice is muting once.
        """
        if not self._muted:
            self._muted = True
            self._tail = self._tail_blocks

    def unmute(self) -> None:
        """Give out what is heard from now on; nothing that was heard while muted."""
        if self._muted:
            self._muted = False
            self._paused = self._line.lost

    @property
    def level_dbfs(self) -> float:
        """Loudness of the newest block that was given out, as ``level_dbfs`` reckons it."""
        return self._newest.level_dbfs

    def statistics(self) -> MicrophoneStatistics:
        """Count what happened so far; a copy that doesn't change."""
        return MicrophoneStatistics(
            blocks=self._given,
            captured=self._captured,
            dropped=self._dropped,
            muted=self._away + self._zeroed,
            waiting=len(self._ring),
            overflows=self._overflows,
            gaps=self._gaps,
            restored=self._line.restored,
        )

    def __aiter__(self) -> AsyncIterator[MicrophoneEvent]:
        return self

    async def __anext__(self) -> MicrophoneEvent:
        """Wait for the next block, or for what else happens.

        Raises:
          trio.ClosedResourceError: Its block was left.
          trio.BusyResourceError: Another task iterates.
          InternalError: A fault of this library.

        Cancellation: nothing is lost.
        """
        if self._reading:
            raise trio.BusyResourceError("another task is iterating over this microphone")
        self._reading = True
        try:
            await trio.lowlevel.checkpoint()
            while True:
                self._check_open()
                self._news = trio.Event()
                while self._ring and not self._ready:
                    self._take()
                if self._ready:
                    return self._give()
                await self._wait()
        finally:
            self._reading = False

    # --- What the iterating task does ------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the microphone was closed")

    def _give(self) -> MicrophoneEvent:
        event = self._ready.popleft()
        if isinstance(event, MicrophoneBlock):
            if self._muted:  # since it was made
                event = attrs.evolve(event, pcm=bytes(len(event.pcm)))
            self._given += 1
            self._newest = event
        return event

    async def _wait(self) -> None:
        if self._line.lost:
            restored = await self._line.retry()
            if restored is not None:
                self._ready.append(restored)
                self._paused = self._muted
            return
        # Before it waits, since whoever calls may never wait for long.
        lost = self._line.trouble()
        if lost is not None:
            while self._ring:
                self._take()
            self._end_in_silence()
            self._ready.append(lost)
            await self._line.close()
            return
        with trio.move_on_after(LOOK_SECONDS):
            await self._news.wait()

    def _take(self) -> None:
        """Make blocks of the oldest that the callback has left here."""
        raw = self._ring.popleft()
        if raw.link is not self._line.link:
            return  # of a device that was lost and left behind
        if raw.number != self._next_number or raw.follows_loss:
            self._gaps += 1
        self._next_number = raw.number + 1
        # A block that is thrown away below is missing too.
        missing = raw.captured - self._next_captured + self._paused
        self._next_captured = raw.captured + 1
        self._frame += round(missing * raw.link.frames * self.rate_hz / raw.link.rate_hz)
        if self._paused:
            self._zeroed += 1
            return
        silent = self._muted or raw.muted
        self._zeroed += silent
        # What is held came right before; where it didn't, because something is missing, the time
        # is wrong by less than a block.
        time = raw.adc_time - raw.encoder.held_seconds
        for pcm in raw.encoder.encode(bytes(len(raw.pcm)) if silent else raw.pcm):
            block = MicrophoneBlock(pcm, self.rate_hz, time, self._frame)
            self._ready.append(block)
            self._frame += self._block_frames
            time += block.seconds
            if self._muted:
                self._count_down()

    def _count_down(self) -> None:
        if self._paused:
            return
        self._tail -= 1
        if self._tail == 0:
            self._paused = True
            self._ready.append(MicrophonePaused())

    def _end_in_silence(self) -> None:
        """The device is gone, so the silence must be made here."""
        if self._paused:
            return
        if not self._muted:
            self._tail = self._tail_blocks
        blocks = [event for event in self._ready if isinstance(event, MicrophoneBlock)]
        newest = blocks[-1] if blocks else self._newest
        silence = bytes(self._block_frames * 2)
        while not self._paused:
            time = newest.adc_time + newest.seconds
            newest = MicrophoneBlock(silence, self.rate_hz, time, self._frame)
            self._ready.append(newest)
            self._frame += self._block_frames
            self._count_down()

    def _wake(self) -> None:
        self._news.set()

    def _close(self) -> None:
        self._closed = True
        self._line.end()
        self._news.set()

    def _capturing(self, link: Link) -> Work:
        from .pcm import AudioEncoder

        encoder = AudioEncoder(
            from_hz=link.rate_hz,
            rate_hz=self.rate_hz,
            channels=link.channels,
            block_ms=self._block_ms,
        )
        return functools.partial(self._capture, link, encoder)

    # --- In PortAudio's thread -------------------------------------------------------------

    def _capture(
        self, link: Link, encoder: AudioEncoder, data: Any, frames: int, time: Any, status: Any
    ) -> bool:
        captured = self._captured
        self._captured += 1
        lost = bool(status and status.input_overflow)
        self._overflows += lost
        if self._paused:
            self._away += 1
            return False
        if len(self._ring) >= self._most:
            with suppress(IndexError):  # they were taken just now
                self._ring.popleft()
                self._dropped += 1
        # Not every system stamps its blocks.
        adc_time = time.inputBufferAdcTime or time.currentTime - link.latency
        number = self._offered
        raw = _Raw(link, encoder, captured, number, adc_time, bytes(data), self._muted, lost)
        self._ring.append(raw)
        self._offered += 1
        return True


@asynccontextmanager
async def open_microphone(
    device: str | int | None = None,
    *,
    rate_hz: int = INPUT_RATE_HZ,
    block_ms: int = 20,
    buffer_ms: int = 500,
    latency: Latency = "low",
) -> AsyncIterator[Microphone]:
    """Listen to a microphone for the length of the block.

    A device with another rate or more channels is mixed and resampled.

    Args:
      device: A name, part of one, or an index, of ``list_devices``; ``None`` for the default.
      rate_hz: Sample rate of the blocks, 8,000 to 192,000; the service wants 16,000.
      block_ms: Milliseconds in a block, 5 to 200.
      buffer_ms: How much sound may wait for who iterates, from a block to 60,000; the oldest makes
        room, and is counted.
      latency: What PortAudio is asked for: ``"low"``, ``"high"`` or seconds, 10 at most. A block
        always is a part of it.

    Raises:
      ConfigError: A number makes no sense.
      MediaError: There is no such device, it can't record, another program has it, or it refuses
        every rate.
      MissingDependency: The extra ``audio`` isn't installed, or the PortAudio library isn't.

    Cancellation: at any time. Closing takes two seconds at most, where a driver hangs.
    """
    check_stream(device, rate_hz, block_ms, latency)
    check_number("buffer_ms", buffer_ms, block_ms, MOST_BUFFER_MS, "milliseconds")
    microphone = Microphone(
        device, rate_hz=rate_hz, block_ms=block_ms, buffer_ms=buffer_ms, latency=latency
    )
    await microphone._line.open()
    try:
        yield microphone
    finally:
        microphone._close()
        await microphone._line.close()
