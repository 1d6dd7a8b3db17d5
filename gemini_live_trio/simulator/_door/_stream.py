"""The byte stream under a WebSocket of the simulator's, with gates and faults in it.

``GatedStream`` stands between the WebSocket and whatever carries it. It does what a bad network or
a bad server does: no data, no pong, no end; one direction only; bytes that vanish; an end that
never comes. And it knows when the peer is gone, which trio-websocket doesn't tell while it waits
for the upgrade request.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from contextlib import suppress
from typing import Final

import trio

from ._pair import PIPE_BYTES, Busy, PairedStream
from ._pieces import MOST_PIECES, PieceCounter

__all__ = ["GatedStream"]

_CLOSE: Final = 0x88
_PONG: Final = 0x8A
"""First byte of a frame from a server: final, and the kind."""
_EMPTY_PING: Final = b"\x89\x00"
_WHOLE_MESSAGES: Final = (0x81, 0x82)
_FINAL: Final = 0x80
_MOST_FRAGMENTS: Final = 10_000
"""Of one message; they are cut in one go, and nothing else happens meanwhile."""
_SLOW_READS_A_SECOND: Final = 10
_MOST_LATE: Final = 1_000
LINGER_SECONDS: Final = 2.0
"""How long a client may take to read a last word."""


class GatedStream(trio.abc.Stream):
    """Another stream, with gates and faults in it.

    Each write is one WebSocket frame, since trio-websocket writes them so; its first byte tells
    which kind.

    Attributes:
      fault: What the peer did that this end didn't put up with, in words.
      ended: Set once nothing more can come from the peer, or this end is closed.
      swallow_close: Whether our close frame never leaves; the stream is then held open.
      ping_before_close: Whether a ping goes out just before our close frame.
      pong_delay: Seconds by which our pongs are late.
      read_rate: Bytes a second that are read; ``None``: as they come.
      fragment_size: Bytes in a fragment of a message, or more where it would have too many
        fragments; ``None``: messages are whole.
    """

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._busy = Busy()
        self._gate_in = _Gate()
        self._gate_out = _Gate()
        self._held = b""
        self._pieces: PieceCounter | None = None
        self.fault: str | None = None
        self._closed = False
        self._held_open = False
        self._vanished = False
        self._reading = trio.CancelScope()
        self._sending = trio.StrictFIFOLock()
        self._receiving = trio.Lock()
        self._closing = trio.Lock()
        self._late: deque[tuple[float, bytes]] = deque(maxlen=_MOST_LATE)
        self._lateness = trio.lowlevel.ParkingLot()
        self.ended: trio.Event = trio.Event()
        self.swallow_close = False
        self.ping_before_close = False
        self.pong_delay: float = 0.0
        self.read_rate: float | None = None
        self.fragment_size: int | None = None

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

    async def wait_thawed(self) -> None:
        """Wait until writing isn't frozen, or the stream is closed; no checkpoint if it isn't."""
        if not self._gate_out.is_open:
            await self._gate_out.wait()

    @property
    def vanished(self) -> bool:
        """Whether nothing reaches the other side any more, not even an end."""
        return self._vanished

    def vanish(self) -> None:
        """Lose every byte in both directions, and both ends too."""
        self._vanished = True
        self.hold_open()

    async def shake_hands(self) -> None:
        """Do the TLS handshake, where the inner stream has one.

        Raises:
          trio.BrokenResourceError: it failed; the cause tells why.
        """
        if isinstance(self._inner, trio.SSLStream):
            await self._inner.do_handshake()

    def push_back(self, request: bytes, *, head: int) -> None:
        """Let ``receive_some`` give a request for a WebSocket once more, and watch what follows.

        Args:
          request: All that was read of it, and maybe a little more.
          head: How many bytes of that are the request.
        """
        self._held = request + self._held
        self._pieces = PieceCounter(head)

    def hold_open(self) -> None:
        """Make ``aclose`` close nothing that the peer could see; ``let_go`` ends this."""
        self._held_open = True

    async def linger(self) -> None:
        """Wait for the peer to close, and drop what it says until then."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._receiving:
                while await self._inner.receive_some(PIPE_BYTES):
                    pass

    async def end_politely(self) -> None:
        """Say that nothing more comes, and give the peer a moment to read what came.

        Closing over unread input would wipe what we wrote last off the wire.
        """
        carrier = self._inner
        over = (trio.BrokenResourceError, trio.ClosedResourceError)
        with trio.move_on_after(LINGER_SECONDS), suppress(*over):
            async with self._receiving:
                if isinstance(self._inner, trio.SSLStream):
                    carrier = self._inner.transport_stream
                    with suppress(*over):
                        await self._inner.unwrap()
                if isinstance(carrier, trio.abc.HalfCloseableStream):
                    await carrier.send_eof()
                while await carrier.receive_some(PIPE_BYTES):
                    pass
        await trio.aclose_forcefully(carrier)
        await self.let_go()

    async def let_go(self) -> None:
        """Close at once, even if it is held open."""
        self._held_open = False
        await trio.aclose_forcefully(self)

    async def reset(self) -> None:
        """End it as a reset does: the peer loses what it hasn't read, and gets an error."""
        carrier = self._inner
        if isinstance(carrier, trio.SSLStream):
            carrier = carrier.transport_stream
        if isinstance(carrier, trio.SocketStream):
            linger = struct.pack("ii", 1, 0)
            carrier.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif isinstance(self._inner, PairedStream):
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
            if kind in _WHOLE_MESSAGES and self.fragment_size is not None:
                data = _fragmented(bytes(data), self.fragment_size)
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
                if self._held:
                    await trio.lowlevel.checkpoint()
                else:
                    self._held = await self._read(self._bound(max_bytes))
                    await self._tarry(len(self._held))
                await self._pass(self._gate_in)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        data, self._held = self._held[:max_bytes], self._held[max_bytes or len(self._held) :]
        if not data:
            self.ended.set()
        if self._pieces is not None and not self._pieces.feed(data):
            self.ended.set()
            self.fault = f"a message came in more than {MOST_PIECES:,} pieces"
            raise trio.BrokenResourceError(self.fault)
        return data

    def _bound(self, max_bytes: int | None) -> int | None:
        if self.read_rate is None:
            return max_bytes
        at_once = max(1, int(self.read_rate / _SLOW_READS_A_SECOND))
        return at_once if max_bytes is None else min(at_once, max_bytes)

    async def _tarry(self, count: int) -> None:
        """Take as long as reading so many bytes takes; what was read is kept, if cancelled."""
        if self.read_rate is not None and not self._vanished:
            with trio.move_on_after(count / self.read_rate):
                await self.ended.wait()
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed")

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
            return
        try:
            # One at a time: over TLS, a second one would close the socket under the first one's
            # goodbye.
            async with self._closing:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._inner.aclose()
        except trio.Cancelled:
            await trio.aclose_forcefully(self._inner)
            raise

    async def _pass(self, gate: _Gate) -> None:
        # Not a checkpoint where the gate is open: the inner stream has its own, and one more
        # could lose what has just been received.
        if not gate.is_open:
            await gate.wait()
            if self._closed:
                raise trio.ClosedResourceError("the stream is closed")


def _fragmented(frame: bytes, size: int) -> bytes:
    """Cut one unmasked WebSocket frame into several: the first says its kind, the last that it is.

    RFC 6455, section 5.2: seven bits of length, or 126 and 16 bits, or 127 and 64.
    """
    start = {126: 4, 127: 10}.get(frame[1], 2)
    payload = memoryview(frame)[start:]
    size = max(size, -(-len(payload) // _MOST_FRAGMENTS))
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [payload]
    cut: list[bytes | memoryview] = []
    for index, piece in enumerate(pieces):
        kind = 0 if index else frame[0] & ~_FINAL
        kind |= _FINAL if index == len(pieces) - 1 else 0
        if len(piece) < 126:
            cut.append(bytes([kind, len(piece)]))
        elif len(piece) < 1 << 16:
            cut.append(bytes([kind, 126]) + len(piece).to_bytes(2, "big"))
        else:
            cut.append(bytes([kind, 127]) + len(piece).to_bytes(8, "big"))
        cut.append(piece)
    return b"".join(cut)


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
