"""From what a device gives to blocks of one length, one rate and one channel; knows no device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from .pcm import Resampler

__all__ = ["Blocks", "as_pcm", "as_samples"]

SAMPLE = 2


def as_samples(pcm: bytes, channels: int = 1) -> np.ndarray:
    """Return interleaved 16-bit samples as one channel of floats, full scale being 1."""
    import numpy as np

    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels)
    samples: np.ndarray = frames.mean(axis=1, dtype=np.float32) / np.float32(32768)
    return samples


def as_pcm(samples: np.ndarray) -> bytes:
    """Return one channel of floats as 16-bit samples; what is too loud is clipped."""
    pcm: bytes = (samples * 32768).round().clip(-32768, 32767).astype("<i2").tobytes()
    return pcm


class Blocks:
    """Takes sound in any pieces, gives it in equal ones; no sample is lost.

    Args:
      rate_hz: Sample rate of the blocks.
      frames: How many samples each has.
    """

    def __init__(self, *, rate_hz: int, frames: int) -> None:
        self._rate_hz = rate_hz
        self._block_bytes = frames * SAMPLE
        self._held = bytearray()
        self._source = (0, 0)
        self._resampler: Resampler | None = None

    def feed(
        self, pcm: bytes, *, rate_hz: int, channels: int, time: float
    ) -> Iterator[tuple[bytes, float]]:
        """Add a piece; return the blocks that are full now, and when each began.

        Args:
          pcm: Interleaved signed 16-bit samples.
          rate_hz: Their rate.
          channels: How many samples make a frame.
          time: When the first of them was at the device, in seconds.
        """
        if (rate_hz, channels) != self._source:
            self._source = rate_hz, channels
            self._resampler = self._made_resampler(rate_hz)
        # What is held came right before; where it didn't, because something is missing, its time
        # is wrong by less than a block.
        time -= len(self._held) / SAMPLE / self._rate_hz
        self._held += self._converted(pcm, channels)
        while len(self._held) >= self._block_bytes:
            yield bytes(self._held[: self._block_bytes]), time
            del self._held[: self._block_bytes]
            time += self._block_bytes / SAMPLE / self._rate_hz

    def _made_resampler(self, rate_hz: int) -> Resampler | None:
        if rate_hz == self._rate_hz:
            return None
        from .pcm import Resampler

        return Resampler(rate_hz, self._rate_hz, purpose="live")

    def _converted(self, pcm: bytes, channels: int) -> bytes:
        if channels == 1 and self._resampler is None:
            return pcm
        samples = as_samples(pcm, channels)
        return as_pcm(self._resampler.process(samples) if self._resampler else samples)
