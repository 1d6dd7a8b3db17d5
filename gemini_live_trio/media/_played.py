"""What a speaker tells of itself: the blocks that it plays, and its counts."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import attrs

__all__ = ["PlayedBlock", "SpeakerStatistics", "SpeakerTap"]

SAMPLE = 2


@attrs.frozen
class PlayedBlock:
    """What the device was handed at once, silence included: the reference of an echo canceller.

    Attributes:
      pcm: Signed 16-bit little-endian mono samples.
      rate_hz: Their rate, the device's own.
      dac_time: When the first of them sounds, in seconds on PortAudio's clock.
      frame: How many samples came before it; where this jumps, blocks were dropped.
    """

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    rate_hz: int
    dac_time: float
    frame: int


class SpeakerTap:
    """What a speaker plays, block by block; ``Speaker.tap`` makes it.

    Attributes:
      dropped: How many blocks made room because nobody took them in time.
    """

    def __init__(self, *, seconds: float) -> None:
        self.dropped: int = 0
        self._seconds = seconds
        self._blocks: deque[PlayedBlock] = deque()

    def take(self) -> list[PlayedBlock]:
        """Return the blocks since the last time, oldest first; never waits."""
        taken = []
        while self._blocks:
            taken.append(self._blocks.popleft())
        return taken

    def _add(self, block: PlayedBlock) -> None:
        most = self._seconds * block.rate_hz * SAMPLE / max(1, len(block.pcm))
        if len(self._blocks) >= most:
            with suppress(IndexError):  # they were taken just now
                self._blocks.popleft()
                self.dropped += 1
        self._blocks.append(block)


@attrs.frozen(kw_only=True)
class SpeakerStatistics:
    """How a speaker is doing, since it was opened.

    Attributes:
      blocks: Blocks that the device took.
      waiting_seconds: Sound that waits to be played.
      prebuffer_seconds: How much sound must be there before a voice begins; grows with underruns.
      underruns: How often a voice had a hole because its next piece was late.
      underflows: How often the system says that it ran dry, whether or not that was heard.
      flushed_seconds: Sound that was dropped because it was interrupted.
      overflow_seconds: Sound that ``play_nowait`` had no room for.
      refused_seconds: Sound that came after its generation had been interrupted.
      restored: How often the device was lost and found again.
    """

    blocks: int
    waiting_seconds: float
    prebuffer_seconds: float
    underruns: int
    underflows: int
    flushed_seconds: float
    overflow_seconds: float
    refused_seconds: float
    restored: int
