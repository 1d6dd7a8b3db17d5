"""The wire log: every frame in a line, for whoever wants to see what goes on.

It is on while the logger ``gemini_live_trio.wire`` is enabled for ``DEBUG``::

    logging.getLogger("gemini_live_trio.wire").setLevel(logging.DEBUG)

A line holds the direction, the connection, the size, and the frame with its media replaced by
their length and hash and its secrets left out. The same stands in the record's attributes
``direction``, ``connection``, ``size`` and ``frame``, for structured logging.
"""

from __future__ import annotations

import logging

from .._redact import KeepsSecrets, Redactor, Secrets
from ..observers import SessionObserver

__all__ = ["WireLog"]

_log = logging.getLogger("gemini_live_trio.wire")

MOST_CHARACTERS = 2_000


class WireLog(SessionObserver, KeepsSecrets):
    """Writes frames and ends of connections to the log."""

    def __init__(self) -> None:
        self._redactor = Redactor("hash")

    def _keep_out(self, secrets: Secrets) -> None:
        self._redactor = Redactor("hash", secrets)

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        """Log it."""
        self._write(">", frame, connection)

    def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
        """Log it."""
        self._write("<", frame, connection)

    def disconnected(
        self, *, connection: int, by: str, code: int, reason: str, time: float
    ) -> None:
        """Log it."""
        shown = self._redactor.text(reason)
        _log.debug("%d ended by the %s: %d %s", connection, by, code, shown)

    def _write(self, direction: str, frame: str | bytes, connection: int) -> None:
        shown = self._redactor.excerpt(frame, MOST_CHARACTERS)
        _log.debug(
            "%d %s %d bytes: %s",
            connection,
            direction,
            len(frame),
            shown,
            extra={
                "direction": direction,
                "connection": connection,
                "size": len(frame),
                "frame": shown,
            },
        )
