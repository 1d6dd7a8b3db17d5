"""Reading and writing the standard streams without ever holding up Trio.

The system says when a read or a short write won't block; so no thread is needed, none is left
behind in a read when the program ends, and the streams are not switched to non-blocking, which
would do the same to the shell's.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncIterator

import trio

from ..errors import ConfigError

__all__ = ["LineReader", "TextWriter"]

READ_BYTES = 65_536
WRITE_BYTES = 4_096
"""A pipe that is ready to be written takes so much without blocking (POSIX: PIPE_BUF)."""
LINE_LIMIT = 1_048_576
"""Bytes; a longer line is no line that somebody wrote."""

_POLLS = os.name == "posix"


async def _ready(descriptor: int, *, to_write: bool) -> None:
    wait = trio.lowlevel.wait_writable if to_write else trio.lowlevel.wait_readable
    try:
        await wait(descriptor)
    except PermissionError:
        # An ordinary file or /dev/null: always ready, so the system won't watch it.
        await trio.lowlevel.checkpoint()


class LineReader:
    """The lines of a descriptor, decoded, without their ends; empty ones too.

    Raises:
      ConfigError: A line has more than a mebibyte.

    Cancellation: no line is lost.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._searched = 0
        self._at_end = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while (end := self._held.find("\n", self._searched)) < 0 and not self._at_end:
            self._searched = len(self._held)
            if self._searched > LINE_LIMIT:
                raise ConfigError(f"A line of the input has more than {LINE_LIMIT:,} characters.")
            data = await self._read()
            self._held += self._decoder.decode(data, final=not data)
            self._at_end = not data
        self._searched = 0
        if end < 0:
            end = len(self._held)
            if not end:
                raise StopAsyncIteration
        line, self._held = self._held[:end], self._held[end + 1 :]
        return line.removesuffix("\r")

    async def _read(self) -> bytes:
        if not _POLLS:
            return await trio.to_thread.run_sync(
                os.read, self._descriptor, READ_BYTES, abandon_on_cancel=True
            )
        await _ready(self._descriptor, to_write=False)
        return os.read(self._descriptor, READ_BYTES)


class TextWriter:
    """Writes text to a descriptor as it comes; ``None`` stands for a stream that was closed.

    Raises:
      OSError: ``BrokenPipeError`` when nobody reads any more.

    Cancellation: a beginning of the text may have been written.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    async def write(self, text: str) -> None:
        """Write all of it."""
        await trio.lowlevel.checkpoint()
        if self._descriptor is None:
            return
        rest = memoryview(text.encode("utf-8", errors="replace"))
        while rest:
            if _POLLS:
                await _ready(self._descriptor, to_write=True)
                written = os.write(self._descriptor, rest[:WRITE_BYTES])
            else:
                written = await trio.to_thread.run_sync(os.write, self._descriptor, rest)
            rest = rest[written:]
