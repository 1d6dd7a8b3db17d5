"""Reading and writing the standard streams without ever holding up Trio.

The system says when a read or a short write won't block; so no thread is needed, none is left
behind in a read when the program ends, and the streams are not switched to non-blocking, which
would do the same to the shell's.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import AsyncIterator

import trio

from ..errors import ConfigError
from ._errors import OutputFailed

__all__ = ["WRITE_BYTES", "ByteWriter", "LineReader", "TextWriter", "read_some"]

READ_BYTES = 65_536
WRITE_BYTES = 4_096
"""A pipe that is ready to be written takes so much without blocking (POSIX: PIPE_BUF)."""
LINE_LIMIT = 1_048_576
"""Bytes; a longer line is no line that somebody wrote."""
PAUSE = 0.01
"""Seconds, where the system called a descriptor ready and then took nothing."""

_POLLS = os.name == "posix"


async def _ready(descriptor: int, *, to_write: bool) -> None:
    wait = trio.lowlevel.wait_writable if to_write else trio.lowlevel.wait_readable
    try:
        await wait(descriptor)
    except PermissionError:
        # An ordinary file or /dev/null: always ready, so the system won't watch it.
        await trio.lowlevel.checkpoint()


async def read_some(descriptor: int) -> bytes:
    """Wait until there is something to read, and return it; nothing means the end.

    Cancellation: nothing was read, where the system tells when there is something.
    """
    if not _POLLS:
        return await trio.to_thread.run_sync(
            os.read, descriptor, READ_BYTES, abandon_on_cancel=True
        )
    await _ready(descriptor, to_write=False)
    return os.read(descriptor, READ_BYTES)


class LineReader:
    """The lines of a descriptor, decoded, without their ends; empty ones too.

    Args:
      descriptor: Where from.
      limit: How many bytes a line may have.

    Raises:
      ConfigError: A line has more.

    Cancellation: no line is lost.
    """

    def __init__(self, descriptor: int, *, limit: int = LINE_LIMIT) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._held = bytearray()
        self._searched = 0
        self._at_end = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        await trio.lowlevel.checkpoint()
        while (end := self._held.find(b"\n", self._searched)) < 0 and not self._at_end:
            self._searched = len(self._held)
            if self._searched > self._limit:
                break
            data = await read_some(self._descriptor)
            self._held += data
            self._at_end = not data
        self._searched = 0
        if end < 0:
            end = len(self._held)
            if not end:
                raise StopAsyncIteration
        if end > self._limit:
            raise ConfigError(f"A line of the input has more than {self._limit:,} bytes.")
        line = self._held[:end].decode("utf-8", errors="replace")
        del self._held[: end + 1]
        return line.removesuffix("\r")


class ByteWriter:
    """Writes to a descriptor as it comes.

    Args:
      descriptor: Where to; ``None`` stands for a stream that was closed.
      name: What it is called in errors.

    Raises:
      BrokenPipeError: Nobody reads any more.
      OutputFailed: The system takes no more.

    Cancellation: the next call goes on where this one was, so nothing is torn or lost.
    """

    def __init__(self, descriptor: int | None, name: str = "the output") -> None:
        self._name = name
        self._rest = bytearray()
        self._threaded = not _POLLS
        if _POLLS and descriptor is not None and os.isatty(descriptor):
            # A terminal that is ready for something may not be ready for all of it. Switching it to
            # non-blocking would do so to the shell as well, so it is opened a second time.
            try:
                flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
                descriptor = os.open(os.ttyname(descriptor), flags)
            except OSError:
                self._threaded = True
            else:
                weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor

    async def write_bytes(self, data: bytes) -> None:
        """Write all of it, after what an earlier call had to leave."""
        if self._descriptor is not None:
            self._rest += data
        await trio.lowlevel.checkpoint()
        try:
            while self._rest and self._descriptor is not None:
                await self._write_some(self._descriptor)
        except BrokenPipeError:
            self._rest.clear()
            raise
        except OSError as error:
            self._rest.clear()
            raise OutputFailed(f"Can't write to {self._name}: {error.strerror}.") from None

    async def _write_some(self, descriptor: int) -> None:
        piece = bytes(self._rest[:WRITE_BYTES])
        if self._threaded:
            del self._rest[: len(piece)]  # it is on its way, whatever happens to this task
            while piece:
                written = await trio.to_thread.run_sync(
                    os.write, descriptor, piece, abandon_on_cancel=True
                )
                piece = piece[written:]
            return
        await _ready(descriptor, to_write=True)
        try:
            del self._rest[: os.write(descriptor, piece)]
        except BlockingIOError:
            await trio.sleep(PAUSE)


class TextWriter(ByteWriter):
    """Writes text."""

    async def write(self, text: str) -> None:
        """Write all of it, as ``write_bytes`` does."""
        await self.write_bytes(text.encode("utf-8", errors="replace"))
