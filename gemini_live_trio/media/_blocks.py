"""Sound as it comes, into blocks as the wire wants them."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
import trio
from numpy.typing import NDArray

from ._limits import check_channels, check_number, check_pcm, check_rate
from ._resampling import Backend, Resampler
from ._samples import check_samples, round_to_int16, within_scale

__all__ = ["AudioEncoder", "Chunker"]

MOST_BLOCK_MS = 10_000


class Chunker:
    """Bytes in pieces of any length into blocks of one length.

    Args:
      block_bytes: How long a block is; at least 1.

    Raises:
      ConfigError: A block would have no length.

    Attributes:
      block_bytes: As given.
    """

    def __init__(self, block_bytes: int) -> None:
        check_number("block_bytes", block_bytes, 1)
        self.block_bytes = block_bytes
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """How many bytes wait for the rest of their block."""
        return len(self._held)

    def feed(self, data: bytes | bytearray | memoryview, /) -> list[bytes]:
        """Take the next bytes, and return the blocks that they complete.

        The data may be changed afterwards: nothing refers to it.
        """
        view = memoryview(data)
        length = self.block_bytes
        blocks: list[bytes] = []
        if self._held:
            missing = length - len(self._held)
            self._held += view[:missing]
            view = view[missing:]
            if len(self._held) < length:
                return blocks
            blocks.append(bytes(self._held))
            self._held.clear()
        whole = len(view) - len(view) % length
        blocks += [bytes(view[start : start + length]) for start in range(0, whole, length)]
        self._held += view[whole:]
        return blocks

    def flush(self) -> bytes:
        """Return what doesn't fill a block, perhaps nothing, and begin anew."""
        rest = bytes(self._held)
        self._held.clear()
        return rest


class AudioEncoder:
    """A microphone's sound, in pieces of any length, into blocks for ``send_audio``.

    ::

        with AudioEncoder(from_hz=48_000, channels=2) as encoder:
            for piece in pieces:  # float32 or int16, as the device gives it
                for block in encoder.encode(piece):  # 640 bytes each
                    await session.send_audio(block)
            for block in encoder.flush():
                await session.send_audio(block)

    Channels are mixed to one, the rate is changed as ``Resampler`` does it live, and every sample
    that goes in comes out. Wrong samples are counted: NaN becomes silence, and what is beyond full
    scale, infinity included, becomes full scale.

    What it computes with is allocated once, for the longest piece; only the blocks are new. One
    thread at a time may use it.

    Args:
      rate_hz: Sample rate of the blocks; 1,000 to 768,000.
      block_ms: Milliseconds in a block, 1 to 10,000; where that is no whole number of samples, the
        fraction is left off.
      from_hz: Sample rate of what goes in; ``rate_hz`` if it isn't given.
      channels: How many channels go in.
      backend: The library that changes the rate, where it shall be a certain one.

    Raises:
      ConfigError: A rate, the length of a block or the number of channels makes no sense.
      MissingDependency: The rates differ, and there is no library that can change them.

    Attributes:
      rate_hz: As given.
      from_hz: As given, or ``rate_hz``.
      channels: As given.
      block_samples: How many samples a block has.
      nan_samples: How many samples weren't numbers.
      clipped_samples: How many samples were beyond full scale.
      odd_bytes: How many bytes at the end of the sound were no whole sample of all channels.
    """

    def __init__(
        self,
        rate_hz: int = 16_000,
        *,
        block_ms: int = 20,
        from_hz: int | None = None,
        channels: int = 1,
        backend: Backend | None = None,
    ) -> None:
        check_rate("rate_hz", rate_hz)
        check_channels(channels)
        check_number("block_ms", block_ms, 1, MOST_BLOCK_MS, "milliseconds")
        self.rate_hz = rate_hz
        self.from_hz: int = rate_hz if from_hz is None else from_hz
        self.channels = channels
        self.block_samples: int = rate_hz * block_ms // 1_000
        self.nan_samples: int = 0
        self.clipped_samples: int = 0
        self.odd_bytes: int = 0
        self._resampler = Resampler(self.from_hz, rate_hz, channels=channels, backend=backend)
        self._chunker = Chunker(self.block_samples * 2)
        self._half = b""
        self._closed = False
        self._scratch = np.empty(0, np.float32)
        self._rounded = np.empty(0, "<i2")

    @property
    def delay_seconds(self) -> float:
        """How late the sound comes out, apart from what waits for the rest of its block."""
        return self._resampler.delay_seconds

    @property
    def held_seconds(self) -> float:
        """How much sound waits for the rest of its block."""
        return self._chunker.held_bytes / 2 / self.rate_hz

    def encode(
        self, samples: NDArray[np.int16] | NDArray[np.float32] | bytes | bytearray | memoryview, /
    ) -> list[bytes]:
        """Take the next piece, and return the blocks that it completes.

        Args:
          samples: int16 or float32 of shape ``(frames, channels)``, or interleaved in one
            dimension; or bytes, as 16-bit little-endian samples, interleaved. Bytes may be cut
            anywhere: a part of a sample waits for its other part.

        Returns:
          Blocks of signed 16-bit little-endian mono, each of ``block_samples`` samples.

        Raises:
          ConfigError: Type or shape of the samples is wrong; nothing was taken.
          trio.ClosedResourceError: It was closed.
        """
        if not isinstance(samples, np.ndarray):
            samples = self._whole_samples(samples)
        return self._encode(samples, last=False)

    def flush(self) -> list[bytes]:
        """End the sound: return what was held back, the last block as short as it is.

        What comes next is another sound.

        Raises:
          trio.ClosedResourceError: It was closed.
        """
        self.odd_bytes += len(self._half)
        self._half = b""
        blocks = self._encode(np.empty(0, np.int16), last=True)
        rest = self._chunker.flush()
        return [*blocks, rest] if rest else blocks

    def close(self) -> None:
        """Give the memory back; garbage collection does it as well."""
        self._closed = True
        self._resampler.close()

    def __enter__(self) -> AudioEncoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _whole_samples(self, piece: bytes | bytearray | memoryview) -> NDArray[np.int16]:
        data = self._half + check_pcm(piece)
        whole = len(data) - len(data) % (2 * self.channels)
        self._half = data[whole:]
        return np.frombuffer(data[:whole], "<i2").astype(np.int16, copy=False)

    def _encode(self, samples: NDArray[Any], *, last: bool) -> list[bytes]:
        if self._closed:
            raise trio.ClosedResourceError("this encoder was closed")
        check_samples(samples, channels=self.channels)
        if samples.dtype == np.float32:
            samples, nan, beyond = within_scale(samples)
            self.nan_samples += nan
            self.clipped_samples += beyond
        samples = self._resampler.process(samples, last=last)
        if samples.dtype == np.float32:
            samples = self._round(samples)
        # As bytes, whatever this machine's byte order.
        return self._chunker.feed(samples.astype("<i2", copy=False).view(np.uint8).data)

    def _round(self, samples: NDArray[np.float32]) -> NDArray[np.int16]:
        count = len(samples)
        if count > len(self._scratch):
            self._scratch = np.empty(count, np.float32)
            self._rounded = np.empty(count, "<i2")
        rounded = self._rounded[:count]
        round_to_int16(samples, scratch=self._scratch[:count], out=rounded)
        return rounded
