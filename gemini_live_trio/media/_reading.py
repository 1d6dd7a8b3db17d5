"""Recordings of any kind as blocks of 16-bit mono.

libsndfile decodes, soxr resamples, both piece by piece, so a file of any length takes the memory of
a quarter of a second. Each piece is one visit to a worker thread: a disk may be slow, and a long
piece of FLAC takes its time too.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from ..errors import ConfigError, MediaError, MissingDependency

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SoundReader", "open_sound"]

PIECE_SECONDS = 0.25
RATES_HZ = range(1_000, 768_001)
"""What a recording may have; others come from damaged headers."""
UNKNOWN_LENGTH = 0x7FFF_0000
"""From here on, a WAV's length stands for "I was a stream and couldn't know"."""


class SoundReader:
    """A recording, as an async iterator over blocks; ``open_sound`` makes it.

    Every block but the last has the same length. One task may iterate, once.

    Attributes:
      rate_hz: Sample rate of the blocks.
      seconds: How long the recording is, by its header.
      warnings: One sentence for each thing that is wrong with the file although it can be used.
        Damage in the middle is known only once the iteration got there.
    """

    def __init__(self, path: Path, file: Any, *, rate_hz: int, block_ms: int) -> None:
        self.rate_hz = rate_hz
        self.seconds: float = file.frames / file.samplerate
        self.warnings: list[str] = []
        self._path = path
        self._file = file
        self._block_bytes = rate_hz * block_ms // 1000 * 2
        self._piece_frames = max(1, round(file.samplerate * PIECE_SECONDS))
        self._convert = _converter(file.samplerate, rate_hz)
        # Else soundfile seeks to where it is after each read, and MP3 loses sound by that.
        file.seekable = lambda: False
        self._frames_read = 0
        self._held = bytearray()
        self._at_end = False
        self._check_length()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Return the next block: signed 16-bit little-endian mono.

        Cancellation: no sound is lost.
        """
        await trio.lowlevel.checkpoint()
        while len(self._held) < self._block_bytes and not self._at_end:
            self._held += await trio.to_thread.run_sync(self._read_piece)
        block = bytes(self._held[: self._block_bytes])
        del self._held[: self._block_bytes]
        if not block:
            raise StopAsyncIteration
        return block

    def _read_piece(self) -> bytes:
        import numpy as np
        import soundfile  # type: ignore[import-untyped]

        try:
            samples = self._file.read(self._piece_frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            seconds = self._frames_read / self._file.samplerate
            self.warnings.append(
                f"{self._path.name} is damaged after {seconds:.1f} s; what comes before is used."
            )
            samples = np.zeros((0, 1), dtype=np.float32)
        self._frames_read += len(samples)
        self._at_end = len(samples) < self._piece_frames
        mono = self._convert(samples.mean(axis=1), self._at_end)
        # Float recordings may hold anything, NaN included; full scale is the end of the road.
        scaled = np.nan_to_num(mono * 32768.0).round().clip(-32768, 32767)
        return scaled.astype("<i2").tobytes()

    def _check_length(self) -> None:
        """Find out whether a WAV was cut; libsndfile notices, but only says so in its log."""
        if self._file.frames == 0:
            raise MediaError(f"{self._path} holds no sound: there are no samples in it.")
        declared = re.search(r"^data : (\d+) \(should be (\d+)\)", self._file.extra_info, re.M)
        if declared and int(declared[2]) < int(declared[1]) < UNKNOWN_LENGTH:
            whole = self.seconds * int(declared[1]) / int(declared[2])
            self.warnings.append(
                f"{self._path.name} is cut off: it should last {whole:.1f} s, "
                f"and the {self.seconds:.1f} s that are there are used."
            )


def _converter(from_hz: int, to_hz: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Return a function of the next samples and whether they are the last."""
    import soxr  # type: ignore[import-untyped]

    if from_hz == to_hz:
        return lambda samples, last: samples
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


def _open(path: Path, rate_hz: int, block_ms: int) -> tuple[SoundReader, ExitStack]:
    try:
        import numpy  # noqa: F401
        import soundfile
        import soxr  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: libsndfile isn't there
        raise MissingDependency(
            'Reading sound files needs: pip install "gemini-live-trio[audio]"'
        ) from error
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path} is a folder; name a sound file.")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path} is not an ordinary file, so it can't be read as sound.")
        if not status.st_size:
            raise MediaError(f"{path} is empty: 0 bytes.")
        raw = path.open("rb")
    except FileNotFoundError:
        raise MediaError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"Can't read {path}: {reason}.") from None
    with ExitStack() as stack:
        stack.enter_context(raw)
        try:
            # By number, not by name: soundfile would believe the name's ending.
            file = stack.enter_context(soundfile.SoundFile(raw.fileno(), closefd=False))
        except soundfile.SoundFileError as error:
            reason = str(error).partition(": ")[2].rstrip(".")
            raise MediaError(
                f"{path} is not a sound file that can be read ({reason}); "
                "WAV, FLAC, Ogg and MP3 can be."
            ) from None
        if file.samplerate not in RATES_HZ:
            raise MediaError(f"{path} says that it has {file.samplerate} samples a second.")
        reader = SoundReader(path, file, rate_hz=rate_hz, block_ms=block_ms)
        return reader, stack.pop_all()


@asynccontextmanager
async def open_sound(
    path: str | os.PathLike[str], *, rate_hz: int = 16_000, block_ms: int = 20
) -> AsyncIterator[SoundReader]:
    """Open a recording: WAV of any kind, FLAC, Ogg, MP3, with any rate and any channels.

    Channels are mixed to one; a truncated or damaged file gives what is there, with a warning.

    Args:
      path: The file.
      rate_hz: Sample rate to resample to; 1,000 to 768,000.
      block_ms: Milliseconds in a block; at least 1.

    Raises:
      ConfigError: The rate or the length of a block makes no sense.
      MediaError: The file can't be read, isn't sound, or holds none.
      MissingDependency: The extra ``audio`` isn't installed.

    Cancellation: at any time; a visit to the disk is waited for.
    """
    if rate_hz not in RATES_HZ:
        raise ConfigError(f"rate_hz must be 1,000 to 768,000 samples a second, not {rate_hz}.")
    if block_ms < 1:
        raise ConfigError(f"block_ms must be 1 or more, not {block_ms}.")
    reader, opened = await trio.to_thread.run_sync(_open, Path(path), rate_hz, block_ms)
    with opened:
        yield reader
