"""What a speaker shall play next, and what of it has been heard; knows no device and no clock.

The model's voice comes in bursts, mostly faster than real time, and a whole answer may be here
before its first second has been heard. So the buffer holds minutes, and drops nothing but what was
interrupted. It begins late by a little, the prebuffer, so that a late piece doesn't make a hole;
when one does all the same, the prebuffer grows, and shrinks again while all goes well.

Time is counted in frames that the device has taken, which is the only clock that matters here.

Not safe for threads: whoever shares one holds a lock around each call.
"""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .pcm import Resampler

__all__ = ["Heard", "Outlet", "Playout", "Source", "Span"]

FADE_SECONDS = 0.005
"""How fast an interrupted voice goes silent: too short to hear, long enough not to click."""
PAUSE_SECONDS = 1.0
"""A hole in an answer that is longer than that is no late piece: the model paused."""
GROWTH = 1.5
SHRINKAGE = 0.9
KEPT = 64
"""Generations whose position is remembered."""
SAMPLE = 2


@attrs.frozen
class Span:
    """Where a generation lies in a block, in frames; ``None`` is sound that belongs to none."""

    generation: int | None
    start: int
    frames: int


@attrs.define
class _Piece:
    generation: int | None
    pcm: memoryview


class Playout:
    """A queue of sound, from which the device takes one block after another.

    Args:
      rate_hz: Sample rate of all that is added and taken.
      capacity_seconds: How much sound may wait.
      prebuffer: Seconds of sound that must be there before a voice begins, or else be waited.
      most_prebuffer: What the prebuffer may grow to, in seconds.

    Attributes:
      prebuffer: What it is now, in seconds.
      underruns: How often a voice had to be interrupted because its next piece was late.
      flushed_frames: How much sound was dropped by ``flush``.
      refused_frames: How much came too late, of a generation that was flushed.
    """

    def __init__(
        self,
        *,
        rate_hz: int,
        capacity_seconds: float,
        prebuffer: float = 0.08,
        most_prebuffer: float = 0.2,
    ) -> None:
        self.prebuffer: float = prebuffer
        self.underruns: int = 0
        self.flushed_frames: int = 0
        self.refused_frames: int = 0
        self._rate_hz = rate_hz
        self._capacity = round(capacity_seconds * rate_hz)
        self._least = prebuffer
        self._most = max(prebuffer, most_prebuffer)
        self._pieces: deque[_Piece] = deque()
        self._fading = b""
        self._frames = 0
        self._playing = False
        self._waited = 0
        """Frames of silence since the first piece that waits came, or since the last one ended."""
        self._newest: int | None = None
        """The generation that was played last, or is."""
        self._refused = -1
        """Generations up to this one are over."""

    @property
    def frames(self) -> int:
        """How many frames wait."""
        return self._frames

    def holds(self, generation: int | None) -> bool:
        """Tell whether sound of a generation waits."""
        return any(piece.generation == generation for piece in self._pieces)

    def refuses(self, generation: int | None) -> bool:
        """Tell whether a generation was flushed, so that nothing of it is taken any more."""
        return generation is not None and generation <= self._refused

    def fits(self, frames: int) -> bool:
        """Tell whether there is room; an empty buffer takes a piece of any size."""
        return not self._frames or self._frames + frames <= self._capacity

    def add(self, pcm: bytes, generation: int | None) -> None:
        """Append sound, whether it fits or not; what is refused is counted."""
        frames = len(pcm) // SAMPLE
        if self.refuses(generation):
            self.refused_frames += frames
            return
        if not frames:
            return
        if not self._frames and not self._playing:
            self._begin(generation)
        self._pieces.append(_Piece(generation, memoryview(pcm)[: frames * SAMPLE]))
        self._frames += frames

    def _begin(self, generation: int | None) -> None:
        """A first piece came into the silence: find out what that silence was."""
        late = generation == self._newest and generation is not None
        if late and 0 < self._waited < PAUSE_SECONDS * self._rate_hz:
            self.underruns += 1
            self.prebuffer = min(self._most, self.prebuffer * GROWTH)
        elif not late:
            self.prebuffer = max(self._least, self.prebuffer * SHRINKAGE)
        self._waited = 0

    def take(self, frames: int) -> tuple[bytes, list[Span]]:
        """Return the next block, filled up with silence, and what is in it, from its beginning."""
        if not self._playing:
            enough = round(self.prebuffer * self._rate_hz)
            if self._frames and (self._frames >= enough or self._waited >= enough):
                self._playing = True
        parts: list[bytes | memoryview] = []
        spans: list[Span] = []
        room = frames
        if self._fading:
            parts.append(self._fading[: room * SAMPLE])
            self._fading = self._fading[room * SAMPLE :]
            room -= len(parts[0]) // SAMPLE
        while self._playing and room and self._pieces:
            piece = self._pieces[0]
            part = piece.pcm[: room * SAMPLE]
            count = len(part) // SAMPLE
            parts.append(part)
            if spans and spans[-1].generation == piece.generation:
                spans[-1] = Span(piece.generation, spans[-1].start, spans[-1].frames + count)
            else:
                spans.append(Span(piece.generation, frames - room, count))
            if count * SAMPLE == len(piece.pcm):
                self._pieces.popleft()
            else:
                piece.pcm = piece.pcm[count * SAMPLE :]
            self._newest = piece.generation
            self._frames -= count
            room -= count
        if room:
            parts.append(bytes(room * SAMPLE))
            if self._playing:
                self._playing = False
                self._waited = 0
            self._waited += room
        return b"".join(parts), spans

    def flush(self, generation: int | None) -> None:
        """Drop what waits of this generation and those before it, and refuse what yet comes.

        With ``None`` everything that waits is dropped, and nothing refused.
        """
        if generation is None:
            kept: deque[_Piece] = deque()
        else:
            self._refused = max(self._refused, generation)
            kept = deque(piece for piece in self._pieces if not self.refuses(piece.generation))
        cut = self._pieces and (not kept or kept[0] is not self._pieces[0])
        if cut and self._playing:
            left = kept[0] if kept else None
            dropped = itertools.takewhile(lambda piece: piece is not left, self._pieces)
            self._fading = _fade(dropped, round(FADE_SECONDS * self._rate_hz))
        if cut or not kept:
            self._playing = False
            self._waited = 0
            self._newest = None
        frames = sum(len(piece.pcm) // SAMPLE for piece in kept)
        self.flushed_frames += self._frames - frames
        self._pieces = kept
        self._frames = frames


def _fade(pieces: Iterable[_Piece], frames: int) -> bytes:
    pcm = bytearray()
    for piece in pieces:
        pcm += piece.pcm[: frames * SAMPLE - len(pcm)]
        if len(pcm) == frames * SAMPLE:
            break
    samples = array("h", bytes(pcm))
    for place, sample in enumerate(samples):
        samples[place] = int(sample * (1 - (place + 1) / len(samples)))
    return samples.tobytes()


@attrs.frozen
class _Handed:
    generation: int | None
    at: float
    seconds: float

    def heard(self, now: float) -> float:
        return min(max(now - self.at, 0.0), self.seconds)


class Heard:
    """How much of each generation has been heard.

    The device is handed its blocks some time before they sound, and says when they will. All times
    are seconds on the device's own clock.
    """

    def __init__(self) -> None:
        self._heard: dict[int | None, float] = {}
        self._ahead: deque[_Handed] = deque()

    def handed(self, at: float, spans: list[Span], rate_hz: int, now: float) -> None:
        """The device took a block whose first frame sounds at this time."""
        self._settle(now)
        for span in spans:
            begins = at + span.start / rate_hz
            self._ahead.append(_Handed(span.generation, begins, span.frames / rate_hz))

    def position(self, generation: int | None, now: float) -> float:
        """Return how many seconds of a generation have been heard."""
        return self.positions(now).get(generation, 0.0)

    def positions(self, now: float) -> dict[int | None, float]:
        """Return how many seconds of each of the newest generations have been heard."""
        self._settle(now)
        positions = dict(self._heard)
        for handed in self._ahead:
            heard = positions.get(handed.generation, 0.0) + handed.heard(now)
            positions[handed.generation] = heard
        return positions

    def end(self, generation: int | None) -> float | None:
        """Return when the last sound of a generation that the device was handed is over."""
        ends = [
            handed.at + handed.seconds for handed in self._ahead if handed.generation == generation
        ]
        return max(ends, default=None)

    def lost(self, now: float) -> None:
        """The device is gone: what it was handed and hasn't sounded never will."""
        for handed in self._ahead:
            self._add(handed.generation, handed.heard(now))
        self._ahead.clear()

    def _settle(self, now: float) -> None:
        while self._ahead and self._ahead[0].at + self._ahead[0].seconds <= now:
            handed = self._ahead.popleft()
            self._add(handed.generation, handed.seconds)

    def _add(self, generation: int | None, seconds: float) -> None:
        self._heard[generation] = self._heard.pop(generation, 0.0) + seconds
        while len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]


def _resampled(resampler: Resampler, pcm: bytes, *, last: bool = False) -> bytes:
    """Bring the next piece of 16-bit mono to another rate."""
    import numpy as np

    samples = resampler.process(np.frombuffer(pcm, "<i2").astype(np.int16), last=last)
    return samples.astype("<i2", copy=False).tobytes()


class Source:
    """Sound of one generation and one rate, on its way into a playout.

    Args:
      generation: Which one.
      from_hz: Its rate.
      to_hz: The playout's.
    """

    def __init__(self, generation: int | None, from_hz: int, to_hz: int) -> None:
        self.generation = generation
        self.from_hz = from_hz
        self._half = b""
        self._resampler: Resampler | None = None
        if from_hz != to_hz:
            from .pcm import Resampler

            self._resampler = Resampler(from_hz, to_hz, purpose="live")

    def convert(self, piece: bytes | bytearray) -> bytes:
        """Return what comes of a piece; half a sample waits for its other half."""
        pcm = self._half + piece
        whole = len(pcm) // SAMPLE * SAMPLE
        self._half = pcm[whole:]
        pcm = pcm[:whole]
        return pcm if self._resampler is None else _resampled(self._resampler, pcm)

    def end(self) -> bytes:
        """Return what the resampler has held back."""
        return b"" if self._resampler is None else _resampled(self._resampler, b"", last=True)


class Outlet:
    """Blocks as the device wants them, out of a playout that may have another rate.

    Args:
      playout: Where the sound waits.
      rate_hz: The playout's rate.
      device_hz: The device's.
    """

    def __init__(self, playout: Playout, *, rate_hz: int, device_hz: int) -> None:
        self._playout = playout
        self._rate_hz = rate_hz
        self._device_hz = device_hz
        self._held = bytearray()
        self._resampler: Resampler | None = None
        if rate_hz != device_hz:
            from .pcm import Resampler

            self._resampler = Resampler(rate_hz, device_hz, purpose="live")

    def take(self, frames: int) -> tuple[bytes, list[tuple[float, list[Span]]]]:
        """Return a block, and what is in it: spans at the playout's rate, each list with its delay.

        The delay is in seconds from the beginning of the block. What a resampler holds back, some
        three milliseconds, is not reckoned with.
        """
        if self._resampler is None:
            pcm, spans = self._playout.take(frames)
            return pcm, [(0.0, spans)]
        taken: list[tuple[float, list[Span]]] = []
        while (lacking := frames - len(self._held) // SAMPLE) > 0:
            delay = len(self._held) / SAMPLE / self._device_hz
            pcm, spans = self._playout.take(-(-lacking * self._rate_hz // self._device_hz))
            taken.append((delay, spans))
            self._held += _resampled(self._resampler, pcm)
        block = bytes(self._held[: frames * SAMPLE])
        del self._held[: frames * SAMPLE]
        return block, taken
