"""Holding the microphone back while the model waits for a tool and won't have input.

What input does to a call that the model waits for differs (``Capability.input_while_blocking``):

* ``"refused"``: any real-time input closes the connection with 1008. All of it is held back: sound
  and pictures are dropped, text and marks wait in order.
* ``"cancels"``: speech makes the service drop the call and answer the speech instead. Only sound
  that the service would listen to by itself is held back: what is written, and what is spoken
  between marks, is meant to be answered now.
* ``"free"``: nothing is held back.

A gate that stays shut makes a device deaf, so each call shuts it for so many seconds at the most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..capabilities import Capability
from ._outbox import Kind, Outgoing

__all__ = ["Gate"]


class Gate:
    """Open, or shut by calls; told the time."""

    def __init__(self, capability: Capability, *, longest: float = math.inf) -> None:
        self._policy = capability.input_while_blocking if longest > 0 else "free"
        self._longest = longest
        self._waits: dict[str, float] = {}
        """The calls that the model waits for, and until when each may shut it."""
        self.marked: bool = False
        """Whether the user's speech is between marks."""
        self.closed: bool = False
        self.opens_at: float = math.inf
        """When it opens by itself, while it is shut."""

    @property
    def used(self) -> bool:
        """Whether it may ever be shut."""
        return self._policy != "free"

    def look(self, calls: Mapping[str, bool], now: float) -> bool:
        """Look at the open calls; tell whether that opened or shut it.

        Args:
          calls: Ids, and whether the model waits for the answer.
          now: When.
        """
        if not self.used:
            return False
        waited_for = [call_id for call_id, blocking in calls.items() if blocking]
        self._waits = {
            call_id: self._waits.get(call_id, now + self._longest) for call_id in waited_for
        }
        self.opens_at = max(self._waits.values(), default=-math.inf)
        before, self.closed = self.closed, now < self.opens_at
        return self.closed is not before

    def holds(self, item: Outgoing) -> bool:
        """Tell whether a message may not go out now."""
        if not self.closed:
            return False
        if self._policy == "refused":
            return item.realtime
        return item.kind is Kind.AUDIO and not self.marked
