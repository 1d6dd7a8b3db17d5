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
from collections.abc import Iterator
from itertools import repeat
from typing import Final

import trio

__all__ = ["resample", "resample_in_steps"]

_HALF_TAPS: Final = 8


_MOST_PHASES: Final = 512
_STEP: Final = 2_400
"""Samples made between two checkpoints: some 3 ms of work."""


@functools.lru_cache(maxsize=8)
def _phases(up: int, down: int) -> tuple[tuple[float, ...], ...]:
    """Coefficients for positions between two samples, each summing to 1.

    As many as there are different ones, up to a limit: more would be megabytes for odd rates, and
    nobody could hear them.
    """
    cutoff = min(1.0, up / down)
    reach = math.ceil(_HALF_TAPS / cutoff)
    count = min(up, _MOST_PHASES)
    phases = []
    for phase in range(count):
        taps = []
        for tap in range(-reach + 1, reach + 1):
            x = (tap - phase / count) * cutoff
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
    return b"".join(_steps(pcm, from_hz, to_hz))


async def resample_in_steps(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Do the same, and let others work meanwhile; a minute of sound is a second and a half."""
    out = []
    for step in _steps(pcm, from_hz, to_hz):
        out.append(step)
        await trio.lowlevel.checkpoint()
    return b"".join(out)


def _steps(pcm: bytes, from_hz: int, to_hz: int) -> Iterator[bytes]:
    pcm = pcm[: len(pcm) // 2 * 2]
    if from_hz == to_hz or not pcm:
        yield pcm
        return
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
    multiply = operator.mul
    for start in range(0, count, _STEP):
        out = array("h")
        for index in range(start, min(start + _STEP, count)):
            whole, phase = divmod(index * down, up)
            taps = phases[phase * len(phases) // up]
            value = sum(map(multiply, taps, padded[whole : whole + 2 * reach]))
            out.append(max(-32_768, min(32_767, round(value))))
        if sys.byteorder == "big":
            out.byteswap()
        yield out.tobytes()
