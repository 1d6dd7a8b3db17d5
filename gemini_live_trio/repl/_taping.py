"""Two voices on one tape, each where it was to be heard.

What the user says arrives when it is said, or faster, from a file; what the model says arrives
faster than it is spoken. So each voice has a track of its own: sound goes behind what the track
holds already, and not before the moment at which it comes. Positions are samples since the
beginning. Sans-IO.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..media.pcm import Resampler

__all__ = ["RATE_HZ", "Tape"]

RATE_HZ: Final = 24_000
MOST_SECONDS: Final = 600
"""How far a voice may be ahead of its time."""
SLACK_SECONDS: Final = 0.25
"""By how much a piece may come late and still follow the one before without a gap: the blocks of a
microphone come a little sooner or later each time."""


class _Track:
    def __init__(self) -> None:
        self._begin = 0
        self._data = bytearray()

    @property
    def _end(self) -> int:
        return self._begin + len(self._data) // 2

    def put(self, pcm: bytes, at: int) -> int:
        """Append sound that comes at some moment; return how many samples found no room."""
        if at > self._end + SLACK_SECONDS * RATE_HZ:
            self._data += bytes(2 * (at - self._end))
        room = max(0, at + MOST_SECONDS * RATE_HZ - self._end)
        self._data += pcm[: 2 * room]
        return max(0, len(pcm) // 2 - room)

    def cut(self, at: int) -> None:
        """Forget what was to be heard from some moment on."""
        del self._data[2 * max(0, at - self._begin) :]

    def take(self, until: int) -> bytes:
        """Return all up to a moment, which is over."""
        count = until - self._begin
        taken = bytes(self._data[: 2 * count])
        del self._data[: 2 * count]
        self._begin = until
        return taken.ljust(2 * count, b"\0")


class Tape:
    """A conversation as it was heard, mixed to one channel of 24,000 samples a second.

    Attributes:
      lag_seconds: How long a moment must be over before nothing more comes that belongs there.
      dropped_seconds: What was more than ten minutes ahead of its time.
    """

    def __init__(self) -> None:
        self.lag_seconds: float = SLACK_SECONDS + 0.05
        self.dropped_seconds: float = 0.0
        self._user = _Track()
        self._model = _Track()
        self._resamplers: dict[tuple[str, int], Resampler] = {}
        self._done = 0

    def user(self, pcm: bytes, *, rate_hz: int, at: float) -> None:
        """The user was heard.

        Args:
          pcm: Signed 16-bit little-endian mono.
          rate_hz: Its sample rate.
          at: Seconds since the beginning.
        """
        self._put(self._user, "user", pcm, rate_hz, at)

    def model(self, pcm: bytes, *, rate_hz: int, at: float) -> None:
        """The model's voice came; see ``user``."""
        self._put(self._model, "model", pcm, rate_hz, at)

    def interrupted(self, at: float) -> None:
        """The rest of what the model said won't be heard."""
        self._model.cut(max(self._done, round(at * RATE_HZ)))

    def take(self, until: float) -> bytes:
        """Return the sound since the last time, up to a moment that is over."""
        self._done = max(self._done, round(until * RATE_HZ))
        voices = [np.frombuffer(track.take(self._done), "<i2") for track in self._tracks]
        mixed = np.clip(np.sum(voices, axis=0, dtype=np.int32), -32_768, 32_767)
        return mixed.astype("<i2").tobytes()

    @property
    def _tracks(self) -> tuple[_Track, _Track]:
        return self._user, self._model

    def _put(self, track: _Track, name: str, pcm: bytes, rate_hz: int, at: float) -> None:
        pcm = pcm[: len(pcm) // 2 * 2]
        if rate_hz != RATE_HZ:
            known = self._resamplers.get((name, rate_hz))
            if known is None:
                known = self._resamplers[name, rate_hz] = Resampler(rate_hz, RATE_HZ)
            pcm = known.process(np.frombuffer(pcm, "<i2")).tobytes()
        position = max(self._done, round(at * RATE_HZ))
        self.dropped_seconds += track.put(pcm, position) / RATE_HZ
