"""A pair of byte streams without a network.

It behaves like a TCP connection where it matters to a program under test: a writer waits once
64 KiB are unread, closing one end gives the other end-of-stream, and what was written before
arrives. Nothing in it waits for anything but the other end, so a virtual clock can run over it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

__all__ = ["PIPE_BYTES", "Busy", "PairedStream", "bounded_pair"]

PIPE_BYTES: Final = 65_536
"""How much one direction of a pair holds before the writer waits."""


class Busy:
    """Tells when two tasks want to do the same at once, as streams must."""

    def __init__(self) -> None:
        self._with: set[str] = set()

    @contextmanager
    def with_(self, doing: str) -> Iterator[None]:
        if doing in self._with:
            raise trio.BusyResourceError(f"another task is already {doing} on this stream")
        self._with.add(doing)
        try:
            yield
        finally:
            self._with.remove(doing)


class _Pipe:
    """One direction of a pair."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._reader_gone = False
        self._writer_gone = False
        self._reset = False
        self._changed = trio.lowlevel.ParkingLot()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        await self.wait_writable()
        while rest:
            room = PIPE_BYTES - len(self._data)
            self._data += rest[:room]
            rest = rest[room:]
            self._changed.unpark_all()
            if rest:
                await self.wait_writable()

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()
        while True:
            if self._writer_gone:
                raise trio.ClosedResourceError("this end of the pair is closed")
            if self._reader_gone:
                raise trio.BrokenResourceError("the other end of the pair is closed")
            if len(self._data) < PIPE_BYTES:
                return
            await self._changed.park()

    async def read(self, max_bytes: int | None) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._data and not self._writer_gone and not self._reader_gone:
            await self._changed.park()
        if self._reader_gone:
            raise trio.ClosedResourceError("this end of the pair is closed")
        if self._reset:
            raise trio.BrokenResourceError("the other end of the pair reset the connection")
        data = bytes(self._data[:max_bytes])
        del self._data[:max_bytes]
        self._changed.unpark_all()
        return data

    def close_reader(self) -> None:
        self._reader_gone = True
        self._data.clear()
        self._changed.unpark_all()

    def close_writer(self, *, reset: bool = False) -> None:
        if reset and not self._writer_gone:
            self._reset = True
            self._data.clear()
        self._writer_gone = True
        self._changed.unpark_all()


class PairedStream(trio.abc.HalfCloseableStream):
    """One end of a pair."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._busy = Busy()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._busy.with_("sending"):
            await self._outgoing.write(data)

    async def wait_send_all_might_not_block(self) -> None:
        with self._busy.with_("sending"):
            await self._outgoing.wait_writable()

    async def send_eof(self) -> None:
        with self._busy.with_("sending"):
            await trio.lowlevel.checkpoint()
            self._outgoing.close_writer()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._busy.with_("receiving"):
            return await self._incoming.read(max_bytes)

    def reset(self) -> None:
        """End it as a TCP reset does."""
        self._outgoing.close_writer(reset=True)
        self._incoming.close_reader()

    async def aclose(self) -> None:
        self._outgoing.close_writer()
        self._incoming.close_reader()
        await trio.lowlevel.checkpoint()


def bounded_pair() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
    """Two connected streams in memory, each direction bounded like a socket's buffer."""
    there, back = _Pipe(), _Pipe()
    return PairedStream(back, there), PairedStream(there, back)
