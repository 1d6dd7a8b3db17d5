"""What came to the simulator's door, counted."""

from __future__ import annotations

import attrs

__all__ = ["Visitors"]


@attrs.define
class Visitors:
    """What came to the simulator's door since it opened, each visitor once.

    Attributes:
      inside: How many are there now, those included whose upgrade isn't done.
      most_inside: The most there ever were at once.
      came: How many came at all.
      upgraded: How many got their WebSocket.
      answered: Plain HTTP requests that were answered, of whatever status.
      garbage: Those that spoke no HTTP or no TLS, or broke the WebSocket protocol.
      slow: Those that took too long to ask for something.
      left: Those that left before they had asked for anything.
      turned_away: Those for whom there was no room.
    """

    inside: int = 0
    most_inside: int = 0
    came: int = 0
    upgraded: int = 0
    answered: int = 0
    garbage: int = 0
    slow: int = 0
    left: int = 0
    turned_away: int = 0

    def copied(self) -> Visitors:
        """The numbers as they are now."""
        return attrs.evolve(self)

    def enter(self) -> None:
        """Count one in."""
        self.came += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)

    def leave(self) -> None:
        """Count one out."""
        self.inside -= 1
