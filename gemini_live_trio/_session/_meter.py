"""Counting what a session does, and saying what it gives up.

The counters are plain numbers that the tasks add to, since some of them change with every frame.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from typing import Final

import attrs

from ..events import Event, ModelAudio, ModelText, OutputTranscription
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
    quiet_until: float = -math.inf
    level: int = logging.WARNING


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
    _asked_in: int = 0
    _sounding: tuple[int, float] | None = None
    """The newest answer with sound, and when that began."""
    _heard: int | None = None
    """The newest answer whose first sample was played."""

    # --- Frames ----------------------------------------------------------------------------

    def sent(self, *frames: str) -> None:
        """Count frames that were written."""
        self.frames_sent += len(frames)
        self.bytes_sent += sum(map(_size, frames))

    def received(self, frame: str | bytes) -> None:
        """Count a frame that came in."""
        self.frames_received += 1
        self.bytes_received += _size(frame)

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

    def asked(self, now: float, generation: int) -> None:
        """The user has ended what is to be answered, by a generation after this one."""
        self._asked_at, self._asked_in = now, generation

    def event(self, event: Event, now: float, generation: int) -> None:
        """Note what an event begins."""
        if isinstance(event, ModelAudio):
            if event.stale:
                self.drop("stale_audio_seconds", event.seconds, now, level=logging.INFO)
            elif self._sounding is None or self._sounding[0] != event.generation:
                self._sounding = (event.generation, now)
        waiting = self._asked_at is not None and generation > self._asked_in
        if waiting and isinstance(event, _ANSWERS):
            self.answer.add(now - (self._asked_at or 0.0))
            self._asked_at = None

    def disconnected(self) -> None:
        """What was asked on a connection that ended isn't waited for: it may be asked again."""
        self._asked_at = None

    def played(self, generation: int, seconds: float, now: float) -> None:
        """A player has played so much of an answer."""
        sounding = self._sounding
        if sounding is None or generation != sounding[0] or generation == self._heard:
            return
        late = now - seconds - sounding[1]
        if seconds > 0 and late >= 0:  # what is said to be played before it came isn't believed
            self.playback.add(late)
            self._heard = generation

    # --- Losses ----------------------------------------------------------------------------

    def dropped(self, kind: str) -> float:
        """Return how much of a kind was given up."""
        return self._losses[kind].total if kind in self._losses else 0.0

    def drop(self, kind: str, amount: float, now: float, *, level: int = logging.WARNING) -> None:
        """Count a loss; say so, but not in every line what the last one said.

        Args:
          kind: A name in ``Drops``.
          amount: How much.
          now: When.
          level: Of the line; what is dropped as it should be is worth less of one.
        """
        loss = self._losses.setdefault(kind, _Loss())
        loss.total += amount
        loss.level = level
        if now >= loss.quiet_until:
            loss.quiet_until = now + QUIET_SECONDS
            _tell(kind, loss)

    def tell_rest(self) -> None:
        """Say what the last lines could not yet."""
        for kind, loss in self._losses.items():
            if loss.total > loss.told:
                _tell(kind, loss)


def _tell(kind: str, loss: _Loss) -> None:
    _log.log(loss.level, "dropped: %g %s", loss.total - loss.told, kind.replace("_", " "))
    loss.told = loss.total


def _size(frame: str | bytes) -> int:
    if isinstance(frame, bytes) or frame.isascii():
        return len(frame)
    return len(frame.encode(errors="replace"))
