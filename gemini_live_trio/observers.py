"""Watching a session from outside, for logs, traces and recordings.

An observer is told what the session does, as it does it::

    class Counter(SessionObserver):
        frames = 0

        def frame_received(self, frame, *, connection, time):
            self.frames += 1


    async with open_session(config, observers=[Counter()]) as session: ...

It is called from the session's own tasks, so it must return at once: what it takes is taken from
the conversation. It can't do harm by raising: an ``Exception`` is logged the first time, with the
observer's name, and counted in ``session.statistics().observer_errors``; the session goes on, and
so do its other observers. What isn't an ``Exception``, such as Ctrl-C, ends the session and comes
out of its block.

Connections are numbered from 1 as they are dialled, those too that never work.

All times are seconds on Trio's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .events import Event

__all__ = ["SessionObserver"]


class SessionObserver:
    """Does nothing; override what is of interest.

    Frames are whole and hold whatever was sent, media and handles included. Whoever writes them
    down should have them redacted, as ``gemini_live_trio.recording.Redactor`` does.
    """

    def dialling(
        self, *, connection: int, model: str, path: str, resumes: bool, time: float
    ) -> None:
        """A connection is about to be opened, or one that was opened ahead to be used.

        Args:
          connection: Its number.
          model: What its ``setup`` will name.
          path: What is asked for, without a query.
          resumes: Whether it will go on with a conversation that the service has.
          time: When.
        """

    def stage_passed(
        self,
        *,
        connection: int,
        stage: str,
        address: str,
        seconds: float,
        facts: Mapping[str, str],
        time: float,
    ) -> None:
        """A stage of opening a connection is over, and went well.

        Of a connection that is opened ahead this is told before ``dialling``.

        Args:
          connection: Its number.
          stage: ``"credentials"``, ``"tcp"``, ``"proxy"``, ``"tls"`` or ``"upgrade"``, as in
            ``ConnectError.stage``; ``"proxy"`` up to three times, for its TCP, its TLS and
            the tunnel.
          address: Host and port that it had to do with.
          seconds: How long it took.
          facts: What was found out, and there may be more one day. Of TCP ``"peer"``, the address
            that answered. Of TLS ``"version"``, ``"cipher"``, and where known ``"issuer"`` and
            ``"expires"`` of the certificate. Of the upgrade ``"date"``, where the server says it.
          time: When.
        """

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        """The service has confirmed a setup.

        Args:
          connection: Its number.
          resumed: Whether the service took a handle.
          time: When.
        """

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        """A frame was written to its last byte."""

    def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
        """A frame came in; some may come before ``connected``."""

    def pinged(self, *, seconds: float, time: float) -> None:
        """The service has answered a ping after so many seconds."""

    def asked(self, *, time: float) -> None:
        """Something was sent that the model should answer, or the user stopped speaking."""

    def event(self, event: Event, *, time: float) -> None:
        """An event was told to the session's receivers."""

    def answered(self, call_ids: Sequence[str], *, time: float) -> None:
        """The answers to these tool calls were sent, the last ones where several belong to one."""

    def played(self, generation: int, seconds: float, *, time: float) -> None:
        """A player reported how much of an answer was heard."""

    def disconnected(
        self, *, connection: int, by: str, code: int, reason: str, time: float
    ) -> None:
        """A connection ended, or could not be had; each is told once.

        Args:
          connection: Its number.
          by: ``"client"``, ``"server"`` or ``"network"``.
          code: The close code; 1006 without a close frame, or where ours was not answered.
          reason: The service's words, or ours. It may hold anything that the service says.
          time: When.
        """

    def ended(self, error: Exception | None, *, time: float) -> None:
        """The session is over; ``error`` is why, if it ended by itself. Nothing follows."""
