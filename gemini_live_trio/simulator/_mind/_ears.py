"""Hearing: where in a stream of sound somebody speaks, judged by its energy.

Sans-IO: sound goes in, what was noticed comes out, and all times are times *of the sound*, so that
a client may send faster than it speaks. Frames of 20 ms count as loud when their RMS stands well
above the quietest the line has been lately, and above an absolute floor that the sensitivity sets.
"""

from __future__ import annotations

import copy
import math
import operator
import sys
from array import array
from collections import deque
from typing import Final, TypeAlias

import attrs

from ... import wire

__all__ = ["Ears", "Noticed", "SpeechEnded", "SpeechGoesOn", "SpeechStarted", "rms"]

FRAME_SECONDS: Final = 0.02
MOST_KEPT_SECONDS: Final = 60.0
"""Sound kept of one utterance, for the voice that repeats it; the rest is heard, not kept."""

_FLOOR_HIGH: Final = 32_768 * 10 ** (-45 / 20)  # -45 dBFS: a quiet voice at arm's length
_FLOOR_LOW: Final = 32_768 * 10 ** (-35 / 20)
_ABOVE_NOISE: Final = 2.5  # 8 dB
_NOISE_START: Final = 32_768 * 10 ** (-70 / 20)
_NOISE_FOLLOWS: Final = 0.05
_START_MS: Final = 140  # measured on 3.8: noticed 139-261 ms after the onset
_END_MS: Final = 500  # assumed: the default end sensitivity is high
_END_MS_LOW: Final = 900  # assumed
_PROGRESS_SECONDS: Final = 0.5
_MOST_FRAMES: Final = 500  # ten seconds, so that a wild wish costs no memory


@attrs.frozen
class SpeechStarted:
    """Somebody began to speak.

    Attributes:
      offset: Seconds into the sound.
    """

    offset: float


@attrs.frozen
class SpeechGoesOn:
    """Another half second of speech.

    Attributes:
      seconds: Of this utterance so far.
    """

    seconds: float


@attrs.frozen
class SpeechEnded:
    """Somebody finished speaking.

    Attributes:
      offset: Seconds into the sound.
      seconds: From the first loud frame to the last; 0 for a marked activity without any.
      pcm: The sound itself, at most a minute of it; empty unless asked for.
    """

    offset: float
    seconds: float
    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")


Noticed: TypeAlias = SpeechStarted | SpeechGoesOn | SpeechEnded


_EVERY: Final = 3


def rms(frame: bytes | memoryview) -> float:
    """Root mean square of signed 16-bit little-endian samples, 0 to 32,768.

    Every third sample has to do: that folds what is high into what is low, but keeps the power, and
    with many clients this is where the time goes.
    """
    samples = array("h")
    samples.frombytes(frame)
    samples = samples[::_EVERY]
    if sys.byteorder == "big":
        samples.byteswap()
    if not samples:
        return 0.0
    return math.sqrt(sum(map(operator.mul, samples, samples)) / len(samples))


class Ears:
    """One client's line.

    Args:
      rate_hz: Samples a second.
      detection: The client's wishes from ``setup``; with ``disabled`` only marks count.
      offset: Seconds heard before this connection.
      keep: Whether ``SpeechEnded`` shall bring the sound.
    """

    def __init__(
        self,
        rate_hz: int,
        detection: wire.AutomaticActivityDetection | None = None,
        *,
        offset: float = 0.0,
        keep: bool = False,
    ) -> None:
        detection = detection or wire.AutomaticActivityDetection()
        self.rate_hz = rate_hz
        self.offset: float = offset
        self._manual = bool(detection.disabled)
        low_start = (
            detection.start_of_speech_sensitivity == wire.StartSensitivity.START_SENSITIVITY_LOW
        )
        low_end = detection.end_of_speech_sensitivity == wire.EndSensitivity.END_SENSITIVITY_LOW
        self._floor = _FLOOR_LOW if low_start else _FLOOR_HIGH
        self._start_frames = _frames(detection.prefix_padding_ms, _START_MS)
        self._end_frames = _frames(
            detection.silence_duration_ms, _END_MS_LOW if low_end else _END_MS
        )
        self._frame_bytes = 2 * max(1, round(rate_hz * FRAME_SECONDS))
        self._rest = bytearray()
        self._before: deque[bytes] = deque(maxlen=self._start_frames + 2)
        self._noise = _NOISE_START
        self._loud_run = 0
        self._quiet_run = 0
        self._speaking = False
        self._most_kept = int(MOST_KEPT_SECONDS * rate_hz * 2) if keep else 0
        self._kept: tuple[bytes, ...] = ()
        self._kept_bytes = 0
        self._first_loud: float | None = None
        self._last_loud = 0.0
        self._told = 0.0

    @property
    def speaking(self) -> bool:
        """Whether an utterance, or a marked activity, is going on."""
        return self._speaking

    def copied(self) -> Ears:
        """Return a line in the same state; both share the sound so far, and no later change."""
        other = copy.copy(self)
        other._rest = self._rest.copy()
        other._before = self._before.copy()
        return other

    def hear(self, pcm: bytes) -> list[Noticed]:
        """Take the next sound; an odd byte waits for its other half."""
        self._rest += pcm
        noticed: list[Noticed] = []
        whole = len(self._rest) - len(self._rest) % self._frame_bytes
        sound = bytes(self._rest[:whole])
        del self._rest[:whole]
        for start in range(0, whole, self._frame_bytes):
            self._frame(sound[start : start + self._frame_bytes], noticed)
        return noticed

    def flush(self) -> list[Noticed]:
        """The client's stream pauses: an utterance that is going on ends here."""
        self._rest.clear()
        return [self._end()] if self._speaking and not self._manual else []

    def begin(self) -> list[Noticed]:
        """The client marks the start of activity."""
        if self._speaking:
            return []
        self._start()
        self._forget()
        return [SpeechStarted(self.offset)]

    def finish(self) -> list[Noticed]:
        """The client marks the end of activity."""
        return [self._end()] if self._speaking else []

    def _frame(self, frame: bytes, noticed: list[Noticed]) -> None:
        level = rms(frame)
        loud = level >= max(self._floor, self._noise * _ABOVE_NOISE)
        if loud:
            if self._first_loud is None:
                self._first_loud = self.offset
            self._last_loud = self.offset + FRAME_SECONDS
            self._loud_run += 1
            self._quiet_run = 0
        else:
            self._noise += (level - self._noise) * _NOISE_FOLLOWS
            self._loud_run = max(0, self._loud_run - 1)
            self._quiet_run += 1
        self.offset += FRAME_SECONDS
        if self._speaking:
            self._keep(frame)
            self._go_on(noticed)
            return
        self._before.append(frame)
        if self._manual:
            return
        if self._loud_run >= self._start_frames:
            onset = self._first_loud
            self._start()
            self._first_loud = onset
            noticed.append(SpeechStarted(self.offset))
        elif not self._loud_run:
            self._first_loud = None

    def _go_on(self, noticed: list[Noticed]) -> None:
        if self._first_loud is not None:
            seconds = self._last_loud - self._first_loud
            if seconds >= self._told + _PROGRESS_SECONDS:
                self._told = seconds
                noticed.append(SpeechGoesOn(seconds))
        if not self._manual and self._quiet_run >= self._end_frames:
            noticed.append(self._end())

    def _start(self) -> None:
        self._speaking = True
        self._forget()
        for frame in self._before:
            self._keep(frame)
        self._before.clear()
        self._first_loud = None
        self._quiet_run = 0
        self._told = 0.0

    def _end(self) -> SpeechEnded:
        seconds = 0.0 if self._first_loud is None else self._last_loud - self._first_loud
        ended = SpeechEnded(self.offset, seconds, b"".join(self._kept))
        self._speaking = False
        self._forget()
        self._before.clear()
        self._first_loud = None
        self._loud_run = 0
        return ended

    def _keep(self, frame: bytes) -> None:
        if self._kept_bytes < self._most_kept:
            self._kept += (frame,)  # never changed in place, so that copies can share it
            self._kept_bytes += len(frame)

    def _forget(self) -> None:
        self._kept = ()
        self._kept_bytes = 0


def _frames(milliseconds: int | None, default: int) -> int:
    wanted = default if milliseconds is None else milliseconds
    return min(max(1, round(wanted / 1000 / FRAME_SECONDS)), _MOST_FRAMES)
