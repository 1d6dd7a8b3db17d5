"""Byte streams under the simulator's WebSockets: one to hold up, and one without a network.

``GatedStream`` stands between the WebSocket and whatever carries it. It can be frozen, so that the
peer sees what a dead network looks like (no data, no pong, no end), and it knows when the peer is
gone, which trio-websocket doesn't tell while it waits for the upgrade request.

``bounded_pair`` is a pair of streams in memory that behaves like a TCP connection where it
matters to a program under test: a writer waits once 64 KiB are unread, closing one end gives the
other end-of-stream, and what was written before arrives. Nothing in it waits for anything but the
other end, so a virtual clock can run over it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

__all__ = ["GatedStream", "bounded_pair"]

PIPE_BYTES: Final = 65_536
"""How much one direction of a pair holds before the writer waits."""


class GatedStream(trio.abc.Stream):
    """Another stream, with a gate in it.

    Attributes:
      ended: Set once nothing more can come from the peer, or this end is closed.
    """

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._gate = trio.Event()
        self._gate.set()
        self._held = b""
        self._closed = False
        self.ended: trio.Event = trio.Event()

    @property
    def frozen(self) -> bool:
        """Whether nothing passes."""
        return not self._gate.is_set()

    def freeze(self) -> None:
        """Let nothing pass in either direction until ``thaw``; what arrives meanwhile is kept."""
        if not self.frozen and not self.ended.is_set():
            self._gate = trio.Event()

    def thaw(self) -> None:
        """Let everything pass again."""
        self._gate.set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Like the inner stream's, once the gate is open."""
        await self._pass()
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Like the inner stream's, once the gate is open."""
        await self._pass()
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Like the inner stream's; data that arrives at a closed gate waits behind it."""
        try:
            if not self._held:
                self._held = bytes(await self._inner.receive_some(max_bytes))
            await self._pass()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        data, self._held = self._held[:max_bytes], self._held[max_bytes or len(self._held) :]
        if not data:
            self.ended.set()
        return data

    async def aclose(self) -> None:
        """Close the inner stream; a frozen one is closed too."""
        self._closed = True
        self.ended.set()
        self._gate.set()
        await self._inner.aclose()

    async def _pass(self) -> None:
        # Not a checkpoint where the gate is open: the inner stream has its own, and one more
        # could lose what has just been received.
        if self.frozen:
            await self._gate.wait()
            if self._closed:
                raise trio.ClosedResourceError("the stream is closed")


class _Pipe:
    """One direction of a pair."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._reader_gone = False
        self._writer_gone = False
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
        data = bytes(self._data[:max_bytes])
        del self._data[:max_bytes]
        self._changed.unpark_all()
        return data

    def close_reader(self) -> None:
        self._reader_gone = True
        self._data.clear()
        self._changed.unpark_all()

    def close_writer(self) -> None:
        self._writer_gone = True
        self._changed.unpark_all()


class _PairedStream(trio.abc.HalfCloseableStream):
    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._busy: set[str] = set()

    @contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        if doing in self._busy:
            raise trio.BusyResourceError(f"another task is already {doing} on this stream")
        self._busy.add(doing)
        try:
            yield
        finally:
            self._busy.remove(doing)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._alone("sending"):
            await self._outgoing.write(data)

    async def wait_send_all_might_not_block(self) -> None:
        with self._alone("sending"):
            await self._outgoing.wait_writable()

    async def send_eof(self) -> None:
        with self._alone("sending"):
            await trio.lowlevel.checkpoint()
            self._outgoing.close_writer()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._alone("receiving"):
            return await self._incoming.read(max_bytes)

    async def aclose(self) -> None:
        self._outgoing.close_writer()
        self._incoming.close_reader()
        await trio.lowlevel.checkpoint()


def bounded_pair() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
    """Two connected streams in memory, each direction bounded like a socket's buffer."""
    there, back = _Pipe(), _Pipe()
    return _PairedStream(back, there), _PairedStream(there, back)
