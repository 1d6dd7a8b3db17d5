"""The model's voice in the air, and how much of it has been heard.

The callback takes a block out of the playout buffer, under a lock that nobody holds for longer than
it takes to append a piece. The buffer has the model's rate; where the device has another, the
callback resamples, so that a device that comes back may have yet another.

Heard is what the device says: each block is stamped with the time at which it will sound, some
blocks ahead, and what hasn't sounded hasn't been heard.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio

from ._devices import Latency, Link, check_device_rate, check_stream
from ._limits import check_number, check_pcm
from ._lines import DeviceLost, DeviceRestored, Line, Work
from ._played import PlayedBlock, SpeakerStatistics, SpeakerTap
from ._playout import Heard, Outlet, Playout, Source

__all__ = ["Speaker", "open_speaker"]

OUTPUT_RATE_HZ = 24_000
MOST_BUFFER_SECONDS = 86_400.0
MOST_PREBUFFER_MS = 10_000
REPORT_SECONDS = 0.1
"""How often ``on_played`` is told, and the device looked at."""
SAMPLE = 2


class Speaker:
    """An open speaker; ``open_speaker`` makes it.

    Sound is played in the order in which it is handed in, each generation from its first sample. A
    generation is what ``ModelAudio.generation`` says: an answer of the model. Sound without one is
    never refused, and only ``flush()`` drops it.

    While the device is lost, everything waits.

    Attributes:
      rate_hz: Sample rate of the sound that waits; what has another is resampled.
    """

    def __init__(
        self,
        device: str | int | None,
        *,
        rate_hz: int,
        block_ms: int,
        buffer_seconds: float,
        prebuffer_ms: int,
        latency: Latency,
        on_played: Callable[[int, float], object] | None,
        on_device: Callable[[DeviceLost | DeviceRestored], object] | None,
    ) -> None:
        self.rate_hz: int = rate_hz
        self._line = Line(
            "output",
            device,
            rate_hz=rate_hz,
            block_ms=block_ms,
            latency=latency,
            work=self._rendering,
            wake=self._wake,
        )
        self._on_played = on_played
        self._on_device = on_device
        self._told: dict[int | None, float] = {}
        self._newest: int | None = None
        self._source: Source | None = None
        self._overflow_seconds = 0.0
        self._failure: Exception | None = None
        self._closed = False
        self._news = trio.Event()
        self._waiting = 0
        """How many tasks want to know of each block; read by the callback."""
        # Under the lock.
        self._lock = threading.Lock()
        self._playout = Playout(
            rate_hz=rate_hz, capacity_seconds=buffer_seconds, prebuffer=prebuffer_ms / 1000
        )
        self._heard = Heard()
        # The callback's own.
        self._taps: tuple[SpeakerTap, ...] = ()
        self._blocks = 0
        self._frames = 0
        self._underflows = 0

    # --- Playing ---------------------------------------------------------------------------

    async def play(
        self, pcm: bytes, /, *, rate_hz: int = OUTPUT_RATE_HZ, generation: int | None = None
    ) -> None:
        """Hand in sound; waits only while the buffer, minutes long, is full.

        Args:
          pcm: Signed 16-bit little-endian mono samples; half a sample waits for its other half.
          rate_hz: Their rate.
          generation: Which answer of the model it belongs to. Of one that was flushed it is refused
            and counted.

        Raises:
          ConfigError: The rate makes no sense, or the sound isn't bytes.
          trio.ClosedResourceError: The block was left.

        Cancellation: nothing was handed in.
        """
        await trio.lowlevel.checkpoint()
        sound = check_pcm(pcm)
        while True:
            news = self._news
            if self._took(sound, rate_hz, generation):
                return
            with self._interested():
                await news.wait()

    def play_nowait(
        self, pcm: bytes, /, *, rate_hz: int = OUTPUT_RATE_HZ, generation: int | None = None
    ) -> None:
        """Hand in sound like ``play``, but never wait.

        Raises:
          trio.WouldBlock: The buffer is full; nothing was handed in, and it is counted.
        """
        sound = check_pcm(pcm)
        if not self._took(sound, rate_hz, generation):
            self._overflow_seconds += len(sound) / SAMPLE / rate_hz
            raise trio.WouldBlock

    def _took(self, pcm: bytes | bytearray, rate_hz: int, generation: int | None) -> bool:
        self._check_open()
        check_device_rate(rate_hz)
        frames = len(pcm) * self.rate_hz // rate_hz // SAMPLE
        with self._lock:
            if self._playout.refuses(generation):
                # Not converted, so that what is late leaves no seam in the answer that came next.
                self._playout.refused_frames += frames
                return True
            if not self._playout.fits(frames):
                return False
        source = self._source
        if source is None or (source.generation, source.from_hz) != (generation, rate_hz):
            self._end_source()
            source = self._source = Source(generation, rate_hz, self.rate_hz)
        if generation is not None:
            self._newest = max(generation, self._newest or generation)
        converted = source.convert(pcm)
        with self._lock:
            self._playout.add(converted, generation)
        return True

    def flush(self, generation: int | None = None) -> None:
        """Fall silent at once: drop what waits of this generation and of those before it.

        The device gets silence with its next block, after a fade of five milliseconds; what it was
        handed before, some ``latency``, still sounds. Sound of these generations that comes later
        is refused. The next generation is played from its first sample.

        Args:
          generation: The newest that is interrupted; with ``None`` everything that waits is
            dropped, and nothing refused.
        """
        with self._lock:
            self._playout.flush(generation)
        if self._source is not None:
            given = self._source.generation
            if generation is None or (given is not None and given <= generation):
                self._source = None
        self._wake()

    @property
    def newest_generation(self) -> int | None:
        """The newest generation of which sound was handed in, ``None`` before the first."""
        return self._newest

    # --- What was heard --------------------------------------------------------------------

    def position(self, generation: int | None, /) -> float:
        """Return how many seconds of a generation have been heard, by the device's own clock.

        The newest 64 generations are remembered.
        """
        with self._lock:
            return self._heard.position(generation, self._now())

    async def turn_played_out(self, generation: int | None, /) -> None:
        """Wait until nothing is left to be heard of a generation, or it was flushed.

        Call it once all of the answer has come, after ``TurnComplete``: what hasn't come isn't
        waited for. If more comes meanwhile it is waited for too.

        Raises:
          trio.ClosedResourceError: The block was left.

        Cancellation: the sound goes on.
        """
        await trio.lowlevel.checkpoint()
        if self._source is not None and self._source.generation == generation:
            self._end_source()
        while True:
            self._check_open()
            news = self._news
            with self._lock:
                holds = self._playout.holds(generation)
                end = self._heard.end(generation)
                now = self._now()
            if holds:
                with self._interested():
                    await news.wait()
            elif end is not None and end > now:
                # In steps, since a device that is lost meanwhile takes its clock with it.
                await trio.sleep(min(end - now, REPORT_SECONDS))
            else:
                break
        self._report()

    # --- How it is doing -------------------------------------------------------------------

    @property
    def device(self) -> str:
        """The name of the device."""
        return self._line.name

    @property
    def latency(self) -> float:
        """Seconds of sound that the device has in hand, as the system reckons; 0 without one."""
        return self._line.link.latency if self._line.link is not None else 0.0

    @contextmanager
    def tap(self, *, seconds: float = 2.0) -> Iterator[SpeakerTap]:
        """Take what is played, block by block, from here to the end of the block.

        Args:
          seconds: How much may wait, 0 to 86,400; the oldest makes room, and is counted.

        Raises:
          ConfigError: The time makes no sense.
        """
        check_number("seconds", seconds, 0.0, MOST_BUFFER_SECONDS, whole=False)
        tap = SpeakerTap(seconds=seconds)
        self._taps = (*self._taps, tap)
        try:
            yield tap
        finally:
            self._taps = tuple(other for other in self._taps if other is not tap)

    def statistics(self) -> SpeakerStatistics:
        """Count what happened so far; a copy that doesn't change."""
        with self._lock:
            playout = self._playout
            return SpeakerStatistics(
                blocks=self._blocks,
                waiting_seconds=playout.frames / self.rate_hz,
                prebuffer_seconds=playout.prebuffer,
                underruns=playout.underruns,
                underflows=self._underflows,
                flushed_seconds=playout.flushed_frames / self.rate_hz,
                overflow_seconds=self._overflow_seconds,
                refused_seconds=playout.refused_frames / self.rate_hz,
                restored=self._line.restored,
            )

    # --- Within ----------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the speaker was closed")
        if self._failure is not None:
            raise self._failure

    def _end_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            rest = source.end()
            with self._lock:
                self._playout.add(rest, source.generation)

    @contextmanager
    def _interested(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _now(self) -> float:
        return self._line.link.time() if self._line.link is not None else 0.0

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _report(self) -> None:
        if self._on_played is None:
            return
        with self._lock:
            positions = self._heard.positions(self._now())
        told, self._told = self._told, positions
        for generation, seconds in positions.items():
            if generation is not None and seconds != told.get(generation):
                self._on_played(generation, seconds)

    @trio.lowlevel.enable_ki_protection
    async def _tend(self) -> None:
        """Tell what is heard, and mend the line. Ctrl-C is for the block's own task."""
        try:
            while True:
                await trio.sleep(REPORT_SECONDS)
                self._report()
                lost = self._line.trouble()
                if lost is not None:
                    await self._mend(lost)
        except Exception as error:  # noqa: BLE001
            self._failure = error  # raised by the next call, or at the end of the block
            self._wake()

    async def _mend(self, lost: DeviceLost) -> None:
        with self._lock:
            self._heard.lost(self._now())
        self._tell(lost)
        await self._line.close()
        with self._lock:
            # Once more: until it was closed, it may have been handed more.
            self._heard.lost(-math.inf)
        while (restored := await self._line.retry()) is None:
            pass
        self._tell(restored)
        self._wake()

    def _tell(self, event: DeviceLost | DeviceRestored) -> None:
        if self._on_device is not None:
            self._on_device(event)

    def _close(self) -> None:
        self._closed = True
        with self._lock:
            self._heard.lost(self._now())  # the clock goes with the device
        self._wake()

    def _rendering(self, link: Link) -> Work:
        outlet = Outlet(self._playout, rate_hz=self.rate_hz, device_hz=link.rate_hz)
        return functools.partial(self._render, link, outlet)

    # --- In PortAudio's thread -------------------------------------------------------------

    def _render(
        self, link: Link, outlet: Outlet, data: Any, frames: int, time: Any, status: Any
    ) -> bool:
        # Not every system stamps its blocks.
        dac_time = time.outputBufferDacTime or time.currentTime + link.latency
        with self._lock:
            pcm, taken = outlet.take(frames)
            for delay, spans in taken:
                self._heard.handed(dac_time + delay, spans, self.rate_hz, time.currentTime)
        data[:] = pcm if link.channels == 1 else _spread(pcm, link.channels)
        for tap in self._taps:
            tap._add(PlayedBlock(pcm, link.rate_hz, dac_time, self._frames))
        self._blocks += 1
        self._frames += frames
        self._underflows += bool(status and status.output_underflow)
        return self._waiting > 0


def _lone(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _spread(pcm: bytes, channels: int) -> bytes:
    import numpy as np

    return np.frombuffer(pcm, dtype="<i2").repeat(channels).tobytes()


@asynccontextmanager
async def open_speaker(
    device: str | int | None = None,
    *,
    rate_hz: int = OUTPUT_RATE_HZ,
    block_ms: int = 20,
    buffer_seconds: float = 600.0,
    prebuffer_ms: int = 80,
    latency: Latency = "low",
    on_played: Callable[[int, float], object] | None = None,
    on_device: Callable[[DeviceLost | DeviceRestored], object] | None = None,
) -> AsyncIterator[Speaker]:
    """Play on a speaker for the length of the block.

    Leaving the block cuts off what is playing; ``turn_played_out`` waits for its end.

    Args:
      device: A name, part of one, or an index, of ``list_devices``; ``None`` for the default.
      rate_hz: Sample rate of what waits, 8,000 to 192,000; the service sends 24,000.
      block_ms: Milliseconds in a block, 5 to 200.
      buffer_seconds: How much sound may wait; 0.1 to 86,400.
      prebuffer_ms: How much must be there before a voice begins, or how long it waits for that,
        0 to 10,000; grows to 200 when pieces come late.
      latency: What PortAudio is asked for: ``"low"``, ``"high"`` or seconds, 10 at most. A block
        always is a part of it.
      on_played: Told a generation and how many seconds of it have been heard, ten times a second
        while that changes; ``session.played`` fits. Must not wait.
      on_device: Told when the device is lost and restored. Must not wait.

    Raises:
      ConfigError: A number makes no sense.
      MediaError: There is no such device, it can't play, another program has it, or it refuses
        every rate.
      MissingDependency: The extra ``audio`` isn't installed, or the PortAudio library isn't.
      Exception: What ``on_played`` or ``on_device`` raised, once the block has ended well.

    Cancellation: at any time. Closing takes two seconds at most, where a driver hangs.
    """
    check_stream(device, rate_hz, block_ms, latency)
    check_number("buffer_seconds", buffer_seconds, 0.1, MOST_BUFFER_SECONDS, whole=False)
    check_number("prebuffer_ms", prebuffer_ms, 0, MOST_PREBUFFER_MS, "milliseconds")
    speaker = Speaker(
        device,
        rate_hz=rate_hz,
        block_ms=block_ms,
        buffer_seconds=buffer_seconds,
        prebuffer_ms=prebuffer_ms,
        latency=latency,
        on_played=on_played,
        on_device=on_device,
    )
    await speaker._line.open()
    # A nursery wraps whatever leaves it in a group, so the block's exception goes round it.
    leaving: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speaker._tend)
            try:
                yield speaker
            except BaseException as error:  # noqa: BLE001 - raised again below
                leaving = error
            nursery.cancel_scope.cancel()
    except BaseException as error:  # noqa: BLE001 - raised again below
        # Cancellation from outside, which the block may have met with an exception of its own.
        leaving = leaving or _lone(error)
    finally:
        speaker._close()
        await speaker._line.close()
    if leaving is not None:
        try:
            raise leaving
        finally:
            del leaving
    if speaker._failure is not None:
        raise speaker._failure
