"""The handles that bring a conversation back, and in which order they are tried."""

from __future__ import annotations

import attrs

from .. import wire
from ._delivery import Mark

__all__ = ["Handle", "Handles"]


@attrs.frozen
class Handle:
    """One way back."""

    text: str = attrs.field(repr=False)
    at: float
    """When it came, on the session's clock."""
    mark: Mark = (0, 0)
    """What the service had taken by then, in transparent mode."""


class Handles:
    """The newest and the one before it; a refused one is never tried again."""

    def __init__(self, given: str | None, now: float) -> None:
        self.newest: Handle | None = Handle(given, now) if given else None
        self.previous: Handle | None = None
        self.resumable: bool = given is not None
        """What the service said last; false while it generates or waits for a tool."""
        self._refused: set[str] = set()

    def received(
        self,
        update: wire.LiveServerSessionResumptionUpdate,
        now: float,
        mark: Mark,
        *,
        complete: bool = True,
    ) -> bool:
        """Note an update; tell whether it brought a usable handle.

        One that isn't ``complete`` leads back to before something that would be lost.
        """
        self.resumable = bool(update.resumable) and complete
        if not complete:
            return False
        text = update.new_handle
        if not (update.resumable and text) or text in self._refused:
            return False
        if self.newest is None or self.newest.text != text:
            self.previous = self.newest
        self.newest = Handle(text, now, mark)
        return True

    def next(self) -> Handle | None:
        """Return the handle to try: the newest, then once the previous, then none."""
        for handle in (self.newest, self.previous):
            if handle is not None and handle.text not in self._refused:
                return handle
        return None

    def refuse(self, handle: Handle) -> None:
        """The service doesn't take it."""
        self._refused.add(handle.text)

    def forget(self) -> None:
        """A fresh session has begun; the old handles lead elsewhere."""
        self.newest = self.previous = None
        self.resumable = False
