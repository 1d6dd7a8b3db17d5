"""How many pieces a WebSocket message has come in, before it is whole.

trio-websocket bounds the bytes of a message but not its pieces, and keeps each piece as an object
of its own: empty fragments without end, or a long frame a byte at a time, would fill the memory. So
the frames' headers are followed here, beside it, and their payload is skipped.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOST_PIECES", "PieceCounter"]

MOST_PIECES: Final = 65_536
"""For one message; one of 15 MiB has come in a quarter of that over an ordinary network."""


class PieceCounter:
    """Follows the bytes of a client from its upgrade request on.

    Args:
      head: How many bytes that request has.

    Attributes:
      pieces: Of the message that isn't whole yet: frames, and reads within a frame.
    """

    def __init__(self, head: int = 0) -> None:
        self.pieces: int = 0
        self._head = head
        self._header = bytearray()
        self._payload = 0
        self._whole = False

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; ``False`` once a message has too many pieces."""
        at = min(self._head, len(data))
        self._head -= at
        while at < len(data):
            if self._payload:
                step = min(self._payload, len(data) - at)
                at += step
                self._payload -= step
                if self._payload:
                    self.pieces += 1
                elif self._whole:
                    self.pieces = 0
            else:
                at = self._read_header(data, at)
            if self.pieces > MOST_PIECES:
                return False
        return True

    def _read_header(self, data: bytes, at: int) -> int:
        """Take as much of a frame's header as there is (RFC 6455, section 5.2)."""
        header = self._header
        while at < len(data):
            header.append(data[at])
            at += 1
            if len(header) < 2:
                continue
            length = header[1] & 0x7F
            extended = {126: 2, 127: 8}.get(length, 0)
            if len(header) < 2 + extended + (4 if header[1] & 0x80 else 0):
                continue
            self._payload = int.from_bytes(header[2 : 2 + extended], "big") if extended else length
            control = header[0] & 0x08
            self._whole = bool(header[0] & 0x80) and not control
            if self._whole and not self._payload:
                self.pieces = 0
            elif not control:
                self.pieces += 1
            header.clear()
            break
        return at
