"""Tools for the tests of sound: what to send through devices, and what came out of them."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import trio

from gemini_live_trio.media import Microphone, MicrophoneBlock

needs_sound = pytest.mark.skipif(
    "PULSE_SERVER" not in os.environ, reason="PulseAudio isn't installed"
)

Samples = np.ndarray[Any, np.dtype[np.int16]]

QUIET = 200
"""Samples that are larger are sound: resamplers ring a little before and after it."""
PATIENCE = 30.0
"""Seconds that a test listens at most."""


def tone(
    seconds: float, *, hertz: float = 440.0, rate_hz: int = 24_000, level: int = 16_000
) -> bytes:
    """A sine as 16-bit mono."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (np.sin(2 * np.pi * hertz * time) * level).astype("<i2").tobytes()


def pitch(samples: Samples, *, rate_hz: int = 16_000) -> float:
    """The loudest frequency, in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * rate_hz / len(samples)


def loud(samples: Samples) -> tuple[int, int]:
    """Where sound begins and ends, in samples; twice the same place if there is none."""
    places = np.nonzero(np.abs(samples.astype(int)) > QUIET)[0]
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def longest_hole(samples: Samples, *, rate_hz: int = 16_000) -> float:
    """The longest silence inside of the sound, in seconds."""
    places = np.nonzero(np.abs(samples.astype(int)) > QUIET)[0]
    return float(np.diff(places).max()) / rate_hz


class Recording:
    """What a microphone gave."""

    def __init__(self) -> None:
        self.blocks: list[MicrophoneBlock] = []
        self.others: list[object] = []

    @property
    def samples(self) -> Samples:
        return np.frombuffer(b"".join(block.pcm for block in self.blocks), "<i2").astype(np.int16)

    @property
    def sound(self) -> Samples:
        """Without the silence before and after."""
        begin, end = loud(self.samples)
        return self.samples[begin:end]

    @property
    def heard_seconds(self) -> float:
        """How long the sound lasted."""
        return sum(block.seconds for block in self.blocks if not is_quiet(block))

    def quiet_for(self, seconds: float) -> bool:
        """Whether there was sound, and then none for so long."""
        heard = 0.0
        for block in reversed(self.blocks):
            if not is_quiet(block):
                return heard >= seconds
            heard += block.seconds
        return False

    async def listen(
        self, microphone: Microphone, until: Callable[[Recording], bool] = lambda _: False
    ) -> None:
        """Take what comes until the condition holds."""
        with trio.fail_after(PATIENCE):
            async for event in microphone:
                if isinstance(event, MicrophoneBlock):
                    self.blocks.append(event)
                else:
                    self.others.append(event)
                if until(self):
                    return


def is_quiet(block: MicrophoneBlock) -> bool:
    return not np.any(np.abs(np.frombuffer(block.pcm, "<i2").astype(int)) > QUIET)


async def heard(
    microphone: Microphone, until: Callable[[Recording], bool] = lambda r: r.quiet_for(0.4)
) -> Recording:
    """Listen until the condition holds: by default, until there was sound and it ended."""
    recording = Recording()
    await recording.listen(microphone, until)
    return recording


def again_if_the_machine_stalls(
    test: Callable[[], Awaitable[None]],
) -> Callable[[], Awaitable[None]]:
    """Try a test of timing three times: other programs may take the machine from all of ours."""

    @functools.wraps(test)
    async def tried() -> None:
        for _ in range(2):
            try:
                return await test()
            except (AssertionError, ExceptionGroup):
                continue
        return await test()

    return tried


async def play_raw(pcm: bytes, *, sink: str = "vmic_sink", rate_hz: int = 16_000) -> None:
    """Play with PulseAudio's own program, to the end."""
    form = [f"--rate={rate_hz}", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20"]
    await trio.run_process(["pacat", "-d", sink, *form], stdin=pcm)


def pactl(*arguments: str) -> str:
    """Ask the sound server, or tell it something."""
    done = subprocess.run(["pactl", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
