"""One WebSocket as the simulator uses it: whole frames, ends that are told, and faults on request.

What trio-websocket leaves to its user is done here, once:

- a ``send_message`` that is cancelled tears its frame, so a write is shielded once it has begun,
  with a deadline after which the connection is given up;
- ``aclose`` waits for the peer's close frame without a limit, so it gets one, and then the stream
  is closed by force;
- its ``closed`` doesn't know who began, so we note it;
- a message that is too large is answered with a close frame, but nobody closes the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import attrs
import trio
import trio_websocket

from .._books._log import log, shown
from ._stream import GatedStream

__all__ = ["ConnectionEnded", "Ending", "Socket", "cut_reason"]

SEND_TIMEOUT: Final = 60.0
"""Seconds a client may leave one frame unread before its connection is given up."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds a client has to answer a close frame."""
REASON_BYTES: Final = 123
_OURS: Final = "Exceeded maximum message size"
"""How the WebSocket tells that it refused a message itself."""
"""What a WebSocket close frame has room for; the service cuts there, even inside a word."""


class ConnectionEnded(trio.BrokenResourceError):
    """The connection is over, whoever ended it."""


@attrs.frozen
class Ending:
    """How a connection ended.

    Attributes:
      by: ``"client"`` or ``"server"`` sent the first close frame; ``"nobody"``: the network, or
        ``drop``.
      code: The close code; 1006 where there was no close frame.
      reason: The text in the close frame.
      why: For a person, where the simulator closed it: which rule or which call.
    """

    def __str__(self) -> str:
        ended = "the connection broke" if self.by == "nobody" else f"ended by the {self.by}"
        if self.code != 1006:
            ended += f" with {self.code} {shown(self.reason)}".rstrip()
        why = "" if self.why == self.reason else self.why
        return f"{ended} ({shown(why)})" if why else ended

    by: Literal["client", "server", "nobody"]
    code: int
    reason: str = ""
    why: str = ""


def cut_reason(reason: str) -> str:
    """Cut a close reason as the service does: at 123 bytes, wherever that falls."""
    return reason.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")


class Socket:
    """A WebSocket on the server's side, after the upgrade.

    Attributes:
      ending: How it ended, ``None`` while it is open.
      record: Where its frames are recorded, with ``"client"`` or ``"server"`` for who sent them.
    """

    def __init__(self, websocket: trio_websocket.WebSocketConnection, stream: GatedStream) -> None:
        self._websocket = websocket
        self._stream = stream
        self.ending: Ending | None = None
        self.record: Callable[[Literal["client", "server"], str | bytes], None] | None = None

    async def receive(self) -> str | bytes:
        """Wait for the next message.

        Raises:
          ConnectionEnded: nothing more will come.
        """
        try:
            frame = await self._websocket.get_message()
        except trio_websocket.ConnectionClosed:
            raise self._ended() from None
        if self.record is not None:
            self.record("client", frame)
        return frame

    async def send(self, frame: str | bytes) -> None:
        """Write one message: text as a text frame, bytes as a binary one.

        Raises:
          ConnectionEnded: it is closed, or the client left its frames unread for a minute.

        Cancellation: atomic; ``Cancelled`` means that nothing was sent.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.ending is None:
            await self._stream.wait_thawed()  # which may take longer than a client gets
        if self.ending is not None:
            raise ConnectionEnded("the connection is closed")
        with trio.CancelScope(shield=True, deadline=trio.current_time() + SEND_TIMEOUT) as scope:
            try:
                if self.record is not None:
                    self.record("server", frame)  # before what the client makes of it
                await self._websocket.send_message(frame)
            except trio_websocket.ConnectionClosed:
                raise self._ended() from None
        if scope.cancelled_caught:
            log.info("a client read nothing for %g s: connection given up", SEND_TIMEOUT)
            await self.drop(f"nothing was read for {SEND_TIMEOUT:g} s")
            raise ConnectionEnded("the client doesn't read")

    async def close(
        self, code: int, reason: str = "", *, why: str = "", hold_open: bool = False
    ) -> None:
        """Send a close frame, wait up to two seconds for the answer, and end the connection.

        With ``hold_open`` the stream under it stays open until the client closes it.
        """
        reason = cut_reason(reason)
        if self.ending is None:
            if hold_open:
                self._stream.hold_open()
            self.ending = Ending("server", code, reason, why)
            with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await self._websocket.aclose(code, reason)
                await self._stream.aclose()
        await trio.aclose_forcefully(self._stream)

    async def drop(self, why: str = "dropped on request") -> None:
        """End the connection without a close frame, as a failing network does."""
        if self.ending is None:
            self.ending = Ending("nobody", 1006, why=why)
        if self._stream.vanished:
            await trio.aclose_forcefully(self._stream)
        else:
            await self._stream.let_go()

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        if self.ending is None:
            self.ending = Ending("nobody", 1006, why="reset on request")
        await self._stream.reset()

    @property
    def stream(self) -> GatedStream:
        """What carries it."""
        return self._stream

    def _ended(self) -> ConnectionEnded:
        if self.ending is None:
            closed = self._websocket.closed
            code = 1006 if closed is None else closed.code
            reason = "" if closed is None else closed.reason or ""
            if code == 1009 and reason.startswith(_OURS):
                self.ending = Ending("server", code, reason, "the message is too large")
            else:
                by: Literal["client", "nobody"] = "nobody" if code == 1006 else "client"
                self.ending = Ending(by, int(code), reason, self._stream.fault or "")
        return ConnectionEnded("the connection is closed")
