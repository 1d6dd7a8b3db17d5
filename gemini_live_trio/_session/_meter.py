"""Counting what a session does, and saying what it gives up.

The counters are plain numbers that the tasks add to, since some of them change with every frame.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

import attrs

from .. import wire
from ..events import Event, ModelAudio, ModelText, OutputTranscription, VoiceActivity
from ..statistics import Latency

__all__ = ["Meter"]

_log = logging.getLogger("gemini_live_trio.drops")

QUIET_SECONDS: Final = 10.0
"""Between two lines about the same kind of loss."""
_ANSWERS: Final = (ModelAudio, ModelText, OutputTranscription)


@attrs.define
class _Durations:
    last: float = 0.0
    total: float = 0.0
    worst: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.last = max(0.0, seconds)
        self.total += self.last
        self.worst = max(self.worst, self.last)
        self.count += 1

    @property
    def latency(self) -> Latency | None:
        if not self.count:
            return None
        mean = self.total / self.count
        return Latency(last=self.last, mean=mean, worst=self.worst, count=self.count)


@attrs.define
class _Loss:
    total: float = 0.0
    told: float = 0.0
    quiet_until: float = 0.0


@attrs.define
class Meter:
    """The counters of one session."""

    began: float | None = None
    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    replayed: int = 0
    reconnects: Counter[str] = attrs.field(factory=Counter)
    gap_seconds: float = 0.0
    longest_gap_seconds: float = 0.0
    round_trip: float | None = None
    answer: _Durations = attrs.field(factory=_Durations)
    playback: _Durations = attrs.field(factory=_Durations)
    _losses: dict[str, _Loss] = attrs.field(factory=dict)
    _asked_at: float | None = None
    _sounding: tuple[int, float] | None = None
    """The newest answer with sound, and when that began."""
    _heard: int | None = None
    """The newest answer whose first sample was played."""

    # --- Frames ----------------------------------------------------------------------------

    def sent(self, *frames: str) -> None:
        """Count frames that were written."""
        self.frames_sent += len(frames)
        self.bytes_sent += sum(map(len, frames))

    def received(self, frame: str | bytes) -> None:
        """Count a frame that came in."""
        self.frames_received += 1
        self.bytes_received += len(frame)

    # --- Connections -----------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """A connection is ready."""
        if self.began is None:
            self.began = now

    def gap(self, seconds: float) -> None:
        """There was no connection for so long."""
        self.gap_seconds += seconds
        self.longest_gap_seconds = max(self.longest_gap_seconds, seconds)

    # --- Latencies -------------------------------------------------------------------------

    def asked(self, now: float) -> None:
        """The user has ended what is to be answered."""
        self._asked_at = now

    def event(self, event: Event, now: float) -> bool:
        """Note what an event ends or begins; tell whether the user stopped speaking."""
        if isinstance(event, ModelAudio):
            if event.stale:
                self.drop("stale_audio_seconds", event.seconds, now, log=False)
            elif self._sounding is None or self._sounding[0] != event.generation:
                self._sounding = (event.generation, now)
        if self._asked_at is not None and isinstance(event, _ANSWERS):
            self.answer.add(now - self._asked_at)
            self._asked_at = None
        elif isinstance(event, VoiceActivity):
            ended = event.activity == wire.VoiceActivityType.ACTIVITY_END
            if ended:
                self.asked(now)
            return ended
        return False

    def disconnected(self) -> None:
        """What was asked on a connection that ended isn't waited for: it may be asked again."""
        self._asked_at = None

    def played(self, generation: int, seconds: float, now: float) -> None:
        """A player has played so much of an answer."""
        sounding = self._sounding
        if sounding is not None and generation == sounding[0] != self._heard and seconds > 0:
            self.playback.add(now - seconds - sounding[1])
            self._heard = generation

    # --- Losses ----------------------------------------------------------------------------

    def dropped(self, kind: str) -> float:
        """Return how much of a kind was given up."""
        return self._losses[kind].total if kind in self._losses else 0.0

    def drop(self, kind: str, amount: float, now: float, *, log: bool = True) -> None:
        """Count a loss; say so, but not in every line what the last one said.

        Args:
          kind: A name in ``Drops``.
          amount: How much.
          now: When.
          log: Whether it is worth a line: what is dropped as it should be isn't.
        """
        loss = self._losses.setdefault(kind, _Loss())
        loss.total += amount
        if log and now >= loss.quiet_until:
            _log.warning("dropped: %g %s", loss.total - loss.told, kind.replace("_", " "))
            loss.told = loss.total
            loss.quiet_until = now + QUIET_SECONDS
