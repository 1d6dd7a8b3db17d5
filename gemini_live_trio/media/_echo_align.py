"""Which sound of the speaker belongs to a block of the microphone; knows no device and no clock.

An echo canceller learns the way from the speaker to the microphone as a filter of fixed length. It
bears any delay that this filter covers, but none that changes: after a slip of 20 ms it needs two
to four seconds to learn anew. And it can do nothing about an echo that comes before its cause: a
reference that is 20 ms late cancels nothing at all. So there are two rules here:

* The reference comes first, by ``LEAD_SECONDS`` more than the devices' stamps say.
* Both streams are counted in samples, and one is laid beside the other once. From then on a sample
  of one goes with the same sample of the other, whatever the stamps say from block to block: those
  of PulseAudio wander by 10 ms and back within half a minute while not one sample is missing.

Counts skip what is known to be missing, and what a lasting step of the stamps says is missing,
since a device that loses sound doesn't tell. The streams are laid beside each other anew in the
first second, in which the stamps of many devices are wrong; and when two devices' clocks have
drifted apart by ``DRIFT_SECONDS``.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

import numpy as np
import numpy.typing as npt

from ._echo import RATE_HZ, EchoAlignment

__all__ = ["Aligner", "Int16"]

Int16 = npt.NDArray[np.int16]

LEAD_SECONDS = 0.04
"""How much earlier than the stamps say an echo may come."""
LEAST_LEAD_SECONDS = 0.02
"""The same where the speaker tells of its blocks so late that the microphone would have to wait."""
MOST_HOLD_SECONDS = 0.15
TARDY_SECONDS = 0.1
"""A reference that is so late isn't late: the speaker plays nothing."""
KEPT_SECONDS = 4.0
"""How much of the reference is kept, from its newest sample back."""

MOST_BLOCK_SECONDS = 0.1
"""No device is that slow; whoever gives more at once isn't one."""
MOST_AHEAD_SECONDS = 1.0
"""Without stamps: a reference that is further ahead is that of a microphone that paused."""

HALF_TAPS = 16
TAPS = np.arange(1 - HALF_TAPS, HALF_TAPS + 1)
TAPER = np.kaiser(2 * HALF_TAPS + 1, 8.0)[1:]
"""A reference is read between its samples by a filter, good up to 7 kHz."""

NO_TIME = 1e11
"""Seconds that no clock shows."""

STEP_SECONDS = 0.008
"""Stamps that step by more say that samples are missing, if the step lasts."""
STEP_BLOCKS = 3
"""It lasts when so many blocks in a row say so."""
CALM_BLOCKS = 150
"""Stamps that haven't stepped for so many are right."""
USUAL_BLOCKS = 25
"""What is usual is what is in the middle of so many blocks."""
SETTLED_BLOCKS = 50
"""After so many blocks of both streams, their stamps are to be relied on."""
SETTLED_SECONDS = 0.008
DRIFT_SECONDS = 0.02
SLOW_SECONDS = 30.0
"""Drift is what is left of the stamps' wandering in a mean over about so many seconds."""
LATE_BLOCKS = 5
"""So many late blocks in a row are no accident."""


class _Line:
    """The samples of one stream, counted, the missing ones included."""

    def __init__(self) -> None:
        self.position = 0
        self.skipped = 0
        self.stamped = 0
        """How many blocks had a stamp."""
        self._zero: float | None = None
        self._last: float | None = None
        self._usual: deque[float] = deque(maxlen=USUAL_BLOCKS)
        """How many seconds the newest stamps were off, by the first one and the count."""
        self._odd: list[float] = []
        self._best = 0.0
        """Where the stamps were before they began to step."""
        self._undo = 0
        """How many samples were skipped since then."""
        self._calm = 0
        """How many blocks ago that was."""

    @property
    def origin(self) -> float | None:
        """When sample 0 was, as the newest stamps have it."""
        return None if self._zero is None else self._zero + statistics.median(self._usual)

    def place(self, count: int, when: float | None, lost: int) -> int:
        """Count a block, and return the position of its first sample."""
        self.skip(lost)
        # A stamp that stands still is none; that it is NaN fails the comparison.
        if when is not None and abs(when) < NO_TIME and when != self._last:
            self._last = when
            self.stamped += 1
            self._compare(count, when)
        self.position += count
        return self.position - count

    def skip(self, samples: int) -> None:
        self.position += samples
        self.skipped += samples

    def _compare(self, count: int, when: float) -> None:
        if self._zero is None:
            self._zero = when - self.position / RATE_HZ
        off = when - self._zero - self.position / RATE_HZ
        usual = statistics.median(self._usual or [off])
        self._calm += 1
        if self._calm > CALM_BLOCKS or self.stamped <= SETTLED_BLOCKS:
            self._best, self._undo = usual, 0
        if abs(off - usual) < STEP_SECONDS:
            self._odd.clear()
            self._usual.append(off)
            return
        self._odd.append(off)
        if len(self._odd) < STEP_BLOCKS:
            return
        level = statistics.median(self._odd)
        gone = self._gone(level, usual, count) if self.stamped > SETTLED_BLOCKS else 0
        self.skip(gone)
        self._undo += gone
        self._calm = 0
        self._odd.clear()
        self._usual.clear()
        self._usual.append(level - gone / RATE_HZ)

    def _gone(self, level: float, usual: float, count: int) -> int:
        """Return how many samples a lasting step of the stamps says are missing, to their level.

        What comes back to where it was before wasn't missing: after an underrun, PulseAudio's
        stamps are wrong by 20 ms for a second.
        """
        if level < usual:
            return -self._undo if abs(usual - level - self._undo / RATE_HZ) < STEP_SECONDS else 0
        if level - self._best < STEP_SECONDS:
            return 0
        samples = round((level - self._best) * RATE_HZ)
        # Known to some milliseconds only; and what gets lost is whole blocks, mostly.
        whole = round(samples / count) * count if count else 0
        return whole if whole and abs(samples - whole) < count / 4 else samples


class Aligner:
    """Two streams of samples, side by side.

    All samples are 16-bit mono, 16,000 a second. All times are seconds on one clock, of any origin,
    such as PortAudio's stream time. Not safe for threads.

    Attributes:
      pace_ppm: By how many millionths faster the reference is read than the microphone, since their
        clocks differ by that. Set by who knows.
      skew: By how many samples the reference has been read further because of that.
      hold_samples: How many samples the microphone must be held back before it goes with what
        ``match`` returns; may grow with each call, never shrinks.
    """

    def __init__(self) -> None:
        self.hold_samples: int = 0
        self.pace_ppm: float = 0.0
        self.skew: float = 0.0
        self._near = _Line()
        self._far = _Line()
        self._ring: Int16 = np.zeros(round(KEPT_SECONDS * RATE_HZ), np.int16)
        self._end = 0
        """Position after the newest sample in the ring."""
        self._needed = 0
        """Position after the newest sample that was asked for."""
        self._far_block = 0
        self._since_far = 0
        """How many samples the microphone gave since the speaker last told of some."""
        self._offset: int | None = None
        """A sample of the microphone goes with the speaker's that is so many positions further."""
        self._lead: float | None = None
        self._settled = False
        self._off = 0.0
        self._late = 0
        self._late_blocks = 0
        self._moves = 0

    def alignment(self) -> EchoAlignment:
        """Tell how things are; a copy that doesn't change."""
        return EchoAlignment(
            lead=self._lead,
            hold=self.hold_samples / RATE_HZ,
            skipped_near=self._near.skipped,
            skipped_far=self._far.skipped,
            late=self._late,
            moves=self._moves,
        )

    @property
    def slips(self) -> int:
        """Changes whenever the streams have moved against each other, or may have."""
        return self._near.skipped + self._far.skipped + self._moves

    # --- The speaker ------------------------------------------------------------------------

    def reference(self, samples: Int16, /, *, when: float | None = None, lost: int = 0) -> None:
        """Take what the speaker plays next.

        Args:
          samples: 16-bit mono.
          when: When the first of them sounds; ``None`` or not finite where nobody knows.
          lost: How many samples are missing before them.
        """
        start = self._far.place(len(samples), when, lost)
        if self._far.origin is None and start < self._needed:
            # All that is known of when it sounds is that it is now.
            self._far.skip(self._needed - start)
            start = self._needed
        late = min(start + len(samples), self._needed) - start
        self._late += max(late, 0)
        self._late_blocks = self._late_blocks + 1 if late > 0 else 0
        self._far_block = max(len(samples), 1)
        self._since_far = 0
        self._write(start, samples)

    def _write(self, start: int, samples: Int16) -> None:
        size = len(self._ring)
        if start > self._end:
            gap = min(start - self._end, size)
            self._ring[np.arange(start - gap, start) % size] = 0
        kept = samples[-size:]
        first = start + len(samples) - len(kept)
        self._ring[np.arange(first, first + len(kept)) % size] = kept
        self._end = max(self._end, start + len(samples))

    # --- The microphone ---------------------------------------------------------------------

    def match(self, count: int, /, *, when: float | None = None, lost: int = 0) -> Int16:
        """Return the reference for the next block of the microphone; silence where there is none.

        Args:
          count: How many samples the block has.
          when: When the first of them was at the device; ``None`` or not finite where nobody knows.
          lost: How many samples are missing before them.
        """
        start = self._near.place(count, when, lost)
        self._since_far += count
        self._lay(start + count, count)
        if self._offset is None:
            return np.zeros(count, np.int16)
        begin = start + self._offset - self.hold_samples
        if self.skew or self.pace_ppm:
            return self._read_between(begin, count)
        return self._read(begin, count)

    def _read_between(self, begin: int, count: int) -> Int16:
        """Read at a place between samples, and move on by a fraction of one."""
        whole = math.floor(self.skew)
        around = self._read(begin + whole - HALF_TAPS + 1, count + 2 * HALF_TAPS - 1)
        kernel = np.sinc(TAPS - (self.skew - whole)) * TAPER
        self.skew += self.pace_ppm * 1e-6 * count
        between = np.convolve(around, kernel[::-1], "valid")
        return between.round().clip(-32768, 32767).astype(np.int16)

    def _read(self, begin: int, count: int) -> Int16:
        self._needed = max(self._needed, begin + count)
        found: Int16 = np.zeros(count, np.int16)
        size = len(self._ring)
        first = max(begin, self._end - size, 0)
        last = min(begin + count, self._end)
        if first < last:
            found[first - begin : last - begin] = self._ring[np.arange(first, last) % size]
        return found

    def _lay(self, near_end: int, count: int) -> None:
        """Decide where the streams lie beside each other, as rarely as possible."""
        near, far = self._near.origin, self._far.origin
        if near is None or far is None:
            ahead = self._end - near_end - (self._offset or 0)
            if self._end and (self._offset is None or ahead > MOST_AHEAD_SECONDS * RATE_HZ):
                self._moves += self._offset is not None
                self._offset = self._end - near_end
            return
        exact = (near - far) * RATE_HZ
        if self._lead is None or self._late_blocks >= LATE_BLOCKS:
            self._moves += self._lead is not None
            self._move(exact, near_end)
            return
        assert self._offset is not None
        off = exact + self._lead * RATE_HZ - self._offset - self.skew
        if not self._settled:
            self._settled = min(self._near.stamped, self._far.stamped) > SETTLED_BLOCKS
            if abs(off) > SETTLED_SECONDS * RATE_HZ:
                self._move(exact, near_end)
            return
        self._off += (off - self._off) * min(count / RATE_HZ / SLOW_SECONDS, 1.0)
        if abs(self._off) > DRIFT_SECONDS * RATE_HZ:
            self._offset += round(self._off)
            self._moves += 1
            self._off = 0.0

    def _move(self, exact: float, near_end: int) -> None:
        """Lay the streams beside each other as stamps say, and so that the reference is there."""
        self._late_blocks = 0
        self._off = 0.0
        self._lead = LEAD_SECONDS
        exact -= self.skew
        lacking = self._lacking(near_end + exact + LEAD_SECONDS * RATE_HZ)
        if lacking > 0 and self._since_far < TARDY_SECONDS * RATE_HZ + self._far_block:
            # Nothing is heard before it is told of, whatever the stamps say: to wait for a block is
            # enough.
            wanted = lacking - LEAD_SECONDS + LEAST_LEAD_SECONDS
            self._lead -= lacking - self._hold(min(wanted, self._far_seconds + LEAST_LEAD_SECONDS))
        self._offset = round(exact + self._lead * RATE_HZ)

    def nudge(self, samples: int) -> None:
        """Let the reference be ahead by so many samples more than the stamps say."""
        if self._offset is None:
            return
        self._moves += 1
        self._offset += samples
        if self._lead is not None:
            self._lead += samples / RATE_HZ
        self._hold(self._lacking(self._near.position + self._offset))

    def _lacking(self, end: float) -> float:
        """Return how many seconds the speaker is too late for a block that ends there."""
        # Its next block may be just about to come, or have come just now.
        missing = end + self.skew + HALF_TAPS - self.hold_samples - self._end
        return missing / RATE_HZ + self._far_seconds

    @property
    def _far_seconds(self) -> float:
        return min(self._far_block / RATE_HZ, MOST_BLOCK_SECONDS)

    def _hold(self, seconds: float) -> float:
        """Hold the microphone back by so much more, and return how much it came to."""
        room = round(MOST_HOLD_SECONDS * RATE_HZ) - self.hold_samples
        growth = min(max(round(seconds * RATE_HZ), 0), room)
        self.hold_samples += growth
        return growth / RATE_HZ
