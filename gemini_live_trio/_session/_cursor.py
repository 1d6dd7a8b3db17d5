"""A receiver's place in the stream of events, with a bounded buffer of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import trio

from ..events import Event, Lagged, ModelAudio

__all__ = ["Cursor", "Overflow"]

Overflow = Literal["drop_oldest", "fail"]

MAX_EVENTS = 4096
MAX_BYTES = 32 * 2**20


class Cursor(trio.abc.ReceiveChannel[Event]):
    """Events in order, for one receiving task at a time.

    Publishing never waits, so that a slow receiver can't stop the session from reading. When the
    buffer is full, the oldest audio goes first, then the oldest event, and a ``Lagged`` stands
    where events are missing.
    """

    def __init__(
        self,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        overflow: Overflow = "drop_oldest",
        wanted: Callable[[Event], bool] | None = None,
        last: Callable[[Event], bool] | None = None,
        lost: Callable[[int], None] | None = None,
    ) -> None:
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        # Without the marks for missing events: they must not push out what they stand between.
        self._count = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._overflow = overflow
        self._wanted = wanted
        self._last = last
        self._lost = lost
        self._ended: Callable[[], Exception] | None = None
        self._receiving = False
        self._used = False
        self._closed = False
        self._something = trio.Event()

    def publish(self, event: Event, *, weight: int = 0) -> None:
        """Append an event, and wake the receiver.

        Args:
          event: What to tell.
          weight: Its share of the bytes of the frame that it keeps alive.
        """
        if self._closed or self._ended is not None:
            return
        if self._wanted is not None and not self._wanted(event):
            return
        self._events.append((event, weight))
        self._bytes += weight
        self._count += 1
        if self._count > self._max_events or self._bytes > self._max_bytes:
            if self._overflow == "fail":
                self.end(lambda: _too_slow(self._count))
            else:
                self._make_room()
        if self._last is not None and self._last(event):
            self.end(trio.EndOfChannel)
        self._something.set()

    def end(self, outcome: Callable[[], Exception]) -> None:
        """No more events: once the buffer is empty, ``receive`` raises what ``outcome`` makes."""
        if self._ended is None:
            self._ended = outcome
            self._something.set()

    async def receive(self) -> Event:
        """Wait for the next event.

        Raises:
          trio.EndOfChannel: The session was closed, and everything has been received.
          SessionBroken: The session ended by itself, and everything has been received.
          trio.BusyResourceError: Another task is waiting here.
          trio.ClosedResourceError: This cursor was closed.

        Cancellation: no event is lost.
        """
        if self._receiving:
            raise trio.BusyResourceError("another task is already receiving from this cursor")
        self._receiving = self._used = True
        try:
            await self._something.wait()
        finally:
            self._receiving = False
        if self._closed:
            raise trio.ClosedResourceError("this cursor is closed")
        if self._events:
            event, weight = self._events.popleft()
            self._forget(event, weight)
            if not self._events and self._ended is None:
                self._something = trio.Event()
            return event
        assert self._ended is not None
        raise self._ended()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many events wait, and the bytes of their frames."""
        return len(self._events), self._bytes

    async def aclose(self) -> None:
        """Throw away what is buffered, and take no more."""
        self._closed = True
        self._events.clear()
        self._bytes = self._count = 0
        self._something.set()
        await trio.lowlevel.checkpoint()

    def _make_room(self) -> None:
        """Drop a tenth of the bounds at once, so that room need not be made for every event."""
        before = self._count
        for audio_only in (True, False):
            kept: deque[tuple[Event, int]] = deque()
            for event, weight in self._events:
                over = (
                    self._count > self._max_events * 9 // 10
                    or self._bytes > self._max_bytes * 9 // 10
                )
                if isinstance(event, Lagged):
                    _note_missing(kept, event.count)
                elif over and (isinstance(event, ModelAudio) or not audio_only):
                    self._forget(event, weight)
                    _note_missing(kept, 1)
                else:
                    kept.append((event, weight))
            self._events = kept
        # Nobody has missed anything where nobody receives.
        if self._lost is not None and self._used and self._count < before:
            self._lost(before - self._count)

    def _forget(self, event: Event, weight: int) -> None:
        self._bytes -= weight
        self._count -= not isinstance(event, Lagged)


def _too_slow(count: int) -> Exception:
    return trio.BrokenResourceError(
        f"the receiver let {count} events wait and its subscription says overflow='fail'"
    )


def _note_missing(kept: deque[tuple[Event, int]], count: int) -> None:
    last = kept[-1][0] if kept else None
    if isinstance(last, Lagged):
        kept[-1] = (Lagged(last.count + count), 0)
    else:
        kept.append((Lagged(count), 0))
