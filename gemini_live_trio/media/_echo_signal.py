"""What echo is measured with: a sound to play, and what to make of what was heard."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ._echo import RATE_HZ
from ._echo_align import Int16
from ._echo_drift import echo_delay
from ._echo_measure import FRAME, EchoMeasurement, erle_db, powers

__all__ = ["Probe", "measured", "speech_like"]

AUDIBLE_DB = 12.0
"""An echo that is less above the noise isn't measured: it would be the noise that is."""


def speech_like(seconds: float, *, rate_hz: int, seed: int = 1) -> Int16:
    """Return a sound with the rhythm and the spectrum of speech, at -20 dBFS, always the same.

    Args:
      seconds: Its length.
      rate_hz: Int16 a second; 16,000 or more.
      seed: Which of many.
    """
    dice = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    sound = np.zeros(count)
    place = 0
    while place < count:
        length = round(dice.uniform(0.1, 0.3) * rate_hz)
        syllable = _syllable(length, rate_hz, dice)[: count - place]
        sound[place : place + len(syllable)] = syllable
        pause = dice.uniform(0.2, 0.4) if dice.random() < 0.15 else dice.uniform(0.01, 0.08)
        place += length + round(pause * rate_hz)
    scale = 3276.8 / math.sqrt(float(np.mean(sound**2)))
    return (sound * scale).clip(-32768, 32767).astype(np.int16)


def _syllable(length: int, rate_hz: int, dice: np.random.Generator) -> npt.NDArray[Any]:
    """A voice's pulses with some breath, through two formants."""
    seconds = np.arange(length) / rate_hz
    pitch = dice.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 3 * seconds))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate_hz), prepend=0.0)
    source = pulses * 12 + dice.standard_normal(length) * dice.uniform(0.3, 1.0)
    hertz = np.fft.rfftfreq(length, 1 / rate_hz)
    shape = 0.05 / (1 + hertz / 3000)
    for low, high, width in ((250, 900, 120), (900, 2600, 250), (2600, 6000, 900)):
        shape += dice.uniform(0.3, 1) * np.exp(-(((hertz - dice.uniform(low, high)) / width) ** 2))
    shape *= ((hertz > 80) & (hertz < 7500)) / (1 + hertz / 1000)
    sound: npt.NDArray[Any] = np.fft.irfft(np.fft.rfft(source) * shape, length)
    return sound * np.sin(np.pi * np.arange(length) / length) * dice.uniform(0.4, 1.0)


class Probe:
    """An engine that changes nothing and remembers all."""

    frame_samples = FRAME
    delay_samples = 0
    covers = None
    wants_echo = False

    def __init__(self) -> None:
        self.near: list[Int16] = []
        self.far: list[Int16] = []

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return the frame."""
        self.near.append(near)
        self.far.append(far)
        return near

    def close(self) -> None:
        """Do nothing."""


def _dbfs(power: float) -> float:
    return 10 * math.log10(max(power / 32768.0**2, 1e-10))


def measured(probe: Probe, out: bytes, *, quiet: float) -> EchoMeasurement:
    """Return what was done to an echo.

    Args:
      probe: Heard and played what the canceller did.
      out: What the canceller made of it, as 16-bit samples.
      quiet: How many seconds at the beginning are without echo.
    """
    heard, played = np.concatenate(probe.near), np.concatenate(probe.far)
    left = np.frombuffer(out, "<i2")[: len(heard)]
    first = round(quiet * RATE_HZ)
    noise = float(powers(heard[:first]).mean())
    delay = echo_delay(heard[first:], played[first:])
    power = powers(heard[first:])
    active = power > max(noise, 1.0) * 10 ** (AUDIBLE_DB / 10)
    frames = RATE_HZ // FRAME

    def attenuation(begin: int, end: int) -> float | None:
        part = slice(first + begin * FRAME, first + end * FRAME)
        value = erle_db(heard[part], left[part], active[begin:end])
        return None if math.isnan(value) else value

    late = attenuation(len(active) * 2 // 3, len(active))
    return EchoMeasurement(
        heard=late is not None and delay is not None and float(active.mean()) > 0.1,
        echo_dbfs=_dbfs(float(power[active].mean()) if active.any() else 0.0),
        noise_dbfs=_dbfs(noise),
        delay=delay,
        attenuation_db=late or 0.0,
        by_second=tuple(
            attenuation(second * frames, (second + 1) * frames)
            for second in range(len(active) // frames)
        ),
    )
