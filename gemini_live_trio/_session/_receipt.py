"""What became of a message, for whoever sent it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from .._conversation import Fate, Ticket

__all__ = ["Receipt"]


class Receipt:
    """The state of one message.

    It goes from ``QUEUED`` to ``SENT`` and ends as ``CONFIRMED``, ``UNKNOWN`` or ``DROPPED``; every
    message gets a final state, when the session ends at the latest. ``docs/delivery.md`` says what
    each of them rests on.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._changed = trio.Event()
        self._when_final: Callable[[], None] | None = None
        ticket.listener = self._note

    def __repr__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"<Receipt {self.state.name}{reason}>"

    @property
    def state(self) -> Fate:
        """What is known of it now."""
        return self._ticket.fate

    @property
    def reason(self) -> str:
        """Why it was dropped, or will never be known; else empty."""
        return self._ticket.reason

    @property
    def replays(self) -> int:
        """How many times it was sent again."""
        return self._ticket.replays

    async def wait_sent(self) -> Fate:
        """Wait until it was written to its last byte, or never will be; return the state then."""
        while self.state is Fate.QUEUED:
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
        return self.state

    async def wait_final(self) -> Fate:
        """Wait for its last state.

        Evidence comes with the model's next answer, so for a message that asks for none this may
        take until the end of the session.
        """
        while not self.state.final:
            await self._changed.wait()
        await trio.lowlevel.checkpoint()
        return self.state

    def _note(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()
        if self.state.final and self._when_final is not None:
            self._when_final()

    def when_final(self, call: Callable[[], None]) -> None:
        """Have a function called once the last state is reached; it must not wait or raise."""
        self._when_final = call
        if self.state.final:
            call()
