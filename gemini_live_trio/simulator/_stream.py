"""Byte streams under the simulator's WebSockets: one to hold up, and one without a network.

``GatedStream`` stands between the WebSocket and whatever carries it. It does what a bad network or
a bad server does: no data, no pong, no end; one direction only; bytes that vanish; an end that
never comes. And it knows when the peer is gone, which trio-websocket doesn't tell while it waits
for the upgrade request.

``bounded_pair`` is a pair of streams in memory that behaves like a TCP connection where it
matters to a program under test: a writer waits once 64 KiB are unread, closing one end gives the
other end-of-stream, and what was written before arrives. Nothing in it waits for anything but the
other end, so a virtual clock can run over it.
"""

from __future__ import annotations

import operator
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import trio

__all__ = ["GatedStream", "bounded_pair"]

PIPE_BYTES: Final = 65_536
"""How much one direction of a pair holds before the writer waits."""

_CLOSE: Final = 0x88
_PONG: Final = 0x8A
"""First byte of a frame from a server: final, and the kind."""
_EMPTY_PING: Final = b"\x89\x00"
_MOST_LATE: Final = 1_000


class GatedStream(trio.abc.Stream):
    """Another stream, with gates and faults in it.

    Each write is one WebSocket frame, since trio-websocket writes them so; its first byte tells
    which kind.

    Attributes:
      ended: Set once nothing more can come from the peer, or this end is closed.
      swallow_close: Whether our close frame never leaves; the stream is then held open.
      ping_before_close: Whether a ping goes out just before our close frame.
      pong_delay: Seconds by which our pongs are late.
    """

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._busy = _Busy()
        self._gate_in = _Gate()
        self._gate_out = _Gate()
        self._held = b""
        self._closed = False
        self._held_open = False
        self._vanished = False
        self._reading = trio.CancelScope()
        self._sending = trio.StrictFIFOLock()
        self._receiving = trio.Lock()
        self._late: deque[tuple[float, bytes]] = deque(maxlen=_MOST_LATE)
        self._lateness = trio.lowlevel.ParkingLot()
        self.ended: trio.Event = trio.Event()
        self.swallow_close = False
        self.ping_before_close = False
        self.pong_delay: float = 0.0

    # --- Faults ---

    @property
    def held_open(self) -> bool:
        """Whether closing this end leaves the inner stream open."""
        return self._held_open

    def freeze(self, *, writing: bool = True) -> None:
        """Let nothing pass until ``thaw``, or nothing in; what arrives meanwhile is kept."""
        if not self.ended.is_set():
            self._gate_in.shut()
            if writing:
                self._gate_out.shut()

    def thaw(self) -> None:
        """Let everything pass again."""
        self._gate_in.open()
        self._gate_out.open()

    @property
    def vanished(self) -> bool:
        """Whether nothing reaches the other side any more, not even an end."""
        return self._vanished

    def vanish(self) -> None:
        """Lose every byte in both directions, and both ends too."""
        self._vanished = True
        self.hold_open()

    def hold_open(self) -> None:
        """Make ``aclose`` close nothing that the peer could see; ``let_go`` ends this."""
        self._held_open = True

    async def linger(self) -> None:
        """Wait for the peer to close, and drop what it says until then."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._receiving:
                while await self._inner.receive_some(PIPE_BYTES):
                    pass

    async def let_go(self) -> None:
        """Close at once, even if it is held open."""
        self._held_open = False
        await trio.aclose_forcefully(self)

    async def reset(self) -> None:
        """End it as a reset does: the peer loses what it hasn't read, and gets an error."""
        if isinstance(self._inner, trio.SocketStream):
            linger = struct.pack("ii", 1, 0)
            self._inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif isinstance(self._inner, _PairedStream):
            self._inner.reset()
        await self.let_go()

    async def send_late(self) -> None:
        """Send late pongs when they are due, until cancelled or closed."""
        while not self._closed:
            while not self._late:
                await self._lateness.park()
            due, pong = self._late.popleft()
            await trio.sleep_until(due)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._pass_out(pong)

    # --- The stream ---

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Like the inner stream's, once the gate is open."""
        with self._busy.with_("sending"):
            kind = data[0] if data else 0
            if kind == _PONG and self.pong_delay:
                await trio.lowlevel.checkpoint()
                self._late.append((trio.current_time() + self.pong_delay, bytes(data)))
                self._lateness.unpark()
                return
            if kind == _CLOSE and self.swallow_close:
                await trio.lowlevel.checkpoint()
                self.hold_open()
                return
            if kind == _CLOSE and self.ping_before_close:
                data = _EMPTY_PING + bytes(data)
            await self._pass_out(data)

    async def _pass_out(self, data: bytes | bytearray | memoryview) -> None:
        await self._pass(self._gate_out)
        if self._closed:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError("the stream is closed")
        if self._vanished:
            await trio.lowlevel.checkpoint()
            return
        async with self._sending:
            await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Like the inner stream's, once the gate is open."""
        await self._pass(self._gate_out)
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Like the inner stream's; data that arrives at a closed gate waits behind it."""
        try:
            with self._busy.with_("receiving"):
                if not self._held:
                    self._held = await self._read(max_bytes)
                await self._pass(self._gate_in)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        data, self._held = self._held[:max_bytes], self._held[max_bytes or len(self._held) :]
        if not data:
            self.ended.set()
        return data

    async def _read(self, max_bytes: int | None) -> bytes:
        while True:
            if self._closed:
                await trio.lowlevel.checkpoint()
                raise trio.ClosedResourceError("the stream is closed")
            data = b""
            with trio.CancelScope() as self._reading:
                try:
                    async with self._receiving:
                        data = bytes(await self._inner.receive_some(max_bytes))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    if not self._vanished:
                        raise
            if self._reading.cancelled_caught:
                continue
            if not self._vanished:
                return data
            if not data:
                await self.ended.wait()  # the peer has left, but nothing says so

    async def aclose(self) -> None:
        """Close the inner stream, unless it is held open; a frozen one is closed too."""
        self._closed = True
        self.ended.set()
        self.thaw()
        self._reading.cancel()
        self._lateness.unpark_all()
        if self._held_open:
            await trio.lowlevel.checkpoint()
        else:
            await self._inner.aclose()

    async def _pass(self, gate: _Gate) -> None:
        # Not a checkpoint where the gate is open: the inner stream has its own, and one more
        # could lose what has just been received.
        if not gate.is_open:
            await gate.wait()
            if self._closed:
                raise trio.ClosedResourceError("the stream is closed")


class _Gate:
    """An event that can be taken back."""

    def __init__(self) -> None:
        self._opened = trio.Event()
        self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def shut(self) -> None:
        if self.is_open:
            self._opened = trio.Event()

    def open(self) -> None:
        self._opened.set()

    async def wait(self) -> None:
        await self._opened.wait()


class _Busy:
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


class _PairedStream(trio.abc.HalfCloseableStream):
    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._busy = _Busy()

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
        self._outgoing.close_writer(reset=True)
        self._incoming.close_reader()

    async def aclose(self) -> None:
        self._outgoing.close_writer()
        self._incoming.close_reader()
        await trio.lowlevel.checkpoint()


def bounded_pair() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
    """Two connected streams in memory, each direction bounded like a socket's buffer."""
    there, back = _Pipe(), _Pipe()
    return _PairedStream(back, there), _PairedStream(there, back)
