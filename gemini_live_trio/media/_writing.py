"""The model's voice as a WAV file that can be played at any moment."""

from __future__ import annotations

import io
import os
import stat
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from ..errors import MediaError
from ._files import path_of
from ._limits import check_pcm, check_rate
from ._threads import thread_apart

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["WavWriter", "open_wav_writer"]

DEFAULT_RATE_HZ = 24_000
MOST_BYTES = 0xFFFF_0000
"""Of sound; a WAV counts them in 32 bits. A day of the model's voice."""
BUFFER_BYTES = 48_000
"""A second of the model's voice; so much is lost if the process is killed."""
MOST_HELD_BYTES = 60 * BUFFER_BYTES
"""What waits for a disk that refuses it; more isn't taken."""


class _File(io.FileIO):
    """A file without a buffer, in which a part of what was refused would stay."""

    def write(self, data: Buffer, /) -> int:
        rest = memoryview(data).cast("B")
        count = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return count


class WavWriter:
    """A WAV file that grows; ``open_wav_writer`` makes it. One task may write.

    Attributes:
      seconds: How much sound it was given.
    """

    def __init__(self, path: Path, raw: _File) -> None:
        self.seconds: float = 0.0
        self._path = path
        self._raw = raw
        self._file = wave.open(raw, "wb")  # noqa: SIM115 - closed by _finish
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(DEFAULT_RATE_HZ)
        self._rate_hz: int | None = None
        self._held = bytearray()
        self._closed = False
        self._taken = 0

    async def write(self, pcm: bytes, /, *, rate_hz: int = DEFAULT_RATE_HZ) -> None:
        """Append sound.

        Args:
          pcm: Signed 16-bit little-endian mono. Half a sample at the end waits for its other half.
          rate_hz: Sample rate, 1,000 to 768,000; the first piece settles it.

        Raises:
          ConfigError: The rate makes no sense, or the sound isn't bytes.
          MediaError: The rate changed, the file has 4 GiB, which is all that a WAV can have, or the
            disk refuses. In the first two cases nothing of the piece was taken, and neither in the
            third once a minute of the model's voice waits for the disk.
          trio.ClosedResourceError: The block was left.

        Cancellation: the piece has been taken, unless a minute waited already for the disk; what
          is written to disk is whole.
        """
        if self._closed:
            raise trio.ClosedResourceError("this recording was closed")
        check_rate("rate_hz", rate_hz)
        sound = check_pcm(pcm)
        if self._rate_hz is None:
            self._rate_hz = rate_hz
            self._file.setframerate(rate_hz)
        elif rate_hz != self._rate_hz:
            raise MediaError(
                f"{self._path} has {self._rate_hz} samples a second; "
                f"a piece with {rate_hz} can't be added to it."
            )
        if self._taken + len(sound) > MOST_BYTES:
            raise MediaError(
                f"{self._path} is full: a WAV has 4 GiB at most, and this one lasts "
                f"{self.seconds / 3600:.1f} hours. Begin another."
            )
        if len(self._held) >= MOST_HELD_BYTES:
            await trio.to_thread.run_sync(self._flush)
        self._taken += len(sound)
        self._held += sound
        self.seconds += len(sound) / 2 / rate_hz
        if len(self._held) >= BUFFER_BYTES:
            await trio.to_thread.run_sync(self._flush)
        else:
            await trio.lowlevel.checkpoint()

    def _flush(self) -> None:
        whole = len(self._held) // 2 * 2
        frames, place = self._file.tell(), self._raw.tell()
        try:
            self._file.writeframesraw(b"")  # the header, where it isn't there yet
            place = self._raw.tell()
            # Brings the header up to date as well.
            self._file.writeframes(bytes(self._held[:whole]))
        except OSError as error:
            if self._file.tell() == frames:
                # A part may be there, and the next try writes all of it.
                self._raw.seek(place)
                with suppress(OSError):
                    self._raw.truncate()
            else:  # only the header failed
                self._raw.seek(0, os.SEEK_END)
                del self._held[:whole]
            raise _refused(self._path, error) from None
        del self._held[:whole]

    async def _finish(self) -> None:
        self._closed = True
        # On behalf of a block that may be cancelled already.
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._close, limiter=thread_apart())

    def _close(self) -> None:
        try:
            try:
                self._flush()
            finally:
                try:
                    self._file.close()
                finally:
                    self._raw.close()
        except OSError as error:
            raise _refused(self._path, error) from None


@asynccontextmanager
async def open_wav_writer(path: str | os.PathLike[str]) -> AsyncIterator[WavWriter]:
    """Create a WAV file: 16-bit mono, at the rate of the first piece that is written.

    However the block is left, the file's header is right. A file that was there is replaced.

    Raises:
      ConfigError: It isn't the path of a file.
      MediaError: The file can't be created or written. An exception that leaves the block is never
        replaced by this one; it gets a note.

    Cancellation: at any time.
    """
    path = path_of(path)
    try:
        raw = await trio.to_thread.run_sync(_create, path)
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    writer = WavWriter(path, raw)
    try:
        yield writer
    except BaseException as error:
        try:
            await writer._finish()
        except MediaError as refused:
            error.add_note(str(refused))
        raise
    await writer._finish()


def _create(path: Path) -> _File:
    unfit = MediaError(f"{path} is no ordinary file, so a WAV can't be written to it.")
    if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
        raise unfit  # opening it would wait for somebody who reads
    raw = _File(path, "wb")
    if not raw.seekable():
        raw.close()
        raise unfit
    return raw


def _refused(path: Path, error: OSError | ValueError) -> MediaError:
    reason = error.strerror if isinstance(error, OSError) else error
    return MediaError(f"Can't write {path}: {reason}.")
