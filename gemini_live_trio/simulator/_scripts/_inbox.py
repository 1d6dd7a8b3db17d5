"""What clients have said to a script that hasn't listened yet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import attrs

from ... import wire
from ._matching import describe, is_media

if TYPE_CHECKING:
    from .._connection import ServerConnection

__all__ = ["Heard", "Inbox"]

OVERHEAD: Final = 200


@attrs.frozen
class Heard:
    """A message of the client's.

    Attributes:
      time: When it was taken, on Trio's clock.
      message: The message.
      size: How many bytes its frame has.
    """

    time: float
    message: wire.LiveClientMessage
    size: int

    @property
    def matters(self) -> bool:
        """Whether it has to be expected."""
        return not is_media(self.message)


@attrs.define(eq=False)
class Inbox:
    """What a connection's client has sent and no step has taken yet; bounded.

    Attributes:
      connection: The connection.
      heard: The messages, oldest first.
      lost: The first that had to be forgotten though it mattered, in words.
      ended: Whether the connection is over.
      seen_over: Whether a step expected that.
    """

    connection: ServerConnection
    heard: deque[Heard] = attrs.field(factory=deque)
    lost: str = ""
    ended: bool = False
    seen_over: bool = False
    _size: int = attrs.field(default=0, init=False)

    def put(self, heard: Heard, *, most: int) -> None:
        """Add a message; the oldest make room, so that there are at most so many bytes."""
        self.heard.append(heard)
        self._size += heard.size + OVERHEAD
        while self._size > most:
            oldest = self.take()
            if oldest.matters and not self.lost:
                self.lost = describe(oldest.message)

    def take(self) -> Heard:
        """Take out the oldest."""
        oldest = self.heard.popleft()
        self._size -= oldest.size + OVERHEAD
        return oldest

    def put_back(self, heard: Heard) -> None:
        """Make a message the oldest again."""
        self.heard.appendleft(heard)
        self._size += heard.size + OVERHEAD
