"""What the microphone hears on its way to the model: without echo, and as a level."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ..media import EchoStage, SoundBlock, SpeakerTap

__all__ = ["Ears", "meter"]

STEPS_DBFS: Final = (-50.0, -40.0, -30.0, -20.0, -10.0)
BARS: Final = "▁▂▃▅▇"


def meter(level_dbfs: float, *, encoding: str | None) -> str:
    """Draw a level, as wide for silence as for noise; in ASCII where the terminal needs that."""
    reached = sum(level_dbfs >= step for step in STEPS_DBFS)
    try:
        BARS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#" * reached + "." * (len(BARS) - reached)
    return BARS[:reached].ljust(len(BARS))


class Ears:
    """An echo canceller whose speaker comes and goes."""

    def __init__(self) -> None:
        self._stage: EchoStage | None = None
        self._tap: SpeakerTap | None = None

    @contextmanager
    def against(self, stage: EchoStage, tap: SpeakerTap) -> Iterator[None]:
        """Take what a speaker plays out of what is heard, for the length of the block."""
        self._stage, self._tap = stage, tap
        try:
            yield
        finally:
            if self._stage is stage:
                self._stage = self._tap = None

    def reference(self, far: SoundBlock, /, **_: Any) -> None:
        """See ``EchoCanceller``; what is played is looked for at the tap instead."""

    def process(
        self, near: SoundBlock, /, *, when: float | None = None, frame: int | None = None
    ) -> bytes:
        """See ``EchoCanceller``."""
        if self._stage is None or self._tap is None:
            return bytes(near)
        for played in self._tap.take():
            self._stage.reference(
                played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
            )
        return self._stage.process(near, when=when, frame=frame)

    def close(self) -> None:
        """See ``EchoCanceller``; the stage belongs to whoever opened it."""
