"""Recordings of any kind as blocks of 16-bit mono.

libsndfile decodes, soxr resamples, both piece by piece, so a file of any length takes the memory of
a quarter of a second. Each piece is one visit to a worker thread: a disk may be slow, and a long
piece of FLAC takes its time too.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias, cast, get_args

import attrs
import trio

from ..errors import ConfigError, MediaError, MissingDependency
from ._files import open_file, path_of
from ._limits import RATES_HZ, check_block, check_channels, check_rate

__all__ = ["RawEncoding", "RawPcm", "SoundReader", "open_sound"]

PIECE_SECONDS: Final = 0.25
MOST_SAMPLES: Final = 1 << 19
"""In a piece, all channels counted: a header may claim a thousand of them."""
UNKNOWN_LENGTH: Final = 0x7FFF_0000
"""From here on, a WAV's length stands for "I was a stream and couldn't know"."""
UNKNOWN_FRAMES: Final = (1 << 63) - 1
"""What libsndfile has for the length of a stream."""
TOLERATED_SECONDS: Final = 0.1
"""By so much the declared length of an MP3 may be wrong."""

# fmt: off
RawEncoding: TypeAlias = Literal[
    "s8", "u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be",
    "f32le", "f32be", "f64le", "f64be", "ulaw", "alaw",
]
"""How raw samples are written: kind, bits and byte order, in the words that FFmpeg has for it."""

SUBTYPES: Final = {
    "s8": ("PCM_S8", 1), "u8": ("PCM_U8", 1), "s16": ("PCM_16", 2), "s24": ("PCM_24", 3),
    "s32": ("PCM_32", 4), "f32": ("FLOAT", 4), "f64": ("DOUBLE", 8), "ulaw": ("ULAW", 1),
    "alaw": ("ALAW", 1),
}
"""What libsndfile calls them, and how many bytes a sample has."""
# fmt: on


@attrs.frozen
class RawPcm:
    """What a file of bare samples doesn't say of itself.

    Attributes:
      rate_hz: Sample rate; 1,000 to 768,000.
      channels: How many, interleaved; 1 to 1,024.
      encoding: How a sample is written.

    Raises:
      ConfigError: A value is none of those.
    """

    rate_hz: int = 16_000
    channels: int = 1
    encoding: RawEncoding = "s16le"

    def __attrs_post_init__(self) -> None:
        check_rate("rate_hz", self.rate_hz)
        check_channels(self.channels)
        known = get_args(RawEncoding)
        if self.encoding not in known:
            raise ConfigError(f"encoding must be one of {', '.join(known)}; not {self.encoding!r}.")

    @property
    def _kind(self) -> str:
        return self.encoding.removesuffix("le").removesuffix("be")

    @property
    def _frame_bytes(self) -> int:
        return SUBTYPES[self._kind][1] * self.channels

    def _for_soundfile(self) -> dict[str, Any]:
        return {
            "format": "RAW",
            "subtype": SUBTYPES[self._kind][0],
            "endian": "BIG" if self.encoding.endswith("be") else "LITTLE",
            "samplerate": self.rate_hz,
            "channels": self.channels,
        }


class _Content:
    """A file as libsndfile shall read it: through us, and without a name.

    Not by its descriptor, since on Windows libsndfile has a C library of its own, with other
    numbers; and not by its name, since soundfile would believe the name's ending.

    Attributes:
      trouble: Why it couldn't be read to its end. libsndfile only learns that nothing came.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.trouble: OSError | None = None
        self._file: Any = file
        self._astray = False

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there; damaged headers ask for places before the beginning."""
        try:
            return int(self._file.seek(offset, whence))
        except (OSError, ValueError):
            self._astray = True  # an exception would be written to standard error, and be a 0
            return -1

    def tell(self) -> int:
        """Return the place; -1 right after there was none, by which libsndfile knows."""
        if self._astray:
            self._astray = False
            return -1
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._file.readinto(buffer))
        except OSError as error:
            self.trouble = error
            return 0


class SoundReader:
    """A recording, as an async iterator over blocks; ``open_sound`` makes it.

    Every block but the last has the same length. One task may iterate, once.

    Attributes:
      rate_hz: Sample rate of the blocks.
      seconds: How long the recording is, by its header; infinity where that doesn't say, as in a
        FLAC that was written into a pipe.
      warnings: One sentence for each thing that is wrong with the file although it can be used.
        Damage in the middle is known only once the iteration got there.
    """

    def __init__(
        self, path: Path, content: _Content, file: Any, *, rate_hz: int, block_ms: int
    ) -> None:
        from .pcm import Resampler

        self.rate_hz = rate_hz
        known = file.frames < UNKNOWN_FRAMES
        self.seconds: float = file.frames / file.samplerate if known else math.inf
        self.warnings: list[str] = []
        self._path = path
        self._content = content
        self._file = file
        wanted = max(1, round(file.samplerate * PIECE_SECONDS))
        self._piece_frames = min(wanted, MOST_SAMPLES // file.channels)
        self._resampler = Resampler(
            file.samplerate, rate_hz, purpose="file", channels=file.channels
        )
        # Else soundfile seeks to where it is after each read, and MP3 loses sound by that.
        file.seekable = lambda: False
        self._frames_read = 0
        self._nan_samples = 0
        self._block_bytes = int(rate_hz * block_ms // 1000) * 2
        self._held = bytearray()
        self._given_bytes = 0
        self._at_end = False
        self._reading = False
        self._closed = False

    @property
    def position_seconds(self) -> float:
        """How much of the sound was given away as blocks."""
        return self._given_bytes / 2 / self.rate_hz

    @property
    def fraction(self) -> float:
        """The position as a part of the whole, 0.0 to 1.0; 0.0 where that isn't known."""
        return min(1.0, self.position_seconds / self.seconds)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Return the next block: signed 16-bit little-endian mono.

        Raises:
          trio.BusyResourceError: Another task is reading.
          trio.ClosedResourceError: The block was left.

        Cancellation: no sound is lost.
        """
        if self._reading:
            raise trio.BusyResourceError("another task is reading this recording")
        self._reading = True
        try:
            await trio.lowlevel.checkpoint()
            if self._closed:
                raise trio.ClosedResourceError("this recording was closed")
            while len(self._held) < self._block_bytes and not self._at_end:
                self._held += await trio.to_thread.run_sync(self._read_piece)
        finally:
            self._reading = False
        block = bytes(self._held[: self._block_bytes])
        del self._held[: self._block_bytes]
        self._given_bytes += len(block)
        if not block:
            raise StopAsyncIteration
        return block

    def _read_piece(self) -> bytes:
        import numpy as np
        import soundfile  # type: ignore[import-untyped]

        from ._samples import within_scale
        from .pcm import float_to_int16

        broken = ""
        try:
            samples = self._file.read(self._piece_frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            samples = np.zeros((0, self._file.channels), dtype=np.float32)
            broken = "is damaged"
        self._frames_read += len(samples)
        self._at_end = len(samples) < self._piece_frames
        if self._at_end and self._content.trouble is not None:
            broken = f"can't be read any further ({self._content.trouble.strerror})"
        if broken:
            seconds = self._frames_read / self._file.samplerate
            self.warnings.append(
                f"{self._path.name} {broken} after {seconds:.1f} s; what comes before is used."
            )
        elif self._at_end:
            self._check_end()
        # Float recordings may hold anything; full scale is the end of the road.
        samples, nan, _ = within_scale(samples)
        self._nan_samples += nan
        if self._at_end and self._nan_samples:
            self.warnings.append(
                f"{self._path.name} has {self._nan_samples:,} samples that are not numbers; "
                "they are silent."
            )
        mono = self._resampler.process(samples, last=self._at_end)
        return float_to_int16(mono).astype("<i2", copy=False).tobytes()

    def _check_end(self) -> None:
        """Say so where less came than was declared; of a few formats only the end can tell."""
        read = self._frames_read / self._file.samplerate
        known = math.isfinite(self.seconds)
        if known and self.seconds - read > TOLERATED_SECONDS and not self.warnings:
            self.warnings.append(_cut_off(self._path.name, self.seconds, read))

    def _close(self) -> None:
        self._closed = True
        self._resampler.close()

    def _check_length(self, raw: RawPcm | None, size: int) -> None:
        """Find out whether it was cut; libsndfile notices of a WAV, but only says so in its log."""
        name = self._path.name
        if self._file.frames == 0:
            raise MediaError(f"{self._path} holds no sound: there are no samples in it.")
        if raw is not None and size % raw._frame_bytes:
            self.warnings.append(
                f"{name} ends in the middle of a sample; "
                f"its last {size % raw._frame_bytes} bytes are left out."
            )
        declared = re.search(r"^data : (\d+) \(should be (\d+)\)", self._file.extra_info, re.M)
        if declared and int(declared[2]) < int(declared[1]) < UNKNOWN_LENGTH:
            whole = self.seconds * int(declared[1]) / int(declared[2])
            self.warnings.append(_cut_off(name, whole, self.seconds))


def _cut_off(name: str, whole: float, there: float) -> str:
    return (
        f"{name} is cut off: it should last {whole:.1f} s, "
        f"and the {there:.1f} s that are there are used."
    )


def _open(
    path: Path, raw: RawPcm | None, rate_hz: int, block_ms: int
) -> tuple[SoundReader, ExitStack]:
    try:
        import numpy  # noqa: F401
        import soundfile
        import soxr  # type: ignore[import-untyped]  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: libsndfile isn't there
        raise MissingDependency(
            'Reading sound files needs: pip install "gemini-live-trio[audio]"'
        ) from error
    with ExitStack() as stack:
        opened = stack.enter_context(open_file(path))
        content = _Content(opened)
        given = {} if raw is None else raw._for_soundfile()
        try:
            file = stack.enter_context(soundfile.SoundFile(cast("BinaryIO", content), **given))
        except soundfile.SoundFileError as error:
            reason = str(error).partition(": ")[2].rstrip(".")
            raise MediaError(
                f"{path} is not a sound file that can be read ({reason}); WAV, FLAC, Ogg, Opus "
                "and MP3 can be, and bare samples where raw= says what they are."
            ) from None
        if file.samplerate not in RATES_HZ:
            raise MediaError(f"{path} says that it has {file.samplerate} samples a second.")
        reader = SoundReader(path, content, file, rate_hz=rate_hz, block_ms=block_ms)
        stack.callback(reader._close)
        reader._check_length(raw, os.fstat(opened.fileno()).st_size)
        return reader, stack.pop_all()


@asynccontextmanager
async def open_sound(
    path: str | os.PathLike[str],
    *,
    rate_hz: int = 16_000,
    block_ms: int = 20,
    raw: RawPcm | None = None,
) -> AsyncIterator[SoundReader]:
    """Open a recording: WAV of any kind, FLAC, Ogg, Opus, MP3, or bare samples.

    Any rate and any channels will do. Channels are mixed to one; a truncated or damaged file gives
    what is there, with a warning. What kind of file it is is seen from its content. Whatever its
    length, only a quarter of a second and a block are in memory.

    Args:
      path: The file.
      rate_hz: Sample rate to resample to; 1,000 to 768,000.
      block_ms: Milliseconds in a block, 1 to 10,000; where that is no whole number of samples, the
        fraction is left off.
      raw: That the file has no header, and what it would say.

    Raises:
      ConfigError: The rate or the length of a block makes no sense, or something has a wrong type.
      MediaError: The file can't be read, isn't sound, or holds none.
      MissingDependency: The extra ``audio`` isn't installed.

    Cancellation: at any time; a visit to the disk is waited for.
    """
    check_rate("rate_hz", rate_hz)
    check_block(block_ms)
    if raw is not None and not isinstance(raw, RawPcm):
        raise ConfigError(f"raw must be a RawPcm, such as RawPcm(rate_hz=16_000), not {raw!r}.")
    path = path_of(path)
    reader, opened = await trio.to_thread.run_sync(_open, path, raw, rate_hz, block_ms)
    with opened:
        yield reader
