"""What stands between microphone and session, whatever cancels the echo in it.

A stage takes blocks of any length, lays them beside the reference, and hands both to its engine in
frames of the engine's own length. What comes out is as long as what went in.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import trio

from ..errors import ConfigError
from ._echo import RATE_HZ, EchoChoice, EchoStatistics
from ._echo_align import Aligner, Int16
from ._echo_drift import EchoWatch
from .pcm import Resampler, float_to_int16

__all__ = ["Engine", "HalfDuplex", "Stage"]

RATES_HZ = range(8_000, 192_001)
SAMPLE = 2

LEAST_DELAY = 0.008
"""An echo that follows its reference sooner may precede it the next time."""
GOOD_DELAY = 0.04

HALF_DUPLEX_FRAME = 160
AUDIBLE = 33
"""-60 dBFS: a reference that never exceeds it is silence."""
HANGOVER_SECONDS = 0.35
"""The reference's lead, the loop's delay where stamps don't know it, and the room's echo."""


class Engine(Protocol):
    """What cancels; knows nothing of time."""

    @property
    def frame_samples(self) -> int:
        """How many samples it takes at once."""
        ...

    @property
    def delay_samples(self) -> int:
        """By how many it gives them back later."""
        ...

    @property
    def covers(self) -> float | None:
        """By how many seconds an echo may follow its reference; ``None`` if that doesn't matter."""
        ...

    @property
    def wants_echo(self) -> bool:
        """Whether it takes voices for echo while there is none, so that they must go round it."""
        ...

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return a frame without its echo."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class HalfDuplex:
    """Mutes the microphone while the speaker is heard, and until its echo is gone."""

    frame_samples = HALF_DUPLEX_FRAME
    delay_samples = 0
    covers = None
    wants_echo = False

    def __init__(self) -> None:
        self._left = 0
        self._gain = 1.0

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return the frame, or silence; what lies between is faded, so that nothing clicks."""
        if far.max(initial=0) > AUDIBLE or far.min(initial=0) < -AUDIBLE:
            self._left = round(HANGOVER_SECONDS * RATE_HZ / HALF_DUPLEX_FRAME)
        gain = 0.0 if self._left else 1.0
        self._left = max(self._left - 1, 0)
        if gain == self._gain == 1.0:
            return near
        fade = np.linspace(self._gain, gain, len(near))
        self._gain = gain
        return (near * fade).astype(np.int16)

    def close(self) -> None:
        """Do nothing."""


class Stage:
    """An engine with what it needs around it: what ``EchoStage`` promises.

    Args:
      engine: What cancels; with ``None``, blocks are checked and given back.
      choice: What it is, and why.
    """

    def __init__(self, engine: Engine | None, choice: EchoChoice) -> None:
        self.choice: EchoChoice = choice
        self._engine = engine
        self._aligner = Aligner()
        covers = engine.covers if engine is not None else None
        self._covers = covers or 0.0
        self._watch = EchoWatch() if covers is not None else None
        self._slips = 0
        self._round = _Round(engine.delay_samples) if engine and engine.wants_echo else None
        self._resampler: Resampler | None = None
        self._far_rate_hz = RATE_HZ
        self._far_frames = _Frames()
        self._near_frames = _Frames()
        none: Int16 = np.zeros(0, np.int16)
        self._near = self._far = self._ready = none
        """Halves of a frame that wait for the rest of it; and what is done."""
        self._held = none
        self._delay = 0
        self._not_numbers = 0
        self._near_samples = 0
        self._far_seconds = 0.0
        self._closed = False

    def reference(
        self,
        far: Any,
        /,
        *,
        rate_hz: int = RATE_HZ,
        when: float | None = None,
        frame: int | None = None,
    ) -> None:
        """Take what the speaker was given to play."""
        self._check_open()
        if rate_hz not in RATES_HZ:
            raise ConfigError(
                f"A reference has 8,000 to 192,000 samples a second, but rate_hz is {rate_hz!r}."
            )
        samples = self._samples(far)
        lost = self._far_frames.lost(frame, len(samples))
        self._far_seconds += len(samples) / rate_hz
        if self._engine is None:
            return
        if rate_hz != self._far_rate_hz:
            self._far_rate_hz = rate_hz
            if self._resampler is not None:
                self._resampler.close()
            self._resampler = Resampler(rate_hz, RATE_HZ) if rate_hz != RATE_HZ else None
        if self._resampler is not None:
            samples = self._resampler.process(samples)
            when = None if when is None else when - self._resampler.delay_seconds
            lost = round(lost * RATE_HZ / rate_hz)
        self._aligner.reference(samples, when=when, lost=lost)

    def process(
        self, near: Any, /, *, when: float | None = None, frame: int | None = None
    ) -> bytes:
        """Return the block without its echo."""
        self._check_open()
        samples = self._samples(near)
        count = len(samples)
        lost = self._near_frames.lost(frame, count)
        self._near_samples += count
        if self._engine is None:
            return as_bytes(samples)
        far = self._aligner.match(count, when=when, lost=lost)
        samples = self._hold(samples)
        if self._watch is not None:
            self._watch_over(self._watch, samples, far)
        self._near = np.concatenate((self._near, samples))
        self._far = np.concatenate((self._far, far))
        size = self._engine.frame_samples
        whole = len(self._near) // size * size
        done = [
            self._cancelled(self._near[start : start + size], self._far[start : start + size])
            for start in range(0, whole, size)
        ]
        self._near, self._far = self._near[whole:], self._far[whole:]
        ready = np.concatenate((self._ready, *done))
        lacking = count - len(ready)
        if lacking > 0:
            # Blocks don't fill whole frames. From here on there is enough.
            self._delay += lacking
            ready = np.concatenate((np.zeros(lacking, np.int16), ready))
        self._ready = ready[count:]
        return as_bytes(ready[:count])

    def _cancelled(self, near: Int16, far: Int16) -> Int16:
        assert self._engine is not None
        # It is told of everything, so that it knows an echo as soon as there is one.
        left = self._engine.cancel(near, far)
        if self._round is None or self._watch is None:
            return left
        return self._round.choose(near, left, untouched=self._watch.absent)

    def _watch_over(self, watch: EchoWatch, near: Int16, far: Int16) -> None:
        """See to it that the echo stays where the engine can cancel it."""
        if self._slips != self._aligner.slips:
            self._slips = self._aligner.slips
            watch.restart()
        watch.take(near, far, skew=self._aligner.skew)
        self._aligner.pace_ppm = watch.pace_ppm
        delay = watch.delay
        if delay is not None and not LEAST_DELAY < delay < self._covers:
            self._aligner.nudge(round((GOOD_DELAY - delay) * RATE_HZ))

    def _hold(self, samples: Int16) -> Int16:
        growth = self._aligner.hold_samples - len(self._held)
        if not growth and not len(self._held):
            return samples
        held = np.concatenate((np.zeros(growth, np.int16), self._held, samples))
        self._held = held[len(samples) :]
        return held[: len(samples)]

    def statistics(self) -> EchoStatistics:
        """Count what happened so far; a copy that doesn't change."""
        own = self._engine.delay_samples if self._engine is not None else 0
        return EchoStatistics(
            seconds=self._near_samples / RATE_HZ,
            reference_seconds=self._far_seconds,
            delay=(self._delay + len(self._held) + own) / RATE_HZ,
            not_numbers=self._not_numbers,
            drift_ppm=self._aligner.pace_ppm,
            echo_delay=None if self._watch is None else self._watch.delay,
            bypassed=self._round is not None and self._watch is not None and self._watch.absent,
            alignment=self._aligner.alignment(),
        )

    def close(self) -> None:
        """Free what the back-end holds. More than once is once."""
        self._closed = True
        if self._engine is not None:
            self._engine.close()
        if self._resampler is not None:
            self._resampler.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the echo canceller was closed")

    def _samples(self, block: Any) -> Int16:
        samples, not_numbers = as_int16(block)
        self._not_numbers += not_numbers
        return samples


class _Round:
    """The way round an engine, as long as the way through it.

    Args:
      delay: By how many samples an engine gives back later what it is given.
    """

    def __init__(self, delay: int) -> None:
        self._past: Int16 = np.zeros(delay, np.int16)
        self._share = 0.0

    def choose(self, near: Int16, left: Int16, *, untouched: bool) -> Int16:
        """Return what went round or what went through; where that changes, one fades to the other.

        Args:
          near: What the engine was given.
          left: What it made of it.
          untouched: Whether the former is wanted.
        """
        line = np.concatenate((self._past, near))
        near, self._past = line[: len(near)], line[len(near) :]
        before, self._share = self._share, float(untouched)
        if before == self._share:
            return near if untouched else left
        share = np.linspace(before, self._share, len(near))
        return (near * share + left * (1 - share)).astype(np.int16)


class _Frames:
    """Finds out, from a stream's own count, how many samples are missing before a block."""

    def __init__(self) -> None:
        self._next: int | None = None

    def lost(self, frame: int | None, count: int) -> int:
        expected, self._next = self._next, None if frame is None else frame + count
        if frame is None or expected is None:
            return 0
        return max(frame - expected, 0)  # a count that goes back has begun anew


def as_int16(block: Any) -> tuple[Int16, int]:
    """Return a block as samples, and how many of them were no numbers.

    Raises:
      ConfigError: It is no sound in one of the forms that are taken.
    """
    if isinstance(block, np.ndarray):
        if block.ndim != 1:
            raise ConfigError(f"A block of sound is mono, of shape (samples,), not {block.shape}.")
        if block.dtype == np.int16:
            return block, 0
        if block.dtype != np.float32:
            raise ConfigError(f"Samples must be int16 or float32, not {block.dtype}.")
        return float_to_int16(block), len(block) - int(np.count_nonzero(np.isfinite(block)))
    try:
        view = memoryview(block).cast("B")
    except TypeError:
        raise ConfigError(
            f"A block of sound is bytes or an array of samples, not {type(block).__name__}."
        ) from None
    if len(view) % SAMPLE:
        raise ConfigError(f"16-bit sound has an even number of bytes, not {len(view)}.")
    return np.frombuffer(view, "<i2").astype(np.int16, copy=False), 0


def as_bytes(samples: Int16) -> bytes:
    """Return samples as little-endian bytes."""
    return samples.astype("<i2", copy=False).tobytes()
