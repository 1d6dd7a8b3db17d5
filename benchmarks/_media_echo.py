"""How much echo is left, after how long, who is heard over it, and what that costs.

In a simulated room: what is played is like speech, at -20 dBFS; its echo is 6 dB quieter, dies away
by 60 dB in 0.25 s, and comes 90 ms after its reference, of which the stamps know 60. Noise is at
-65 dBFS. But for the CPU time, no figure depends on the machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import trio
from _media_picture import Series
from _media_report import Table

from gemini_live_trio.errors import MissingDependency
from gemini_live_trio.media import EchoBackend, EchoStage, erle_db, open_echo_canceller
from gemini_live_trio.media._echo_signal import speech_like

__all__ = ["curves", "tables"]

RATE_HZ, SPEAKER_HZ = 16_000, 24_000
BLOCK_SECONDS = 0.02
BLOCK = round(RATE_HZ * BLOCK_SECONDS)
BACKENDS: tuple[EchoBackend, ...] = ("webrtc", "speexdsp", "half_duplex")
CURVES: dict[str, tuple[EchoBackend, float]] = {
    "webrtc": ("webrtc", 0.0),
    "speexdsp": ("speexdsp", 0.0),
    "speexdsp, clocks 100 ppm apart": ("speexdsp", 100.0),
}
MARKS = (1, 2, 3, 5, 8, 12, 16, 20)

CUTS = (0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 9.0)
PAUSES = (1.0, 1.25, 1.5, 1.75)
"""Seconds before the speaker's first word, since the canceller looks for echo once a second."""
WORDS_SECONDS = 2.0
FAINT = 10 ** (-34 / 20)
"""From an echo 6 dB quieter than the speaker to one that is 40 dB quieter."""
LOUD_DBFS = -42.0


def attenuation(backend: EchoBackend, *, seconds: float = 20.0, drift_ppm: float = 0.0) -> Series:
    """Return seconds, and decibels of attenuation over the last of them, for each half second.

    Raises:
      MissingDependency: The back-end isn't installed.
    """
    far = speech_like(seconds, rate_hz=SPEAKER_HZ)
    near = as_int16(echo_of(far, drift_ppm=drift_ppm) + noise(seconds))
    out, _, _ = trio.run(through, backend, far, near)
    return [
        (end / 2, erle_db(near[part], out[part]))
        for end in range(2, round(seconds * 2) + 1)
        if (part := slice((end - 2) * RATE_HZ // 2, end * RATE_HZ // 2))
    ]


def cpu_per_second(backend: EchoBackend, *, seconds: float) -> float:
    """Return the CPU time in seconds that a second of sound takes, all threads together.

    The speaker's 24,000 samples a second are resampled within that.

    Raises:
      MissingDependency: The back-end isn't installed.
    """
    far = speech_like(seconds, rate_hz=SPEAKER_HZ)
    near = as_int16(echo_of(far) + noise(seconds))
    return trio.run(through, backend, far, near)[1] / seconds


def heard_share(
    backend: EchoBackend, *, after: float, pause: float, alone: bool, faint: bool
) -> float:
    """Return how much of a user is heard who cuts in where there is no echo, from 0 to 1.

    Of the 20 ms of the user above -42 dBFS, those that are above it afterwards.

    Args:
      backend: What has to let the user through.
      after: Seconds from the speaker's first word to the user's.
      pause: Seconds of silence before the former.
      alone: Whether the canceller is left alone, with no way round it.
      faint: Whether there is an echo after all, 40 dB quieter than the speaker.

    Raises:
      MissingDependency: The back-end isn't installed.
    """
    seconds = pause + after + WORDS_SECONDS + 0.5
    begin = round((pause + after) * RATE_HZ)
    far = speech_like(seconds, rate_hz=SPEAKER_HZ)
    far[: round(pause * SPEAKER_HZ)] = 0
    user = speech_like(WORDS_SECONDS, rate_hz=RATE_HZ, seed=7)
    air = noise(seconds)
    if faint:
        air += echo_of(far) * FAINT
    air[begin : begin + len(user)] += user
    out, _, delay = trio.run(through, backend, far, as_int16(air), alone)
    late = begin + round(delay * RATE_HZ)
    said, left = loud(user), loud(out[late : late + len(user)])
    return float((said & left).sum() / said.sum())


def loud(sound: Any) -> Any:
    """Tell which 20 ms are loud."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(float)
    return np.sqrt((blocks**2).mean(axis=1)) > 32768 * 10 ** (LOUD_DBFS / 20)


# --- The room -----------------------------------------------------------------------------------


def echo_of(far: Any, *, drift_ppm: float = 0.0) -> Any:
    """Return what a microphone hears of a loudspeaker, as floats at the microphone's rate."""
    seconds = len(far) / SPEAKER_HZ
    # To 16 kHz by leaving out what lies above 8: good enough for air.
    spectrum = np.fft.rfft(far)[: len(far) // 3 + 1]
    air = np.fft.irfft(spectrum, round(seconds * RATE_HZ)) * RATE_HZ / SPEAKER_HZ
    after = np.arange(round(0.3 * RATE_HZ)) / RATE_HZ
    response = np.random.default_rng(1).standard_normal(len(after)) * 10 ** (-3 * after / 0.25)
    response[0] = 3.0
    response *= 0.5 / np.sqrt(np.sum(response**2))
    size = 1 << (len(air) + len(response)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(air, size) * np.fft.rfft(response, size))
    heard = np.concatenate((np.zeros(round(0.09 * RATE_HZ)), heard))[: len(air)]
    if drift_ppm:
        fine = 8
        spectrum = np.concatenate((np.fft.rfft(heard), np.zeros(len(air) // 2 * (fine - 1))))
        between = np.fft.irfft(spectrum, len(air) * fine) * fine
        clock = np.arange(len(air)) * (1 + drift_ppm * 1e-6)
        heard = np.interp(clock, np.arange(len(air) * fine) / fine, between)
    return heard


def noise(seconds: float) -> Any:
    """Return the quiet of a room."""
    count = round(seconds * RATE_HZ)
    return np.random.default_rng(2).standard_normal(count) * 32768 * 10 ** (-65 / 20)


def as_int16(sound: Any) -> Any:
    """Return what a device makes of it."""
    return sound.round().clip(-32768, 32767).astype(np.int16)


async def through(
    backend: EchoBackend, far: Any, near: Any, alone: bool = False
) -> tuple[Any, float, float]:
    """Return what is left of ``near``, the CPU time that took, and by how much it is later."""
    async with open_echo_canceller(backend) as echo:
        if alone:
            echo._round = None  # type: ignore[attr-defined]
        before = time.process_time()
        out = b"".join(_blocks(echo, far, near))
        spent = time.process_time() - before
        return np.frombuffer(out, "<i2"), spent, echo.statistics().delay


def _blocks(echo: EchoStage, far: Any, near: Any) -> Iterator[bytes]:
    played = round(SPEAKER_HZ * BLOCK_SECONDS)
    for number in range(len(near) // BLOCK):
        now = number * BLOCK_SECONDS
        reference = far[number * played : (number + 1) * played]
        # It sounds 60 ms after it was handed over, and is heard 30 ms later than that.
        echo.reference(reference, rate_hz=SPEAKER_HZ, when=now + 0.06)
        yield echo.process(near[number * BLOCK : (number + 1) * BLOCK], when=now)


# --- What is printed ----------------------------------------------------------------------------


def curves() -> dict[str, Series]:
    """Return attenuation over time for each back-end that is installed, by name."""
    found: dict[str, Series] = {}
    for name, (backend, drift_ppm) in CURVES.items():
        try:
            found[name] = attenuation(backend, drift_ppm=drift_ppm)
        except MissingDependency as error:
            print(f"{name} was left out: {error}")
    return found


def tables(found: dict[str, Series], *, quick: bool) -> Iterator[Table]:
    """Measure the rest.

    Args:
      found: What ``curves`` returned.
      quick: With less patience, and so less exactly.
    """
    yield Table(
        "Echo attenuation over the last second, after so many seconds of the speaker, in dB",
        ("", *(f"{mark} s" for mark in MARKS)),
        [
            (name, *(f"{dict(series)[mark]:.0f}" for mark in MARKS))
            for name, series in found.items()
        ],
    )
    backends: list[EchoBackend] = [
        name for name in BACKENDS if name == "half_duplex" or name in found
    ]
    rows: list[tuple[str, EchoBackend, bool, bool]] = [
        (name, name, False, False) for name in backends if name != "half_duplex"
    ]
    if "webrtc" in found:
        rows.append(("webrtc alone", "webrtc", True, False))
        rows.append(("webrtc alone, an echo 40 dB down", "webrtc", True, True))
    pauses = PAUSES[:1] if quick else PAUSES
    yield Table(
        "Heard of who cuts in where there is no echo, so long after the speaker's first word",
        ("", *(f"{cut:g} s" for cut in CUTS)),
        [
            (name, *(_typical_share(backend, cut, alone, faint, pauses) for cut in CUTS))
            for name, backend, alone, faint in rows
        ],
    )
    seconds, rounds = (5.0, 1) if quick else (20.0, 3)
    yield Table(
        "CPU for a second of sound with its reference, in ms",
        ("", "ms"),
        [
            (name, f"{min(cpu_per_second(name, seconds=seconds) for _ in range(rounds)) * 1e3:.1f}")
            for name in backends
        ],
    )


def _typical_share(
    backend: EchoBackend, cut: float, alone: bool, faint: bool, pauses: Sequence[float]
) -> str:
    shares = (
        heard_share(backend, after=cut, pause=pause, alone=alone, faint=faint) for pause in pauses
    )
    return f"{statistics.median(shares):.0%}"
