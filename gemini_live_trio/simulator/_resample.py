"""Changing the sample rate of speech, in plain Python.

A windowed-sinc filter, its coefficients computed once for each pair of rates. About 25 ms of work
for a second of sound: enough for a simulator that must not depend on anything.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from array import array
from itertools import repeat
from typing import Final

__all__ = ["resample"]

_HALF_TAPS: Final = 8


@functools.cache
def _phases(up: int, down: int) -> tuple[tuple[float, ...], ...]:
    """Coefficients for each of the ``up`` positions between two samples, each summing to 1."""
    cutoff = min(1.0, up / down)
    reach = math.ceil(_HALF_TAPS / cutoff)
    phases = []
    for phase in range(up):
        taps = []
        for tap in range(-reach + 1, reach + 1):
            x = (tap - phase / up) * cutoff
            sinc = 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)
            window = 0.5 + 0.5 * math.cos(math.pi * max(-1.0, min(1.0, x / _HALF_TAPS)))
            taps.append(sinc * window)
        total = sum(taps)
        phases.append(tuple(value / total for value in taps))
    return tuple(phases)


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Convert signed 16-bit little-endian mono from one rate to another.

    Args:
      pcm: The sound; an odd last byte is dropped.
      from_hz: Its rate.
      to_hz: The rate wanted.
    """
    pcm = pcm[: len(pcm) // 2 * 2]
    if from_hz == to_hz or not pcm:
        return pcm
    divisor = math.gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    phases = _phases(up, down)
    reach = len(phases[0]) // 2
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    count = len(samples) * up // down
    padded = (
        array("d", repeat(0.0, reach - 1))
        + array("d", samples)
        + array("d", repeat(0.0, reach + 1))
    )
    out = array("h")
    multiply = operator.mul
    for index in range(count):
        whole, phase = divmod(index * down, up)
        value = sum(map(multiply, phases[phase], padded[whole : whole + 2 * reach]))
        out.append(max(-32_768, min(32_767, round(value))))
    if sys.byteorder == "big":
        out.byteswap()
    return out.tobytes()
