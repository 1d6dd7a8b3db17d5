"""How fast two devices' clocks drift apart, and where the echo is, by listening to it.

Two devices rarely count alike: 10 to 100 millionths is usual between a USB microphone and a
built-in speaker. To Speex's filter that is a room whose walls never stand still: from 50 millionths
on it cancels next to nothing (5 to 10 dB, against 40 without drift). WebRTC bears 100 of them, but
at 200 loses its way after 12 s. Stamps are too coarse to find that out in less than ten minutes;
the echo itself tells it within ten seconds.

Every second, the response of the loop to the last two seconds is estimated: the cross-spectrum of
what was heard and what was played, whitened, in which the direct sound and every reflection has its
peak. By how much such a response is shifted against the one of two seconds ago is found by
correlating the two; all reflections have a say in that, and a voice in the room has none, since it
has nothing to do with what is played. In a simulated room that is right to 5 millionths out of 50,
with somebody talking over it; and what remains after correction to a tenth of one. A slip, by
samples that were lost somewhere, shifts responses too, but only those before it against those
after it; so more estimates than it can touch have to agree.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

import attrs
import numpy as np
import numpy.typing as npt

from ._echo import RATE_HZ
from ._echo_align import Int16

__all__ = ["EchoWatch", "echo_delay"]

WINDOW_SECONDS = 2
APART = 2
"""Responses so many seconds apart are compared: whose windows don't overlap, just so."""
MOST_PPM = 400.0
AROUND = 1_600
ALIKE = 10.0
"""Shifted against each other by up to 0.1 s, responses of one room agree in one place, which stands
out by 12 to 50, and those of no echo, or of two rooms, in none: 4."""
LEAST_PPM = 1.5
AGREEING = 5
"""So many estimates in a row must agree; a slip touches three."""
STEADY = 3
"""An echo that comes so many times at the same place is there."""
TOLERANCE_PPM, TOLERANCE = 8.0, 0.6

WINDOW = WINDOW_SECONDS * RATE_HZ
BLOCK = 160
EARLIEST, LATEST = -1_600, 6_400
"""Echoes from 0.1 s before their reference to 0.4 s after it are looked for, in samples."""
STEADY_SECONDS = 0.005
CLEAR = 7.0
"""Times the noise: a response whose highest peak is less is of no echo. Noise comes up to 4."""
NOISY, DIRECT = 4.5, 0.6
"""Times the noise, and the highest peak: what is higher may be the direct sound."""
AUDIBLE = 100.0
"""-50 dBFS: below that mean level the speaker says too little."""

INAUDIBLE = 16.0
"""-66 dBFS: a microphone that gives less while the speaker is heard hears nothing of it."""
BROAD = 40.0
"""By how much an echo would stand out if there was one. Voices have 60 to 100, tones 20."""
SAID_SECONDS = 0.5
"""So much of the speaker must be in a window before its echo can be missed in it."""
MISSED = 4
"""An echo that was there is gone when so many windows are without it: a voice may hide it."""


Floats = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]


def _response(near: Floats, far: Floats) -> tuple[Spectrum, Floats, tuple[float, float]]:
    """Return the loop's response as a spectrum, over time from the earliest echo on, and its peak.

    The peak is where it is highest, of all delays that there are, in samples, and how much it
    stands out there.
    """
    size = 1 << (2 * len(near) - 1).bit_length()
    cross = np.fft.rfft(near, size) * np.conj(np.fft.rfft(far, size))
    magnitude = np.abs(cross)
    # Every frequency counts the same, or the vowels would blur it; where there's nothing, nothing.
    cross /= np.maximum(magnitude, magnitude.mean() * 0.1 + 1e-9)
    response = np.fft.irfft(cross)
    peak = _peak(np.abs(response))
    response[LATEST:EARLIEST] = 0.0
    return np.fft.rfft(response), np.concatenate((response[EARLIEST:], response[:LATEST])), peak


def _breadth(far: Floats) -> float:
    """Return by how much an echo of this would stand out: the root of how many frequencies it has.

    A tone that is heard and one that isn't give responses of the same form.
    """
    power = np.abs(np.fft.rfft(far)) ** 2
    weights = power / np.maximum(power, power.mean() * 0.1 + 1e-9)
    return float(weights.sum() / np.sqrt((weights**2).sum() + 1e-9))


def _peak(values: Floats) -> tuple[float, float]:
    """Return where the highest value is, between the samples, and how much it stands out."""
    top = int(np.argmax(values))
    prominence = float(values[top] / np.sqrt(np.mean(values**2) + 1e-30))
    if 0 < top < len(values) - 1:
        before, at, after = values[top - 1 : top + 2]
        bend = before - 2 * at + after
        return top + (0.5 * float((before - after) / bend) if bend else 0.0), prominence
    return float(top), prominence


def _onset(response: Floats) -> float | None:
    """Return when the direct sound comes, in seconds; ``None`` where there is no echo."""
    # Some loudspeakers turn the sign.
    height = np.abs(response)
    noise = float(np.sqrt(np.mean(height**2)))
    highest = float(height.max())
    if highest <= CLEAR * noise:
        return None
    # A reflection may be higher, but not by much, and noise isn't that high.
    first = int(np.argmax(height >= max(DIRECT * highest, NOISY * noise)))
    return (first + EARLIEST) / RATE_HZ


def echo_delay(near: Int16, far: Int16) -> float | None:
    """Return by how many seconds ``far`` is heard later in ``near``; ``None`` if it isn't heard.

    Args:
      near: What the microphone heard, 16,000 samples a second; some seconds.
      far: What was played, as many samples.
    """
    _, response, _ = _response(near.astype(np.float64), far.astype(np.float64))
    return _onset(response)


@attrs.frozen
class _Look:
    spectrum: Spectrum
    skew: float
    """How many samples of correction there were in the middle of the window."""


class EchoWatch:
    """Listens to microphone and reference, side by side.

    Attributes:
      pace_ppm: By how many millionths faster the reference has to be read than the microphone.
      delay: By how many seconds the echo comes after its reference; ``None`` while it isn't clear.
      absent: Whether the speaker was heard, but no echo of it, when that was last clear.
    """

    def __init__(self) -> None:
        self.pace_ppm: float = 0.0
        self.delay: float | None = None
        self.absent: bool = False
        self._place = math.inf
        """Where the highest peak was that was clear."""
        self._missed = MISSED - 1
        """How many windows were without echo, one after the other; the first one is enough."""
        self._near: Int16 = np.zeros(WINDOW, np.int16)
        self._far: Int16 = np.zeros(WINDOW, np.int16)
        self._filled = -RATE_HZ
        self._skew = 0.0
        self._looks: deque[_Look | None] = deque(maxlen=APART)
        self._estimates: deque[float] = deque(maxlen=AGREEING)
        self._delays: deque[float] = deque(maxlen=STEADY)

    def take(self, near: Int16, far: Int16, *, skew: float) -> None:
        """Take the next samples of both, as many of one as of the other.

        Args:
          near: What the microphone heard.
          far: The reference that goes with it.
          skew: By how many samples the reference has been read further, altogether, because of the
            pace.
        """
        while len(near):
            count = min(RATE_HZ - self._filled, len(near))
            place = RATE_HZ + self._filled
            self._near[place : place + count] = near[:count]
            self._far[place : place + count] = far[:count]
            near, far = near[count:], far[count:]
            before, self._filled = self._filled, self._filled + count
            if before < 0 <= self._filled:
                self._skew = skew
            if self._filled == RATE_HZ:
                self._look()
                self._skew = skew
                self._filled = 0
                self._near[:RATE_HZ] = self._near[RATE_HZ:]
                self._far[:RATE_HZ] = self._far[RATE_HZ:]

    def restart(self) -> None:
        """Forget where the echo was, since the streams have moved against each other."""
        self.delay = None
        self._looks.clear()
        self._delays.clear()
        self._filled = -RATE_HZ  # the next look is at a whole window of what comes from now on

    def _look(self) -> None:
        far = self._far.astype(np.float64)
        if float(np.sqrt(np.mean(far**2))) < AUDIBLE:
            self._looks.append(None)
            return
        near = self._near.astype(np.float64)
        spectrum, response, peak = _response(near, far)
        self._find_delay(response)
        self._find_absence(near, far, peak)
        if len(self._looks) == APART and (before := self._looks[0]) is not None:
            self._find_pace(spectrum, before)
        self._looks.append(_Look(spectrum, self._skew))

    def _find_delay(self, response: Floats) -> None:
        onset = _onset(response)
        if onset is None:
            return
        self._delays.append(onset)
        steady = max(self._delays) - min(self._delays) < STEADY_SECONDS
        self.delay = self._delays[-1] if len(self._delays) == STEADY and steady else None

    def _find_absence(self, near: Floats, far: Floats, peak: tuple[float, float]) -> None:
        place, prominence = peak
        if prominence > CLEAR:
            # A voice in the room has such peaks too, but each time elsewhere.
            if abs(place - self._place) < STEADY_SECONDS * RATE_HZ:
                self.absent = False
                self._missed = 0
            self._place = place
            return
        said = np.count_nonzero(far.reshape(-1, BLOCK).std(axis=1) > AUDIBLE) * BLOCK
        silent = float(np.sqrt(np.mean(near**2))) < INAUDIBLE
        if said >= SAID_SECONDS * RATE_HZ and (silent or _breadth(far) > BROAD):
            self._missed += 1
            self.absent = self.absent or self._missed >= MISSED

    def _find_pace(self, spectrum: Spectrum, before: _Look) -> None:
        shifts = np.fft.irfft(spectrum * np.conj(before.spectrum))
        around = np.concatenate((shifts[-AROUND:], shifts[: AROUND + 1]))
        place, prominence = _peak(around)
        if prominence < ALIKE:
            return  # nothing is heard, or something in the room has moved
        # What is corrected already doesn't show.
        drifted = self._skew - before.skew - (place - AROUND)
        self._estimates.append(drifted / (APART * RATE_HZ) * 1e6)
        if len(self._estimates) < AGREEING:
            return
        pace = statistics.median(self._estimates)
        apart = max(self._estimates) - min(self._estimates)
        if apart < TOLERANCE_PPM + TOLERANCE * abs(pace):
            self.pace_ppm = pace if LEAST_PPM < abs(pace) < MOST_PPM else 0.0
